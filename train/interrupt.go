package train

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
)

// Interruptible returns a context that the first SIGINT (Ctrl-C), SIGTERM or SIGHUP (the terminal
// is gone) cancels, so that Fit can save and return. ExitCode says with which status to end. A
// SIGHUP that the process was started to ignore, as nohup does it, stays ignored. Call stop when
// done; signals then do again what they did before.
//
// With each signal tell is called, which may print and may end the process: code is the status to
// end with, and again is false the first time. Without tell a second signal does what it did before
// Interruptible, which is to end the process at once. What was saved before stays whole.
func Interruptible(parent context.Context, tell ...func(code int, again bool)) (ctx context.Context,
	stop func()) {
	if parent == nil {
		parent = context.Background()
	}
	tell = slices.DeleteFunc(slices.Clone(tell), func(f func(int, bool)) bool { return f == nil })
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	notifyHangup(signals)
	done := make(chan struct{})
	go func() {
		for again := false; ; again = true {
			select {
			case s := <-signals:
				if !again {
					received.Store(int32(codeOf(s)))
					if codeOf(s) == exitHangup {
						survivePipes()
					}
					if len(tell) == 0 {
						signal.Stop(signals)
					}
				}
				for _, f := range tell {
					f(codeOf(s), again)
				}
				cancel()
			case <-done:
				return
			}
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

// ExitCode is 129 after a SIGHUP, 130 after a SIGINT, 143 after a SIGTERM that Interruptible
// received, else 1.
func ExitCode() int {
	if c := received.Load(); c != 0 {
		return int(c)
	}
	return 1
}
