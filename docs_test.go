package seqzoo_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	fenced  = regexp.MustCompile("(?s)```.*?```")
	link    = regexp.MustCompile(`\]\(([^)#\s]+)`)
	command = regexp.MustCompile(`go (?:run|test|build) (?:-\S+ )*(\./[A-Za-z0-9_/-]+)`)
)

// TestDocs holds every page to what is there: the files that it links to, and the packages of the
// commands that it names.
func TestDocs(t *testing.T) {
	var pages, broken []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != "." && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case filepath.Ext(path) == ".md":
			pages = append(pages, path)
		}
		return nil
	})
	require.NoError(t, err)
	require.Contains(t, pages, "README.md")
	for _, page := range pages {
		content, err := os.ReadFile(page)
		require.NoError(t, err)
		report := func(what, path string) {
			if _, err := os.Stat(path); err != nil {
				broken = append(broken, page+": "+what)
			}
		}
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(string(content), ""),
			-1) {
			if !strings.Contains(m[1], "://") {
				report("links to "+m[1], filepath.Join(filepath.Dir(page), m[1]))
			}
		}
		for _, m := range command.FindAllStringSubmatch(string(content), -1) {
			report("names "+m[1], strings.TrimSuffix(m[1], "/..."))
		}
	}
	require.Empty(t, broken)
}
