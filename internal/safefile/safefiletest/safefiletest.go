package safefiletest

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/seqzoo/seqzoo/internal/safefile"
)

// ErrCrash is what every call returns after a crash.
var ErrCrash = errors.New("the machine has stopped")

// Faulty passes calls on to FS until call number At, counted from 1, which fails with Err. A write
// that fails has written half of its bytes. With Crash, the calls that follow fail too, without
// effect.
type Faulty struct {
	safefile.FS
	At    int
	Err   error
	Crash bool
	Calls int // so far, those of the files included
}

func (f *Faulty) call() error {
	f.Calls++
	if f.Calls == f.At || f.Crash && f.At > 0 && f.Calls > f.At {
		return f.Err
	}
	return nil
}

// Create implements safefile.FS.
func (f *Faulty) Create(path string) (safefile.File, error) {
	if err := f.call(); err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	w, err := f.FS.Create(path)
	if err != nil {
		return nil, err
	}
	return &faultyFile{w, f}, nil
}

// Rename implements safefile.FS.
func (f *Faulty) Rename(from, to string) error {
	if err := f.call(); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return f.FS.Rename(from, to)
}

// Remove implements safefile.FS.
func (f *Faulty) Remove(path string) error {
	if err := f.call(); err != nil {
		return &fs.PathError{Op: "remove", Path: path, Err: err}
	}
	return f.FS.Remove(path)
}

// SyncDir implements safefile.FS.
func (f *Faulty) SyncDir(dir string) error {
	if err := f.call(); err != nil {
		return &fs.PathError{Op: "sync", Path: dir, Err: err}
	}
	return f.FS.SyncDir(dir)
}

// faultyFile is a file of Faulty, whose calls fail as Faulty says.
type faultyFile struct {
	safefile.File
	fs *Faulty
}

// Write writes half of p at the call that fails, and nothing later.
func (w *faultyFile) Write(p []byte) (int, error) {
	if err := w.fs.call(); err != nil {
		if w.fs.Calls > w.fs.At { // the machine has stopped already
			return 0, err
		}
		n, _ := w.File.Write(p[:len(p)/2])
		return n, err
	}
	return w.File.Write(p)
}

// Sync implements safefile.File.
func (w *faultyFile) Sync() error {
	if err := w.fs.call(); err != nil {
		return err
	}
	return w.File.Sync()
}

// Close implements safefile.File. After a crash nothing is closed.
func (w *faultyFile) Close() error {
	if err := w.fs.call(); err != nil {
		if !w.fs.Crash {
			w.File.Close() // as close(2) does: the file is closed whatever it returns
		}
		return err
	}
	return w.File.Close()
}

// Disk is a directory in memory that knows what of it is durable: of files what was synced, of
// names what the directory was synced with.
type Disk struct {
	now, durable map[string]*inode // by base name
	pending      []func(files map[string]*inode)
}

type inode struct{ written, synced []byte }

// ReadDisk returns a Disk with the files of dir, all durable.
func ReadDisk(dir string) (*Disk, error) {
	d := &Disk{now: map[string]*inode{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		d.now[e.Name()] = &inode{b, b}
	}
	d.durable = maps.Clone(d.now)
	return d, nil
}

// WriteTo makes dir what a reader might find after a loss of power. The disk may have stored more
// than it was made to: names tells whether renames, creations and removals that were not synced
// have been kept, bytes whether written bytes have.
func (d *Disk) WriteTo(dir string, names, bytes bool) error {
	files := d.durable
	if names {
		files = d.now
	}
	for name, node := range files {
		b := node.synced
		if bytes {
			b = node.written
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// WriteSome is WriteTo for a disk that has kept any part of what it was not made to store: each
// change of names by itself, in their order, and of each file all bytes, or those that were synced.
func (d *Disk) WriteSome(dir string, random *rand.Rand) error {
	files := maps.Clone(d.durable)
	for _, change := range d.pending {
		if random.IntN(2) == 0 {
			change(files)
		}
	}
	for name, node := range files {
		b := node.synced
		if random.IntN(2) == 0 {
			b = node.written
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// change changes names, not yet durably.
func (d *Disk) change(f func(files map[string]*inode)) {
	f(d.now)
	d.pending = append(d.pending, f)
}

// Create implements safefile.FS.
func (d *Disk) Create(path string) (safefile.File, error) {
	name := filepath.Base(path)
	if d.now[name] != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrExist}
	}
	node := new(inode)
	d.change(func(files map[string]*inode) { files[name] = node })
	return node, nil
}

// Rename implements safefile.FS.
func (d *Disk) Rename(from, to string) error {
	from, to = filepath.Base(from), filepath.Base(to)
	node := d.now[from]
	if node == nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrNotExist}
	}
	d.change(func(files map[string]*inode) {
		delete(files, from)
		files[to] = node
	})
	return nil
}

// Remove implements safefile.FS.
func (d *Disk) Remove(path string) error {
	if d.now[filepath.Base(path)] == nil {
		return &fs.PathError{Op: "remove", Path: path, Err: fs.ErrNotExist}
	}
	d.change(func(files map[string]*inode) { delete(files, filepath.Base(path)) })
	return nil
}

// SyncDir implements safefile.FS.
func (d *Disk) SyncDir(string) error {
	d.durable = maps.Clone(d.now)
	d.pending = nil
	return nil
}

// Write appends p; nothing of it is durable before Sync.
func (n *inode) Write(p []byte) (int, error) {
	n.written = append(slices.Clip(n.written), p...)
	return len(p), nil
}

// Sync makes what was written durable.
func (n *inode) Sync() error { n.synced = n.written; return nil }

// Close implements safefile.File.
func (n *inode) Close() error { return nil }
