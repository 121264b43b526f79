package safefile_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/safefile"
)

// holderDir names, in the environment, the directory that a test process is to lock, and to hold
// until it is killed.
const holderDir = "SEQZOO_TEST_LOCK"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holderDir); dir != "" {
		_, err := safefile.LockDir(dir)
		fmt.Println(err)
		time.Sleep(time.Hour) // an empty select is a deadlock to a runtime without cgo
	}
	os.Exit(m.Run())
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	first, err := safefile.LockDir(dir)
	require.NoError(t, err)
	_, err = safefile.LockDir(dir)
	var locked *safefile.LockedError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, os.Getpid(), locked.PID)
	require.NoError(t, first.Close())
	again, err := safefile.LockDir(dir)
	require.NoError(t, err)
	require.NoError(t, again.Close())

	_, err = safefile.LockDir(filepath.Join(dir, "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, "d is in use by another process", (&safefile.LockedError{Dir: "d"}).Error())
}

// While a process lives its lock holds and the error names it; kill -9 sets the lock free.
func TestLockOfKilledProcess(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs SIGKILL")
	}
	const rounds = 100
	dir := t.TempDir()
	for range rounds {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), holderDir+"="+dir)
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		said, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "<nil>\n", said)

		_, err = safefile.LockDir(dir)
		var locked *safefile.LockedError
		require.True(t, errors.As(err, &locked), "%v", err)
		require.Equal(t, child.Process.Pid, locked.PID)
		require.EqualError(t, err, fmt.Sprintf("%s is in use by process %d", dir,
			child.Process.Pid))

		require.NoError(t, child.Process.Kill())
		child.Wait()
		lock, err := safefile.LockDir(dir)
		require.NoError(t, err, "stale lock")
		require.NoError(t, lock.Close())
	}
	t.Logf("%d rounds", rounds)
}

// A lock's file is written to, so what is not a lock's file is refused and stays as it is.
func TestLockLeavesOtherFilesAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs symbolic links")
	}
	precious := func(t *testing.T) string {
		path := filepath.Join(t.TempDir(), "precious")
		require.NoError(t, os.WriteFile(path, []byte("years of work"), 0o666))
		return path
	}
	for name, spoil := range map[string]func(lock, target string) error{
		"symbolic link": func(lock, target string) error { return os.Symlink(target, lock) },
		"hard link":     func(lock, target string) error { return os.Link(target, lock) },
		"dangling link": func(lock, target string) error {
			return os.Symlink(target+"-absent",
				lock)
		},
		"circular link": func(lock, _ string) error { return os.Symlink(lock, lock) },
		"directory":     func(lock, _ string) error { return os.Mkdir(lock, 0o777) },
		"device":        func(lock, _ string) error { return os.Symlink(os.DevNull, lock) },
		"other's file": func(lock, _ string) error {
			return os.WriteFile(lock, make([]byte, 100),
				0o666)
		},
		"link to a lock": func(lock, target string) error {
			os.Truncate(target,
				0)
			return os.Symlink(target, lock)
		},
	} {
		for _, take := range []func(string) (*safefile.Lock, error){safefile.LockDir,
			safefile.LockSave} {
			dir, target := t.TempDir(), precious(t)
			lock := filepath.Join(dir, ".lock")
			require.NoError(t, spoil(lock, target), name)
			require.NoError(t, spoil(filepath.Join(dir, ".seqzoo-save.lock"), target), name)
			before, err := os.ReadFile(target)
			require.NoError(t, err)
			_, err = take(dir)
			require.Error(t, err, name)
			require.ErrorContains(t, err, "lock", name)
			require.Equal(t, string(before), read(t, target), name)
			require.NoFileExists(t, target+"-absent", name)
		}
	}
}

// A lock whose file was removed is taken anew before the next save, unless another has taken one
// since.
func TestLockRemovedWhileHeld(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows removes no open file")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, ".lock")
	lock, err := safefile.LockDir(dir)
	require.NoError(t, err)
	require.NoError(t, lock.Check())

	require.NoError(t, os.Remove(file))
	require.NoError(t, lock.Check())
	_, err = safefile.LockDir(dir)
	require.ErrorContains(t, err, "is in use by process", "it is locked again")

	require.NoError(t, os.Remove(file))
	other, err := safefile.LockDir(dir)
	require.NoError(t, err)
	require.ErrorContains(t, lock.Check(), "was removed while this process held it")
	require.NoError(t, other.Check())
	require.NoError(t, other.Close())
	require.ErrorContains(t, lock.Check(), "was removed while this process held it",
		"the other may have written")
	require.NoError(t, lock.Close())
}

func TestLockSave(t *testing.T) {
	dir := t.TempDir()
	const savers, saves = 8, 20
	var inside atomic.Int32
	done := make(chan error)
	for range savers {
		go func() {
			for range saves {
				lock, err := safefile.LockSave(dir)
				if err == nil {
					if n := inside.Add(1); n != 1 {
						err = fmt.Errorf("%d have the lock", n)
					}
					inside.Add(-1)
					err = errors.Join(err, lock.Release())
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range savers {
		require.NoError(t, <-done)
	}
	require.Empty(t, names(t, dir))
}
