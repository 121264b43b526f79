package vectors_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/memtest"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// Lines that no buffer of the reader holds are read like others, save that their words have no
// spaces.
func TestLongLines(t *testing.T) {
	const dim = 9001
	line := strings.Repeat(" 0.25", dim)
	for _, begin := range []string{"", fmt.Sprintf("2 %d\n", dim)} {
		v, err := load([]byte(begin+"a"+line+"\nb"+line+"\n"), vectors.ReadOptions{})
		require.NoError(t, err)
		require.Equal(t, 2, v.Len())
		require.Equal(t, dim, v.Dim())
		_, err = load([]byte(begin+"a"+line+"\nb x"+line+"\n"), vectors.ReadOptions{})
		require.ErrorIs(t, err, vectors.ErrWidth)
	}
}

// endless is a file of 1 GB that is made as it is read.
type endless struct {
	begin string
	read  int64
}

func (e *endless) ReadAt(b []byte, at int64) (int, error) {
	for i := range b {
		b[i] = 'a'
		if at+int64(i) < int64(len(e.begin)) {
			b[i] = e.begin[at+int64(i)]
		}
	}
	e.read += int64(len(b))
	return len(b), nil
}

// attacks are files that are no vectors, and the error that each must be.
var attacks = []struct {
	name, file string
	format     vectors.Format
	want       error
}{
	{"empty", "", vectors.Auto, vectors.ErrEmpty},
	{"no words", "0 5\n", vectors.Auto, vectors.ErrEmpty},
	{"blank lines", "\n\n\n", vectors.Auto, vectors.ErrEmpty},
	{"a header alone", "1000000000 1000000000\n", vectors.Auto, vectors.ErrTruncated},
	{"10⁹ 10⁹ and text", "1000000000 1000000000\na 1 2 3\n", vectors.Auto,
		vectors.ErrTruncated},
	{"10⁹ 10⁹ and bytes", "1000000000 1000000000\na \x01\x02\x03\x04", vectors.Auto,
		vectors.ErrTruncated},
	{"a product that overflows", "4611686018427387904 4\na 1 2 3 4\n", vectors.Text,
		vectors.ErrTruncated},
	{"the greatest counts", "9223372036854775807 9223372036854775807\na 1\n", vectors.Binary,
		vectors.ErrTruncated},
	{"counts beyond int", "9223372036854775808 1\na 1\n", vectors.Text, vectors.ErrHeader},
	{"negative count", "-1 3\na 1 2 3\n", vectors.Text, vectors.ErrHeader},
	{"negative width", "1 -3\na 1 2 3\n", vectors.Binary, vectors.ErrHeader},
	{"width 0", "1 0\na\n", vectors.Text, vectors.ErrHeader},
	{"no header", "a 1\n", vectors.Text, vectors.ErrHeader},
	{"long header", strings.Repeat("1", 100000) + " 1\n", vectors.Text, vectors.ErrHeader},
	{"too many words", "1 1\na 1\nb 2\n", vectors.Auto, vectors.ErrTrailing},
	{"too many bytes", "1 1\na \x01\x02\x03\x04b", vectors.Auto, vectors.ErrTrailing},
	{"too few words", "3 1\na 1\nbcdefgh 2\n", vectors.Auto, vectors.ErrTruncated},
	{"too few bytes", "2 1\na \x01\x02\x03\x04bcdef \x01\x02\x03", vectors.Auto,
		vectors.ErrTruncated},
	{"cut in a word", "2 1\na \x01\x02\x03\x04bcdefghi", vectors.Auto, vectors.ErrTruncated},
	{"wide line", "2 2\na 1 2\nb 1 2 3\n", vectors.Auto, vectors.ErrWidth},
	{"narrow line", "2 2\na 1 2.5\nb 1\n", vectors.Auto, vectors.ErrWidth},
	{"glove, narrow line", "a 1 2\nb 1\n", vectors.Auto, vectors.ErrWidth},
	{"glove, no numbers", "a \nb \n", vectors.Auto, vectors.ErrWidth},
	{"too wide though spaced", "2 2\na 1 2\nb 1 2 3 4\n", vectors.Auto, vectors.ErrWidth},
	{"glove, wide line", "a 1 2\nb 1 2 3\n", vectors.Auto, vectors.ErrWidth},
	{"spaced, narrow", "2 2\na 1 2\nb x 2\n", vectors.Auto, vectors.ErrNumber},
	{"spaced, long word", "2 1\na 1\nb " + strings.Repeat("x ", 600) + "2\n", vectors.Auto,
		vectors.ErrWord},
	{"spaced everywhere", strings.Repeat("x y 1\n", 20000), vectors.Auto, vectors.ErrCrowded},
	{"no number anywhere", "a b c\nd e f\n", vectors.Auto, vectors.ErrWidth},
	{"a word alone", "2 1\na 1\nb\n.", vectors.Text, vectors.ErrWidth},
	{"no word", "2 1\na 1\n 2\n", vectors.Text, vectors.ErrWord},
	{"a line of blanks", "2 1\na 1\n \t \nb 2\n", vectors.Text, vectors.ErrWord},
	{"blanks alone", " ", vectors.Text, vectors.ErrHeader},
	{"blanks alone, GloVe", " \n", vectors.GloVe, vectors.ErrWord},
	{"no word in bytes", "1 1\n \x01\x02\x03\x04", vectors.Binary, vectors.ErrWord},
	{"NaN", "1 2\na 1 nan\n", vectors.Auto, vectors.ErrNumber},
	{"Inf", "a 1 -Inf\n", vectors.Auto, vectors.ErrNumber},
	{"too large", "1 2\na 1 1e39\n", vectors.Auto, vectors.ErrNumber},
	{"no number", "1 2\na 1 x\n", vectors.Text, vectors.ErrNumber},
	{"NaN in bytes", "1 1\na \x00\x00\xc0\x7f", vectors.Binary, vectors.ErrNumber},
	{"Inf in bytes", "1 1\na \x00\x00\x80\x7f", vectors.Binary, vectors.ErrNumber},
	{"long number", "1 1\na " + strings.Repeat("1", 5000), vectors.Auto, vectors.ErrWord},
	{"long word", "1 1\n" + strings.Repeat("a", 1025) + " 1\n", vectors.Auto, vectors.ErrWord},
	{"long word in bytes", "1 1\n" + strings.Repeat("a", 1025) + " \x01\x02\x03\x04",
		vectors.Binary, vectors.ErrWord},
	{"not UTF-8", "1 1\n\xff 1\n", vectors.Auto, vectors.ErrUTF8},
	{"not UTF-8 in bytes", "1 1\n\xff \x01\x02\x03\x04", vectors.Binary, vectors.ErrUTF8},
	{"crowded", crowded(50000), vectors.Auto, vectors.ErrCrowded},
}

// A named error each, within twice the file's size and 64 kB.
func TestAttacks(t *testing.T) {
	var slowest time.Duration
	for _, c := range attacks {
		t.Run(c.name, func(t *testing.T) {
			file, err := []byte(c.file), error(nil)
			start := time.Now()
			memtest.Within(t, len(file), func() {
				_, err = load(file, vectors.ReadOptions{Format: c.format})
			})
			slowest = max(slowest, time.Since(start))
			require.ErrorIs(t, err, c.want)
			require.Less(t, len(err.Error()), 400, "an error is to be read")
		})
	}
	for _, begin := range []string{"", "1000 100\n", "100 1000\nb "} { // a name of 1 GB
		for _, format := range append(formats, vectors.Auto) {
			e := &endless{begin: begin}
			var err error
			n := memtest.Allocated(1<<20, func() {
				e.read = 0
				_, err = vectors.Read(context.Background(), e, 1<<30,
					vectors.ReadOptions{Format: format})
			})
			require.Error(t, err)
			require.Less(t, n, 1<<20)
			if begin != "100 1000\nb " || format != vectors.Binary { // those a's are good numbers
				require.Less(t, e.read, int64(1<<20))
			}
		}
	}
	t.Logf("slowest %v", slowest)

	_, err := load([]byte("a 1\n"), vectors.ReadOptions{Limit: -1})
	require.ErrorContains(t, err, "Limit is -1")
	_, err = load([]byte("a 1\n"), vectors.ReadOptions{Format: 7})
	require.ErrorContains(t, err, "Format(7) is no format")
}

// crowded is a file of words and numbers as short as they can be.
func crowded(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%x 0\n", i)
	}
	return b.String()
}

// Files of all densities keep within the bound, whether they are read or refused.
func TestMemory(t *testing.T) {
	most, refused := 0, 0
	for _, n := range []int{1, 100, 5000, 40000} {
		for _, dim := range []int{1, 2, 3, 10, 50} {
			for _, number := range []string{"0", "-1", "0.25", "-0.12345678",
				strings.Repeat("0", 200)} {
				if n*dim*len(number) > 8e6 {
					continue
				}
				var b strings.Builder
				fmt.Fprintf(&b, "%d %d\n", n, dim)
				for i := range n {
					fmt.Fprintf(&b, "%x%s\n", i, strings.Repeat(" "+number, dim))
				}
				var err error
				file := []byte(b.String())
				got := memtest.Allocated(2*len(file)+memtest.Slack,
					func() { _, err = load(file, vectors.ReadOptions{}) })
				if err != nil {
					require.ErrorIs(t, err, vectors.ErrCrowded)
					refused++
				}
				most = max(most, got-2*len(file))
			}
		}
	}
	require.LessOrEqual(t, most, memtest.Slack)
	t.Logf("at most %d bytes beyond twice the file; %d files refused", most, refused)
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"", "2 2\na 1 2\nb 3 4\n", "a 1 2\nb 3 4", "2 1\na \x00\x00\x80?\nb \x00\x00\x80?\n",
		"1 1\na nan\n", "10 10\n", "2 1\na 1\na 2\n",
		"1000000000 1000000000\n", "1 1\n\xff 1\n", "\n\n 1", "1 1\r\na 1 \r\n", crowded(300),
		" ", "1 1\n \n", "\ufeff1 1\na b 1\n", "x y 1\nx z 2\n", "a\t1\t2\n",
		"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xffKT0\xe4\x02\x00\xc9\xb1\xc2\x05\x04\x00\x00\x00",
		"{\"a\": 1}",
	} {
		for format := range 4 {
			f.Add([]byte(seed), byte(format), byte(0))
		}
	}
	f.Fuzz(func(t *testing.T, file []byte, format, limit byte) {
		o := vectors.ReadOptions{Format: vectors.Format(format % 4), Limit: int(limit),
			SkipInvalid: format >= 128}
		var v *vectors.Vectors
		var err error
		size := len(file)
		// the bound is of what it expands to, and a decompressor has tables
		if bytes.HasPrefix(file, []byte("\x1f\x8b")) {
			size = 1 << 20
		}
		memtest.Within(t, size, func() { v, err = load(file, o) })
		if err != nil {
			return
		}
		for _, f := range formats {
			var again bytes.Buffer
			if v.Write(&again, f) != nil {
				continue // a word with white space, which binary files may hold
			}
			got, err := load(again.Bytes(), vectors.ReadOptions{Format: f})
			if errors.Is(err, vectors.ErrCrowded) {
				continue
			}
			require.NoError(t, err)
			same(t, v, got)
		}
	})
}

func FuzzEvaluate(f *testing.F) {
	f.Add(": x\nman king woman queen\n", "king\tqueen\t1\nman\tking\t2\n")
	f.Add("no section", "#\n\t\t\n")
	v := royals(f)
	f.Fuzz(func(t *testing.T, analogies, pairs string) {
		if a, err := v.Analogies(context.Background(), strings.NewReader(analogies)); err == nil &&
			a.Total.Correct > a.Total.Asked {
			t.Fatal(a)
		}
		if p, err := v.Pairs(context.Background(), strings.NewReader(pairs)); err == nil &&
			math.Abs(p.Spearman) > 1+1e-9 {
			t.Fatal(p)
		}
	})
}
