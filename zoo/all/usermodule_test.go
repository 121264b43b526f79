package all_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
)

// A user's module outside of the library has cells of its own, with parts and weights named as
// nobody else's and a matrix in the state, which work in models of the zoo without a line about the
// models.
func TestUserModule(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a module")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command to build the module with")
	}
	m := testkit.NewModule(t, "example.org/user", "../..")
	require.NoError(t, os.CopyFS(m.Dir, os.DirFS("testdata/usermodule")))
	m.Go("build", "-o", "user", ".")
	run := func(args ...string) (string, error) {
		c := exec.Command("./user", args...)
		c.Dir = m.Dir
		out, err := c.CombinedOutput()
		return string(out), err
	}
	want := "LanguageModel 3\nSeq2Seq 3\nTagger 3\nHRED 3\nForecaster 3\n"
	for i, cell := range []string{"fast", "leaky,start=2", "leaky/fast,hidden=3"} {
		out, err := run("-cell", cell, "-dir", filepath.Join("models", string(rune('a'+i))))
		require.NoError(t, err, out)
		require.Equal(t, want, out, cell)
	}
	out, err := run("-cell", "slow")
	require.Error(t, err)
	require.Contains(t, out, `the cell "slow" is not registered; known are `)
	for _, name := range []string{"mycells/mycells.go", "main.go"} {
		source, err := os.ReadFile(filepath.Join(m.Dir, name))
		require.NoError(t, err)
		t.Logf("%s: %d lines", name, bytes.Count(source, []byte("\n")))
	}
}
