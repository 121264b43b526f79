package main

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var notebooks = flag.String("notebooks", "",
	"run the notebooks whose names begin so, such as 01 or 0, with Debian's jupyter-nbconvert; "+
		"a chapter takes its lesson's time and half a minute more")

// timed are the cells, by chapter, whose output has times in it.
var timed = map[string][]string{
	"03-vanishing": {"saved"}, "05-gru": {"alone", "withSoftmax", "learning", "wave"},
	"14-own-cell": {"fused"}, "15-underneath": {"twoWays", "passes"},
}

// A notebook runs under the kernel GoNB, and gives what is recorded.
func TestNotebooks(t *testing.T) {
	if *notebooks == "" {
		t.Skip("takes minutes: go test ./examples -run TestNotebooks -notebooks 01 -timeout 1h")
	}
	convert, err := exec.LookPath("jupyter-nbconvert")
	if err != nil {
		t.Skip("there is no jupyter-nbconvert")
	}
	tools := t.TempDir()
	for name, pkg := range map[string]string{"gonb": "github.com/janpfeifer/gonb",
		"goimports": "golang.org/x/tools/cmd/goimports"} {
		c := exec.Command("go", "build", "-o", filepath.Join(tools, name), pkg)
		c.Dir = "../tools/notebooks"
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	kernel := filepath.Join(tools, "kernels", "gonb")
	require.NoError(t, os.MkdirAll(kernel, 0o755))
	spec, err := json.Marshal(map[string]any{"argv": []string{filepath.Join(tools, "gonb"),
		"--kernel", "{connection_file}"},
		"display_name": "Go (gonb)", "language": "go"})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(kernel, "kernel.json"), spec, 0o644))
	names, err := filepath.Glob(filepath.Join("..", "docs", "course", *notebooks+"*.ipynb"))
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out.ipynb")
			c := exec.Command(convert, "--to", "notebook", "--execute",
				"--ExecutePreprocessor.timeout=3600", "--output", out,
				filepath.Base(name))
			c.Dir = filepath.Dir(name)
			c.Env = append(os.Environ(), "JUPYTER_PATH="+tools,
				"PATH="+tools+string(os.PathListSeparator)+os.Getenv("PATH"))
			said, err := c.CombinedOutput()
			require.NoError(t, err, "%s", said)
			want, got := outputsOf(t, name), outputsOf(t, out)
			require.Equal(t, len(want), len(got))
			chapter, _, _ := strings.Cut(filepath.Base(name), ".")
			for id := range want {
				// the kernel says what it has set, and no time comes twice
				if id != "setup" && !slices.Contains(timed[chapter], id) {
					require.True(t, want[id] == got[id],
						"cell %s gives\n%.2000s\nand is recorded as\n%.2000s", id, got[id],
						want[id])
				}
			}
		})
	}
}

// outputsOf are what the code cells of a notebook gave, by their ids, without what went to standard
// error: first what was printed, then what is displayed, since these come to the notebook by two
// pipes and their order is chance.
func outputsOf(t *testing.T, name string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	var n struct {
		Cells []struct {
			ID      string
			Type    string `json:"cell_type"`
			Outputs []map[string]any
		}
	}
	require.NoError(t, json.Unmarshal(b, &n))
	out := map[string]string{}
	for _, c := range n.Cells {
		if c.Type != "code" {
			continue
		}
		var said, shown strings.Builder
		for _, o := range c.Outputs {
			switch {
			case o["output_type"] == "error":
				said.WriteString("error: " + text(o["evalue"]))
			case o["name"] == "stdout":
				said.WriteString(text(o["text"]))
			case o["data"] != nil:
				for _, kind := range []string{"text/plain", "text/html", "image/png"} {
					shown.WriteString(kind + ": " +
						strings.TrimSpace(text(o["data"].(map[string]any)[kind])) + "\n")
				}
			}
		}
		out[c.ID] = said.String() + shown.String()
	}
	return out
}

// text is a text of a notebook, which may be given as lines.
func text(v any) string {
	lines, ok := v.([]any)
	if !ok {
		s, _ := v.(string)
		return s
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(text(l))
	}
	return b.String()
}
