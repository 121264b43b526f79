package modeldir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/seqzoo/seqzoo/internal/safefile"
)

// source is where the files of a model are.
type source interface {
	// open opens a regular file, which the caller closes.
	open(name string) (*file, error)
	// path says where a file is, for messages.
	path(name string) string
	// replaced reports whether another file stands now where f was opened.
	replaced(name string, f *file) bool
}

// file is an open file of a source.
type file struct {
	*io.SectionReader
	closer io.Closer   // or nil
	info   fs.FileInfo // or nil
}

func (f *file) close() {
	if f.closer != nil {
		f.closer.Close()
	}
}

func inMemory(b []byte) *file {
	return &file{SectionReader: io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))}
}

// disk is a directory of the system.
type disk struct{ dir string }

func (d disk) path(name string) string { return filepath.Join(d.dir, name) }

func (d disk) open(name string) (*file, error) {
	f, size, err := safefile.Open(d.path(name))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	return &file{io.NewSectionReader(f, 0, size), f, info}, nil
}

func (d disk) replaced(name string, f *file) bool {
	now, err := os.Stat(d.path(name))
	return err == nil && !os.SameFile(f.info, now)
}

// folder is a directory of a file system.
type folder struct {
	fsys fs.FS
	dir  string
}

func (d folder) path(name string) string { return path.Join(d.dir, name) }

// open gives a file in place if it can be read at any place, as an embedded one can; else it reads
// it.
func (d folder) open(name string) (*file, error) {
	at := d.path(name)
	if d.fsys == nil {
		return nil, errors.New("there is no file system: it is nil")
	}
	if !fs.ValidPath(at) {
		return nil, &fs.PathError{Op: "open", Path: at, Err: fs.ErrInvalid}
	}
	f, err := d.fsys.Open(at)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &safefile.NotRegularError{Path: at, Mode: info.Mode()}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	if r, ok := f.(io.ReaderAt); ok {
		return &file{io.NewSectionReader(r, 0, info.Size()), f, info}, nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f,
		info.Size()+1)) // never more memory than there is content
	if err == nil && int64(len(b)) != info.Size() {
		err = fmt.Errorf("%s has %d bytes or more, and says that it has %d", at, len(b),
			info.Size())
	}
	if err != nil {
		return nil, err
	}
	opened := inMemory(b)
	opened.info = info
	return opened, nil
}

func (d folder) replaced(name string, f *file) bool {
	now, err := fs.Stat(d.fsys, d.path(name))
	return err == nil && (now.Size() != f.info.Size() || !now.ModTime().Equal(f.info.ModTime()))
}

// memory are files by their names.
type memory map[string][]byte

func (m memory) path(name string) string { return name }

func (m memory) open(name string) (*file, error) {
	b, ok := m[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return inMemory(b), nil
}

func (m memory) replaced(string, *file) bool { return false }
