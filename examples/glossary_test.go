package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each term of the glossary is whole and there once, and names a file, a folder or an exported name
// of the library.
func TestGlossaryNamesWhatIsThere(t *testing.T) {
	met := map[string]bool{}
	for _, g := range termGroups {
		require.NotEmpty(t, g.terms, g.en)
		for _, w := range g.terms {
			require.False(t, met[w.ja], w.ja)
			met[w.ja] = true
			require.NotContains(t, []string{w.ja, w.en, w.saysJA, w.saysEN}, "", w.ja)
			require.Regexp(t, `。$`, w.saysJA)
			require.Regexp(t, `\.$`, w.saysEN)
			if w.chapter != "" {
				require.Regexp(t, `^\d\d$`, w.chapter)
			}
			if w.code == "" {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", w.code)); err == nil {
				continue
			}
			pkg, name, ok := strings.Cut(w.code, ".")
			require.True(t, ok, "%s: there is no %s", w.en, w.code)
			lists, err := filepath.Glob(filepath.Join("..", "api", "*.txt"))
			require.NoError(t, err)
			deeper, err := filepath.Glob(filepath.Join("..", "api", "*", "*.txt"))
			require.NoError(t, err)
			found := false
			for _, list := range append(lists, deeper...) {
				if filepath.Base(list) == pkg+".txt" {
					text, err := os.ReadFile(list)
					require.NoError(t, err)
					exported := regexp.MustCompile(`(?m)^\t?(func|type|const|var) ` +
						regexp.QuoteMeta(name) + `\b`)
					found = found || exported.Match(text)
				}
			}
			require.True(t, found, "%s: there is no %s", w.en, w.code)
		}
	}
}

// Every chapter that the glossary sends a reader to is there.
func TestGlossaryChapters(t *testing.T) {
	for _, g := range termGroups {
		for _, w := range g.terms {
			if w.chapter != "" {
				found, err := filepath.Glob(w.chapter + "-*")
				require.NoError(t, err)
				require.Len(t, found, 1, "%s: chapter %s", w.en, w.chapter)
			}
		}
	}
}
