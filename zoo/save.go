package zoo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/internal/safetensors"
	"github.com/seqzoo/seqzoo/nodes"
)

// Model is what every model of the zoo has in common.
type Model interface {
	// Architecture is the model's name in config.json.
	Architecture() string
	// Params holds the model's weights.
	Params() *nodes.Store
	// Save writes the model to a directory, which is made if need be. Each file is replaced as a whole.
	Save(dir string) error
}

// The files of a model.
const (
	configFile     = "config.json"
	weightsFile    = "model.safetensors"
	vocabularyFile = "vocabulary.json"
	tokenizerFile  = "tokenizer.json" // of models that cut text by byte pairs
	labelsFile     = "labels.json"
	formatVersion  = 1
	maxConfigBytes = 1 << 20
	digestPrefix   = "sha256 " // of the metadata of the weights: what config.json and the rest hash to
)

// envelope is config.json.
type envelope struct {
	Architecture string          `json:"architecture"`
	Format       int             `json:"format"`
	Config       json.RawMessage `json:"config"`
}

// architectures is the closed list of what Load makes: it gives the model of a directory without its weights.
var architectures = map[string]func(dir string, config []byte) (Model, error){
	"Autoencoder":          func(_ string, config []byte) (Model, error) { return openAutoencoder(config) },
	"Captioner":            func(dir string, config []byte) (Model, error) { return openCaptioner(dir, config) },
	"Emoji2Vec":            func(dir string, config []byte) (Model, error) { return openEmoji2Vec(dir, config) },
	"Forecaster":           func(dir string, config []byte) (Model, error) { return openForecaster(dir, config) },
	"HRED":                 func(dir string, config []byte) (Model, error) { return openHRED(dir, config) },
	"LanguageModel":        func(dir string, config []byte) (Model, error) { return openLanguageModel(dir, config) },
	"PCA":                  func(_ string, config []byte) (Model, error) { return openPCA(config) },
	"RecurrentAutoencoder": func(_ string, config []byte) (Model, error) { return openRecurrentAutoencoder(config) },
	"Seq2Seq":              func(dir string, config []byte) (Model, error) { return openSeq2Seq(dir, config) },
	"SequenceClassifier":   func(dir string, config []byte) (Model, error) { return openSequenceClassifier(dir, config) },
	"Tagger":               func(dir string, config []byte) (Model, error) { return openTagger(dir, config) },
	"VAE":                  func(_ string, config []byte) (Model, error) { return openVAE(config) },
}

// Load reads the model that Save wrote to dir.
func Load(dir string) (Model, error) {
	path := filepath.Join(dir, configFile)
	e, err := readEnvelope(path)
	if err != nil {
		return nil, fmt.Errorf("zoo: %w", err)
	}
	open, ok := architectures[e.Architecture]
	if !ok {
		return nil, fmt.Errorf("zoo: %s: architecture %q is unknown; known are %s", path, e.Architecture,
			strings.Join(slices.Sorted(maps.Keys(architectures)), ", "))
	}
	m, err := open(dir, e.Config)
	if err != nil {
		return nil, fmt.Errorf("zoo: %s: %w", dir, err)
	}
	if err := loadWeights(dir, m.Params()); err != nil {
		return nil, fmt.Errorf("zoo: %w", err)
	}
	return m, nil
}

// loadAs is Load for a directory that must hold a model of type M, which errors call want.
func loadAs[M Model](dir, want string) (m M, err error) {
	loaded, err := Load(dir)
	if err != nil {
		return m, err
	}
	m, ok := loaded.(M)
	if !ok {
		return m, fmt.Errorf("zoo: %s holds a %s, not %s", dir, loaded.Architecture(), want)
	}
	return m, nil
}

func readEnvelope(path string) (*envelope, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() { // a pipe might never end
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxConfigBytes {
		return nil, fmt.Errorf("%s is longer than %d bytes: it is no model's configuration", path, maxConfigBytes)
	}
	var version struct{ Format int }
	if err := json.Unmarshal(text, &version); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	switch v := version.Format; {
	case v > formatVersion: // asked first: it may have fields that this version does not know
		return nil, fmt.Errorf("%s was made by model format %d, this is format %d: a newer version of the library reads it", path, v, formatVersion)
	case v < 1:
		return nil, fmt.Errorf("%s says no format, such as \"format\": %d: it is no model's configuration", path, formatVersion)
	}
	var e envelope
	if err := decodeStrict(text, &e); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if e.Config == nil {
		return nil, fmt.Errorf("%s has no \"config\"", path)
	}
	return &e, nil
}

// decodeStrict decodes one JSON object. Unlike encoding/json it refuses unknown fields, fields that come twice and null.
func decodeStrict(text []byte, into any) error {
	if err := checkObjects(json.NewDecoder(bytes.NewReader(text))); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("there is more behind the JSON value")
	}
	return nil
}

// checkObjects refuses JSON that is no object, or in which an object has a field twice, in whatever case.
func checkObjects(d *json.Decoder) error {
	var open []map[string]bool // the fields so far of each object that is open; nil for an array
	key := false               // a field's name comes next, or the end of the object
	for {
		token, err := d.Token()
		if err != nil {
			return err
		}
		switch v := token.(type) {
		case json.Delim:
			switch v {
			case '{':
				open = append(open, map[string]bool{})
			case '[':
				open = append(open, nil)
			default:
				open = open[:len(open)-1]
			}
		case string:
			if key {
				name := strings.ToLower(v)
				if open[len(open)-1][name] {
					return fmt.Errorf("the field %.64q comes twice", v)
				}
				open[len(open)-1][name] = true
				key = false
				continue
			}
		case nil:
			return errors.New("null is no value here")
		}
		if len(open) == 0 {
			if token != json.Delim('}') {
				return errors.New("an object expected, such as {…}")
			}
			return nil
		}
		key = open[len(open)-1] != nil
	}
}

// saveModel writes a model's files. Extra files go first and the weights last, with a hash of all the others, so that a
// save that was cut short is noticed when the directory is loaded.
func saveModel(dir string, m Model, config any, extra map[string]func(io.Writer) error) error {
	raw, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("zoo: %w", err)
	}
	files := map[string][]byte{}
	if files[configFile], err = json.MarshalIndent(envelope{m.Architecture(), formatVersion, raw}, "", "  "); err != nil {
		return fmt.Errorf("zoo: %w", err)
	}
	for name, write := range extra {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return fmt.Errorf("zoo: %s: %w", name, err)
		}
		files[name] = b.Bytes()
	}
	metadata := map[string]string{"format": "pt"} // what PyTorch's loaders look for
	if err := safefile.MkdirAll(safefile.OS, dir); err != nil {
		return fmt.Errorf("zoo: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256(files[name])
		metadata[digestPrefix+name] = hex.EncodeToString(sum[:])
		err := safefile.Write(safefile.OS, filepath.Join(dir, name), func(w io.Writer) error { _, err := w.Write(files[name]); return err })
		if err != nil {
			return fmt.Errorf("zoo: %w", err)
		}
	}
	var tensors []safetensors.Tensor
	for _, p := range m.Params().Params() {
		tensors = append(tensors, encodeParam(p))
	}
	err = safefile.Write(safefile.OS, filepath.Join(dir, weightsFile), func(w io.Writer) error {
		return safetensors.Write(w, tensors, metadata)
	})
	if err != nil {
		return fmt.Errorf("zoo: %w", err)
	}
	return nil
}

func digestOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func encodeParam(p *nodes.Param) safetensors.Tensor {
	switch v := p.Value().Data().(type) {
	case []float64:
		return safetensors.New(p.Name(), p.Shape(), v)
	default:
		return safetensors.New(p.Name(), p.Shape(), v.([]float32))
	}
}

// loadWeights fills the parameters of s from a model's weights. Every parameter must be there, and nothing else.
func loadWeights(dir string, s *nodes.Store) error {
	path := filepath.Join(dir, weightsFile)
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return err
	}
	for _, name := range []string{configFile, vocabularyFile, sourceFile, targetFile, labelsFile, scaleFile, tokenizerFile, wordsFile} { // never names that a file gives
		want, ok := f.Metadata[digestPrefix+name]
		if !ok {
			continue // weights that another program wrote
		}
		got, err := digestOf(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s does not belong to %s: one of them was changed, or a save was cut short; save the model again", filepath.Join(dir, name), weightsFile)
		}
	}
	var differ []string
	for _, p := range s.Params() {
		t, ok := f.Find(p.Name())
		if !ok {
			differ = append(differ, p.Name()+" is missing")
		} else if !slices.Equal(t.Shape, p.Shape()) {
			differ = append(differ, fmt.Sprintf("%s is %s, the configuration says %s", p.Name(), ops.ShapeString(t.Shape), ops.ShapeString(p.Shape())))
		} else if err := fillParam(p, t); err != nil {
			differ = append(differ, fmt.Sprintf("%s: %v", p.Name(), err))
		}
	}
	for _, t := range f.Tensors {
		if _, ok := s.Get(t.Name); !ok {
			differ = append(differ, t.Name+" is unknown to this architecture")
		}
	}
	if len(differ) > 0 {
		if n := len(differ); n > 10 {
			differ = append(differ[:9], fmt.Sprintf("and %d more", n-9))
		}
		return fmt.Errorf("%s does not fit its configuration:\n\t%s", path, strings.Join(differ, "\n\t"))
	}
	return nil
}

func fillParam(p *nodes.Param, t safetensors.Tensor) error {
	if p.Value().Dtype() == tensor.Float64 {
		v, err := safetensors.Values[float64](t)
		copy(p.Value().Data().([]float64), v)
		return err
	}
	v, err := safetensors.Values[float32](t)
	copy(p.Value().Data().([]float32), v)
	return err
}
