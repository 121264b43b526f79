package modeldir

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/internal/safetensors"
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

// Dir is a model's directory, held open.
type Dir struct {
	path    string
	weights *os.File
	header  *safetensors.File
	files   map[string]*os.File
	alien   error // of a file that does not belong to the weights
}

// Open opens the model in dir. Other files than WeightsFile may have one of names, and no other.
func Open(dir string, names []string) (*Dir, error) {
	const patience = 10 * time.Second
	for start := time.Now(); ; {
		d, err := open(dir, names)
		if !errors.Is(err, errReplaced) || time.Since(start) > patience {
			return d, err
		}
	}
}

var errReplaced = errors.New("the model was saved again and again while it was loaded")

func open(dir string, names []string) (d *Dir, err error) {
	d = &Dir{path: dir, files: map[string]*os.File{}}
	defer func() {
		if err != nil {
			d.Close()
			d = nil
		}
	}()
	var size int64
	if d.weights, size, err = safefile.Open(d.Path(WeightsFile)); errors.Is(err, fs.ErrNotExist) {
		// what people look for first
		if f, _, missing := safefile.Open(d.Path(ConfigFile)); missing != nil {
			err = missing
		} else {
			f.Close()
		}
	}
	if err != nil {
		return d, err
	}
	if d.header, err = safetensors.ReadHeader(d.weights, size); err != nil {
		return d, fmt.Errorf("%s: %w", d.Path(WeightsFile), err)
	}
	if !d.header.Checked && d.ours() {
		return d, fmt.Errorf("%s has hashes of other files, but lacks its own: it was damaged or changed", d.Path(WeightsFile))
	}
	for _, name := range names { // never names that a file gives
		if digest, ok := d.header.Metadata[digestPrefix+name]; ok {
			if d.files[name], err = d.find(name, digest); errors.Is(err, errDiffers) {
				// Whoever reads the file may have more to say of it. The weights are not given out.
				d.alien = check.Kind(check.ErrMisfit,
					fmt.Errorf("%s does not belong to %s: one of them was changed; "+
						"save the model again", d.Path(name), WeightsFile))
				d.files[name], _, err = safefile.Open(d.Path(name))
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
func (d *Dir) find(name, digest string) (*os.File, error) {
	plain := d.Path(name)
	var first error
	for _, path := range []string{plain, filepath.Join(d.path, waitingName(name, digest)), plain} {
		f, err := openHashed(path, digest)
		if err == nil {
			return f, nil
		}
		if first == nil {
			first = err
		}
	}
	if mine, err := d.weights.Stat(); err != nil {
		return nil, err
	} else if now, err := os.Stat(d.Path(WeightsFile)); err == nil && !os.SameFile(mine, now) {
		return nil, errReplaced
	}
	return nil, first
}

var errDiffers = errors.New("another content")

// openHashed opens the file at path if its content hashes to digest.
func openHashed(path, digest string) (*os.File, error) {
	f, size, err := safefile.Open(path)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, io.LimitReader(f, size))
	if err == nil && hex.EncodeToString(sum.Sum(nil)) != digest {
		err = errDiffers
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Path is where a file of that name is, for messages.
func (d *Dir) Path(name string) string { return filepath.Join(d.path, name) }

// File gives a file other than the weights, one of the names of Open.
func (d *Dir) File(name string) (*io.SectionReader, error) {
	f, ok := d.files[name]
	if !ok {
		if d.ours() {
			return nil, fmt.Errorf("%s: %w", d.Path(name), notOf(name))
		}
		var err error
		if f, _, err = safefile.Open(d.Path(name)); err != nil {
			return nil, err
		}
		d.files[name] = f
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(f, 0, info.Size()), nil
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
		d.weights.Close()
	}
	for _, f := range d.files {
		if f != nil {
			f.Close()
		}
	}
}
