//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package safefile

import (
	"errors"
	"os"
)

const nofollow, nonblock = 0, 0

func hardLinks(*os.File, os.FileInfo) (uint64, error) { return 1, nil }

func lock(*os.File) error { return errors.ErrUnsupported }
