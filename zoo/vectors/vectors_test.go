package vectors_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	_ "github.com/seqzoo/seqzoo/internal/testkit" // one seed

	"github.com/seqzoo/seqzoo/internal/memtest"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// royals are vectors in which the parts are royalty, maleness and edibility.
func royals(t testing.TB) *vectors.Vectors {
	v, err := vectors.New([]string{"king", "queen", "man", "woman", "apple", "nothing"}, 3,
		[]float32{
			1, 1, 0,
			1, -1, 0,
			0, 2, 0,
			0, -2, 0,
			0, 0, 3,
			0, 0, 0,
		})
	require.NoError(t, err)
	return v
}

func TestLookup(t *testing.T) {
	v := royals(t)
	require.Equal(t, 6, v.Len())
	require.Equal(t, 3, v.Dim())
	i, ok := v.Index("man")
	require.True(t, ok)
	require.Equal(t, "man", v.Word(i))
	require.Equal(t, []float32{0, 2, 0}, v.Row(i))
	require.Empty(t, v.Word(-1))
	require.Empty(t, v.Word(6))
	require.Nil(t, v.Row(6))
	_, err := v.Vector("pear")
	require.EqualError(t, err, `no vector for "pear"`)

	few := v.First(2)
	require.Equal(t, 2, few.Len())
	_, ok = few.Index("man")
	require.False(t, ok)
	require.Nil(t, few.Row(2))
	require.Zero(t, v.First(-1).Len())
	require.Equal(t, 6, v.First(100).Len())
	none, err := v.First(0).SimilarTo([]float32{1, 0, 0}, 3)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestSimilar(t *testing.T) {
	v := royals(t)
	s, err := v.Similarity("king", "man")
	require.NoError(t, err)
	require.InDelta(t, math.Sqrt2/2, s, 1e-6)
	s, err = v.Similarity("nothing", "man")
	require.NoError(t, err)
	require.Zero(t, s)

	for _, f := range []func(positive, negative []string, n int) ([]vectors.Match, error){v.Similar,
		v.SimilarMul} {
		got, err := f([]string{"king", "woman"}, []string{"man"}, 1)
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Equal(t, "queen", got[0].Word)
		for n, want := range map[int]int{-1: 0, 0: 0, 2: 2, 100: 5, math.MaxInt: 5} {
			got, err = f([]string{"king"}, nil, n)
			require.NoError(t, err)
			require.Len(t, got, want)
		}
		_, err = f(nil, nil, 3)
		require.Error(t, err)
		_, err = f([]string{"king", "ka", "kb"}, []string{"kc"}, 3)
		require.EqualError(t, err, `no vector for "ka", "kb", "kc"`)
	}
	got, err := v.SimilarTo([]float32{0, 0, 1e-30}, 2)
	require.NoError(t, err)
	require.Equal(t, []vectors.Match{{Word: "apple", Similarity: 1}, {Word: "king"}}, got)
	_, err = v.SimilarTo([]float32{1}, 2)
	require.EqualError(t, err, "vectors: the vector has 1 numbers, those of the words 3")
	_, err = v.SimilarTo([]float32{1, 2, float32(math.NaN())}, 2)
	require.ErrorContains(t, err, "must be finite")

	rank, err := v.Rank("king", "queen")
	require.NoError(t, err)
	require.Equal(t, 2, rank) // man is nearer
	odd, err := v.DoesntMatch("king", "man", "apple")
	require.NoError(t, err)
	require.Equal(t, "apple", odd)
	_, err = v.DoesntMatch()
	require.Error(t, err)
	_, err = v.DoesntMatch("king", "pear")
	require.Error(t, err)
}

// The partial sort finds what sorting everything finds.
func TestSimilarOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 1009
	words, data := make([]string, n), make([]float32, n)
	for i := range words {
		words[i], data[i] = fmt.Sprint(i), float32(rng.IntN(3)-1)
	}
	v, err := vectors.New(words, 1, data)
	require.NoError(t, err)
	all, err := v.SimilarTo([]float32{2}, n)
	require.NoError(t, err)
	for _, k := range []int{1, 2, 7, 400, n - 1} {
		some, err := v.SimilarTo([]float32{2}, k)
		require.NoError(t, err)
		require.Equal(t, all[:k], some)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		words []string
		dim   int
		data  []float32
		want  string
	}{
		"nothing":    {nil, 1, nil, "at least one"},
		"no width":   {[]string{"a"}, 0, nil, "at least one"},
		"negative":   {[]string{"a"}, -1, []float32{1}, "at least one"},
		"data":       {[]string{"a"}, 2, []float32{1, 2, 3}, "have 3 numbers"},
		"empty word": {[]string{""}, 1, []float32{1}, "words[0]: the word is empty"},
		"long word":  {[]string{strings.Repeat("a", 1025)}, 1, []float32{1}, "1025 bytes"},
		"bytes":      {[]string{"\xff"}, 1, []float32{1}, "not UTF-8"},
		"twice": {[]string{"a", "b", "a"}, 1, []float32{1, 2, 3},
			`words[0] and words[2] are both "a"`},
		"infinite": {[]string{"a", "b"}, 1, []float32{1, float32(math.Inf(1))},
			`the vector of "b": number 0 is +Inf`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := vectors.New(c.words, c.dim, c.data)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestConcurrentUse(t *testing.T) {
	v := royals(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			got, err := v.First(5).Similar([]string{"king"}, nil, 1)
			if err != nil || got[0].Word != "man" {
				t.Error(got, err)
			}
		})
	}
	group.Wait()
}

func load(file []byte, o vectors.ReadOptions) (*vectors.Vectors, error) {
	return vectors.Read(context.Background(), bytes.NewReader(file), int64(len(file)), o)
}

var formats = []vectors.Format{vectors.Text, vectors.Binary, vectors.GloVe}

func same(t require.TestingT, want, got *vectors.Vectors) {
	require.Equal(t, want.Len(), got.Len())
	for i := range want.Len() {
		require.Equal(t, want.Word(i), got.Word(i))
		require.Equal(t, want.Row(i), got.Row(i))
	}
}

func TestWriteAndRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dim := rapid.IntRange(1, 7).Draw(t, "dim")
		word := rapid.StringMatching(`[a-zé猫🙂.,0-9"-]{1,12}`)
		words := rapid.SliceOfNDistinct(word, 1, 20, rapid.ID).Draw(t, "words")
		data := rapid.SliceOfN(rapid.Float32(), len(words)*dim, len(words)*dim).Draw(t, "data")
		for i, x := range data {
			if x-x != 0 {
				data[i] = 0
			}
		}
		v, err := vectors.New(words, dim, data)
		require.NoError(t, err)
		for _, format := range formats {
			var file bytes.Buffer
			require.NoError(t, v.Write(&file, format))
			got, err := load(file.Bytes(), vectors.ReadOptions{Format: format})
			require.NoError(t, err)
			same(t, v, got)
			limit := rapid.IntRange(1, 25).Draw(t, "limit")
			got, err = load(file.Bytes(), vectors.ReadOptions{Format: format, Limit: limit})
			require.NoError(t, err)
			same(t, v.First(limit), got)
		}
	})
}

func TestWriteRefuses(t *testing.T) {
	v, err := vectors.New([]string{"a b"}, 1, []float32{1})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "v")
	for _, f := range formats {
		require.ErrorContains(t, v.WriteFile(path, f), `"a b", has a space`)
		require.NoFileExists(t, path)
	}
	require.ErrorContains(t, royals(t).WriteFile(path, vectors.Auto), "auto is no format to write")
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	v := royals(t)
	for _, f := range formats {
		path := filepath.Join(dir, "von "+f.String()+" 猫")
		require.NoError(t, v.WriteFile(path, f))
		got, err := vectors.ReadFile(context.Background(), path, vectors.ReadOptions{})
		require.NoError(t, err)
		same(t, v, got)
	}
	_, err := vectors.ReadFile(context.Background(), dir, vectors.ReadOptions{})
	require.ErrorContains(t, err, "not a regular file")
	_, err = vectors.ReadFile(context.Background(), filepath.Join(dir, "none"),
		vectors.ReadOptions{})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// What other tools write.
func TestReadForms(t *testing.T) {
	for name, c := range map[string]struct {
		file  string
		o     vectors.ReadOptions
		words string
	}{
		"text":           {"2 2\na 1 2\nb 3 4\n", vectors.ReadOptions{}, "a b"},
		"no end of line": {"2 2\na 1 2\nb 3 4", vectors.ReadOptions{}, "a b"},
		"the original tool": {"2 2\n</s> 1.0 2.0 \nb 3 4 \n", vectors.ReadOptions{},
			"</s> b"},
		"CRLF":            {"2 2\r\na 1 2\r\nb 3 4\r\n", vectors.ReadOptions{}, "a b"},
		"exponents":       {"1 3\na 1e-3 -2E+5 +.5\n", vectors.ReadOptions{}, "a"},
		"comes again":     {"3 1\na 1\na 2\nb 3\n", vectors.ReadOptions{}, "a b"},
		"glove":           {"the 1 2\n, 3 4\n\n", vectors.ReadOptions{}, "the ,"},
		"glove, one word": {"the 1", vectors.ReadOptions{}, "the"},
		"glove, first a number": {"5 1\n6 1\n", vectors.ReadOptions{Format: vectors.GloVe},
			"5 6"},
		"binary, gensim": {"2 1\na \x00\x00\x80?b \x00\x00\x80?", vectors.ReadOptions{},
			"a b"},
		"binary, original": {"2 1\na \x00\x00\x80?\nb \x00\x00\x80?\n",
			vectors.ReadOptions{}, "a b"},
		"binary, like text": {"1 1\na 1111", vectors.ReadOptions{Format: vectors.Binary},
			"a"},
		"limit and lies behind": {"9 1\na 1\nb 2\n" + strings.Repeat("x", 99),
			vectors.ReadOptions{Limit: 2}, "a b"},
		"tabs":          {"2 2\na\t1\t2\nb\t3 4\n", vectors.ReadOptions{}, "a b"},
		"glove, tabs":   {"new york\t1 2\nb 3 4\n", vectors.ReadOptions{}, "new york b"},
		"blanks behind": {"2 2\na 1 2 \t \nb 3 4  \r\n", vectors.ReadOptions{}, "a b"},
		"many blanks":   {"2 2\na  1   2\nb \t3 4\n", vectors.ReadOptions{}, "a b"},
		"mark, text":    {"\ufeff2 2\na 1 2\nb 3 4\n", vectors.ReadOptions{}, "a b"},
		"mark, glove":   {"\ufeffa 1 2\nb 3 4\n", vectors.ReadOptions{}, "a b"},
		"mark, binary":  {"\ufeff1 1\na \x00\x00\x80?", vectors.ReadOptions{}, "a"},
		"spaces, text": {"3 2\n. . . 1 2\nat x@y.org 3 4\nb 5 6\n",
			vectors.ReadOptions{}, ". . .|at x@y.org|b"},
		"spaces, text, first": {"2 2\nat x@y.org 3 4\nb 5 6\n", vectors.ReadOptions{},
			"at x@y.org|b"},
		"spaces, glove": {"a 1 2\n. . . 1 2\nto 9 is 3 4\nb 5 6\n",
			vectors.ReadOptions{}, "a|. . .|to 9 is|b"},
		"spaces, glove, first":     {". . . 1 2\nb 5 6\n", vectors.ReadOptions{}, ". . .|b"},
		"spaces, glove, odd first": {"- e 1 -2e-3\nb 5 6\n", vectors.ReadOptions{}, "- e|b"},
		"no-break space":           {"a\u00a0b 1 2\nc 5 6\n", vectors.ReadOptions{}, "a\u00a0b|c"},
		"skipping what is no text": {"3 1\na 1\n\xff 2\nb 3\n",
			vectors.ReadOptions{SkipInvalid: true}, "a b"},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := load([]byte(c.file), c.o)
			require.NoError(t, err)
			var words []string
			for i := range v.Len() {
				words = append(words, v.Word(i))
			}
			separator := " "
			if strings.Contains(c.words, "|") || strings.HasPrefix(c.words, "new york") {
				separator = "|"
				c.words = strings.Replace(c.words, "york b", "york|b", 1)
			}
			require.Equal(t, c.words, strings.Join(words, separator))
			if v.Dim() > 0 && c.o == (vectors.ReadOptions{}) { // compressed it reads the same
				var b bytes.Buffer
				z := gzip.NewWriter(&b)
				_, err = z.Write([]byte(c.file))
				require.NoError(t, err)
				require.NoError(t, z.Close())
				zipped, err := load(b.Bytes(), c.o)
				require.NoError(t, err)
				same(t, v, zipped)
			}
		})
	}
}

// What is passed over is counted.
func TestWarnings(t *testing.T) {
	v, err := load([]byte("5 1\nthe 1\ncaf\xe9 2\nna\xefve 3\nthe 4\nking 5\n"),
		vectors.ReadOptions{SkipInvalid: true})
	require.NoError(t, err)
	require.Equal(t, []string{"2 of 5 words are not UTF-8 and are left out",
		"1 of 5 words come again; the first vector of each counts"}, v.Warnings())
	require.Equal(t, v.Warnings(), v.First(1).Warnings())
	row, err := v.Vector("the")
	require.NoError(t, err)
	require.Equal(t, []float32{1}, row)
	require.Empty(t, royals(t).Warnings())
}

// A file of another kind is called by its name.
func TestOtherKinds(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	fmt.Fprint(z, "\x80\x04\x95 gensim")
	require.NoError(t, z.Close())
	for file, want := range map[string]string{
		"\xba\x16\x4f\x2f\x0c\x00\x00\x00": "fastText's own form",
		"\x80\x04\x95\x00 gensim.models":   "a pickle", "\x93NUMPY\x01\x00": "NumPy",
		"PK\x03\x04glove.txt": "a zip archive", "<!DOCTYPE html>\n<html>": "HTML",
		"{\"the\": [1, 2]}": "JSON", zipped.String(): "a pickle",
		"version https://git-lfs.github.com/spec/v1\n": "git-lfs", "\xff\xfet\x00h\x00": "UTF-16",
	} {
		_, err := load([]byte(file), vectors.ReadOptions{})
		require.ErrorIs(t, err, vectors.ErrKind, "%q", file)
		require.ErrorContains(t, err, want, "%q", file)
	}
	_, err := load([]byte("\x1f\x8b\x08\x00"), vectors.ReadOptions{})
	require.Error(t, err)
	zipped.Reset()
	z = gzip.NewWriter(&zipped)
	for range 150 {
		_, err := z.Write(make([]byte, 1<<20))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	_, err = load(zipped.Bytes(), vectors.ReadOptions{})
	require.ErrorContains(t, err, "bytes of gzip expand to more than")
}

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

// A named error each, within twice the file's size and 64 kB.
func TestAttacks(t *testing.T) {
	var slowest time.Duration
	for _, c := range []struct {
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
	} {
		t.Run(c.name, func(t *testing.T) {
			file, err := []byte(c.file), error(nil)
			start := time.Now()
			memtest.Within(t, len(file), func() {
				_,
					err = load(file, vectors.ReadOptions{Format: c.format})
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
		"\ufeff1 1\na b 1\n", "x y 1\nx z 2\n", "a\t1\t2\n",
		"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xffKT0\xe4\x02\x00\xc9\xb1\xc2\x05\x04\x00\x00\x00", "{\"a\": 1}",
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

func TestAnalogies(t *testing.T) {
	v := royals(t)
	got, err := v.Analogies(context.Background(),
		strings.NewReader(": royal\nMan king Woman queen\nman king woman apple\r\n\nfour words or less\n: other\nking pear man woman\n"))
	require.NoError(t, err)
	require.Equal(t, vectors.AnalogyResult{
		Sections: []vectors.Section{{Name: "royal", Correct: 1, Asked: 2}, {Name: "other"}},
		Total:    vectors.Section{Name: "total", Correct: 1, Asked: 2},
		Unknown:  2,
	}, got)
	require.Equal(t, 0.5, got.Total.Accuracy())
	_, err = v.Analogies(context.Background(), strings.NewReader("man king woman queen\n"))
	require.ErrorContains(t, err, "line 1: a section")
	_, err = v.Analogies(context.Background(),
		strings.NewReader(": x\n"+strings.Repeat("a", 1<<20)))
	require.ErrorContains(t, err, "line 2: the line is too long")
	got, err = v.First(0).Analogies(context.Background(),
		strings.NewReader(": royal\nman king woman queen\n"))
	require.NoError(t, err)
	require.Equal(t, 1, got.Unknown)
}

func TestPairs(t *testing.T) {
	v := royals(t)
	got, err := v.Pairs(context.Background(),
		strings.NewReader("# Words\nKing\tman\t9\r\nking\tqueen\t5\nking\twoman\t1\nking\tpear\t1\nno number\tx\ty\n"))
	require.NoError(t, err)
	require.Equal(t, 3, got.Pairs)
	require.Equal(t, 1, got.Unknown)
	require.InDelta(t, 1, got.Spearman, 1e-9)
	_, err = v.Pairs(context.Background(), strings.NewReader("x\ty\t1\n"))
	require.ErrorContains(t, err, "there is no line")
	_, err = v.Pairs(context.Background(), strings.NewReader("king\tman\t9\n"))
	require.ErrorContains(t, err, "does not vary")
}

const python = "/usr/bin/python3"

// gensim runs a program with gensim loaded, or skips.
func gensim(t *testing.T, dir, program string) string {
	if exec.Command(python, "-c", "import gensim").Run() != nil {
		t.Skipf("%s has no gensim (Debian: python3-gensim)", python)
	}
	cmd := exec.Command(python, "-c",
		"import numpy, gensim\nfrom gensim.models import KeyedVectors as K\n"+program)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// Both sides write vectors, both read what the other wrote, to the bit, and answer the same
// questions alike.
func TestGensim(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(3, 4))
	const n, dim = 301, 10
	words, data := make([]string, n), make([]float32, n*dim)
	for i := range words {
		words[i] = fmt.Sprintf("w%d猫é", i)
	}
	words[5], words[6] = "W4猫É", "</s>" // 5 and 4 are the same but for case
	for i := range data {
		data[i] = float32(rng.NormFloat64())
	}
	v, err := vectors.New(words, dim, data)
	require.NoError(t, err)
	var questions, pairs strings.Builder
	questions.WriteString(": a\n")
	for i := range 60 {
		w := func() string { return words[rng.IntN(n)] }
		a, b, c := w(), w(), w()
		best, err := v.Similar([]string{b, c}, []string{a}, 1)
		require.NoError(t, err)
		d := best[0].Word
		if i%3 == 0 {
			d = w()
		}
		fmt.Fprintf(&questions, "%s %s %s %s\n", a, b, strings.ToUpper(c), d)
		fmt.Fprintf(&pairs, "%s\t%s\t%d\n", a, b, rng.IntN(10))
	}
	questions.WriteString(": b\nx y z w\n")
	pairs.WriteString("x\ty\t1\n")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "questions"), []byte(questions.String()),
		0o666))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pairs"), []byte(pairs.String()), 0o666))
	for _, f := range formats {
		require.NoError(t, v.WriteFile(filepath.Join(dir, "our."+f.String()), f))
	}
	out := gensim(t, dir, `
t = K.load_word2vec_format("our.text")
b = K.load_word2vec_format("our.binary", binary=True)
g = K.load_word2vec_format("our.glove", no_header=True)
assert t.index_to_key == b.index_to_key == g.index_to_key and (t.vectors == b.vectors).all() and (t.vectors == g.vectors).all()
t.save_word2vec_format("their.text")
t.save_word2vec_format("their.binary", binary=True)
t.save_word2vec_format("their.glove", write_header=False)
w = t.index_to_key
print(*[m[0] for m in t.most_similar([w[1], w[2]], [w[3]], topn=5)])
print(*[m[0] for m in t.most_similar_cosmul([w[1], w[2]], [w[3]], topn=5)])
print(t.doesnt_match(w[10:14]))
print(t.rank(w[1], w[2]))
print("%.6f" % t.similarity(w[1], w[2]))
_, s = t.evaluate_word_analogies("questions")
print([(len(x["correct"]), len(x["correct"]) + len(x["incorrect"])) for x in s])
p, s, o = t.evaluate_word_pairs("pairs")
print("%.6f %.6f" % (p[0], s[0]))`)

	for _, f := range formats {
		got, err := vectors.ReadFile(context.Background(), filepath.Join(dir, "their."+f.String()),
			vectors.ReadOptions{})
		require.NoError(t, err)
		same(t, v, got)
	}
	var ours strings.Builder
	for _, similar := range []func(p, n []string, k int) ([]vectors.Match, error){v.Similar,
		v.SimilarMul} {
		found, err := similar([]string{words[1], words[2]}, []string{words[3]}, 5)
		require.NoError(t, err)
		for i, m := range found {
			ours.WriteString(strings.Repeat(" ", min(i, 1)) + m.Word)
		}
		ours.WriteString("\n")
	}
	odd, err := v.DoesntMatch(words[10:14]...)
	require.NoError(t, err)
	rank, err := v.Rank(words[1], words[2])
	require.NoError(t, err)
	similarity, err := v.Similarity(words[1], words[2])
	require.NoError(t, err)
	a, err := v.Analogies(context.Background(), strings.NewReader(questions.String()))
	require.NoError(t, err)
	p, err := v.Pairs(context.Background(), strings.NewReader(pairs.String()))
	require.NoError(t, err)
	fmt.Fprintf(&ours, "%s\n%d\n%.6f\n[(%d, %d), (0, 0), (%[4]d, %[5]d)]\n%.6f %.6f\n",
		odd, rank, similarity, a.Total.Correct, a.Total.Asked, p.Pearson, p.Spearman)
	require.Equal(t, out, ours.String())
	require.Equal(t, 1, a.Unknown)
}

func BenchmarkSimilar(b *testing.B) {
	const n, dim = 20000, 100
	words, data := make([]string, n), make([]float32, n*dim)
	for i := range words {
		words[i] = fmt.Sprint(i)
	}
	for i := range data {
		data[i] = float32(i%7) - 3
	}
	v, err := vectors.New(words, dim, data)
	require.NoError(b, err)
	for b.Loop() {
		v.Similar([]string{"1", "2"}, []string{"3"}, 10)
	}
}
