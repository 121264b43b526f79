package vectors_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/zoo/vectors"
)

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

// Numbers of the binary form that hold the byte of an end of line, a blank or a digit anywhere.
func TestDetectBinary(t *testing.T) {
	for _, dim := range []int{1, 2, 3, 50} {
		for at := range min(4*dim, 12) {
			for _, odd := range []byte("\n\r \t17") {
				numbers := bytes.Repeat([]byte{0x01, 0x02, 0x03, 0x3e}, dim)
				numbers[at] = odd
				file := fmt.Appendf(nil, "2 %d\na %sb %s", dim, numbers, numbers)
				v, err := load(file, vectors.ReadOptions{})
				require.NoError(t, err, "byte %q at %d, width %d", odd, at, dim)
				require.Equal(t, 2, v.Len())
				require.Equal(t, dim, v.Dim())
			}
		}
	}
	// A first row of text that is too short stays one of text.
	_, err := load([]byte("2 3\na 1\nschön 1.25 2.5 3.25\n"), vectors.ReadOptions{})
	require.ErrorContains(t, err, "line 2")
	_, err = load([]byte("2 3\nh \nб 1.25 2.5 3.25\n"), vectors.ReadOptions{})
	require.ErrorContains(t, err, "line 2")
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
