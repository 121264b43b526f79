package safefile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// FS is the file system that Write works on; tests use one that fails.
type FS interface {
	Create(path string) (File, error) // fails with fs.ErrExist if path exists
	Rename(from, to string) error     // replaces to
	Remove(path string) error
	SyncDir(dir string) error // makes created, renamed and removed names durable
}

// File is a file open for writing.
type File interface {
	io.WriteCloser
	Sync() error // makes what was written durable
}

// OS is the operating system's file system.
var OS FS = osFS{}

type osFS struct{}

func (osFS) Create(path string) (File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}
func (osFS) Rename(from, to string) error { return os.Rename(from, to) }
func (osFS) Remove(path string) error     { return os.Remove(path) }
func (osFS) SyncDir(dir string) error     { return syncDir(dir) }

const prefix, suffix = ".seqzoo-", ".tmp"

var written atomic.Int64 // temporary files of this process, for names that differ

// Write replaces the file at path by what content writes. After an error the file has its old
// content, or, if the last step failed, the new content; either is whole. The error names path and
// wraps the cause. A symbolic link at path is replaced, not followed.
func Write(fsys FS, path string, content func(io.Writer) error) error {
	if err := write(fsys, path, content); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func write(fsys FS, path string, content func(io.Writer) error) (err error) {
	dir := filepath.Dir(path)
	f, temp, err := create(fsys, dir)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			fsys.Remove(temp) // if this fails too, Clean removes it later
		}
	}()
	w := bufio.NewWriterSize(f, 64<<10)
	if err = content(w); err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err = fsys.Rename(temp, path); err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}

// create opens a new temporary file. Its name is short, since the name of the file to replace may
// be as long as the file system allows.
func create(fsys FS, dir string) (f File, path string, err error) {
	for {
		path = filepath.Join(dir, fmt.Sprintf("%s%d-%d%s", prefix, os.Getpid(), written.Add(1),
			suffix))
		f, err = fsys.Create(path)
		if !errors.Is(err, fs.ErrExist) {
			return f, path, err
		}
	}
}

// Clean removes the temporary files that crashes have left in dir. No Write may be at work there.
func Clean(fsys FS, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) {
			if err := fsys.Remove(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// MkdirAll makes dir and the directories above it that do not exist, durably.
func MkdirAll(fsys FS, dir string) error {
	var above []string
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, fs.ErrNotExist) || d == filepath.Dir(d) {
			break
		}
		above = append(above, filepath.Dir(d))
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for _, d := range above {
		if err := fsys.SyncDir(d); err != nil {
			return fmt.Errorf("sync %s: %w", d, err)
		}
	}
	return nil
}
