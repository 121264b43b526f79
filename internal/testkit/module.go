package testkit

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Module is a module of a user's own that requires the library as it stands in the checkout.
type Module struct {
	Dir string
	t   testing.TB
}

// NewModule makes an empty module of that name in a folder of the test's own. Root leads to that of
// the checkout. It requires what the library requires, versions of indirect modules too, so that
// the go command needs no go.mod file but those that the library's own build has fetched.
func NewModule(t testing.TB, name, root string) *Module {
	t.Helper()
	root, err := filepath.Abs(root)
	require.NoError(t, err)
	m := &Module{Dir: t.TempDir(), t: t}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	const library = "github.com/seqzoo/seqzoo"
	mod = bytes.Replace(mod, []byte("module "+library), []byte("module "+name), 1)
	mod = append(mod, "\nrequire "+library+" v0.0.0\n\nreplace "+library+" => "+root+"\n"...)
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	for file, content := range map[string][]byte{"go.mod": mod, "go.sum": sum} {
		require.NoError(t, os.WriteFile(filepath.Join(m.Dir, file), content, 0o666))
	}
	return m
}

// Go runs the go command in the module, without the network and with the flags of the test's own
// build, so that both share what is compiled.
func (m *Module) Go(args ...string) string {
	m.t.Helper()
	flags, err := exec.Command("go", "env", "GOFLAGS").Output()
	require.NoError(m.t, err)
	c := exec.Command("go", args...)
	c.Dir = m.Dir
	c.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(string(flags))+" -mod=mod",
		"GOPROXY=off", "GOWORK=off")
	out, err := c.CombinedOutput()
	require.NoError(m.t, err, "%s", out)
	return string(out)
}
