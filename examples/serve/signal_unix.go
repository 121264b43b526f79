//go:build unix

package main

import (
	"os"
	"syscall"
)

// reloadSignals make the server look for a new model.
var reloadSignals = []os.Signal{syscall.SIGHUP}
