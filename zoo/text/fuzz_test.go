package text_test

import (
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo/text"
)

// Whatever a file holds, reading and cutting it up gives text or an error.
func FuzzReadFile(f *testing.F) {
	for _, seed := range []string{"", "one line", "\ufeffa\r\nb\rc\n", "a\xffb", "\x1f\x8b",
		"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", "don't -- 3.14 ’tis ..."} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "text")
	f.Fuzz(func(t *testing.T, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o644))
		s, err := text.ReadFile(path)
		if err != nil {
			return
		}
		require.True(t, utf8.ValidString(s))
		require.NotEmpty(t, s)
		for _, tokenizer := range []interface {
			Tokens(string) ([]string, error)
		}{text.Chars{}, text.Words{Lower: true, Lines: true}, text.Words{Spaced: true}} {
			tokens, err := tokenizer.Tokens(s)
			require.NoError(t, err)
			for _, token := range tokens {
				require.NotEmpty(t, token)
			}
		}
	})
}
