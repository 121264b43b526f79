//go:build unix

package train

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyHangup asks for SIGHUP, unless the process is to outlive its terminal.
func notifyHangup(c chan<- os.Signal) {
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(c, syscall.SIGHUP)
	}
}

func isHangup(s os.Signal) bool { return s == syscall.SIGHUP }

// survivePipes turns a write to a pipe that nobody reads into an error. A terminal that is gone
// takes with it the programs that standard output and standard error went through, and the next
// line of progress would end the process by SIGPIPE, before it has saved.
func survivePipes() { signal.Ignore(syscall.SIGPIPE) }
