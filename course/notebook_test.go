package course_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/course"
)

// In a notebook, where each cell is a process, what a cell computed is kept for the others in a
// file, and all that went wrong is told.
func TestShow(t *testing.T) {
	t.Setenv("GONB_TMP_DIR", t.TempDir())
	t.Setenv("GONB_PIPE", "")
	t.Setenv("COURSE_PROSE", "")
	computed := 0
	for range 2 {
		require.NoError(t, course.ShowCell(func(p *course.Page) error {
			kept, err := course.Once(p, "kept", func() ([]int, error) {
				computed++
				return []int{7}, nil
			})
			require.Equal(t, []int{7}, kept)
			return err
		}))
	}
	require.Equal(t, 1, computed)
	err := course.ShowCell(func(p *course.Page) error {
		p.Claim("two is one", false)
		p.Claim("one is none", false)
		return errors.New("own error")
	})
	for _, want := range []string{"two is one", "one is none", "own error"} {
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, course.ShowCell(nil), "there is no cell")
}

// Debian's nbformat finds nothing wrong with a notebook.
func TestNotebook(t *testing.T) {
	c, _, err := ran(t, small(), first, second)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "small.ipynb")
	var b bytes.Buffer
	require.NoError(t, c.WriteNotebook(&b, "ja"))
	var n struct {
		Cells []struct {
			Type    string `json:"cell_type"`
			Source  string
			Outputs []struct{ Data map[string]string }
		}
	}
	require.NoError(t, json.Unmarshal(b.Bytes(), &n))
	require.Equal(t, "markdown", n.Cells[0].Type)
	require.Contains(t, n.Cells[len(n.Cells)-3].Source, "%%\ncourse.Show(second)")
	require.Contains(t, b.String(), `"image/png"`)
	require.NotContains(t, b.String(), "<svg")
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o666))
	if err := exec.Command("/usr/bin/python3", "-c", "import nbformat").Run(); err != nil {
		t.Skip("there is no python3-nbformat")
	}
	out, err := exec.Command("/usr/bin/python3", "-W", "error", "-c",
		"import nbformat, sys; nbformat.validate(nbformat.read(sys.argv[1], 4))",
		file).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// What the other files use of main.go comes before them, as each cell of a notebook is compiled
// with what stands above it.
func TestNotebookDeclaresAhead(t *testing.T) {
	files := small()
	replace("main.go", "const n = 3", "type table struct{}\n\n"+
		"func (table) Size() int { return n }\n\nconst unused = 1\n\nconst n = 3")(files)
	files["rest.go"].Data = []byte("package main\n\nfunc used() int { return table{}.Size() }\n")
	c, err := course.New("00-small", files)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, c.WriteNotebook(&b, "en"))
	var n struct{ Cells []struct{ ID, Source string } }
	require.NoError(t, json.Unmarshal(b.Bytes(), &n))
	require.Equal(t, "declarations", n.Cells[2].ID)
	at := 0
	for _, want := range []string{"import ", "type table struct{}", "func (table) Size()",
		"const n = 3", "func used() int"} {
		i := strings.Index(n.Cells[2].Source, want)
		require.Greater(t, i+1, at, want)
		at = i
	}
	require.NotContains(t, n.Cells[2].Source, "unused")
	require.NotContains(t, n.Cells[2].Source, "helper")

	// what an earlier cell uses comes before it, wherever it stands
	files["main.go"].Data = bytes.Replace(files["main.go"].Data, []byte("{ return nil }"),
		[]byte("{ helper(\"\"); return nil }"), 1)
	c, err = course.New("00-small", files)
	require.NoError(t, err)
	b.Reset()
	require.NoError(t, c.WriteNotebook(&b, "en"))
	n.Cells = nil
	require.NoError(t, json.Unmarshal(b.Bytes(), &n))
	require.Contains(t, n.Cells[2].Source, "func helper(")
}

// A notebook's cell reads the files that the program embeds.
func TestNotebookEmbeds(t *testing.T) {
	files := small()
	files["rest.go"].Data = []byte("package main\n\nimport _ \"embed\"\n\n// some data\n//\n" +
		"//go:embed data.txt\nvar data []byte\n")
	c, err := course.New("00-small", files)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, c.WriteNotebook(&b, "en"))
	require.Contains(t, b.String(), `var data = course.Embedded(\"00-small\", \"data.txt\")`)

	root := t.TempDir()
	for _, dir := range []string{"examples/00-small", "docs/course"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, "examples/00-small/data.txt"),
		[]byte("content"), 0o644))
	t.Setenv("GONB_DIR", filepath.Join(root, "docs/course"))
	require.Equal(t, "content", string(course.Embedded("00-small", "data.txt")))
	require.Nil(t, course.Embedded("00-small", "nothing.txt"))
}
