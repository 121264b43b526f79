package text

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/safefile"
)

// The file is JSON in a fixed layout, a token and its count a line, so that every language reads
// it, two versions can be compared by line, and an error has a line. The layout also bounds memory:
// a line has at least ten bytes.
const (
	fileHeader = `{"format": "seqzoo vocabulary 1", "size": %d, "specials": %d, "tokens": [`
	fileFooter = `]}`
	lineBytes  = len(`["a", 0],` + "\n")
	maxFile    = 1 << 30
)

// WriteTo writes the vocabulary as [ReadVocabulary] reads it.
func (v *Vocabulary) WriteTo(w io.Writer) (int64, error) {
	if err := errors.Join(check.Given("the writer", w), v.made()); err != nil {
		return 0, fmt.Errorf("vocabulary: %w", err)
	}
	var written int64
	line := fmt.Appendf(nil, fileHeader+"\n", v.Len(), v.specials)
	for id := range v.Len() + 1 {
		n, err := w.Write(line)
		written += int64(n)
		if err != nil {
			return written, fmt.Errorf("vocabulary: %w", err)
		}
		if id == v.Len() {
			break
		}
		line = appendQuoted(append(line[:0], '['), v.token(id))
		line = strconv.AppendInt(append(line, ", "...), v.counts[id], 10)
		line = append(line, ']')
		if id < v.Len()-1 {
			line = append(line, ',')
		}
		line = append(line, '\n')
	}
	n, err := io.WriteString(w, fileFooter+"\n")
	if err != nil {
		err = fmt.Errorf("vocabulary: %w", err)
	}
	return written + int64(n), err
}

// LoadVocabulary reads the file at path.
func LoadVocabulary(path string) (*Vocabulary, error) { return load(path, ReadVocabulary) }

// load reads the file at path, which errors name.
func load[T any](path string, read func(r io.Reader, size int64) (*T, error)) (*T, error) {
	f, size, err := safefile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	x, err := read(f, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return x, nil
}

// ReadVocabulary reads what [Vocabulary.WriteTo] wrote, size bytes long. Whatever r holds, it takes
// less memory than twice size and 64 kB. An error names the line.
func ReadVocabulary(r io.Reader, size int64) (*Vocabulary, error) {
	if r == nil || size < 0 || size > maxFile {
		return nil, fmt.Errorf("vocabulary: %d bytes of a reader that must not be nil; the "+
			"limit is %d", size, maxFile)
	}
	p := parser{r: bufio.NewReaderSize(io.LimitReader(r, size), 8*MaxTokenBytes)}
	v, err := p.vocabulary(int(size))
	if err != nil {
		return nil, fmt.Errorf("vocabulary: line %d: %w", p.line, err)
	}
	return v, nil
}

type parser struct {
	r    *bufio.Reader
	line int
}

func (p *parser) vocabulary(size int) (*Vocabulary, error) {
	header, err := p.next()
	if err != nil {
		return nil, err
	}
	var n, specials int
	fmt.Sscanf(string(header), fileHeader, &n, &specials)
	if want := fmt.Sprintf(fileHeader, n, specials); string(header) != want {
		return nil, fmt.Errorf("not the first line of a vocabulary, such as %q", want)
	}
	if n < 1 || n > size/lineBytes {
		return nil, fmt.Errorf(`"size" is %d; the file of %d bytes can hold 1 to %d tokens`, n,
			size, size/lineBytes)
	}
	if specials < 0 || specials > n {
		return nil, fmt.Errorf(`"specials" is %d; the vocabulary has %d tokens`, specials, n)
	}
	v := newVocabulary(n, specials)
	var text strings.Builder
	text.Grow(size - (lineBytes-1)*n)
	for id := range n {
		line, err := p.next()
		if err != nil {
			return nil, err
		}
		start := text.Len()
		rest, err := unquote(&text, line)
		if err != nil {
			return nil, err
		}
		token := text.String()[start:]
		if err := checkToken(token); err != nil {
			return nil, err
		}
		count, err := parseCount(rest, id == n-1)
		if err != nil {
			return nil, err
		}
		v.add(token, count)
	}
	footer, err := p.next()
	if err != nil {
		return nil, err
	}
	if string(footer) != fileFooter {
		return nil, fmt.Errorf("%q expected after %d tokens", fileFooter, n)
	}
	if _, err := p.r.ReadByte(); err != io.EOF {
		p.line++
		return nil, errors.New("nothing may follow the vocabulary")
	}
	v.text = text.String()
	for id := range n {
		if twin, found := v.enter(id); found {
			p.line = id + 2
			return nil, fmt.Errorf("the token %q stands on line %d already", v.token(id), twin+2)
		}
	}
	return v, nil
}

// next returns a line without its end, valid until the next call.
func (p *parser) next() ([]byte, error) {
	p.line++
	line, err := p.r.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return nil, errors.New("the line is too long")
	case err == io.EOF:
		return nil, errors.New("the file ends too early")
	case err != nil:
		return nil, err
	}
	return line[:len(line)-1], nil
}

// The escapes of the file. Other control characters are written as \u00xx.
const escaped, escapes = "\"\\\n\r\t", `"\nrt`

// appendQuoted appends token as a JSON string.
func appendQuoted(b []byte, token string) []byte {
	b = append(b, '"')
	for _, c := range []byte(token) {
		if i := strings.IndexByte(escaped, c); i >= 0 {
			b = append(b, '\\', escapes[i])
		} else if c < ' ' {
			b = fmt.Appendf(b, `\u%04x`, c)
		} else {
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// unquote writes the token of a line such as `["token", 1],` to text, and returns the rest of line.
func unquote(text *strings.Builder, line []byte) (rest []byte, err error) {
	if string(line[:min(2, len(line))]) != `["` {
		return nil, errors.New(`a line such as ["token", 1], expected`)
	}
	for i := 2; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '"':
			return line[i+1:], nil
		case c < ' ':
			return nil, fmt.Errorf("the control character %#02x must be escaped", c)
		case c == '\\':
			if i++; i == len(line) {
				break
			}
			if e := strings.IndexByte(escapes, line[i]); e >= 0 {
				c = escaped[e]
				break
			}
			hex, err := strconv.ParseUint(string(line[i+1:min(i+5, len(line))]), 16, 64)
			if line[i] != 'u' || err != nil || hex >= ' ' {
				return nil, fmt.Errorf(`\%c is not an escape of this format`, line[i])
			}
			c, i = byte(hex), i+4
		}
		text.WriteByte(c)
	}
	return nil, errors.New("the token has no closing quotation mark")
}

// parseCount reads the end of a line, such as `, 12],`; the last line has no comma.
func parseCount(rest []byte, last bool) (int64, error) {
	end := "],"
	if last {
		end = "]"
	}
	s, comma := strings.CutPrefix(string(rest), ", ")
	s, bracket := strings.CutSuffix(s, end)
	n, err := strconv.ParseInt(s, 10, 64)
	// a sign, a leading 0
	if !comma || !bracket || err != nil || s[0] < '0' || s[0] == '0' && len(s) > 1 {
		return 0, fmt.Errorf("a count such as `, 1%s` expected after the token, not %q", end,
			rest[:min(40, len(rest))])
	}
	return n, nil
}
