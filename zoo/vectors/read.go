package vectors

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"github.com/seqzoo/seqzoo/internal/filekind"
	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/internal/safefile"
)

// Format is a form of file.
type Format int

const (
	Auto Format = iota // for reading: found out from the file's beginning
	// word2vec's text: a line with count and width, then a word and its numbers a line
	Text
	// word2vec's binary form: that line, then each word, a space and its float32s, little-endian
	Binary
	GloVe // GloVe's text: as Text without the first line
)

func (f Format) String() string {
	if f < Auto || f > GloVe {
		return fmt.Sprintf("Format(%d)", int(f))
	}
	return [...]string{"auto", "text", "binary", "glove"}[f]
}

// The errors of files that break the format's rules. They come wrapped in a sentence that says
// where.
var (
	ErrHeader    = errors.New("the first line is not a count of words and a width")
	ErrTruncated = errors.New("the file is shorter than its count of words and its width claim")
	ErrTrailing  = errors.New("there is more in the file than its count of words claims")
	ErrWidth     = errors.New("the number of numbers is not the width of the vectors")
	ErrNumber    = errors.New("not a finite float32")
	ErrWord      = errors.New("a word must have 1 to 1024 bytes")
	ErrUTF8      = errors.New("the word is not UTF-8")
	ErrEmpty     = errors.New("the file has no words")
	ErrKind      = errors.New("the file is not one of vectors")
	ErrCrowded   = errors.New("the vectors would take more memory than twice the file and 64 kB")
)

// ReadOptions are the rarer wishes; the zero value reads everything and finds the format out.
type ReadOptions struct {
	Format Format
	Limit  int // words to read, from the first on; 0 means all
	// leave out words that are not UTF-8, which old tools wrote when they cut words short; Warnings
	// counts them
	SkipInvalid bool
}

// ReadFile reads the regular file at path. A cancelled context ends it soon with its error.
func ReadFile(ctx context.Context, path string, o ReadOptions) (*Vectors, error) {
	f, size, err := safefile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	v, err := Read(ctx, f, size, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// Read reads a file of size bytes, plain or compressed by gzip. Of a word that comes again, the
// first vector counts. Numbers must be finite. What was passed over is in Warnings. A cancelled
// context ends it soon with its error.
func Read(ctx context.Context, r io.ReaderAt, size int64, o ReadOptions) (*Vectors, error) {
	if r == nil || size < 0 {
		return nil, fmt.Errorf("vectors: %d bytes of a reader that must not be nil", size)
	}
	if err := interrupt.Err(ctx); err != nil {
		return nil, fmt.Errorf("vectors: %w", err)
	}
	if o.Limit < 0 {
		return nil, fmt.Errorf("vectors: Limit is %d; it must not be negative", o.Limit)
	}
	p := &parser{file: untilCancelled{ctx, r}, size: size, ReadOptions: o}
	v, err := p.readAny()
	if err != nil {
		return nil, fmt.Errorf("vectors: %w", err)
	}
	return v, nil
}

const (
	bufferBytes = 16 << 10
	slack       = 64 << 10
	// what reading takes besides the vectors: the buffer, and room for small things
	fixedBytes = bufferBytes + 8<<10
)

// untilCancelled reads as long as its context lasts.
type untilCancelled struct {
	ctx context.Context
	r   io.ReaderAt
}

func (u untilCancelled) ReadAt(b []byte, at int64) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.ReadAt(b, at)
}

// parser reads a file twice: first it counts, so that everything can be allocated once and at its
// size.
type parser struct {
	ReadOptions
	file io.ReaderAt
	size int64 // of the content, less a byte order mark
	mark int64 // bytes of that
	zip  *gzip.Reader
	r    *bufio.Reader
	at   int64 // bytes read
	line int   // of text, counted from 1

	n, dim  int      // words, width; n includes words that come again
	bytes   int      // of all words
	invalid int      // words that are not UTF-8
	again   int      // words that come again
	b       *builder // in the second pass
	buffer  [MaxWordBytes + 1]byte
}

// readAny reads a file that is not compressed, or says what kind of file it is instead.
func (p *parser) readAny() (*Vectors, error) {
	var buffer [filekind.HeadBytes]byte
	n, err := p.file.ReadAt(buffer[:min(p.size, filekind.HeadBytes)], 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	head := buffer[:n]
	if bytes.HasPrefix(head, []byte("\x1f\x8b")) {
		if err := p.unzip(); err != nil {
			return nil, err
		}
		if n, err = io.ReadFull(p.zip, buffer[:]); err != nil && err != io.ErrUnexpectedEOF &&
			err != io.EOF {
			return nil, err
		}
		head = buffer[:n]
	}
	if bytes.HasPrefix(head, []byte("\ufeff")) {
		p.mark = int64(len("\ufeff"))
		p.size -= p.mark
	}
	v, err := p.read()
	if kind := filekind.Of(head); err != nil && kind != "" {
		return nil, fmt.Errorf("%w: it is %s: %w", ErrKind, kind, err)
	}
	return v, err
}

// unzip finds out how much a compressed file holds, within limits: one of 64 MiB and 100 times its
// size holds no vectors.
func (p *parser) unzip() (err error) {
	limit := 64<<20 + 100*p.size
	if p.zip, err = gzip.NewReader(io.NewSectionReader(p.file, 0, p.size)); err != nil {
		return err
	}
	compressed := p.size
	if p.size, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, io.LimitReader(p.zip, limit+1),
		p.buffer[:]); err != nil {
		return err
	}
	if p.size > limit {
		return fmt.Errorf("%d bytes of gzip expand to more than %d", compressed, limit)
	}
	return p.zip.Reset(io.NewSectionReader(p.file, 0, compressed))
}

func (p *parser) rewind() error {
	p.at, p.line, p.invalid, p.again = 0, 0, 0, 0
	var r io.Reader = io.NewSectionReader(p.file, p.mark, p.size)
	if p.zip != nil {
		if err := p.zip.Reset(io.NewSectionReader(p.file, 0, math.MaxInt64)); err != nil {
			return err
		}
		if _, err := io.CopyN(struct{ io.Writer }{io.Discard}, p.zip, p.mark); err != nil {
			return err
		}
		r = p.zip
	}
	if p.r == nil {
		p.r = bufio.NewReaderSize(r, bufferBytes)
	} else {
		p.r.Reset(r)
	}
	return nil
}

func (p *parser) read() (*Vectors, error) {
	if p.size == 0 {
		return nil, ErrEmpty
	}
	if err := p.rewind(); err != nil {
		return nil, err
	}
	if p.Format == Auto {
		p.Format = p.detect()
	}
	pass := p.text
	switch p.Format {
	case Text, GloVe:
	case Binary:
		pass = p.binary
	default:
		return nil, fmt.Errorf("%v is no format", p.Format)
	}
	if err := pass(); err != nil {
		return nil, err
	}
	if p.n == 0 {
		return nil, ErrEmpty
	}
	need := 4*float64(p.n)*float64(p.dim) + 4*float64(p.n+1) + 4*float64(slotCount(p.n)) +
		float64(p.bytes) + fixedBytes
	if need > 2*float64(p.size)+slack {
		return nil, fmt.Errorf("%d words of width %d in a file of %d bytes: %w", p.n, p.dim, p.size,
			ErrCrowded)
	}
	var err error
	if p.b, err = newBuilder(p.n, p.bytes, p.dim); err != nil {
		return nil, err
	}
	p.b.data = make([]float32, 0, p.n*p.dim)
	if err := p.rewind(); err != nil {
		return nil, err
	}
	if err := pass(); err != nil {
		return nil, err
	}
	if p.b.n == 0 {
		return nil, fmt.Errorf("%w that are UTF-8", ErrEmpty)
	}
	v := p.b.vectors()
	if p.invalid > 0 {
		v.warnings = append(v.warnings, fmt.Sprintf("%d of %d words are not UTF-8 and are left out",
			p.invalid, p.n))
	}
	if p.again > 0 {
		v.warnings = append(v.warnings,
			fmt.Sprintf("%d of %d words come again; the first vector of each counts", p.again, p.n))
	}
	return v, nil
}

// detect tells the formats apart: both of word2vec's begin with a line of two counts, and behind
// the first word text goes on with the letters of numbers. A float32 may hold the byte of an end of
// line, so a first row that is too short is text only if what follows is text as well.
func (p *parser) detect() Format {
	head, _ := p.r.Peek(bufferBytes)
	line, rest, _ := bytes.Cut(head, []byte("\n"))
	_, dim, err := header(line)
	if err != nil {
		return GloVe
	}
	rest = bytes.TrimLeft(rest, "\n")
	if i := bytes.IndexByte(rest, ' '); i >= 0 {
		numbers, _, _ := bytes.Cut(rest[i:], []byte("\n"))
		fields := bytes.Fields(numbers)
		// what stands before them belongs to a word with spaces
		for _, f := range fields[max(0, len(fields)-dim):] {
			if len(bytes.Trim(f, "0123456789+-.eE nNaAiIfF\t\r")) > 0 {
				return Binary
			}
		}
		if row := rest[i+1:]; len(fields) < dim && !printable(row[:min(len(row), 4*dim)]) {
			return Binary
		}
	}
	return Text
}

// printable tells whether b, which may end within a letter, holds no byte that no text has.
func printable(b []byte) bool {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 && utf8.FullRune(b) {
			return false
		}
		if unicode.IsControl(r) && !unicode.IsSpace(r) {
			return false
		}
		b = b[size:]
	}
	return true
}

func header(line []byte) (n, dim int, err error) {
	fields := bytes.Fields(line)
	if len(line) > 64 || len(fields) != 2 {
		return 0, 0, ErrHeader
	}
	n, err1 := strconv.Atoi(string(fields[0]))
	dim, err2 := strconv.Atoi(string(fields[1]))
	if err1 != nil || err2 != nil || n < 0 || dim < 1 {
		return 0, 0, ErrHeader
	}
	return n, dim, nil
}

// counts reads the header. Every word takes at least 2 bytes and perNumber for each number.
func (p *parser) counts(perNumber int64) error {
	line, err := p.r.ReadSlice('\n')
	if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
		return err
	}
	p.at += int64(len(line))
	p.line++
	if p.n, p.dim, err = header(line); err != nil {
		return err
	}
	if p.Limit > 0 {
		p.n = min(p.n, p.Limit)
	}
	each := float64(p.dim)*float64(perNumber) + 2
	if float64(p.n)*each > float64(p.size-p.at)+1 { // the last line may lack its end
		return fmt.Errorf("%d words of width %d in the %d bytes behind the first line: %w", p.n,
			p.dim, p.size-p.at, ErrTruncated)
	}
	return nil
}

// enter gives a word the next row, which the caller fills if fresh.
func (p *parser) enter(word []byte, where string, number int) (fresh bool, err error) {
	switch {
	case len(word) == 0 || len(word) > MaxWordBytes:
		return false, fmt.Errorf("%s %d: %w; this one has %d", where, number, ErrWord, len(word))
	case !utf8.Valid(word) && p.SkipInvalid:
		p.invalid++
		return false, nil
	case !utf8.Valid(word):
		return false, fmt.Errorf("%s %d: %s: %w", where, number, quote(string(word)), ErrUTF8)
	case p.b == nil:
		p.bytes += len(word)
		return false, nil
	}
	// add copies it: no garbage of the file's size
	_, known := p.b.add(unsafe.String(unsafe.SliceData(word), len(word)))
	if known {
		p.again++
	}
	return !known, nil
}

// binary is a pass over a file of that form.
func (p *parser) binary() error {
	if err := p.counts(4); err != nil {
		return err
	}
	for i := range p.n {
		word := p.buffer[:0]
		for {
			c, err := p.r.ReadByte()
			if err == io.EOF {
				return fmt.Errorf("word %d of %d: %w", i+1, p.n, ErrTruncated)
			} else if err != nil {
				return err
			}
			if c == ' ' {
				break
			}
			if len(word) == 0 && c == '\n' { // the original tool ends a vector with one
				continue
			}
			if len(word) == MaxWordBytes {
				return fmt.Errorf("word %d of %d: %w", i+1, p.n, ErrWord)
			}
			word = append(word, c)
		}
		fresh, err := p.enter(word, "word", i+1)
		if err != nil {
			return err
		}
		if err := p.floats(fresh, i, word); err != nil {
			return err
		}
	}
	return p.end()
}

// floats reads the numbers behind a word of the binary form, and keeps them if the word is fresh.
func (p *parser) floats(keep bool, i int, word []byte) error {
	for left := p.dim; left > 0; {
		piece := min(left, bufferBytes/4)
		b, err := p.r.Peek(4 * piece)
		if err == io.EOF {
			return fmt.Errorf("word %d of %d, %s: %w", i+1, p.n, quote(string(word)), ErrTruncated)
		} else if err != nil {
			return err
		}
		for k := 0; k < len(b); k += 4 {
			x := math.Float32frombits(binary.LittleEndian.Uint32(b[k:]))
			if !finite(x) {
				return fmt.Errorf("word %d of %d, %s: number %d is %v: %w", i+1, p.n,
					quote(string(word)), p.dim-left+k/4+1, x, ErrNumber)
			}
			if keep {
				p.b.data = append(p.b.data, x)
			}
		}
		p.r.Discard(len(b))
		left -= piece
	}
	return nil
}

// end wants nothing but white space behind the last word, unless the rest was not asked for.
func (p *parser) end() error {
	if p.Limit > 0 && p.n == p.Limit {
		return nil
	}
	for {
		c, err := p.r.ReadByte()
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if c != '\n' && c != '\r' && c != ' ' {
			return fmt.Errorf("behind word %d: %w", p.n, ErrTrailing)
		}
	}
}
