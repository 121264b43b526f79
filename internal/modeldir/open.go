package modeldir

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/internal/safetensors"
	"github.com/seqzoo/seqzoo/internal/sysmem"
)

// The names that every model has.
const (
	WeightsFile = "model.safetensors"
	ConfigFile  = "config.json"
)

// Keys of the weights' metadata: what a file hashes to, and what one hashed to that only the model
// before had.
const (
	digestPrefix = "sha256 "
	formerPrefix = "former sha256 "
)

// Dir is a model's directory, or what takes the place of one, held open.
type Dir struct {
	from    source
	weights *file
	header  *safetensors.File
	files   map[string]*file
	alien   error     // of a file that does not belong to the weights
	closer  io.Closer // of what the files are in, or nil
}

// Open opens the model in a directory, or in one file that Write wrote. Other files than
// WeightsFile may have one of names, and no other.
func Open(path string, names []string) (*Dir, error) {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return openFrom(disk{path}, names)
	}
	f, size, err := safefile.Open(path)
	if err != nil {
		return nil, err
	}
	return openArchive(f, size, f, path, names)
}

// OpenFS is Open for a directory or a file of fsys, such as one that is embedded in the program. A
// file that can only be read from its beginning is read whole.
func OpenFS(fsys fs.FS, name string, names []string) (*Dir, error) {
	if fsys == nil {
		return nil, errors.New("there is no file system to load from: it is nil")
	}
	if info, err := fs.Stat(fsys, name); err != nil || info.IsDir() {
		return openFrom(folder{fsys, name}, names)
	}
	f, err := (folder{fsys, "."}).open(name)
	if err != nil {
		return nil, err
	}
	return openArchive(f, f.Size(), f.closer, name, names)
}

// Read is Open for what Write wrote. It reads r to its end, and at most half of the memory there
// is. Name is what messages call it.
func Read(r io.Reader, name string, names []string) (*Dir, error) {
	if r == nil {
		return nil, errors.New("there is nothing to read from: the reader is nil")
	}
	limit := int64(sysmem.Available() / 2)
	b, err := io.ReadAll(io.LimitReader(r, limit))
	if err == nil && int64(len(b)) == limit {
		err = fmt.Errorf("%s has %d bytes or more, for which there is no memory", name, limit)
	}
	if err != nil {
		return nil, err
	}
	return openArchive(bytes.NewReader(b), int64(len(b)), nil, name, names)
}

// OpenMemory is Open for files by their names.
func OpenMemory(files map[string][]byte, names []string) (*Dir, error) {
	return openFrom(memory(files), names)
}

// openFrom opens the model, anew if it was replaced in the meantime.
func openFrom(from source, names []string) (*Dir, error) {
	const patience = 10 * time.Second
	for start := time.Now(); ; {
		d, err := open(from, names)
		if !errors.Is(err, errReplaced) || time.Since(start) > patience {
			return d, err
		}
	}
}

var errReplaced = errors.New("the model was saved again and again while it was loaded")

func open(from source, names []string) (d *Dir, err error) {
	d = &Dir{from: from, files: map[string]*file{}}
	defer func() {
		if err != nil {
			d.Close()
			d = nil
		}
	}()
	if d.weights, err = from.open(WeightsFile); errors.Is(err, fs.ErrNotExist) {
		// what people look for first
		if f, missing := from.open(ConfigFile); missing != nil {
			err = missing
		} else {
			f.close()
		}
	}
	if err != nil {
		return d, err
	}
	if d.header, err = safetensors.ReadHeader(d.weights, d.weights.Size()); err != nil {
		return d, fmt.Errorf("%s: %w", d.Path(WeightsFile), err)
	}
	if !d.header.Checked && d.ours() {
		return d, fmt.Errorf("%s has hashes of other files, but lacks its own: it was "+
			"damaged or changed", d.Path(WeightsFile))
	}
	for _, name := range names { // never names that a file gives
		if digest, ok := d.header.Metadata[digestPrefix+name]; ok {
			if d.files[name], err = d.find(name, digest); errors.Is(err, errDiffers) {
				// Whoever reads the file may have more to say of it. The weights are not given out.
				d.alien = check.Kind(check.ErrMisfit,
					fmt.Errorf("%s does not belong to %s: one of them was changed; "+
						"save the model again", d.Path(name), WeightsFile))
				d.files[name], err = from.open(name)
			}
			if err != nil {
				return d, err
			}
		}
	}
	return d, nil
}

// ours tells whether Save wrote the weights. Other programs write some too.
func (d *Dir) ours() bool {
	if d.header == nil { // nothing is open
		return false
	}
	for key := range d.header.Metadata {
		if strings.HasPrefix(key, digestPrefix) {
			return true
		}
	}
	return false
}

// find opens the file of that content. A Save at work moves it from its waiting name to its own
// between two looks.
func (d *Dir) find(name, digest string) (*file, error) {
	var first error
	for _, at := range []string{name, waitingName(name, digest), name} {
		f, err := openHashed(d.from, at, digest)
		if err == nil {
			return f, nil
		}
		if first == nil {
			first = err
		}
	}
	if d.from.replaced(WeightsFile, d.weights) {
		return nil, errReplaced
	}
	return nil, first
}

var errDiffers = errors.New("another content")

// openHashed opens a file if its content hashes to digest.
func openHashed(from source, name, digest string) (*file, error) {
	f, err := from.open(name)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, io.NewSectionReader(f, 0, f.Size()))
	if err == nil && hex.EncodeToString(sum.Sum(nil)) != digest {
		err = errDiffers
	}
	if err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// Path is where a file of that name is, for messages.
func (d *Dir) Path(name string) string { return d.source().path(name) }

// source is where the files are; of the zero value, nowhere.
func (d *Dir) source() source {
	if d.from == nil {
		return memory{}
	}
	return d.from
}

// File gives a file other than the weights, one of the names of Open.
func (d *Dir) File(name string) (*io.SectionReader, error) {
	f, ok := d.files[name]
	if !ok {
		if d.ours() {
			return nil, fmt.Errorf("%s: %w", d.Path(name), notOf(name))
		}
		var err error
		if f, err = d.source().open(name); err != nil {
			return nil, err
		}
		d.files[name] = f
	}
	return io.NewSectionReader(f, 0, f.Size()), nil
}

func notOf(name string) error {
	return fmt.Errorf("%s was saved without a %s: %w", WeightsFile, name, fs.ErrNotExist)
}

// ReadFile gives the content of a file of at most limit bytes.
func (d *Dir) ReadFile(name string, limit int64) ([]byte, error) {
	r, err := d.File(name)
	if err != nil {
		return nil, err
	}
	if r.Size() > limit {
		return nil, fmt.Errorf("%s is longer than %d bytes", d.Path(name), limit)
	}
	return io.ReadAll(r)
}

// Weights are the weights. Until their Load they have shapes and metadata, and no values. It is an
// error if one of the other files does not belong to them.
func (d *Dir) Weights() (*safetensors.File, error) { return d.header, d.alien }

// Ours tells whether Save wrote the directory, so that the weights have a checksum, and hashes of
// the other files.
func (d *Dir) Ours() bool { return d.ours() }

// Close closes the files.
func (d *Dir) Close() {
	if d.weights != nil {
		d.weights.close()
	}
	for _, f := range d.files {
		if f != nil {
			f.close()
		}
	}
	if d.closer != nil {
		d.closer.Close()
	}
}
