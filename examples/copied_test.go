package main_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// copyProgram copies a program's folder without the packages below it, which it imports from where
// they are.
func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if goFiles, _ := filepath.Glob(filepath.Join(path, "*.go")); path != from && goFiles != nil {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, below), 0o777)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, below), content, 0o666)
	})
	require.NoError(t, err)
}

// Every program, with its tests, builds in a module of a user's own: nothing that it needs is hidden
// in this one.
func TestProgramsCanBeCopied(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a module")
	}
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	read := func(name string) []byte {
		content, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		return content
	}
	dir := t.TempDir()
	mod := bytes.Replace(read("go.mod"), []byte("module github.com/seqzoo/seqzoo"), []byte("module copied.example"), 1)
	mod = append(mod, "\nrequire github.com/seqzoo/seqzoo v0.0.0\n\nreplace github.com/seqzoo/seqzoo => "+root+"\n"...)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), mod, 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), read("go.sum"), 0o666))
	programs := programNames(t)
	require.Greater(t, len(programs), 15)
	for _, name := range programs {
		copyProgram(t, name, filepath.Join(dir, name))
	}
	run := func(args ...string) string {
		flags, err := exec.Command("go", "env", "GOFLAGS").Output()
		require.NoError(t, err)
		c := exec.Command("go", args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(string(flags))+" -mod=mod",
			"GOPROXY=off", "GOWORK=off")
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	run("vet", "./...") // compiles everything, and links nothing, which would take a minute
	require.Contains(t, run("run", "./curves", "-help"), "-draw")
}
