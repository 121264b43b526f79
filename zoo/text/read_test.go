package text_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/memtest"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// zip is s compressed by gzip.
func zip(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(s))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.String()
}

func TestReadFile(t *testing.T) {
	long := strings.Repeat("abcdefghi ", 1<<20) // one line of 10 MiB
	for _, c := range []struct{ name, file, content, want, err string }{
		{"plain", "a.txt", "one\ntwo\n", "one\ntwo\n", ""},
		{"one line", "a.txt", "one", "one", ""},
		{"CRLF", "a.txt", "one\r\n\r\ntwo\nthree\r\n", "one\n\ntwo\nthree\n", ""},
		{"a carriage return within a line", "a.txt", "one\rtwo\r\r\nthree", "one two \nthree", ""},
		{"what ends no line", "a.txt", "a\u2028b\u2029c\u0085d\ve\ff\n",
			"a\u2028b\u2029c\u0085d\ve\ff\n", ""},
		{"byte order mark", "a.txt", "\ufeffone", "one", ""},
		{"long line", "a.txt", long, long, ""},
		{"name with spaces and 日本語", "a b 日本語.txt", "吾輩は猫である", "吾輩は猫である", ""},
		{"gzip", "a.txt.gz", zip(t, "one\r\n"), "one\n", ""},
		{"gzip by content", "a.txt", zip(t, "one"), "one", ""},
		{"gzip of a long line", "a.gz", zip(t, long), long, ""},

		{"empty", "a.txt", "", "", "a.txt: the file is empty"},
		{"only a byte order mark", "a.txt", "\ufeff", "", "a.txt: the file is empty"},
		{"empty gzip", "a.gz", "", "", "a.gz: the file is empty"},
		{"gzip of nothing", "a.gz", zip(t, ""), "", "a.gz: the file is empty"},
		{"not gzip", "a.gz", "one two three four", "", "a.gz: gzip: invalid header"},
		{"gzip cut off", "a.gz", zip(t, "one two")[:15], "", "a.gz: unexpected EOF"},
		{"invalid UTF-8", "a.txt", "one\r\ntwo\nab\xffc", "",
			"a.txt: line 3: byte 0xff at offset 11 is not UTF-8"},
		{"UTF-16", "a.txt", "\xff\xfeo\x00", "",
			"a.txt: line 1: byte 0xff at offset 0 is not UTF-8"},
		{"what says that it is UTF-16", "a.txt", "\xff\xfeo\x00", "",
			"is not UTF-8: this is text in UTF-16"},
		{"a picture", "a.txt", "\x89PNG\r\n\x1a\n", "", "is not UTF-8: this is a picture"},
		{"gzip in gzip", "a.gz", zip(t, zip(t, "one")), "",
			"is not UTF-8: this is compressed by gzip"},
		{"more behind gzip", "a.gz", zip(t, "one") + "two", "",
			"a.gz: unexpected EOF in what is compressed by gzip"},
		{"a pointer of git-lfs", "a.txt",
			"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", "",
			"a.txt: this is a pointer of git-lfs"},
		{"a long text that begins so", "a.txt", "version https://git-lfs\n" + long,
			"version https://git-lfs\n" + long, ""},
		{"carriage returns alone", "a.txt", "one\rtwo\r", "one\ntwo\n", ""},
		{"NUL", "a.txt", "one\ntw\x00o", "",
			"a.txt: line 2: byte 0x00 at offset 6: this is no text, or it is in UTF-16"},
		{"UTF-16 without a byte order mark", "a.txt", "o\x00n\x00", "",
			"a.txt: line 1: byte 0x00 at offset 1"},
		{"gzip bomb", "a.gz", zip(t, strings.Repeat("\x00", 80<<20)), "",
			"is longer than the limit of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.file)
			require.NoError(t, os.WriteFile(path, []byte(c.content), 0o600))
			got, err := text.ReadFile(path)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				require.ErrorContains(t, err, path)
				return
			}
			require.NoError(t, err)
			// not Equal, which would print 10 MiB
			require.True(t, got == c.want, "the text differs")
		})
	}
}

func TestReadFileRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	_, err := text.ReadFile(filepath.Join(dir, "absent.txt"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "absent.txt")
	_, err = text.ReadFile(dir)
	require.EqualError(t, err, dir+" is a directory, not a text file")
	_, err = text.ReadFile(os.DevNull)
	require.EqualError(t, err, os.DevNull+" is not a regular file")
	_, err = text.LoadVocabulary(dir)
	require.EqualError(t, err, dir+" is not a regular file")
	_, err = text.LoadVocabulary(filepath.Join(dir, "absent.json"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// What expands beyond the limit is refused before memory is taken for it, and what does not takes
// its own memory.
func TestReadFileTakesTheMemoryOfTheText(t *testing.T) {
	write := func(n int) string {
		path := filepath.Join(t.TempDir(), "text.gz")
		f, err := os.Create(path)
		require.NoError(t, err)
		defer f.Close()
		z, err := gzip.NewWriterLevel(f, gzip.BestCompression)
		require.NoError(t, err)
		piece := bytes.Repeat([]byte("a\r\n"), 1<<20)
		for range n {
			_, err = z.Write(piece)
			require.NoError(t, err)
		}
		require.NoError(t, z.Close())
		return path
	}
	bomb, plain := write(48), write(4)
	var err error
	n := memtest.Allocated(1<<20, func() { _, err = text.ReadFile(bomb) })
	require.ErrorContains(t, err, "longer than the limit")
	require.Less(t, n, 1<<20)
	var s string
	n = memtest.Allocated(13<<20, func() { s, err = text.ReadFile(plain) })
	require.NoError(t, err)
	require.Len(t, s, 8<<20)
	require.Less(t, n, 13<<20)
}

func TestEncodingErrorCanBeAskedFor(t *testing.T) {
	_, err := text.Chars{}.Tokens("a\nb\nc\x80")
	var encoding *text.EncodingError
	require.True(t, errors.As(err, &encoding))
	require.Equal(t, &text.EncodingError{Line: 3, Offset: 5, Byte: 0x80}, encoding)
}
