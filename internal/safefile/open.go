package safefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// NotRegularError says what stands at a path where a regular file was expected.
type NotRegularError struct {
	Path string
	Mode fs.FileMode
}

// Error says what stands there, and what to do about a pipe.
func (e *NotRegularError) Error() string {
	but := ""
	switch {
	case e.Mode&fs.ModeSymlink != 0:
		but = " but a symbolic link"
	case e.Mode&fs.ModeNamedPipe != 0:
		but = " but a pipe; write what comes out of it to a file first"
	case e.Mode&fs.ModeSocket != 0:
		but = " but a socket"
	}
	return fmt.Sprintf("%s is not a regular file%s", e.Path, but)
}

// Unwrap lets errors.Is find fs.ErrInvalid.
func (e *NotRegularError) Unwrap() error { return fs.ErrInvalid }

// Open opens the regular file at path, or the one that a symbolic link there leads to, for reading,
// and returns its size. Anything else there is a *NotRegularError, at once: a read of a pipe or of
// a device might never return, or never end.
func Open(path string) (*os.File, int64, error) {
	info, err := os.Stat(path) // first, since opening alone makes some devices do something
	var failed *fs.PathError
	if errors.As(err, &failed) {
		failed.Op = "open" // the word that users know
	}
	if err != nil {
		return nil, 0, err // says the path and why
	}
	if !info.Mode().IsRegular() {
		return nil, 0, &NotRegularError{path, info.Mode()}
	}
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, 0, err
	}
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() { // replaced in the meantime
		err = &NotRegularError{path, info.Mode()}
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// ReadFile returns the content of the regular file at path, of at most limit bytes.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, size, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if size > limit {
		return nil, fmt.Errorf("%s has %d bytes, and at most %d are read", path, size, limit)
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	// it has grown, or has no size, as files that a kernel makes up
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s has more than %d bytes, which are not read", path, limit)
	}
	if err != nil {
		return nil, err
	}
	return b, nil
}
