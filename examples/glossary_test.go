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

// The Japanese README says what the English one says: the same code, links and figures.
func TestJapaneseReadme(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", name))
		require.NoError(t, err)
		return string(text)
	}
	en, ja := read("README.md"), read("README.ja.md")
	fence := regexp.MustCompile("(?ms)^```.*?^```$")
	require.Equal(t, fence.FindAllString(en, -1), fence.FindAllString(ja, -1))
	prose := func(s string) string { return fence.ReplaceAllString(s, "") }
	for _, kind := range []*regexp.Regexp{
		regexp.MustCompile(`\]\(([^)#]+)`), // links
		regexp.MustCompile("`[^`]+`"),      // names
		regexp.MustCompile(`\d[\d.,]*\d`),  // figures
	} {
		for _, found := range kind.FindAllString(prose(en), -1) {
			found = strings.Replace(found, "README.ja.md", "README.md", 1)
			found = strings.Replace(found, "docs/course/README.md", "docs/course/README.ja.md", 1)
			found = strings.Replace(found, "glossary.en.md", "glossary.ja.md", 1)
			require.True(t, strings.Contains(ja, found), "README.ja.md lacks %s", found)
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
