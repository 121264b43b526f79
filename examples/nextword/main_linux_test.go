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
	text, dir, undisturbed := story(t), t.TempDir(), t.TempDir()
	args := small("-data", text, "-epochs", "40", "-save-every", "1000000", "-cells", "rnn,gru")
	with := func(more ...string) []string { return append(args[:len(args):len(args)], more...) }
	_, errOut, code := nextword(t, program(with("-save", undisturbed)...))
	require.Zero(t, code, errOut)

	interruptThrice(t, with("-save", dir))
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
	out, _ := interrupt(t, c, syscall.SIGINT, "rnn")
	require.Equal(t, 130, c.ProcessState.ExitCode(), out)
	require.Regexp(t, `nextword: rnn: interrupted after step \d+; nothing is saved without -save`,
		out)
}

// interruptThrice starts the program again and again, and interrupts each training once it has got
// somewhere: at some moment, and at the latest when it says that some epoch is done.
func interruptThrice(t *testing.T, args []string) {
	for _, at := range []struct {
		syscall.Signal
		code       int
		cell, last string
	}{
		{syscall.SIGINT, 130, "rnn", "rnn  epoch 13 done"},
		{syscall.SIGTERM, 143, "rnn", "rnn  epoch 26 done"},
		{syscall.SIGINT, 130, "gru", "gru  epoch 39 done"},
	} {
		c := program(args...)
		c.Env = append(c.Env, lastLine+"="+at.last)
		said, table := interrupt(t, c, at.Signal, at.cell)
		require.Equal(t, at.code, c.ProcessState.ExitCode(), said)
		require.Regexp(t,
			"nextword: "+at.cell+`: interrupted after step \d+; the same command goes on`, said)
		require.Equal(t, at.cell == "gru", strings.Contains(table, "\nrnn "), "what is done")
	}
}

// interrupt starts the program, and sends it a signal when an epoch of a cell's training is done.
func interrupt(t *testing.T, c *exec.Cmd, signal syscall.Signal, cell string) (said, out string) {
	var o bytes.Buffer
	c.Stdout = &o
	pipe, err := c.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	defer c.Process.Kill()
	b := make([]byte, 1)
	for !strings.Contains(said, "\n"+cell+"  epoch ") {
		_, err = pipe.Read(b)
		require.NoError(t, err, said)
		said += string(b)
	}
	require.NoError(t, c.Process.Signal(signal))
	rest, _ := io.ReadAll(pipe)
	c.Wait()
	return said + string(rest), o.String()
}
