package vectors

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/safefile"
)

// WriteFile writes the vectors to a file, which is replaced as a whole.
func (v *Vectors) WriteFile(path string, f Format) error {
	if err := v.check(f); err != nil {
		return fmt.Errorf("vectors: write %s: %w", path, err)
	}
	return safefile.Write(safefile.OS, path, func(w io.Writer) error { return v.Write(w, f) })
}

// Write writes the vectors as Text, Binary or GloVe. Read gives them back to the bit. These formats
// cannot hold a word with a blank in it: that is an error, and nothing is written.
func (v *Vectors) Write(w io.Writer, f Format) error {
	if err := errors.Join(check.Given("the writer", w), v.check(f)); err != nil {
		return fmt.Errorf("vectors: %w", err)
	}
	b := bufio.NewWriter(w)
	if f != GloVe {
		fmt.Fprintf(b, "%d %d\n", v.n, v.dim)
	}
	var line []byte
	for i := range v.n {
		line = append(line[:0], v.word(i)...)
		if f == Binary {
			line = append(line, ' ')
		}
		for _, x := range v.row(v.data, i) {
			if f == Binary {
				line = binary.LittleEndian.AppendUint32(line, math.Float32bits(x))
			} else {
				line = strconv.AppendFloat(append(line, ' '), float64(x), 'g', -1, 32)
			}
		}
		if _, err := b.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return b.Flush()
}

func (v *Vectors) check(f Format) error {
	if f != Text && f != Binary && f != GloVe {
		return fmt.Errorf("%v is no format to write", f)
	}
	if f == GloVe && strings.HasPrefix(v.Word(0), "\ufeff") {
		return fmt.Errorf("the first word, %s, begins with a byte order mark, which readers drop",
			quote(v.Word(0)))
	}
	for i := range v.n {
		if w := v.word(i); strings.ContainsAny(w, " \t\n\r") {
			return fmt.Errorf("word %d, %s, has a space, a tab or a line end in it, which the "+
				"format cannot hold", i, quote(w))
		}
	}
	return nil
}
