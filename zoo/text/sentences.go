package text

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/seqzoo/seqzoo/internal/filekind"
	"github.com/seqzoo/seqzoo/internal/safefile"
)

// Sentences gives the tokens of each line of a file that has any, line by line, so that a text need
// not fit in memory. The file, or what it expands to if it is compressed by gzip, is read anew each
// time that it is ranged over, and closed behind the last line or where the ranging ends. Without a
// tokeniser lines are cut as Words does.
//
// The first error ends it: of a file that [ReadFile] would not open, or with the path and the line
// as a [LineReader] has it.
func Sentences(path string, t Tokeniser) iter.Seq2[[]string, error] {
	if t == nil {
		t = Words{}
	}
	return func(yield func([]string, error) bool) {
		f, _, err := safefile.Open(path)
		if err != nil {
			yield(nil, err) // says the path and why
			return
		}
		defer f.Close()
		r, err := unpacked(f, strings.HasSuffix(path, ".gz"))
		if err != nil {
			yield(nil, fmt.Errorf("%s: %w", path, err))
			return
		}
		for lines := NewLineReader(r); ; {
			line, err := lines.Next()
			if errors.Is(err, io.EOF) {
				if lines.Line() == 0 {
					yield(nil, fmt.Errorf("%s: %w", path, errEmpty))
				}
				return
			}
			var tokens []string
			if err == nil {
				tokens, err = t.Tokens(line)
			}
			switch {
			case err != nil:
				yield(nil, fmt.Errorf("%s: %w", path, inLine(lines.Line(), err)))
				return
			case len(tokens) > 0 && !yield(tokens, nil):
				return
			}
		}
	}
}

// unpacked reads the text of a file, which may be compressed by gzip, as its first bytes tell.
func unpacked(f io.Reader, gzipped bool) (io.Reader, error) {
	r := bufio.NewReaderSize(f, 1<<16)
	if head, _ := r.Peek(2); string(head) == "\x1f\x8b" || gzipped {
		z, err := gzip.NewReader(r)
		if errors.Is(err, io.EOF) {
			err = errEmpty
		}
		if err != nil {
			return nil, err
		}
		r = bufio.NewReader(z)
	}
	head, err := r.Peek(filekind.HeadBytes)
	if err != nil && filekind.Of(head) == filekind.Pointer {
		return nil, fmt.Errorf("this is %s", filekind.Pointer)
	}
	return r, nil
}

// inLine says behind which line an error is, unless it does.
func inLine(line int, err error) error {
	var refused *LineError
	if errors.As(err, &refused) {
		return err
	}
	return fmt.Errorf("behind line %d: %w", line, err)
}
