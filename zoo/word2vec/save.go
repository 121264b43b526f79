package word2vec

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/internal/safetensors"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// The files of a model, as those of package zoo.
const (
	architecture   = "Word2Vec"
	formatVersion  = 1
	configFile     = "config.json"
	vocabularyFile = "vocabulary.json"
	weightsFile    = "model.safetensors"
	maxConfigBytes = 1 << 20
)

// ErrNoModel says that a directory holds no model.
var ErrNoModel = errors.New("there is no model")

// envelope is config.json.
type envelope struct {
	Architecture string `json:"architecture"`
	Format       int    `json:"format"`
	Config       Config `json:"config"`
}

// Save writes the model to a directory, which is made if need be: config.json, vocabulary.json and model.safetensors with
// the tensors in [V, D] and out, and how far the training has come. Each file is replaced as a whole, the last one holds
// hashes of the others, and between two saves of one training it alone changes: so a crash leaves one of them whole.
func (m *Model) Save(dir string) error {
	var config, vocabulary bytes.Buffer
	e := json.NewEncoder(&config)
	e.SetIndent("", "  ")
	if err := e.Encode(envelope{architecture, formatVersion, m.cfg}); err != nil {
		return fmt.Errorf("word2vec: %w", err)
	}
	if _, err := m.vocabulary.WriteTo(&vocabulary); err != nil {
		return fmt.Errorf("word2vec: %w", err)
	}
	if err := safefile.MkdirAll(safefile.OS, dir); err != nil {
		return fmt.Errorf("word2vec: %w", err)
	}
	metadata := map[string]string{
		"format": "pt", "epoch": strconv.Itoa(m.epoch), "sentence": strconv.Itoa(m.sentence), "text": strconv.FormatUint(m.digest, 16),
	}
	for _, f := range []struct {
		name    string
		content []byte
	}{{configFile, config.Bytes()}, {vocabularyFile, vocabulary.Bytes()}} {
		metadata["sha256 "+f.name] = hash(f.content)
		write := func(w io.Writer) error { _, err := w.Write(f.content); return err }
		if err := safefile.Write(safefile.OS, filepath.Join(dir, f.name), write); err != nil {
			return fmt.Errorf("word2vec: %w", err)
		}
	}
	tensors := []safetensors.Tensor{
		safetensors.New("in", m.shape(m.in), m.in),
		safetensors.New("out", m.shape(m.out), m.out),
	}
	write := func(w io.Writer) error { return safetensors.Write(w, tensors, metadata) }
	if err := safefile.Write(safefile.OS, filepath.Join(dir, weightsFile), write); err != nil {
		return fmt.Errorf("word2vec: %w", err)
	}
	return nil
}

func (m *Model) shape(weights []float32) []int { return []int{len(weights) / m.cfg.Dim, m.cfg.Dim} }

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// OpenVectors gives the vectors of a model's directory, or of a file in word2vec's text or binary form or in GloVe's; words
// in a file that are not UTF-8 are left out.
func OpenVectors(path string) (*vectors.Vectors, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return vectors.ReadFile(path, vectors.ReadOptions{SkipInvalid: true})
	}
	m, err := Load(path)
	if err != nil {
		return nil, err
	}
	return m.Vectors()
}

// Load reads the model that Save wrote to dir. A training that was not complete goes on by Train. The error is
// [ErrNoModel] if dir has none.
func Load(dir string) (*Model, error) {
	m, err := load(dir)
	if err != nil {
		return nil, fmt.Errorf("word2vec: %s: %w", dir, err)
	}
	return m, nil
}

func load(dir string) (*Model, error) {
	path := filepath.Join(dir, weightsFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, ErrNoModel
	}
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return nil, err
	}
	config, err := readSmall(filepath.Join(dir, configFile))
	if err != nil {
		return nil, err
	}
	var e envelope
	d := json.NewDecoder(bytes.NewReader(config))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return nil, fmt.Errorf("%s: %w", configFile, err)
	}
	switch {
	case e.Architecture != architecture:
		return nil, fmt.Errorf("%s: architecture %q; want %q", configFile, e.Architecture, architecture)
	case e.Format > formatVersion:
		return nil, fmt.Errorf("%s was made by model format %d, this is format %d: a newer version of the library reads it", configFile, e.Format, formatVersion)
	}
	if err := e.Config.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", configFile, err)
	}
	v, err := text.LoadVocabulary(filepath.Join(dir, vocabularyFile))
	if err != nil {
		return nil, err
	}
	var vocabulary bytes.Buffer
	if _, err := v.WriteTo(&vocabulary); err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{configFile: config, vocabularyFile: vocabulary.Bytes()} {
		if f.Metadata["sha256 "+name] != hash(content) {
			return nil, fmt.Errorf("%s does not belong to %s: one of them was changed, or a save was cut short", name, weightsFile)
		}
	}
	return fill(e.Config.withDefaults(), v, f)
}

// readSmall reads a file that is small unless something is wrong with it.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err == nil && len(b) > maxConfigBytes {
		err = fmt.Errorf("%s is longer than %d bytes: it is no model's configuration", path, maxConfigBytes)
	}
	return b, err
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
		return nil, fmt.Errorf("%s should hold in %v and out %v; it has %v and %v", weightsFile, wantIn, wantOut, in.Shape, out.Shape)
	}
	if m.in, err = safetensors.Values[float32](in); err != nil {
		return nil, fmt.Errorf("%s: in: %w", weightsFile, err)
	}
	if m.out, err = safetensors.Values[float32](out); err != nil {
		return nil, fmt.Errorf("%s: out: %w", weightsFile, err)
	}
	var errs [3]error
	m.epoch, errs[0] = strconv.Atoi(f.Metadata["epoch"])
	m.sentence, errs[1] = strconv.Atoi(f.Metadata["sentence"])
	m.digest, errs[2] = strconv.ParseUint(f.Metadata["text"], 16, 64)
	if err := errors.Join(errs[:]...); err != nil || m.epoch < 0 || m.epoch > cfg.Epochs || m.sentence < 0 {
		return nil, fmt.Errorf("%s: epoch %q, sentence %q, text %q do not say how far the training has come", weightsFile,
			f.Metadata["epoch"], f.Metadata["sentence"], f.Metadata["text"])
	}
	return m, nil
}
