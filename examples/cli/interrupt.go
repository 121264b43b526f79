package cli

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/seqzoo/seqzoo/train"
)

// grace is how long a program has after a signal to end by itself.
const grace = 500 * time.Millisecond

// unsaved is held for reading while there is work that would be lost if the process ended.
var unsaved sync.RWMutex

// Hold keeps the process from ending before release is called, though a signal came and the program
// does not end by itself. It is for the time between the first step of a training and the save at
// its end. Release may be called more than once.
func Hold() (release func()) {
	unsaved.RLock()
	return sync.OnceFunc(unsaved.RUnlock)
}

// HoldAfterStep holds from the first step of a training on, before which there is nothing to lose.
func HoldAfterStep(c *train.Config) (release func()) {
	held := func() {}
	hold, after := sync.OnceFunc(func() { held = Hold() }), c.AfterStep
	c.AfterStep = func(step int) error {
		hold()
		if after == nil {
			return nil
		}
		return after(step)
	}
	return func() { held() }
}

// Interruptible is [train.Interruptible] for a program of the given name, and ends the process
// where the program does not end by itself soon after a signal, because what it does at the time
// looks at no context, such as reading a large file. Files are only ever replaced whole, so nothing
// is lost but what [Hold] holds.
func Interruptible(name string) (ctx context.Context, stop func()) {
	ctx, ignore := train.Interruptible(context.Background(), func(code int, again bool) {
		if again {
			os.Exit(code)
		}
		fmt.Fprintln(os.Stderr, "\nstopping after this step; once more to stop at once")
	})
	ended := make(chan struct{})
	wait := func() (goOn bool) {
		select {
		case <-ended:
			return false
		case <-time.After(grace):
			return true
		}
	}
	go func() {
		select {
		case <-ended:
			return
		case <-ctx.Done():
		}
		if !wait() {
			return
		}
		if !unsaved.TryLock() {
			unsaved.Lock()
			if !wait() { // what was held is saved now, and the program has still to say so
				return
			}
		}
		fmt.Fprintf(os.Stderr, "%s: interrupted\n", name)
		os.Exit(train.ExitCode())
	}()
	return ctx, sync.OnceFunc(func() {
		close(ended)
		ignore()
	})
}
