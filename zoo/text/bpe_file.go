package text

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/seqzoo/seqzoo/internal/check"
)

// The file is JSON in a fixed layout, a merge a line; see the file of a vocabulary.
const (
	bpeHeader = `{"format": "seqzoo bpe 1", "lower": %t, "merges": %d, "pairs": [`
	bpeLine   = `[%d, %d]`
)

// WriteTo writes the tokeniser as [ReadBPE] reads it.
func (b *BPE) WriteTo(w io.Writer) (int64, error) {
	if err := check.Given("the writer", w); err != nil {
		return 0, fmt.Errorf("bpe: %w", err)
	}
	out := bufio.NewWriter(w)
	n, _ := fmt.Fprintf(out, bpeHeader+"\n", b.lower, len(b.merges))
	written := int64(n)
	for k, pair := range b.merges {
		n, _ = fmt.Fprintf(out, bpeLine, pair.a, pair.b)
		written += int64(n)
		end := ",\n"
		if k == len(b.merges)-1 {
			end = "\n"
		}
		n, _ = out.WriteString(end)
		written += int64(n)
	}
	n, _ = out.WriteString(fileFooter + "\n")
	if err := out.Flush(); err != nil { // it keeps the first error
		return written, fmt.Errorf("bpe: %w", err)
	}
	return written + int64(n), nil
}

// LoadBPE reads the file at path.
func LoadBPE(path string) (*BPE, error) { return load(path, ReadBPE) }

// ReadBPE reads what [BPE.WriteTo] wrote, size bytes long. Whatever r holds, it takes less memory
// than twice size and 64 kB. An error names the line.
func ReadBPE(r io.Reader, size int64) (*BPE, error) {
	if r == nil || size < 0 || size > maxFile {
		return nil, fmt.Errorf("bpe: %d bytes of a reader that must not be nil; the limit is %d",
			size, maxFile)
	}
	p := parser{r: bufio.NewReaderSize(io.LimitReader(r, size), 4096)}
	b, err := p.bpe(size)
	if err != nil {
		return nil, fmt.Errorf("bpe: line %d: %w", p.line, err)
	}
	return b, nil
}

func (p *parser) bpe(size int64) (*BPE, error) {
	header, err := p.next()
	if err != nil {
		return nil, err
	}
	b, n := &BPE{}, 0
	fmt.Sscanf(string(header), bpeHeader, &b.lower, &n)
	if want := fmt.Sprintf(bpeHeader, b.lower, n); string(header) != want {
		return nil, fmt.Errorf("not the first line of a byte-pair tokeniser, such as %q", want)
	}
	least := int64(len("[0, 0],\n"))
	if n < 0 || n > MaxBPE-256 || int64(n) > size/least {
		return nil, fmt.Errorf(`"merges" is %d; the file of %d bytes can hold 0 to %d of them`, n,
			size, min(size/least, MaxBPE-256))
	}
	b.merges, b.sizes = make([]bpePair, 0, n), make([]uint16, 0, n)
	for k := range n {
		line, err := p.next()
		if err != nil {
			return nil, err
		}
		pair, ok := parsePair(line, k == n-1)
		if !ok {
			return nil, fmt.Errorf("a pair of ids such as `[32, 116],` expected, "+
				"the last one without a comma, not %q", line[:min(40, len(line))])
		}
		if last := uint32(256 + k); pair.a >= last || pair.b >= last {
			return nil, fmt.Errorf("merge %d is of ids %d and %d; before it there are ids 0 to %d",
				k, pair.a, pair.b, last-1)
		}
		length := b.size(pair.a) + b.size(pair.b)
		if 2*length > MaxTokenBytes {
			return nil, fmt.Errorf("merge %d makes a piece of %d bytes; the limit is %d", k, length,
				MaxTokenBytes/2)
		}
		b.merges, b.sizes = append(b.merges, pair), append(b.sizes, uint16(length))
	}
	footer, err := p.next()
	if err != nil {
		return nil, err
	}
	if string(footer) != fileFooter {
		return nil, fmt.Errorf("%q expected after %d merges", fileFooter, n)
	}
	if _, err := p.r.ReadByte(); err != io.EOF {
		p.line++
		return nil, errors.New("nothing may follow the merges")
	}
	return b, b.index()
}

// parsePair reads a line such as `[32, 116],`; the last line has no comma.
func parsePair(line []byte, last bool) (pair bpePair, ok bool) {
	take := func(s string) {
		if ok = ok && len(line) >= len(s) && string(line[:len(s)]) == s; ok {
			line = line[len(s):]
		}
	}
	number := func() (n uint32) {
		digits := 0
		for digits < len(line) && digits < 8 && line[digits] >= '0' && line[digits] <= '9' {
			n = 10*n + uint32(line[digits]-'0')
			digits++
		}
		ok = ok && (digits == 1 || digits > 1 && line[0] != '0')
		line = line[digits:]
		return n
	}
	ok = true
	take("[")
	pair.a = number()
	take(", ")
	pair.b = number()
	take("]")
	if !last {
		take(",")
	}
	return pair, ok && len(line) == 0
}
