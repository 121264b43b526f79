package safefile_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/safefile"
)

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	require.NoError(t, os.WriteFile(path, []byte("hello"), 0o666))
	f, size, err := safefile.Open(path)
	require.NoError(t, err)
	require.EqualValues(t, 5, size)
	require.NoError(t, f.Close())
	b, err := safefile.ReadFile(path, 5)
	require.NoError(t, err)
	require.Equal(t, "hello", string(b))
	_, err = safefile.ReadFile(path, 4)
	require.EqualError(t, err, path+" has 5 bytes, and at most 4 are read")

	_, _, err = safefile.Open(path + "-absent")
	require.ErrorIs(t, err, fs.ErrNotExist)
	var other *safefile.NotRegularError
	for _, p := range []string{dir, os.DevNull} {
		_, _, err = safefile.Open(p)
		require.ErrorAs(t, err, &other)
		require.ErrorIs(t, err, fs.ErrInvalid)
		require.EqualError(t, err, p+" is not a regular file")
	}
	for mode, want := range map[fs.FileMode]string{
		fs.ModeNamedPipe: "a pipe", fs.ModeSocket: "a socket", fs.ModeSymlink: "a symbolic link",
	} {
		require.True(t, strings.Contains((&safefile.NotRegularError{Path: "p", Mode: mode}).Error(),
			want))
	}
}
