package vectors

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"unsafe"
)

// text is a pass over a file of text. Without a first line of counts, the first pass counts.
func (p *parser) text() error {
	if p.Format == Text {
		if err := p.counts(2); err != nil {
			return err
		}
		for i := range p.n {
			if err := p.textLine(); err == io.EOF {
				return fmt.Errorf("word %d of %d: %w", i+1, p.n, ErrTruncated)
			} else if err != nil {
				return err
			}
		}
		return p.end()
	}
	for i := 0; p.Limit == 0 || i < p.Limit; i++ {
		if err := p.textLine(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if p.b == nil {
			p.n++
		}
	}
	return nil
}

// textLine reads a word and its numbers; io.EOF if there is no more. The first line of GloVe's text
// sets the width.
func (p *parser) textLine() error {
	if line, whole, err := p.wholeLine(); err != nil || whole {
		if err != nil {
			return err
		}
		return p.lineOf(line)
	}
	return p.longLine()
}

// wholeLine is the next line that is not empty, with its end, if the buffer can hold it; io.EOF if
// there is none.
func (p *parser) wholeLine() (line []byte, whole bool, err error) {
	for {
		b, _ := p.r.Peek(p.r.Buffered())
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			if b, err = p.r.Peek(bufferBytes); err == nil && bytes.IndexByte(b, '\n') < 0 {
				return nil, false, nil
			} else if err != nil && (err != io.EOF || len(b) == 0) {
				return nil, false, err
			}
			end = bytes.IndexByte(b, '\n')
		}
		if line = b; end >= 0 {
			line = b[:end+1]
		}
		p.r.Discard(len(line))
		p.line++
		if len(bytes.TrimRight(line, "\r\n")) > 0 {
			return line, true, nil
		}
	}
}

// lineOf takes in a line of text. The last fields are the vector; what stands before them is the
// word, though it has spaces.
func (p *parser) lineOf(line []byte) error {
	line = bytes.TrimRight(line, " \t\r\n")
	word, numbers, n, err := p.split(line)
	if err != nil {
		return fmt.Errorf("line %d: %w", p.line, err)
	}
	fresh, err := p.enter(word, "line", p.line)
	if err != nil {
		return err
	}
	for i := 1; len(numbers) > 0; i++ {
		var number []byte
		number, numbers = cutField(numbers)
		if len(number) > MaxWordBytes {
			return fmt.Errorf("line %d: %s has more than %d bytes: %w", p.line,
				quote(string(number)), MaxWordBytes, ErrWord)
		}
		if p.b == nil {
			continue // not yet of interest
		}
		if err := p.number(number, i, fresh); err != nil {
			return err
		}
	}
	if p.dim == 0 {
		p.dim = n
	}
	return nil
}

// split parts a line into its word and its n numbers.
func (p *parser) split(line []byte) (word, numbers []byte, n int, err error) {
	fields := 0
	for rest := line; len(rest) > 0; fields++ {
		_, rest = cutField(rest)
	}
	if len(line) == 0 || isBlank(line[0]) { // of blanks alone, or with blanks first
		return nil, nil, 0, fmt.Errorf("there is none before the first space: %w", ErrWord)
	}
	if fields == 1 {
		return nil, nil, 0, fmt.Errorf("%s stands alone: %w", quote(string(line)), ErrWidth)
	}
	word, numbers = cutField(line)
	switch {
	case p.dim == 0: // the first line of GloVe's text sets the width
		if n = trailing(line); n == 0 {
			return nil, nil, 0, fmt.Errorf("there is no number behind the word: %w", ErrWidth)
		}
	case fields-1 < p.dim:
		return nil, nil, 0, fmt.Errorf("%d numbers where there should be %d: %w", fields-1, p.dim,
			ErrWidth)
	default:
		n = p.dim
	}
	if extra := fields - 1 - n; extra > 0 {
		at := len(line)
		for range n {
			at = lastField(line[:at])
		}
		if trailing(line[:at]) >= extra { // a vector that is too long, and no word with spaces
			return nil, nil, 0, fmt.Errorf("%d numbers where there should be %d: %w", fields-1, n,
				ErrWidth)
		}
		word, numbers = bytes.TrimRight(line[:at], " \t"), line[at:]
	}
	return word, numbers, n, nil
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// cutField cuts the first field off, and the blanks behind it.
func cutField(line []byte) (field, rest []byte) {
	end := 0
	for end < len(line) && !isBlank(line[end]) {
		end++
	}
	field = line[:end]
	for end < len(line) && isBlank(line[end]) {
		end++
	}
	return field, line[end:]
}

// lastField is where the last field begins.
func lastField(line []byte) int {
	end := len(line)
	for end > 0 && isBlank(line[end-1]) {
		end--
	}
	for end > 0 && !isBlank(line[end-1]) {
		end--
	}
	return end
}

// trailing counts the numbers at the end of a line, the first field of which is none.
func trailing(line []byte) (n int) {
	for {
		line = bytes.TrimRight(line, " \t")
		at := lastField(line)
		if at == 0 {
			return n
		}
		if !isNumber(line[at:]) {
			return n
		}
		line = line[:at]
		n++
	}
}

// isNumber reports whether a field is a number, infinite ones and NaN included. Unlike strconv it
// makes no garbage of those that are none.
func isNumber(field []byte) bool {
	if len(field) > 0 && (field[0] == '+' || field[0] == '-') {
		field = field[1:]
	}
	switch {
	case len(field) == 0:
		return false
	case bytes.EqualFold(field, []byte("nan")), bytes.EqualFold(field, []byte("inf")),
		bytes.EqualFold(field, []byte("infinity")):
		return true
	}
	whole, rest := digits(field)
	part := 0
	if len(rest) > 0 && rest[0] == '.' {
		part, rest = digits(rest[1:])
	}
	if whole+part > 0 && len(rest) > 1 && (rest[0] == 'e' || rest[0] == 'E') {
		if rest = rest[1:]; rest[0] == '+' || rest[0] == '-' {
			rest = rest[1:]
		}
		n := 0
		if n, rest = digits(rest); n == 0 {
			return false
		}
	}
	return whole+part > 0 && len(rest) == 0
}

// digits counts the digits that s begins with.
func digits(s []byte) (n int, rest []byte) {
	for n < len(s) && '0' <= s[n] && s[n] <= '9' {
		n++
	}
	return n, s[n:]
}

// number takes in the i-th number of a line, and keeps it if its word is fresh.
func (p *parser) number(number []byte, i int, fresh bool) error {
	x, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(number), len(number)), 32)
	if err != nil || !finite(float32(x)) {
		return fmt.Errorf("line %d: number %d, %s: %w", p.line, i, quote(string(number)), ErrNumber)
	}
	if fresh && i <= p.dim {
		p.b.data = append(p.b.data, float32(x))
	}
	return nil
}

// longLine is textLine for a line that the buffer cannot hold. Its word has no spaces.
func (p *parser) longLine() error {
	var word []byte
	for last := true; last && len(word) == 0; { // past empty lines
		p.line++
		var err error
		if word, last, err = p.field(); err != nil {
			return err
		}
		if last && len(word) > 0 {
			return fmt.Errorf("line %d: %s stands alone: %w", p.line, quote(string(word)), ErrWidth)
		}
	}
	fresh, err := p.enter(word, "line", p.line)
	if err != nil {
		return err
	}
	n := 0
	for last := false; !last; {
		var number []byte
		if number, last, err = p.field(); err != nil && err != io.EOF {
			return err
		}
		if len(number) == 0 {
			continue
		}
		n++
		if p.b == nil {
			continue // not yet of interest
		}
		if err := p.number(number, n, fresh); err != nil {
			return err
		}
	}
	if p.dim == 0 {
		p.dim = n
	}
	if n != p.dim || n == 0 {
		return fmt.Errorf("line %d: %d numbers where there should be %d: %w", p.line, n,
			max(1, p.dim), ErrWidth)
	}
	return nil
}

// field reads up to the next space, or the line's end, and says which. What it returns is good
// until the next read.
func (p *parser) field() (field []byte, last bool, err error) {
	field = p.buffer[:0]
	for {
		c, err := p.r.ReadByte()
		switch {
		case err == io.EOF && len(field) > 0:
			return bytes.TrimSuffix(field, []byte("\r")), true, nil
		case err != nil:
			return nil, true, err
		case isBlank(c):
			return field, false, nil
		case c == '\n':
			return bytes.TrimSuffix(field, []byte("\r")), true, nil
		case len(field) == cap(field):
			return nil, false, fmt.Errorf("line %d: %s has more than %d bytes: %w", p.line,
				quote(string(field)), MaxWordBytes, ErrWord)
		}
		field = append(field, c)
	}
}
