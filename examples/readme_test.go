package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

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

// What the README prints of the main job is what the other pages say of it.
func TestMainJobOfPages(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join("..", name))
		require.NoError(t, err)
		return string(text)
	}
	row := regexp.MustCompile(`(?m)^(?:rnn|gru|lstm) .* (\d+\.\d)$`)
	var perplexities []string
	for _, m := range row.FindAllStringSubmatch(read("README.md"), -1) {
		perplexities = append(perplexities, m[1])
	}
	require.Len(t, perplexities, 3)
	require.Contains(t, read("docs/nextword.md"), strings.Join(perplexities, " | "))
	for _, page := range []string{"en.md", "ja.md"} {
		for _, p := range perplexities {
			require.Contains(t, read("examples/05-gru/"+page), p)
		}
	}
}
