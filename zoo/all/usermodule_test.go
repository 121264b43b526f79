package all_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A user's module outside of the library has cells of its own, with parts and weights named as
// nobody else's and a matrix in the state, which work in models of the zoo without a line about the
// models.
func TestUserModule(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a module")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go command to build the module with")
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("testdata/usermodule")))
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod.txt"))
	require.NoError(t, err)
	mod = append(mod, "\nreplace github.com/seqzoo/seqzoo => "+root+"\n"...)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), mod, 0o666))
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o666))
	run := func(args ...string) (string, error) {
		c := exec.Command(args[0], args[1:]...)
		c.Dir = dir
		c.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
		out, err := c.CombinedOutput()
		return string(out), err
	}
	out, err := run(goTool, "build", "-o", "user", ".")
	require.NoError(t, err, out)
	want := "LanguageModel 3\nSeq2Seq 3\nTagger 3\nHRED 3\nForecaster 3\n"
	for i, cell := range []string{"fast", "leaky,start=2", "leaky/fast,hidden=3"} {
		out, err = run("./user", "-cell", cell, "-dir",
			filepath.Join("models", string(rune('a'+i))))
		require.NoError(t, err, out)
		require.Equal(t, want, out, cell)
	}
	out, err = run("./user", "-cell", "slow")
	require.Error(t, err)
	require.Contains(t, out, `the cell "slow" is not registered; known are `)
	for _, name := range []string{"mycells/mycells.go", "main.go"} {
		source, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		t.Logf("%s: %d lines", name, bytes.Count(source, []byte("\n")))
	}
}
