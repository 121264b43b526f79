package word2vec

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/internal/modeldir"
	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/internal/safetensors"
	"github.com/seqzoo/seqzoo/internal/strictjson"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// The files of a model, in the format that package zoo describes.
const (
	architecture   = "Word2Vec"
	formatVersion  = 1
	configFile     = modeldir.ConfigFile
	vocabularyFile = "vocabulary.json"
	weightsFile    = modeldir.WeightsFile
	maxConfigBytes = 1 << 20
)

var filesOfModels = []string{configFile, vocabularyFile}

// ErrNoModel says that a directory holds no model.
var ErrNoModel = errors.New("there is no model")

// envelope is config.json.
type envelope struct {
	Architecture string `json:"architecture"`
	Format       int    `json:"format"`
	Config       Config `json:"config"`
}

// Save writes the model to a directory, which is made if need be: config.json, vocabulary.json and
// model.safetensors with the tensors in [V, D] and out, and how far the training has come. A model
// that is there is replaced in one step: killed at any moment, and read at any moment, the
// directory holds the old model or the new one, whole. If the name ends in .zip, the model is one
// file.
func (m *Model) Save(path string) error {
	content, err := m.content()
	if err == nil {
		err = modeldir.Save(safefile.OS, path, content, filesOfModels)
	}
	if err != nil {
		return fmt.Errorf("word2vec: %w", err)
	}
	return nil
}

// content is all that is kept of the model.
func (m *Model) content() (modeldir.Model, error) {
	if err := m.made(); err != nil {
		return modeldir.Model{}, err
	}
	var config, vocabulary bytes.Buffer
	e := json.NewEncoder(&config)
	e.SetIndent("", "  ")
	if err := e.Encode(envelope{architecture, formatVersion, m.cfg}); err != nil {
		return modeldir.Model{}, err
	}
	if _, err := m.vocabulary.WriteTo(&vocabulary); err != nil {
		return modeldir.Model{}, err
	}
	return modeldir.Model{
		Files: map[string][]byte{configFile: config.Bytes(), vocabularyFile: vocabulary.Bytes()},
		Tensors: []safetensors.Tensor{
			safetensors.New("in", m.shape(m.in), m.in),
			safetensors.New("out", m.shape(m.out), m.out),
		},
		Metadata: map[string]string{
			"format": "pt", "epoch": strconv.Itoa(m.epoch), "sentence": strconv.Itoa(m.sentence),
			"text":         strconv.FormatUint(m.digest, 16),
			"instructions": m.instructions,
		},
	}, nil
}

func (m *Model) shape(weights []float32) []int { return []int{len(weights) / m.cfg.Dim, m.cfg.Dim} }

// OpenVectors gives the vectors of a model's directory, or of a file in word2vec's text or binary
// form or in GloVe's; words in a file that are not UTF-8 are left out.
func OpenVectors(ctx context.Context, path string) (*vectors.Vectors, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() && !strings.HasSuffix(path, modeldir.ArchiveSuffix) {
		return vectors.ReadFile(ctx, path, vectors.ReadOptions{SkipInvalid: true})
	}
	m, err := Load(path)
	if err != nil {
		return nil, err
	}
	return m.Vectors()
}

// Load reads the model that Save wrote, also while it is saved anew. A training that was not
// complete goes on by Train. The error is [ErrNoModel] if a directory has none.
func Load(path string) (*Model, error) {
	d, err := modeldir.Open(path, filesOfModels)
	if errors.Is(err, os.ErrNotExist) {
		if _, there := os.Lstat(filepath.Join(path, weightsFile)); errors.Is(there, os.ErrNotExist) {
			err = ErrNoModel
		}
	}
	return loadFrom(d, err, path)
}

// LoadFS is Load for a directory or a file of fsys, such as one that is embedded in the program.
func LoadFS(fsys fs.FS, name string) (*Model, error) {
	d, err := modeldir.OpenFS(fsys, name, filesOfModels)
	return loadFrom(d, err, name)
}

func loadFrom(d *modeldir.Dir, err error, path string) (*Model, error) {
	var m *Model
	if err == nil {
		defer d.Close()
		m, err = load(d)
	}
	if err != nil {
		return nil, fmt.Errorf("word2vec: %s: %w", path, err)
	}
	return m, nil
}

func load(d *modeldir.Dir) (*Model, error) {
	config, err := d.ReadFile(configFile, maxConfigBytes)
	if err != nil {
		return nil, err
	}
	var version struct{ Format int }
	if err := json.Unmarshal(config, &version); err != nil {
		return nil, fmt.Errorf("%s: %w", configFile, err)
		// asked first: it may have fields that this version does not know
	} else if version.Format > formatVersion {
		return nil, fmt.Errorf("%s was made by model format %d, this is format %d: a newer "+
			"version of the library reads it",
			configFile, version.Format, formatVersion)
	}
	var e envelope
	if err := strictjson.Decode(config, &e); err != nil {
		return nil, fmt.Errorf("%s: %w", configFile, err)
	}
	if e.Architecture != architecture {
		return nil, fmt.Errorf("%s: architecture %q; want %q", configFile, e.Architecture,
			architecture)
	}
	if e.Config.Output == Hierarchical {
		e.Config.Negatives = 0 // which files of earlier versions name without a use for it
	}
	if err := e.Config.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", configFile, err)
	}
	r, err := d.File(vocabularyFile)
	if err != nil {
		return nil, err
	}
	v, err := text.ReadVocabulary(r, r.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", vocabularyFile, err)
	}
	f, err := d.Weights()
	if err == nil && !d.Ours() {
		err = fmt.Errorf("%s has no hashes of the other files: it was changed or is not "+
			"by this library", weightsFile)
	}
	if err != nil {
		return nil, err
	}
	return fill(e.Config.withDefaults(), v, f)
}

// fill makes a model with the weights of a file.
func fill(cfg Config, v *text.Vocabulary, f *safetensors.File) (*Model, error) {
	m, err := newModel(cfg, v)
	if err != nil {
		return nil, err
	}
	in, okIn := f.Find("in")
	out, okOut := f.Find("out")
	wantIn, wantOut := []int{v.Len(), cfg.Dim}, []int{m.outputs(), cfg.Dim}
	if !okIn || !okOut || !slices.Equal(in.Shape, wantIn) || !slices.Equal(out.Shape, wantOut) {
		return nil, fmt.Errorf("%s should hold in %v and out %v; it has %v and %v", weightsFile,
			wantIn, wantOut, in.Shape, out.Shape)
	}
	if err := f.Load(); err != nil { // only now: the shapes bound its memory
		return nil, err
	}
	in, _ = f.Find("in")
	out, _ = f.Find("out")
	if m.in, err = safetensors.Values[float32](in); err != nil {
		return nil, fmt.Errorf("%s: in: %w", weightsFile, err)
	}
	if m.out, err = safetensors.Values[float32](out); err != nil {
		return nil, fmt.Errorf("%s: out: %w", weightsFile, err)
	}
	m.instructions = f.Metadata["instructions"]
	var errs [3]error
	m.epoch, errs[0] = strconv.Atoi(f.Metadata["epoch"])
	m.sentence, errs[1] = strconv.Atoi(f.Metadata["sentence"])
	m.digest, errs[2] = strconv.ParseUint(f.Metadata["text"], 16, 64)
	if err := errors.Join(errs[:]...); err != nil || m.epoch < 0 || m.epoch > cfg.Epochs ||
		m.sentence < 0 {
		return nil, fmt.Errorf("%s: epoch %q, sentence %q, text %q do not say how far the "+
			"training has come", weightsFile,
			f.Metadata["epoch"], f.Metadata["sentence"], f.Metadata["text"])
	}
	return m, nil
}
