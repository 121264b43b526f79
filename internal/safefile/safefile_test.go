package safefile_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/internal/safefile/safefiletest"
)

// content writes s in pieces, larger and smaller than the buffer.
func content(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		for _, piece := range []string{s[:len(s)/8], s[len(s)/8 : len(s)/4], s[len(s)/4:]} {
			if _, err := io.WriteString(w, piece); err != nil {
				return err
			}
		}
		return nil
	}
}

var before, after = strings.Repeat("old", 100_000), strings.Repeat("newer", 100_000)

// names lists dir and fails the test if something of a Write is left there.
func names(t *testing.T, dir string) (all []string) {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
		require.NotContains(t, e.Name(), ".tmp")
	}
	return all
}

func read(t *testing.T, path string) string {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func TestWrite(t *testing.T) {
	for _, name := range []string{"a", "with spaces", "日本語", strings.Repeat("x", 200),
		strings.Repeat("x", 255)} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		for _, s := range []string{"", "1", before, after} {
			require.NoError(t, safefile.Write(safefile.OS, path, content(s)))
			require.Equal(t, s, read(t, path))
			require.Len(t, names(t, dir), 1)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	require.NoError(t, os.WriteFile(path, []byte(before), 0o666))
	broken := errors.New("broken")
	err := safefile.Write(safefile.OS, path, func(w io.Writer) error {
		io.WriteString(w, after)
		return broken
	})
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, path)
	require.Equal(t, before, read(t, path))
	require.Len(t, names(t, dir), 1)

	absent := filepath.Join(dir, "no", "a")
	err = safefile.Write(safefile.OS, absent, content(after))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, absent)
	require.Error(t, safefile.Write(safefile.OS, dir, content(after)), "a directory is in the way")
}

func TestClean(t *testing.T) {
	dir := t.TempDir()
	mine := []string{".lock", "a.tmp", "checkpoint.safetensors"}
	for _, name := range append([]string{".seqzoo-1-1.tmp", ".seqzoo-99999-12.tmp"}, mine...) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o666))
	}
	require.NoError(t, safefile.Clean(safefile.OS, dir))
	for _, name := range mine {
		require.Equal(t, name, read(t, filepath.Join(dir, name)))
	}
	entries, _ := os.ReadDir(dir)
	require.Len(t, entries, len(mine))
	require.ErrorIs(t, safefile.Clean(safefile.OS, filepath.Join(dir, "absent")), os.ErrNotExist)
}

func TestMkdirAll(t *testing.T) {
	dir := t.TempDir()
	counting := &safefiletest.Faulty{FS: safefile.OS}
	require.NoError(t, safefile.MkdirAll(counting, filepath.Join(dir, "a", "b", "c")))
	require.Equal(t, 3, counting.Calls, "a sync of each directory that has a new entry")
	require.NoError(t, safefile.MkdirAll(counting, dir))
	require.Equal(t, 3, counting.Calls)
	require.DirExists(t, filepath.Join(dir, "a", "b", "c"))

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	require.ErrorContains(t, safefile.MkdirAll(safefile.OS, filepath.Join(file, "a")), file)
}

// An error at every call of a Write, on the file system there is.
func TestErrorAtEveryCall(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	failures := 0
	for k := 1; ; k++ {
		require.NoError(t, os.WriteFile(path, []byte(before), 0o666))
		faulty := &safefiletest.Faulty{FS: safefile.OS, At: k, Err: syscall.ENOSPC}
		err := safefile.Write(faulty, path, content(after))
		if err == nil {
			require.Less(t, faulty.Calls, k, "an error was swallowed")
			break
		}
		failures++
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.ErrorContains(t, err, path)
		require.Contains(t, []string{before, after}, read(t, path))
		require.Len(t, names(t, dir), 1)
	}
	// create, 3 writes, sync, close, rename, sync of the directory, …
	require.GreaterOrEqual(t, failures, 7)
	t.Logf("%d calls, each failed once", failures)
}

// A loss of power at every call, the disk having kept of what was not synced all, some or nothing.
func TestCrashAtEveryCall(t *testing.T) {
	crashes, olds, news := 0, 0, 0
	for k := 1; ; k++ {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte(before), 0o666))
		disk, err := safefiletest.ReadDisk(dir)
		require.NoError(t, err)
		faulty := &safefiletest.Faulty{FS: disk, At: k, Err: safefiletest.ErrCrash, Crash: true}
		err = safefile.Write(faulty, filepath.Join(dir, "a"), content(after))
		done := err == nil
		if done {
			require.Less(t, faulty.Calls, k)
		} else {
			require.ErrorIs(t, err, safefiletest.ErrCrash)
		}
		for _, names := range []bool{false, true} {
			for _, bytes := range []bool{false, true} {
				dir := t.TempDir()
				require.NoError(t, disk.WriteTo(dir, names, bytes))
				require.NoError(t, safefile.Clean(safefile.OS, dir))
				entries, err := os.ReadDir(dir)
				require.NoError(t, err)
				require.Len(t, entries, 1, "leftover after a crash at call %d", k)
				crashes++
				switch got := read(t, filepath.Join(dir, "a")); {
				case got == after:
					news++
				case got == before && !done:
					olds++
				default:
					t.Fatalf("crash at call %d (names kept: %v, bytes kept: %v): %d bytes, "+
						"neither old nor new", k, names, bytes, len(got))
				}
			}
		}
		if done {
			t.Logf("%d disks after a crash: %d old, %d new, 0 other", crashes, olds, news)
			return
		}
	}
}

// A file system without call numbers to spare: Close is always called, and once.
func TestEveryFileIsClosed(t *testing.T) {
	for k := range 12 {
		fsys := &closeCounter{FS: &safefiletest.Faulty{FS: safefile.OS, At: k, Err: syscall.EIO}}
		safefile.Write(fsys, filepath.Join(t.TempDir(), "a"), content(after))
		require.Equal(t, fsys.opened, fsys.closed, fmt.Sprint(k))
	}
}

type closeCounter struct {
	safefile.FS
	opened, closed int
}

func (c *closeCounter) Create(path string) (safefile.File, error) {
	f, err := c.FS.Create(path)
	if err != nil {
		return nil, err
	}
	c.opened++
	return &counted{f, c}, nil
}

type counted struct {
	safefile.File
	c *closeCounter
}

func (f *counted) Close() error { f.c.closed++; return f.File.Close() }
