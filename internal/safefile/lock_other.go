//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package safefile

import (
	"errors"
	"os"
)

func lock(*os.File) error { return errors.ErrUnsupported }
