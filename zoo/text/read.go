package text

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// MaxFileBytes is the longest text that ReadFile takes, after decompression.
const MaxFileBytes = 1 << 30

// EncodingError is the first byte of a text that is not UTF-8.
type EncodingError struct {
	Line   int  // counted from 1
	Offset int  // in bytes, counted from 0
	Byte   byte // what stands there
}

func (e *EncodingError) Error() string {
	return fmt.Sprintf("line %d: byte %#02x at offset %d is not UTF-8", e.Line, e.Byte, e.Offset)
}

// ReadFile returns the text of a file, plain or compressed by gzip, without a byte order mark and with \n for every line
// end.
//
// Errors name the file: one that is missing, empty, not a regular file, not UTF-8 (an [*EncodingError] with the line),
// longer than [MaxFileBytes], or that expands to far more than text does (64 MiB and 100 times its size).
func ReadFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err // says the path and why
	}
	if info.IsDir() {
		return "", fmt.Errorf("%s is a directory, not a text file", path)
	}
	if !info.Mode().IsRegular() { // a pipe or a device might never end
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	s, err := read(f, info.Size(), strings.HasSuffix(path, ".gz"))
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// read returns the text in r, whose compressed or plain length is size.
func read(r io.Reader, size int64, gzipped bool) (string, error) {
	buffered := bufio.NewReader(r)
	if magic, _ := buffered.Peek(2); string(magic) == "\x1f\x8b" {
		gzipped = true
	}
	var b strings.Builder
	r, limit := io.Reader(buffered), int64(MaxFileBytes)
	if gzipped {
		z, err := gzip.NewReader(buffered)
		if errors.Is(err, io.EOF) {
			return "", errors.New("the file is empty")
		} else if err != nil {
			return "", err
		}
		r, limit = z, min(limit, 64<<20+100*min(size, MaxFileBytes))
	} else if size <= limit {
		b.Grow(int(size))
	}
	n, err := io.Copy(&b, io.LimitReader(r, limit+1))
	if err != nil {
		return "", err
	}
	if n > limit {
		return "", fmt.Errorf("the text is longer than the limit of %d bytes", limit)
	}
	s, err := clean(b.String())
	if err == nil && s == "" {
		err = errors.New("the file is empty")
	}
	return s, err
}

// clean checks that s is UTF-8, drops a byte order mark, and ends lines with \n.
func clean(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", invalid(s)
	}
	s = strings.TrimPrefix(s, "\ufeff")
	if strings.Contains(s, "\r") {
		s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	}
	return s, nil
}

// invalid finds the first byte of s that is not UTF-8.
func invalid(s string) error {
	for i, r := range s {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
			return &EncodingError{Line: 1 + lineEnds(s[:i]), Offset: i, Byte: s[i]}
		}
	}
	return nil
}

// lineEnds counts \n, \r\n and \r.
func lineEnds(s string) int {
	return strings.Count(s, "\n") + strings.Count(s, "\r") - strings.Count(s, "\r\n")
}
