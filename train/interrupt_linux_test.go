package train_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
)

// terminal is a pseudo-terminal: what a person types goes into the master, a program has the other
// end.
type terminal struct {
	master, slave *os.File

	mu   sync.Mutex
	seen strings.Builder // what the program wrote
}

func openTerminal(t *testing.T) *terminal {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	fd := int(master.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	require.NoError(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100}))
	tty := &terminal{master: master, slave: slave}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			tty.mu.Lock()
			tty.seen.Write(b[:n])
			tty.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { slave.Close(); master.Close() })
	return tty
}

func (tty *terminal) text() string {
	tty.mu.Lock()
	defer tty.mu.Unlock()
	return tty.seen.String()
}

// waitFor waits until the program has written what a pattern describes, and returns its first
// group.
func (tty *terminal) waitFor(t *testing.T, pattern string) string {
	p := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Millisecond) {
		switch found := p.FindStringSubmatch(tty.text()); {
		case found != nil:
			return found[len(found)-1]
		case time.Now().After(deadline):
			t.Fatalf("no %q in %q", pattern, tty.text())
		}
	}
}

func (tty *terminal) settings(t *testing.T) unix.Termios {
	s, err := unix.IoctlGetTermios(int(tty.slave.Fd()), unix.TCGETS)
	require.NoError(t, err)
	return *s
}

// start runs the training child in a session whose terminal is tty.
func (tty *terminal) start(t *testing.T, dir string, env ...string) *exec.Cmd {
	c := child(dir, append(env, "TERM=xterm")...)
	c.Stdin, c.Stdout, c.Stderr = tty.slave, tty.slave, tty.slave
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, c.Start())
	t.Cleanup(func() { c.Process.Kill() })
	tty.waitFor(t, "begun")
	return c
}

// finish waits for the child, and kills one that hangs.
func finish(t *testing.T, c *exec.Cmd) (exitCode int) {
	timer := time.AfterFunc(2*time.Minute, func() { c.Process.Kill() })
	defer timer.Stop()
	c.Wait()
	return c.ProcessState.ExitCode()
}

// SIGINT, by Ctrl-C, SIGTERM and SIGHUP at random moments, to a training on a terminal.
func TestSignals(t *testing.T) {
	rounds := 100
	if testing.Short() {
		rounds = 5
	}
	for name, s := range map[string]struct {
		send func(tty *terminal, c *exec.Cmd) error
		code int
	}{
		"SIGINT": {func(tty *terminal, c *exec.Cmd) error {
			_, err := tty.master.Write([]byte{3})
			return err
		}, 130},
		"SIGTERM": {func(tty *terminal,
			c *exec.Cmd) error {
			return c.Process.Signal(syscall.SIGTERM)
		}, 143},
		"SIGHUP": {func(tty *terminal,
			c *exec.Cmd) error {
			return c.Process.Signal(syscall.SIGHUP)
		}, 129},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "SIGHUP" && signal.Ignored(syscall.SIGHUP) {
				t.Skip("the test was started to outlive its terminal")
			}
			random := rng.Stream{Key: rng.New(1).Named(name)}
			var slowest time.Duration
			for round := range rounds {
				tty, dir := openTerminal(t), tempDir(t)
				before := tty.settings(t)
				// In the first round the signal comes after step 7: only it explains the
				// checkpoint.
				until := []string{untilStep + "=7"}[:max(0, 1-round)]
				c := tty.start(t, dir, append(until, stepPause+"=1ms")...)
				time.Sleep(time.Duration(random.Float64() * 30 * float64(time.Millisecond)))
				began := time.Now()
				require.NoError(t, s.send(tty, c))
				require.Equal(t, s.code, finish(t, c), tty.text())
				slowest = max(slowest, time.Since(began))
				require.Equal(t, before, tty.settings(t), "the terminal is as it was")
				step, err := strconv.Atoi(tty.waitFor(t, `interrupted after step (\d+)\s`))
				require.NoError(t, err)
				require.Equal(t, step, lastStep(t, dir))
			}
			t.Logf("%d × %s: exit %d and a checkpoint of the step at hand each time; the "+
				"slowest took %v", rounds, name, s.code, slowest.Round(time.Millisecond))
		})
	}
}

// Where the terminal is gone, and with it what read the output, the checkpoint is still written.
func TestHangupWithoutReader(t *testing.T) {
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("the test was started to outlive its terminal")
	}
	dir := tempDir(t)
	c := child(dir, stepPause+"=1ms")
	r, w, err := os.Pipe()
	require.NoError(t, err)
	c.Stdout, c.Stderr = w, w
	require.NoError(t, c.Start())
	require.NoError(t, w.Close())
	_, err = r.Read(make([]byte, 1)) // it has begun
	require.NoError(t, err)
	require.NoError(t, c.Process.Signal(syscall.SIGSTOP)) // so that what comes now comes at once
	require.NoError(t, r.Close())
	require.NoError(t, c.Process.Signal(syscall.SIGHUP))
	require.NoError(t, c.Process.Signal(syscall.SIGCONT))
	require.Equal(t, 129, finish(t, c))
	require.GreaterOrEqual(t, lastStep(t, dir), 0)
}

// nohup starts a process that goes on when its terminal is gone.
func TestNohup(t *testing.T) {
	dir := tempDir(t)
	c := child(dir, stepPause+"=1ms")
	c.Path, c.Args = "/bin/sh", []string{"sh", "-c", `trap "" HUP; exec "$0" "$@"`, c.Path,
		c.Args[1]}
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	c.Stdout, c.Stderr = w, w
	require.NoError(t, c.Start())
	require.NoError(t, w.Close())
	_, err = r.Read(make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, c.Process.Signal(syscall.SIGHUP))
	time.Sleep(20 * time.Millisecond)
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	go io.Copy(io.Discard, r)
	require.Equal(t, 143, finish(t, c), "the hangup, which came first, is ignored")
}

// A second signal does not wait for the step.
func TestSecondSignal(t *testing.T) {
	for _, second := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		tty, dir := openTerminal(t), tempDir(t)
		before := tty.settings(t)
		_, _, err := fit(t, context.Background(), dir, childTask(t), limited(childConfig(), 7))
		require.NoError(t, err)
		c := tty.start(t, dir, stepPause+"=1h")
		tty.waitFor(t, "step 8 is done")
		require.NoError(t, c.Process.Signal(syscall.SIGINT))
		tty.waitFor(t, "once more to stop at once")
		require.NoError(t, c.Process.Signal(second))
		code := map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143}[second]
		require.Equal(t, code, finish(t, c), tty.text())
		require.Equal(t, before, tty.settings(t))
		require.Equal(t, 7, lastStep(t, dir), "the last checkpoint is whole")
		require.NotContains(t, tty.text(), "interrupted after")
	}
}

func limited(c train.Config, steps int) train.Config {
	c.MaxSteps = steps
	return c
}
