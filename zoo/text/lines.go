package text

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MaxLineBytes is the longest line that a LineReader takes by default, without its end.
const MaxLineBytes = 1 << 22

// LineError is a line that a LineReader does not take. The lines behind it can be read.
type LineError struct {
	Line int   // counted from 1
	Err  error // an *EncodingError, or that the line is too long
}

func (e *LineError) Error() string {
	var encoding *EncodingError
	if errors.As(e.Err, &encoding) {
		return e.Err.Error() // has the line
	}
	return fmt.Sprintf("line %d: %v", e.Line, e.Err)
}

func (e *LineError) Unwrap() error { return e.Err }

// LineReader reads text line by line as ReadFile reads a file: for standard input, and all that is
// not to be in memory at once.
type LineReader struct {
	Max int // bytes of a line, without its end; 0 means MaxLineBytes

	r      *bufio.Reader
	line   int
	offset int // of the next byte
}

// NewLineReader reads r.
func NewLineReader(r io.Reader) *LineReader {
	if r == nil {
		r = strings.NewReader("")
	}
	return &LineReader{r: bufio.NewReaderSize(r, 1<<16)}
}

// Line is the number of the line that was read last, counted from 1.
func (l *LineReader) Line() int { return l.line }

// Next is the next line, without its end, and without the byte order mark of the first. The error
// is io.EOF after the last line; a [*LineError] of a line that is not UTF-8, has a byte 0 or is
// longer than Max, after which the next line may be read; or that of the reader.
func (l *LineReader) Next() (string, error) {
	if l.r == nil {
		return "", io.EOF // NewLineReader has not made it: there is nothing to read
	}
	var line []byte
	start, length, most := l.offset, 0, cmp.Or(l.Max, MaxLineBytes)
	for {
		part, err := l.r.ReadSlice('\n')
		l.offset += len(part)
		if length += len(part); length <= most+len("\ufeff\r\n") {
			line = append(line, part...)
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil && (err != io.EOF || length == 0) {
			return "", err
		}
		break
	}
	l.line++
	if l.line == 1 && bytes.HasPrefix(line, []byte("\ufeff")) {
		line, start, length = line[len("\ufeff"):], start+len("\ufeff"), length-len("\ufeff")
	}
	if ended := bytes.TrimSuffix(line, []byte("\n")); len(ended) < len(line) {
		line = bytes.TrimSuffix(ended, []byte("\r"))
	}
	if length > most+len("\r\n") || len(line) > most {
		return "", &LineError{l.line,
			fmt.Errorf("the line is too long: it has %d bytes, and at most %d are taken", length,
				most)}
	}
	s := string(line)
	if err := checkText(s); err != nil {
		var encoding *EncodingError
		errors.As(err, &encoding)
		return "", &LineError{l.line, &EncodingError{Line: l.line, Offset: start + encoding.Offset,
			Byte: encoding.Byte}}
	}
	return strings.ReplaceAll(s, "\r", " "), nil
}

// lines yields the lines of a text that content has seen to, with their numbers from 1.
func lines(s string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		n := 0
		for line := range strings.Lines(s) {
			n++
			if !yield(n, strings.TrimSuffix(line, "\n")) {
				return
			}
		}
	}
}
