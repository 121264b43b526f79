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

var (
	// decimals are measured figures, among other numbers; names of versions have two points or a v.
	decimals = regexp.MustCompile(`(?:^|[\s|(*:])\d[\d,]*\.\d+(?:[\s|)*,;:]|$)`)
	// seen says where a figure comes from: a command, a value of a recorded run, or another page,
	// which says it.
	seen    = regexp.MustCompile(`go (?:run|test|build) |mpirun |<!-- =|\]\([^)]*\.md`)
	heading = regexp.MustCompile(`(?m)^(#+) .*$`)
)

// TestFiguresAreSeen holds every section of a page that has a figure to saying by which command it
// was seen, in its own text or in that of a section around it.
func TestFiguresAreSeen(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	results, err := filepath.Glob("docs/results/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, results)
	for _, page := range append(append(pages, results...), "README.md", "README.ja.md") {
		content, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, name := range unseen(string(content)) {
			t.Errorf("%s: %s has figures, and no command that gives them", page, name)
		}
	}
	require.Equal(t, []string{"## a"},
		unseen("# x\n## a\n| 1.5 |\n## b\n2.5 by `go run ./x`\n### c\n3.5"))
}

// unseen are the headings of the sections that have figures and do not say where they come from.
func unseen(content string) (names []string) {
	type section struct {
		level int
		seen  bool
	}
	var around []section
	text := fenced.ReplaceAllStringFunc(content, func(s string) string { // code has no headings
		return strings.ReplaceAll(s, "\n#", "\n ")
	})
	at := append(heading.FindAllStringSubmatchIndex(text, -1), []int{len(text)})
	for i, m := range at[:len(at)-1] {
		level, own := m[3]-m[2], text[m[1]:at[i+1][0]]
		for len(around) > 0 && around[len(around)-1].level >= level {
			around = around[:len(around)-1]
		}
		is := seen.MatchString(own) || len(around) > 0 && around[len(around)-1].seen
		if decimals.MatchString(fenced.ReplaceAllString(own, "")) && !is {
			names = append(names, text[m[0]:m[1]])
		}
		around = append(around, section{level, is})
	}
	return names
}
