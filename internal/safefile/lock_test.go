package safefile_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/safefile"
)

// holderDir names, in the environment, the directory that a test process is to lock, and to hold until it is killed.
const holderDir = "SEQZOO_TEST_LOCK"

func TestMain(m *testing.M) {
	if dir := os.Getenv(holderDir); dir != "" {
		_, err := safefile.LockDir(dir)
		fmt.Println(err)
		select {}
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

// Trial 23: while a process lives its lock holds and the error names it; kill -9 sets the lock free.
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
		require.EqualError(t, err, fmt.Sprintf("%s is in use by process %d", dir, child.Process.Pid))

		require.NoError(t, child.Process.Kill())
		child.Wait()
		lock, err := safefile.LockDir(dir)
		require.NoError(t, err, "stale lock")
		require.NoError(t, lock.Close())
	}
	t.Logf("trial 23: %d rounds", rounds)
}
