package train

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// largeCheckpoint takes 800 kB.
func largeCheckpoint(step int) *Checkpoint {
	c := sampleCheckpoint(step)
	c.Tensors["large"] = dense64([]int{100_000}, slices.Repeat([]float64{float64(step)},
		100_000)...)
	return c
}

func mount(t *testing.T, options string) (dir string) {
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("cannot mount a tmpfs (%v): needs root", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
	return dir
}

// A disk of 1.5 MB that fills up.
func TestDiskFull(t *testing.T) {
	dir := mount(t, "size=1536k")
	s := openCheckpoints(t, dir, 1)
	require.NoError(t, s.Save(largeCheckpoint(1)))
	err := s.Save(largeCheckpoint(2))
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, s.path(2))
	require.Equal(t, []string{".lock", "checkpoint-0000000001.safetensors"}, files(t, dir))
	latest, err := s.Latest()
	require.NoError(t, err)
	sameCheckpoint(t, largeCheckpoint(1), latest)

	require.NoError(t, s.Save(sampleCheckpoint(3)), "a smaller one has room: training goes on")
	require.NoError(t, s.Save(largeCheckpoint(4)), "and so has a large one, the other gone")
	require.NoError(t, s.Close())
}

// A directory that turns read-only, as file systems do after an error, and one that is from the
// start.
func TestReadOnlyDirectory(t *testing.T) {
	dir := mount(t, "size=4m")
	s := openCheckpoints(t, dir, 1)
	require.NoError(t, s.Save(sampleCheckpoint(1)))
	require.NoError(t, s.Close())
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY,
		""))
	err := s.Save(sampleCheckpoint(2))
	require.ErrorContains(t, err, s.path(2))
	_, err = OpenCheckpoints(dir, 1)
	require.ErrorIs(t, err, syscall.EROFS)
	require.ErrorContains(t, err, dir)
	_, err = OpenCheckpoints(filepath.Join(dir, "new"), 1)
	require.ErrorIs(t, err, syscall.EROFS)
	c, err := ReadCheckpoint(s.path(1))
	require.NoError(t, err, "to read needs no right to write")
	sameCheckpoint(t, sampleCheckpoint(1), c)
}

// childDir names, in the environment of a child process, the directory in which it saves.
const childDir = "SEQZOO_TEST_CHECKPOINTS"

// TestSaveChild is that child process, and nothing elsewhere. Its exit status is 0 if its save went
// wrong.
func TestSaveChild(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		return
	}
	if os.Getenv("SEQZOO_TEST_FSIZE") != "" {
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE,
			&syscall.Rlimit{Cur: 64 << 10, Max: 64 << 10}))
	}
	runtime.LockOSThread() // strace counts calls by thread
	s := openCheckpoints(t, dir, 1)
	err := s.Save(largeCheckpoint(2))
	require.Error(t, err)
	require.NoError(t, s.Close())
	fmt.Println(err)
}

// saveInChild runs TestSaveChild behind the command prefix, on a directory with checkpoint 1, and
// returns the error that Save gave there and the step found afterwards.
func saveInChild(t *testing.T, env string, prefix ...string) (message string, step int) {
	dir := t.TempDir()
	s := openCheckpoints(t, dir, 1)
	require.NoError(t, s.Save(largeCheckpoint(1)))
	require.NoError(t, s.Close())
	args := append(prefix, os.Args[0], "-test.run=^TestSaveChild$")
	child := exec.Command(args[0], args[1:]...)
	child.Env = append(os.Environ(), childDir+"="+dir, env)
	out, err := child.CombinedOutput()
	require.NoError(t, err, string(out))
	for _, name := range files(t, dir) {
		require.NotContains(t, name, ".tmp")
	}
	s = openCheckpoints(t, dir, 1)
	latest, err := s.Latest()
	require.NoError(t, err)
	sameCheckpoint(t, largeCheckpoint(latest.Step), latest)
	require.NoError(t, s.Close())
	require.Contains(t, string(out), s.path(2))
	return string(out), latest.Step
}

// A limit on the size of files, of 64 kB.
func TestFileSizeLimit(t *testing.T) {
	message, step := saveInChild(t, "SEQZOO_TEST_FSIZE=1")
	require.Contains(t, message, syscall.EFBIG.Error())
	require.Equal(t, 1, step)
}

// Errors injected into its system calls.
func TestInjectedSystemCallErrors(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("needs strace")
	}
	if out, err := exec.Command(strace, "-f", "-e", "trace=none",
		"true").CombinedOutput(); err != nil {
		t.Skipf("strace may not trace here: %s", out)
	}
	for _, c := range []struct {
		inject string
		want   syscall.Errno
		step   int // found afterwards
	}{
		{"fsync:error=EIO:when=1", syscall.EIO, 1}, // of the file
		{"fsync:error=ENOSPC:when=1", syscall.ENOSPC, 1},
		{"fsync:error=EIO:when=2", syscall.EIO, 2}, // of the directory: the new one is in place
		{"?rename,?renameat,?renameat2:error=ENOSPC", syscall.ENOSPC, 1},
		{"?rename,?renameat,?renameat2:error=EIO", syscall.EIO, 1},
	} {
		t.Run(c.inject, func(t *testing.T) {
			message, step := saveInChild(t, "", strace, "-f", "-qq", "-o", os.DevNull,
				"-e", "trace=fsync,?rename,?renameat,?renameat2", "-e", "inject="+c.inject)
			require.Contains(t, message, c.want.Error())
			require.Equal(t, c.step, step)
			require.False(t, strings.Contains(message, "panic"))
		})
	}
}
