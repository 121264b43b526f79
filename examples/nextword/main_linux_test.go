package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
)

func mount(t *testing.T, flags uintptr, options string) (dir string) {
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Skipf("cannot mount a tmpfs (%v): needs root", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
	return dir
}

// A disk that fills up, a directory that cannot be written to.
func TestNoRoom(t *testing.T) {
	dir := mount(t, 0, "size=32k")
	args := small("-data", story(t), "-save", dir, "-save-every", "5")
	_, errOut, code := nextword(t, program(args...))
	require.Equal(t, 1, code)
	require.Contains(t, errOut, "write "+filepath.Join(dir, "gru"))
	require.Contains(t, errOut, "no space left on device")

	dir = mount(t, syscall.MS_RDONLY, "")
	out, errOut, code := nextword(t,
		program(small("-data", story(t), "-save", filepath.Join(dir, "models"))...))
	require.Equal(t, 1, code)
	require.Empty(t, out, "found before anything is trained")
	require.Contains(t, errOut, filepath.Join(dir, "models"))
	require.Contains(t, errOut, "read-only file system")
}

// Ctrl-C, and the same command again: the outcome is that of a run that nobody interrupted.
func TestInterruptAndResume(t *testing.T) {
	text, dir, undisturbed := story(t), "", t.TempDir()
	args := small("-data", text, "-epochs", "40", "-save-every", "1000000", "-cells", "rnn,gru")
	with := func(more ...string) []string { return append(args[:len(args):len(args)], more...) }
	_, errOut, code := nextword(t, program(with("-save", undisturbed)...))
	require.Zero(t, code, errOut)

	interrupted := 0
	for try := 0; interrupted == 0; try++ { // a signal may come after the end
		if try == 20 {
			t.Skip("the training was always done before the signal came")
		}
		dir = t.TempDir()
		interrupted = interruptThrice(t, with("-save", dir))
	}
	_, errOut, code = nextword(t, program(with("-save", dir)...))
	require.Zero(t, code, errOut)
	for _, file := range []string{"rnn/model.safetensors", "gru/model.safetensors",
		"gru/history.csv", "gru/config.json"} {
		want, err := os.ReadFile(filepath.Join(undisturbed, file))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(dir, file))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), file)
	}
	_, err := zoo.Load(filepath.Join(dir, "gru"))
	require.NoError(t, err)

	// Without -save there is nothing to resume, and it says so.
	c := program(with("-epochs", "1000000")...)
	out, _ := interrupt(t, c, syscall.SIGINT)
	require.Equal(t, 130, c.ProcessState.ExitCode(), out)
	require.Regexp(t, `nextword: rnn: interrupted after step \d+; nothing is saved without -save`,
		out)
}

// interruptThrice starts the program again and again, and counts how often a signal reached its
// training.
func interruptThrice(t *testing.T, args []string) (interrupted int) {
	for _, signal := range []struct {
		syscall.Signal
		code int
	}{{syscall.SIGINT, 130}, {syscall.SIGTERM, 143}, {syscall.SIGINT, 130}} {
		c := program(args...)
		out, table := interrupt(t, c, signal.Signal)
		if c.ProcessState.ExitCode() == 0 {
			break // it was done before
		}
		require.Equal(t, signal.code, c.ProcessState.ExitCode(), out)
		if strings.Contains(out, "the same command goes on from there") {
			interrupted++
		}
		if strings.Contains(out, "nextword: gru: interrupted") {
			require.Contains(t, table, "\nrnn ", "the table of what is done")
		}
	}
	return interrupted
}

// interrupt starts the program, and sends it a signal soon after it has begun to train.
func interrupt(t *testing.T, c *exec.Cmd, signal syscall.Signal) (errOut, out string) {
	var e bytes.Buffer
	c.Stderr = &e
	pipe, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	defer c.Process.Kill()
	first := make([]byte, 1)
	_, err = pipe.Read(first) // nothing is printed before training
	require.NoError(t, err)
	time.Sleep(50 * time.Millisecond)
	require.NoError(t, c.Process.Signal(signal))
	rest, _ := io.ReadAll(pipe)
	c.Wait()
	return e.String(), string(first) + string(rest)
}
