package text_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo/text"
)

// sentences are those of a file of some content, and what ends them.
func sentences(t *testing.T, name, content string, by text.Tokeniser) (all [][]string, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o666))
	for tokens, e := range text.Sentences(path, by) {
		if e != nil {
			require.Nil(t, err, "it goes on behind an error")
			require.Contains(t, e.Error(), name)
			err = e
			continue
		}
		all = append(all, tokens)
	}
	return all, err
}

func gzipped(content string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(content))
	z.Close()
	return b.String()
}

func TestSentences(t *testing.T) {
	for content, want := range map[string][][]string{
		"\n\n \r\n":                   nil,
		"a":                           {{"a"}},
		"\ufeffa b\r\n\n  \nc\rd\n\n": {{"a", "b"}, {"c", "d"}},
	} {
		got, err := sentences(t, "a.txt", content, nil)
		require.NoError(t, err)
		require.Equal(t, want, got, "%q", content)
		got, err = sentences(t, "a.txt.gz", gzipped(content), text.Words{})
		require.NoError(t, err)
		require.Equal(t, want, got, "%q", content)
	}
	got, err := sentences(t, "a.txt", gzipped("a b\n"), nil) // whatever it is called
	require.NoError(t, err)
	require.Equal(t, [][]string{{"a", "b"}}, got)
	got, err = sentences(t, "a.txt", "ab\nc", text.Chars{})
	require.NoError(t, err)
	require.Equal(t, [][]string{{"a", "b"}, {"c"}}, got)
}

func TestSentencesErrors(t *testing.T) {
	for name, content := range map[string]string{"a.txt": "", "a.gz": "",
		"b.gz": gzipped("")} {
		_, err := sentences(t, name, content, nil)
		require.ErrorContains(t, err, name+": the file is empty")
	}
	got, err := sentences(t, "a.txt", "a b\nc \xff\nd\n", nil)
	require.Equal(t, [][]string{{"a", "b"}}, got)
	require.ErrorContains(t, err, "a.txt: line 2: byte 0xff at offset 6 is not UTF-8")
	var encoding *text.EncodingError
	require.ErrorAs(t, err, &encoding)
	_, err = sentences(t, "a.gz", strings.Repeat("a b\n", 9), nil)
	require.ErrorIs(t, err, gzip.ErrHeader)
	_, err = sentences(t, "a.txt",
		"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", nil)
	require.ErrorContains(t, err, "a.txt: this is a pointer of git-lfs")
	whole := gzipped(strings.Repeat("a b\n", 10))
	got, err = sentences(t, "a.gz", whole[:len(whole)-9], nil)
	require.ErrorContains(t, err, "behind line ")
	require.LessOrEqual(t, len(got), 10)
	for _, err := range text.Sentences(filepath.Join(t.TempDir(), "none"), nil) {
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	for _, err := range text.Sentences(t.TempDir(), nil) {
		require.Error(t, err)
	}
}

// A vocabulary of sentences that come one by one is that of the same sentences at hand.
func TestNewVocabularyFrom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txt")
	require.NoError(t, os.WriteFile(path, []byte("b a\nc a b\n\nd a\n"), 0o666))
	ctx := context.Background()
	for _, cfg := range []text.VocabularyConfig{{}, {FirstSeen: true}, {MinCount: 2,
		Specials: []string{text.Unk}}} {
		want, err := text.NewVocabulary(cfg, []string{"b", "a"}, []string{"c", "a", "b"},
			[]string{"d", "a"})
		require.NoError(t, err)
		got, err := text.NewVocabularyFrom(ctx, cfg, text.Sentences(path, nil))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	broken := errors.New("the disk is gone")
	_, err := text.NewVocabularyFrom(ctx, text.VocabularyConfig{},
		func(yield func([]string, error) bool) {
			if yield([]string{"a"}, nil) && yield(nil, broken) {
				t.Error("it goes on behind an error")
			}
		})
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "vocabulary: sequence 1: ")
	_, err = text.NewVocabularyFrom(ctx, text.VocabularyConfig{}, nil)
	require.ErrorContains(t, err, "no sequences")
}
