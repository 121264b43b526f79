package main_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
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
			goFiles, err := filepath.Glob(filepath.Join(path, "*.go"))
			if err != nil {
				return err
			}
			if path != from && goFiles != nil {
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

// Every program, with its tests, builds in a module of a user's own: nothing that it needs is
// hidden in this one.
func TestProgramsCanBeCopied(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a module")
	}
	m := testkit.NewModule(t, "copied.example", "..")
	programs := programNames(t)
	require.Greater(t, len(programs), 15)
	for _, name := range programs {
		copyProgram(t, name, filepath.Join(m.Dir, name))
	}
	m.Go("vet", "./...") // compiles everything, and links nothing, which would take a minute
	require.Contains(t, m.Go("run", "./curves", "-help"), "-draw")
}
