//go:build !unix

package main

import "os"

// reloadSignals are none where there is no SIGHUP: the server looks for a new model by itself.
var reloadSignals []os.Signal
