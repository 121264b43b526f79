package modeldir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/internal/safetensors"
)

// A file of a model that is being saved waits for its name under one that holds its hash.
const waitingPrefix, waitingSuffix = ".seqzoo-", ".new"

func waitingName(name, digest string) string {
	return waitingPrefix + name + "-" + digest[:min(len(digest), 16)] + waitingSuffix
}

// Model is what Save writes.
type Model struct {
	Files   map[string][]byte // by name, ConfigFile among them
	Tensors []safetensors.Tensor
	// of the weights; what Save adds begins with "sha256 " or "former sha256 "
	Metadata map[string]string
}

// Save replaces the model in dir, which is made if need be, by m in one step: whatever happens, dir
// holds the old model or the new one, whole, and whoever loads it meanwhile gets one of them. Names
// are all the names that models of this kind of directory may have; of the model before, they alone
// are removed. Saves of one directory wait for one another. If dir ends in ArchiveSuffix, the model
// is one file, as Write writes it.
func Save(fsys safefile.FS, dir string, m Model, names []string) error {
	if info, err := os.Stat(dir); strings.HasSuffix(dir, ArchiveSuffix) && (err != nil || !info.IsDir()) {
		return safefile.Write(fsys, dir, func(w io.Writer) error { return Write(w, m) })
	}
	if err := safefile.MkdirAll(fsys, dir); err != nil {
		return err
	}
	lock, err := safefile.LockSave(dir)
	if err != nil {
		return err
	}
	defer lock.Release()
	s := &saver{fs: fsys, dir: dir, names: names}
	if err := s.settle(); err != nil {
		return fmt.Errorf("%s: what an earlier save has left: %w", dir, err)
	}
	return s.save(m)
}

type saver struct {
	fs    safefile.FS
	dir   string
	names []string
	was   map[string]string // the metadata of the weights that are there, after settle
}

func (s *saver) path(name string) string { return filepath.Join(s.dir, name) }

// settle finishes or clears away what a save has left that was cut short.
func (s *saver) settle() error {
	if err := safefile.Clean(s.fs, s.dir); err != nil {
		return err
	}
	s.was = s.metadata()
	wanted := map[string]string{} // by waiting name
	for _, name := range s.names {
		if digest, ok := s.was[digestPrefix+name]; ok {
			wanted[waitingName(name, digest)] = name
		}
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	changed := false
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), waitingPrefix) ||
			!strings.HasSuffix(e.Name(), waitingSuffix) {
			continue
		}
		changed = true
		name, ok := wanted[e.Name()]
		if ok && !s.holds(name, s.was[digestPrefix+name]) &&
			s.holds(e.Name(), s.was[digestPrefix+name]) {
			err = s.fs.Rename(s.path(e.Name()), s.path(name))
		} else {
			err = s.fs.Remove(s.path(e.Name()))
		}
		if err != nil {
			return err
		}
	}
	for _, name := range s.names {
		digest, former := s.was[formerPrefix+name]
		if _, now := s.was[digestPrefix+name]; former && !now && s.holds(name, digest) {
			changed = true
			if err := s.fs.Remove(s.path(name)); err != nil {
				return err
			}
		}
	}
	if !changed {
		return nil
	}
	return s.fs.SyncDir(s.dir)
}

// metadata is that of the weights in the directory, if there are any.
func (s *saver) metadata() map[string]string {
	f, size, err := safefile.Open(s.path(WeightsFile))
	if err != nil {
		return nil
	}
	defer f.Close()
	header, err := safetensors.ReadHeader(f, size)
	if err != nil {
		return nil
	}
	return header.Metadata
}

// holds tells whether a file has the content of that hash.
func (s *saver) holds(name, digest string) bool {
	f, err := openHashed(disk{s.dir}, name, digest)
	if err != nil {
		return false
	}
	f.close()
	return true
}

func (s *saver) save(m Model) error {
	for name := range m.Files {
		if !slices.Contains(s.names, name) {
			return fmt.Errorf("%s is no name of a model's file", name)
		}
	}
	metadata := maps.Clone(m.Metadata)
	if metadata == nil {
		metadata = map[string]string{}
	}
	var waiting [][2]string // names, and what their files are called until the weights are there
	var former []string
	for _, name := range s.names {
		content, ok := m.Files[name]
		if digest, had := s.was[digestPrefix+name]; !ok && had {
			metadata[formerPrefix+name] = digest
			former = append(former, name)
		}
		if !ok {
			continue
		}
		sum := sha256.Sum256(content)
		digest := hex.EncodeToString(sum[:])
		metadata[digestPrefix+name] = digest
		if s.holds(name, digest) {
			continue
		}
		if info, err := os.Lstat(s.path(name)); err == nil && info.IsDir() {
			return errors.Join(s.clear(waiting), &safefile.NotRegularError{Path: s.path(name),
				Mode: info.Mode()})
		}
		waiting = append(waiting, [2]string{waitingName(name, digest), name})
		write := func(w io.Writer) error { _, err := w.Write(content); return err }
		if err := safefile.Write(s.fs, s.path(waitingName(name, digest)), write); err != nil {
			return errors.Join(err, s.clear(waiting))
		}
	}
	err := safefile.Write(s.fs, s.path(WeightsFile), func(w io.Writer) error {
		return safetensors.Write(w, m.Tensors, metadata)
	})
	if err != nil {
		if !s.replaced(metadata) {
			err = errors.Join(err, s.clear(waiting))
		}
		return err // the next save finishes it, or clears it away
	}
	return s.finish(waiting, former)
}

// finish gives the files their names, now that the weights refer to them.
func (s *saver) finish(waiting [][2]string, former []string) error {
	for _, w := range waiting {
		if err := s.fs.Rename(s.path(w[0]), s.path(w[1])); err != nil {
			return err
		}
	}
	for _, name := range former {
		if err := s.fs.Remove(s.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if len(waiting)+len(former) == 0 {
		return nil
	}
	return s.fs.SyncDir(s.dir)
}

// replaced tells whether the weights of that metadata are in place, although writing them ended in
// an error.
func (s *saver) replaced(metadata map[string]string) bool {
	now := s.metadata()
	for key, value := range metadata {
		if now[key] != value {
			return false
		}
	}
	return true
}

// clear removes the files of a save that has failed.
func (s *saver) clear(waiting [][2]string) error {
	for _, w := range waiting {
		if err := s.fs.Remove(s.path(w[0])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
