package train

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
)

// Interruptible returns a context that the first SIGINT (Ctrl-C), SIGTERM or SIGHUP (the terminal is gone) cancels, so that
// Fit can save and return. A second signal ends the process at once; what was saved before stays whole. ExitCode says with
// which status to end. A SIGHUP that the process was started to ignore, as nohup does it, stays ignored.
// Call stop when done; signals then do again what they did before.
func Interruptible(parent context.Context) (ctx context.Context, stop func()) {
	if parent == nil {
		parent = context.Background()
	}
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	notifyHangup(signals)
	done := make(chan struct{})
	go func() {
		select {
		case s := <-signals:
			received.Store(int32(codeOf(s)))
			if codeOf(s) == exitHangup {
				survivePipes()
			}
			fmt.Fprintln(os.Stderr, "\nstopping after this step; once more to stop at once")
			cancel()
		case <-done:
			return
		}
		select {
		case s := <-signals:
			os.Exit(codeOf(s))
		case <-done:
		}
	}()
	return ctx, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(done)
		cancel()
	})
}

var received atomic.Int32

// The exit statuses that shells give for signals: 128 and the number of the signal.
const exitHangup, exitInterrupt, exitTerminate = 129, 130, 143

func codeOf(s os.Signal) int {
	switch {
	case s == syscall.SIGTERM:
		return exitTerminate
	case isHangup(s):
		return exitHangup
	}
	return exitInterrupt
}

// ExitCode is 129 after a SIGHUP, 130 after a SIGINT, 143 after a SIGTERM that Interruptible received, else 1.
func ExitCode() int {
	if c := received.Load(); c != 0 {
		return int(c)
	}
	return 1
}
