package zoo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/modeldir"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/internal/safetensors"
	"github.com/seqzoo/seqzoo/internal/strictjson"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// Model is what every model of the zoo has in common.
type Model interface {
	// Architecture is the model's name in config.json.
	Architecture() string
	// Params holds the model's weights.
	Params() *nodes.Store
	// Save writes the model to a directory, which is made if need be. A model that is there is replaced in one step: killed
	// at any moment, and read at any moment, the directory holds the old model or the new one, whole.
	Save(dir string) error
}

// The files of a model.
const (
	configFile     = modeldir.ConfigFile
	weightsFile    = modeldir.WeightsFile
	vocabularyFile = "vocabulary.json"
	tokenizerFile  = "tokenizer.json" // of models that cut text by byte pairs
	labelsFile     = "labels.json"
	formatVersion  = 1
	maxConfigBytes = 1 << 20
)

// filesOfModels are the names that files of a model may have, beside the weights.
var filesOfModels = []string{
	configFile, vocabularyFile, sourceFile, targetFile, labelsFile, scaleFile, tokenizerFile, wordsFile,
}

// envelope is config.json.
type envelope struct {
	Architecture string          `json:"architecture"`
	Format       int             `json:"format"`
	Config       json.RawMessage `json:"config"`
}

// architectures is the closed list of what Load makes: it gives the model of a directory without its weights.
var architectures = map[string]func(d *modeldir.Dir, config []byte) (Model, error){
	"Autoencoder":          func(_ *modeldir.Dir, config []byte) (Model, error) { return openAutoencoder(config) },
	"Captioner":            func(d *modeldir.Dir, config []byte) (Model, error) { return openCaptioner(d, config) },
	"Emoji2Vec":            func(d *modeldir.Dir, config []byte) (Model, error) { return openEmoji2Vec(d, config) },
	"Forecaster":           func(d *modeldir.Dir, config []byte) (Model, error) { return openForecaster(d, config) },
	"HRED":                 func(d *modeldir.Dir, config []byte) (Model, error) { return openHRED(d, config) },
	"LanguageModel":        func(d *modeldir.Dir, config []byte) (Model, error) { return openLanguageModel(d, config) },
	"PCA":                  func(_ *modeldir.Dir, config []byte) (Model, error) { return openPCA(config) },
	"RecurrentAutoencoder": func(_ *modeldir.Dir, config []byte) (Model, error) { return openRecurrentAutoencoder(config) },
	"Seq2Seq":              func(d *modeldir.Dir, config []byte) (Model, error) { return openSeq2Seq(d, config) },
	"SequenceClassifier":   func(d *modeldir.Dir, config []byte) (Model, error) { return openSequenceClassifier(d, config) },
	"Tagger":               func(d *modeldir.Dir, config []byte) (Model, error) { return openTagger(d, config) },
	"VAE":                  func(_ *modeldir.Dir, config []byte) (Model, error) { return openVAE(config) },
}

// Load reads the model that Save wrote to dir, also while it is saved anew.
func Load(dir string) (Model, error) {
	d, err := modeldir.Open(dir, filesOfModels)
	if err != nil {
		if newer := fromTheFuture(dir); newer != nil {
			err = newer
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

func load(d *modeldir.Dir) (Model, error) {
	path := d.Path(configFile)
	e, err := readEnvelope(d)
	if err != nil {
		return nil, err
	}
	open, ok := architectures[e.Architecture]
	if !ok {
		return nil, fmt.Errorf("%s: architecture %q is unknown; known are %s", path, e.Architecture,
			strings.Join(slices.Sorted(maps.Keys(architectures)), ", "))
	}
	m, err := open(d, e.Config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Dir(path), err)
	}
	return m, loadWeights(d, m.Params())
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

func readEnvelope(d *modeldir.Dir) (*envelope, error) {
	path := d.Path(configFile)
	text, err := d.ReadFile(configFile, maxConfigBytes)
	if err != nil {
		return nil, err
	}
	if err := checkFormat(path, text); err != nil {
		return nil, err
	}
	var e envelope
	if err := strictjson.Decode(text, &e); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if e.Config == nil {
		return nil, fmt.Errorf("%s has no \"config\"", path)
	}
	return &e, nil
}

// checkFormat looks at the version first: a newer one may have fields that this one does not know.
func checkFormat(path string, text []byte) error {
	var version struct{ Format int }
	if err := json.Unmarshal(text, &version); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	switch v := version.Format; {
	case v > formatVersion:
		return fmt.Errorf("%s was made by model format %d, this is format %d: a newer version of the library reads it", path, v, formatVersion)
	case v < 1:
		return fmt.Errorf("%s says no format, such as \"format\": %d: it is no model's configuration", path, formatVersion)
	}
	return nil
}

// fromTheFuture is the error of a directory that cannot be opened because a newer version of the library wrote it.
func fromTheFuture(dir string) error {
	path := filepath.Join(dir, configFile)
	text, err := safefile.ReadFile(path, maxConfigBytes)
	if err != nil {
		return nil
	}
	var version struct{ Format int }
	if json.Unmarshal(text, &version) != nil || version.Format <= formatVersion {
		return nil
	}
	return checkFormat(path, text)
}

// readVocabulary reads a vocabulary of a model's directory.
func readVocabulary(d *modeldir.Dir, name string) (*text.Vocabulary, error) {
	f, err := d.File(name)
	if err != nil {
		return nil, err
	}
	v, err := text.ReadVocabulary(f, f.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}

// saveModel writes a model, whose other files than config.json extra writes.
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
	var tensors []safetensors.Tensor
	for _, p := range m.Params().Params() {
		tensors = append(tensors, encodeParam(p))
	}
	err = modeldir.Save(safefile.OS, dir, modeldir.Model{
		Files: files, Tensors: tensors, Metadata: map[string]string{"format": "pt"}, // what PyTorch's loaders look for
	}, filesOfModels)
	if err != nil {
		return fmt.Errorf("zoo: %w", err)
	}
	return nil
}

func encodeParam(p *nodes.Param) safetensors.Tensor {
	switch v := p.Value().Data().(type) {
	case []float64:
		return safetensors.New(p.Name(), p.Shape(), v)
	default:
		return safetensors.New(p.Name(), p.Shape(), v.([]float32))
	}
}

// loadWeights fills the parameters of s from a model's weights. Every parameter must be there, and nothing else: that is
// looked at before the values are read, since a file that takes little room on a disk may claim any number of them.
func loadWeights(d *modeldir.Dir, s *nodes.Store) error {
	path := d.Path(weightsFile)
	f, err := d.Weights()
	if err != nil {
		return err
	}
	var differ []string
	for _, p := range s.Params() {
		t, ok := f.Find(p.Name())
		if !ok {
			differ = append(differ, p.Name()+" is missing")
		} else if !slices.Equal(t.Shape, p.Shape()) {
			differ = append(differ, fmt.Sprintf("%s is %s, the configuration says %s", p.Name(), ops.ShapeString(t.Shape), ops.ShapeString(p.Shape())))
		}
	}
	for _, t := range f.Tensors {
		if _, ok := s.Get(t.Name); !ok {
			differ = append(differ, t.Name+" is unknown to this architecture")
		}
	}
	if err := misfit(path, differ); err != nil {
		return err
	}
	if err := f.Load(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, p := range s.Params() {
		t, _ := f.Find(p.Name())
		if err := fillParam(p, t); err != nil {
			differ = append(differ, fmt.Sprintf("%s: %v", p.Name(), err))
		}
	}
	return misfit(path, differ)
}

// misfit is the error of weights that differ from what their configuration says.
func misfit(path string, differ []string) error {
	if len(differ) == 0 {
		return nil
	}
	if n := len(differ); n > 10 {
		differ = append(differ[:9], fmt.Sprintf("and %d more", n-9))
	}
	return fmt.Errorf("%s does not fit its configuration:\n\t%s", path, strings.Join(differ, "\n\t"))
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
