package text

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/seqzoo/seqzoo/internal/safefile"
)

// Sentences gives the tokens of each line of a file that has any, line by line, so that a text need
// not fit in memory. The file, or what a name that ends with .gz expands to, is read anew each time
// that it is ranged over, and closed behind the last line or where the ranging ends. Without a
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
		var r io.Reader = f
		if strings.HasSuffix(path, ".gz") {
			z, err := gzip.NewReader(f)
			if err != nil {
				yield(nil, fmt.Errorf("%s: %w", path, err))
				return
			}
			r = z
		}
		for lines := NewLineReader(r); ; {
			line, err := lines.Next()
			if errors.Is(err, io.EOF) {
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

// inLine says behind which line an error is, unless it does.
func inLine(line int, err error) error {
	var refused *LineError
	if errors.As(err, &refused) {
		return err
	}
	return fmt.Errorf("behind line %d: %w", line, err)
}
