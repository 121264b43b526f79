package text

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/seqzoo/seqzoo/internal/filekind"
	"github.com/seqzoo/seqzoo/internal/safefile"
)

// MaxFileBytes is the longest text that ReadFile takes, after decompression.
const MaxFileBytes = 1 << 30

// EncodingError is the first byte of a text that is not UTF-8, or in a file a byte 0.
type EncodingError struct {
	Line   int  // counted from 1
	Offset int  // in bytes, counted from 0
	Byte   byte // the byte there
}

func (e *EncodingError) Error() string {
	if e.Byte == 0 {
		return fmt.Sprintf("line %d: byte 0x00 at offset %d: this is no text, or it is in "+
			"UTF-16; want UTF-8", e.Line, e.Offset)
	}
	return fmt.Sprintf("line %d: byte %#02x at offset %d is not UTF-8", e.Line, e.Byte, e.Offset)
}

// ReadFile returns the text of a file, plain or compressed by gzip, without a byte order mark, with
// \n for every line end and a space for a carriage return that ends no line: see Lines in the
// package's comment. It takes the memory of the text and little else.
//
// Errors name the file: one that is missing, empty, not a regular file, not UTF-8 (an
// [*EncodingError] with the line, and what the file is where that shows), a pointer of git-lfs,
// longer than [MaxFileBytes], or that expands to far more than text does (64 MiB and 100 times its
// size). A pipe is not a regular file, so neither is what a shell makes of <(…): it might never
// end, and cannot be read twice.
func ReadFile(path string) (string, error) {
	f, size, err := safefile.Open(path)
	var other *safefile.NotRegularError
	if errors.As(err, &other) && other.Mode.IsDir() {
		return "", fmt.Errorf("%s is a directory, not a text file", path)
	} else if err != nil {
		return "", err // says the path and why
	}
	defer f.Close()
	s, err := read(f, size, strings.HasSuffix(path, ".gz"))
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// read returns the text in r, whose compressed or plain length is size. What is compressed is read
// twice: first it is measured, so that a small file which expands to a large one takes no memory
// before it is refused, and no more than the text after that.
func read(r io.ReadSeeker, size int64, gzipped bool) (string, error) {
	var magic [2]byte
	if n, _ := io.ReadFull(r, magic[:]); n == len(magic) && string(magic[:]) == "\x1f\x8b" {
		gzipped = true
	}
	limit, length := int64(MaxFileBytes), size
	if gzipped {
		limit = min(limit, 64<<20+100*min(size, MaxFileBytes))
		plain, err := expand(r)
		if err != nil {
			return "", err
		}
		if length, err = io.Copy(io.Discard, io.LimitReader(plain, limit+1)); err != nil {
			return "", fmt.Errorf("%w in what is compressed by gzip", err)
		}
	}
	if length > limit {
		return "", fmt.Errorf("the text is longer than the limit of %d bytes", limit)
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	plain := io.Reader(r)
	if gzipped {
		var err error
		if plain, err = expand(r); err != nil {
			return "", err
		}
	}
	all := make([]byte, length)
	if _, err := io.ReadFull(plain, all); err != nil && err != io.EOF {
		return "", fmt.Errorf("the file was changed while it was read: %w", err)
	}
	return ownText(all)
}

var errEmpty = errors.New("the file is empty")

// expand reads what gzip has compressed to r, from its beginning.
func expand(r io.ReadSeeker) (io.Reader, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bufio.NewReader(r))
	if errors.Is(err, io.EOF) {
		return nil, errEmpty
	}
	return z, err
}

// ownText is content for a text of which nobody else has the memory, which becomes that of the
// result, and must not be empty.
func ownText(b []byte) (string, error) {
	kind := filekind.Of(b[:min(len(b), filekind.HeadBytes)])
	if err := checkText(unsafe.String(unsafe.SliceData(b), len(b))); err != nil && kind != "" {
		return "", fmt.Errorf("%w: this is %s", err, kind)
	} else if err != nil {
		return "", err
	}
	if kind == filekind.Pointer && len(b) < filekind.HeadBytes {
		return "", fmt.Errorf("this is %s", kind)
	}
	b = endLines(b)
	s := strings.TrimPrefix(unsafe.String(unsafe.SliceData(b), len(b)), "\ufeff")
	if s == "" {
		return "", errEmpty
	}
	return s, nil
}

// content is clean for the content of a file. One with a byte 0 is no text, or text in UTF-16; one
// with carriage returns and not a single line feed has carriage returns for line ends, as old
// Macintosh computers wrote them.
func content(s string) (string, error) {
	if err := checkText(s); err != nil {
		return "", err
	}
	if strings.Contains(s, "\r") {
		s = string(endLines([]byte(s)))
	}
	return strings.TrimPrefix(s, "\ufeff"), nil
}

// checkText refuses text that is not UTF-8, and a byte 0.
func checkText(s string) error {
	zero := strings.IndexByte(s, 0)
	if !utf8.ValidString(s) {
		if err := invalid(s); zero < 0 || err.Offset < zero {
			return err
		}
	}
	if zero >= 0 {
		return &EncodingError{Line: 1 + strings.Count(s[:zero], "\n"), Offset: zero}
	}
	return nil
}

// endLines makes \n of \r\n, and a space of any other \r, but \n where there is no \n. The result
// has the memory of b.
func endLines(b []byte) []byte {
	i := bytes.IndexByte(b, '\r')
	if i < 0 {
		return b
	}
	alone := byte(' ')
	if bytes.IndexByte(b, '\n') < 0 {
		alone = '\n'
	}
	to := b[:i]
	for ; i < len(b); i++ {
		switch {
		case b[i] != '\r':
			to = append(to, b[i])
		case i+1 == len(b) || b[i+1] != '\n':
			to = append(to, alone)
		}
	}
	return to
}

// clean checks that s is UTF-8, drops a byte order mark, ends lines with \n, and makes a carriage
// return that ends no line a space.
func clean(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", invalid(s)
	}
	s = strings.TrimPrefix(s, "\ufeff")
	if strings.Contains(s, "\r") {
		s = strings.NewReplacer("\r\n", "\n", "\r", " ").Replace(s)
	}
	return s, nil
}

// invalid finds the first byte of s that is not UTF-8.
func invalid(s string) *EncodingError {
	for i, r := range s {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
			return &EncodingError{Line: 1 + strings.Count(s[:i], "\n"), Offset: i, Byte: s[i]}
		}
	}
	return nil
}
