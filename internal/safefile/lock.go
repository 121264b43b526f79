package safefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Lock is the sole right to write into a directory, until Close or the end of the process, however
// it ends.
type Lock struct {
	dir, path string
	f         *os.File
}

// LockedError says who has the lock already.
type LockedError struct {
	Dir string
	PID int // 0 if it could not be read
}

// Error names the directory and, if it is known, the process.
func (e *LockedError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("%s is in use by %s", e.Dir, who)
}

var errLocked = errors.New("locked")

// The files that locks are taken on: one for as long as a process works in a directory, and one for
// the moment of a save.
const (
	lockName = ".lock"
	saveName = prefix + "save.lock"
)

// maxLock is more than the bytes of any lock's file, which holds a process number.
const maxLock = 32

// LockDir locks dir, by a lock of the operating system on the file .lock in it: flock, or
// LockFileEx on Windows. The lock goes with the process, so what kill -9 leaves behind is no
// obstacle. The error is a *LockedError if another process, or this one, has the lock. Other
// systems, and file systems without locks, lock nothing.
//
// The file is written to, so it must be what this function makes: a regular file of one name that
// holds at most a number. A link, or another program's file of that name, is an error and stays as
// it is.
func LockDir(dir string) (*Lock, error) { return lockFile(dir, lockName) }

// LockSave locks dir for one save, and waits for up to a minute for other saves to end. Its file is
// removed by Release.
func LockSave(dir string) (*Lock, error) {
	const pause = 5 * time.Millisecond
	for waited := time.Duration(0); ; waited += pause {
		l, err := lockFile(dir, saveName)
		var locked *LockedError
		if !errors.As(err, &locked) || waited > time.Minute {
			return l, err
		}
		time.Sleep(pause)
	}
}

func lockFile(dir, name string) (*Lock, error) {
	path := filepath.Join(dir, name)
	for range 1000 {
		f, err := openLock(path)
		if err != nil {
			return nil, err
		}
		switch err := lock(f); {
		case errors.Is(err, errLocked):
			text, _ := io.ReadAll(io.LimitReader(f, maxLock))
			pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
			f.Close()
			return nil, &LockedError{Dir: dir, PID: pid}
		case err != nil && !errors.Is(err, errors.ErrUnsupported):
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		l := &Lock{dir, path, f}
		if there, err := l.there(); err != nil || !there { // removed between opening and locking
			f.Close()
			if err != nil {
				return nil, err
			}
			continue
		}
		// The number only serves the message, so a full disk is no reason to refuse.
		if f.Truncate(0) == nil {
			fmt.Fprintln(f, os.Getpid())
		}
		return l, nil
	}
	return nil, fmt.Errorf("lock %s: it is removed again and again", path)
}

// openLock opens the file of a lock, or makes it. It follows no link: what the link leads to would
// be emptied.
func openLock(path string) (*os.File, error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("lock: %w", &NotRegularError{path, info.Mode()})
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|nofollow|nonblock, 0o666)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	var names uint64
	if err == nil {
		names, err = hardLinks(f, info)
	}
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = &NotRegularError{path, info.Mode()}
	case names > 1:
		err = fmt.Errorf("%s has %d names: it may be another program's file; remove this one", path,
			names)
	case info.Size() > maxLock:
		err = fmt.Errorf("%s has %d bytes: it is another program's file and not a lock; remove "+
			"or rename it", path, info.Size())
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock: %w", err)
	}
	return f, nil
}

// there reports whether the locked file still stands under its name.
func (l *Lock) there() (bool, error) {
	mine, err := l.f.Stat()
	if err != nil {
		return false, err
	}
	named, err := os.Lstat(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(mine, named), err
}

// Check must be called before writing, since the lock's file may have been removed. If no other
// process has locked the directory since, Check locks it anew; otherwise it returns an error.
func (l *Lock) Check() error {
	there, err := l.there()
	if err != nil || there {
		return err
	}
	if _, err := os.Lstat(l.path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s was removed while this process held it, and made anew: another "+
			"process may work in %s", l.path, l.dir)
	}
	again, err := lockFile(l.dir, filepath.Base(l.path))
	if err != nil {
		return err
	}
	l.f.Close()
	l.f = again.f
	return nil
}

// Close gives the lock back. The file stays, so that Check can tell a file that was removed from
// one that was not.
func (l *Lock) Close() error {
	l.f.Truncate(0)
	return l.f.Close()
}

// Release gives the lock back and removes its file. A process that has opened the file before finds
// out when it looks whether the file still has its name.
func (l *Lock) Release() error {
	removed := os.Remove(l.path) == nil // before closing: afterwards another process may hold it
	err := l.f.Close()
	if !removed {
		// where open files cannot be removed, the file of another process is safe too
		os.Remove(l.path)
	}
	return err
}
