package zoo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"reflect"

	"github.com/seqzoo/seqzoo/internal/modeldir"
	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/internal/safetensors"
)

// Load reads a model that Save wrote to a directory or to one file, also while it is saved anew.
func Load(path string) (Model, error) {
	d, err := modeldir.Open(path, filesOfModels())
	return loadFrom(d, err, filepath.Join(path, configFile), func(name string) ([]byte, error) {
		return safefile.ReadFile(name, maxConfigBytes)
	})
}

// LoadFS is Load for a directory or a file of fsys, such as one that is embedded in the program:
//
//	//go:embed model
//	var files embed.FS
//	m, err := zoo.As[*lm.Model](zoo.LoadFS(files, "model"))
func LoadFS(fsys fs.FS, name string) (Model, error) {
	d, err := modeldir.OpenFS(fsys, name, filesOfModels())
	return loadFrom(d, err, path.Join(name, configFile), func(name string) ([]byte, error) {
		if fsys == nil {
			return nil, fs.ErrNotExist
		}
		return fs.ReadFile(fsys, name)
	})
}

// Read is Load for what Write wrote. It reads r to its end, and at most half of the memory there
// is.
func Read(r io.Reader) (Model, error) {
	d, err := modeldir.Read(r, "model", filesOfModels())
	return loadFrom(d, err, "", nil)
}

// loadFrom is the model of a directory that was opened. If it was not, its configuration may say
// why: a newer version of the library wrote it, or nobody has registered its architecture, so that
// its files are unknown.
func loadFrom(d *modeldir.Dir, err error, config string,
	read func(name string) ([]byte, error)) (Model, error) {
	if err != nil {
		if read != nil {
			if text, e := read(config); e == nil {
				if why := unreadable(config, text); why != nil {
					err = why
				}
			}
		}
		return nil, fmt.Errorf("zoo: %w", err)
	}
	defer d.Close()
	m, err := load(d)
	if err != nil {
		return nil, fmt.Errorf("zoo: %w", err)
	}
	return m, nil
}

// unreadable says what is wrong with a configuration that this program cannot read; nil if that is
// not why it failed.
func unreadable(path string, text []byte) error {
	var e envelope
	if json.Unmarshal(text, &e) != nil {
		return nil
	}
	if e.Format > formatVersion {
		return checkFormat(path, text)
	}
	if _, err := find(e.Architecture); err != nil && e.Architecture != "" {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// As is a model that must be of type M: zoo.As[*lm.Model](zoo.LoadFS(files, "model")). One of
// another kind is an error that is ErrArchitecture.
func As[M Model](loaded Model, err error) (m M, _ error) {
	if err != nil {
		return m, err
	}
	m, ok := loaded.(M)
	if !ok {
		what := "nothing"
		if loaded != nil {
			what = "a " + loaded.Architecture()
		}
		return m, errorOf(ErrArchitecture, "zoo: there is %s, not a %v", what, reflect.TypeFor[M]())
	}
	return m, nil
}

// LoadAs is Load for what must be a model of type M, which errors call want.
func LoadAs[M Model](path, want string) (m M, err error) {
	loaded, err := Load(path)
	if err != nil {
		return m, err
	}
	m, ok := loaded.(M)
	if !ok {
		return m, errorOf(ErrArchitecture, "zoo: %s holds a %s, not %s", path,
			loaded.Architecture(),
			want)
	}
	return m, nil
}

// Save writes a model to a directory, which is made if need be: its configuration, its weights, and
// its further files. A model that is there is replaced in one step: killed at any moment, and read
// at any moment, the directory holds the old model or the new one, whole. If the name ends in .zip,
// the model is one file, as Write writes it, which is replaced in one step too. The Save of a model
// calls it.
func Save(path string, m Model) error {
	content, err := contentOf(m)
	if err == nil {
		err = modeldir.Save(safefile.OS, path, content, filesOfModels())
	}
	if err != nil {
		return fmt.Errorf("zoo: %w", err)
	}
	return nil
}

// Write writes a model as one file, for Read, LoadFS and Load: a zip archive of the files that Save
// writes. The same model gives the same bytes.
func Write(w io.Writer, m Model) error {
	content, err := contentOf(m)
	if err == nil && w == nil {
		err = errors.New("there is nothing to write to: the writer is nil")
	}
	if err == nil {
		err = modeldir.Write(w, content)
	}
	if err != nil {
		return fmt.Errorf("zoo: %w", err)
	}
	return nil
}

// contentOf is all that is kept of a model.
func contentOf(m Model) (modeldir.Model, error) {
	files, err := filesOf(m)
	if err != nil {
		return modeldir.Model{}, err
	}
	var tensors []safetensors.Tensor
	for _, p := range m.Params().Params() {
		tensors = append(tensors, encodeParam(p))
	}
	// what PyTorch's loaders look for
	return modeldir.Model{Files: files, Tensors: tensors,
		Metadata: map[string]string{"format": "pt"}}, nil
}

// filesOf are the files of a model but the weights.
func filesOf(m Model) (map[string][]byte, error) {
	if m == nil || m.Params() == nil {
		return nil, errors.New("save: the model is nil, or has no parameters")
	}
	own := m.Files()
	raw, err := json.Marshal(own.Config)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	if files[configFile], err = json.MarshalIndent(envelope{m.Architecture(), formatVersion, raw},
		"", "  "); err != nil {
		return nil, err
	}
	for name, write := range own.Extra {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[name] = b.Bytes()
	}
	return files, nil
}

// Clone is a model of its own with the same configuration and weights: to train one on, while the
// other is used.
func Clone[M Model](m M) (clone M, err error) {
	fail := func(err error) (M, error) { return clone, fmt.Errorf("zoo: clone: %w", err) }
	files, err := filesOf(m)
	if err != nil {
		return fail(err)
	}
	a, err := find(m.Architecture())
	if err != nil {
		return fail(err)
	}
	files[modeldir.WeightsFile] = noWeights
	d, err := modeldir.OpenMemory(files, filesOfModels())
	if err != nil {
		return fail(err)
	}
	defer d.Close()
	e, err := readEnvelope(d)
	if err != nil {
		return fail(err)
	}
	made, err := a.open(d, e.Config)
	if err != nil {
		return fail(err)
	}
	clone, ok := made.(M)
	if !ok {
		return fail(errorOf(ErrArchitecture, "%s is registered as a %T", m.Architecture(), made))
	}
	return clone, copyParams(clone.Params(), m.Params())
}

// noWeights are weights of no parameters.
var noWeights = func() []byte {
	var b bytes.Buffer
	_ = safetensors.Write(&b, nil, nil) // a buffer takes all
	return b.Bytes()
}()
