package safefile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Lock is the sole right to write into a directory, until Close or the end of the process, however it ends.
type Lock struct{ f *os.File }

// LockedError says who has the lock already.
type LockedError struct {
	Dir string
	PID int // 0 if it could not be read
}

func (e *LockedError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("%s is in use by %s", e.Dir, who)
}

var errLocked = errors.New("locked")

// LockDir locks dir, by a lock of the operating system on the file .lock in it: flock, or LockFileEx on Windows.
// The lock goes with the process, so what kill -9 leaves behind is no obstacle. The error is a *LockedError if
// another process, or this one, has the lock. Other systems, and file systems without locks, lock nothing.
func LockDir(dir string) (*Lock, error) {
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	switch err := lock(f); {
	case errors.Is(err, errLocked):
		text, _ := io.ReadAll(io.LimitReader(f, 20))
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		f.Close()
		return nil, &LockedError{Dir: dir, PID: pid}
	case err != nil && !errors.Is(err, errors.ErrUnsupported):
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	// The number only serves the message, so a full disk is no reason to refuse.
	if f.Truncate(0) == nil {
		fmt.Fprintln(f, os.Getpid())
	}
	return &Lock{f}, nil
}

// Close gives the lock back. The file stays: removing it would let two processes lock two files of one name.
func (l *Lock) Close() error {
	l.f.Truncate(0)
	return l.f.Close()
}
