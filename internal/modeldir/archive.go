package modeldir

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/internal/safetensors"
)

// A model as one file is a zip archive of the files of its directory. They are stored as they are,
// not compressed: weights do not shrink, a reader needs no more memory than the file has bytes, and
// none for the weights but once.

// ArchiveSuffix is how the names of such files end.
const ArchiveSuffix = ".zip"

// Write writes m as one file. The same model gives the same bytes.
func Write(w io.Writer, m Model) error {
	metadata := maps.Clone(m.Metadata)
	if metadata == nil {
		metadata = map[string]string{}
	}
	z := zip.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		sum := sha256.Sum256(m.Files[name])
		metadata[digestPrefix+name] = hex.EncodeToString(sum[:])
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			return err
		}
		if _, err := f.Write(m.Files[name]); err != nil {
			return err
		}
	}
	f, err := z.CreateHeader(&zip.FileHeader{Name: WeightsFile, Method: zip.Store})
	if err != nil {
		return err
	}
	if err := safetensors.Write(f, m.Tensors, metadata); err != nil {
		return err
	}
	return z.Close()
}

// openArchive opens what Write wrote, size bytes, and closes what they are in with the directory,
// or at an error. Name is what messages call it.
func openArchive(r io.ReaderAt, size int64, closer io.Closer, name string, names []string) (d *Dir,
	err error) {
	a := archive{name: name, files: map[string]*file{}}
	z, err := zip.NewReader(r, size)
	if err != nil {
		err = fmt.Errorf("%s is no model in one file: %w", name, err)
		if base := path.Base(filepath.ToSlash(name)); base == WeightsFile || base == ConfigFile {
			err = fmt.Errorf("%s is one file of a model's directory: load the directory", name)
		}
	} else {
		for _, f := range z.File {
			if err = a.add(r, size, f, names); err != nil {
				err = fmt.Errorf("%s: %w", name, err)
				break
			}
		}
	}
	if err == nil {
		d, err = openFrom(a, names)
	}
	if err == nil {
		d.closer = closer
	} else if closer != nil {
		closer.Close()
	}
	return d, err
}

// archive is a zip file.
type archive struct {
	name  string
	files map[string]*file
}

// add takes a file of the archive. Others than those of a model are passed over.
func (a archive) add(r io.ReaderAt, size int64, f *zip.File, names []string) error {
	if f.Name != WeightsFile && !slices.Contains(names, f.Name) {
		if strings.HasSuffix(f.Name, "/"+WeightsFile) {
			return fmt.Errorf("its files are in a folder, %q; they must stand at the top", f.Name)
		}
		return nil
	}
	at, err := f.DataOffset()
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", f.Name, err)
	case a.files[f.Name] != nil:
		return fmt.Errorf("%s is in it twice", f.Name)
	case f.Method != zip.Store:
		return fmt.Errorf("%s is compressed; it must be stored as it is (zip -0)", f.Name)
	case f.Flags&1 != 0:
		return fmt.Errorf("%s is encrypted", f.Name)
	case f.UncompressedSize64 != f.CompressedSize64 || at > size ||
		f.UncompressedSize64 > uint64(size-at):
		return fmt.Errorf("%s is cut off, or its size is not what it says", f.Name)
	}
	content := io.NewSectionReader(r, at, int64(f.UncompressedSize64))
	if f.Name != WeightsFile { // which have a checksum of their own
		sum := crc32.NewIEEE()
		if _, err := io.Copy(sum, content); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		if sum.Sum32() != f.CRC32 {
			return fmt.Errorf("%s: %w", f.Name, errors.New("the checksum does not match"))
		}
	}
	a.files[f.Name] = &file{SectionReader: io.NewSectionReader(r, at, int64(f.UncompressedSize64))}
	return nil
}

func (a archive) path(name string) string { return a.name + "/" + name }

func (a archive) open(name string) (*file, error) {
	f := a.files[name]
	if f == nil {
		return nil, &fs.PathError{Op: "open", Path: a.path(name), Err: fs.ErrNotExist}
	}
	return &file{SectionReader: io.NewSectionReader(f, 0, f.Size())}, nil
}

func (a archive) replaced(string, *file) bool { return false }
