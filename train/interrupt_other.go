//go:build !unix

package train

import "os"

// Systems without SIGHUP.
func notifyHangup(chan<- os.Signal) {}

func isHangup(os.Signal) bool { return false }

func survivePipes() {}
