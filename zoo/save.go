package zoo

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/modeldir"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/safetensors"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/internal/strictjson"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Model is what every model of the zoo has in common.
type Model interface {
	// Architecture is the model's name in config.json.
	Architecture() string
	// Params holds the model's weights.
	Params() *nodes.Store
	// Files are the model's configuration, and what else is kept of it beside its weights.
	Files() Files
	// Save writes the model to a directory, which is made if need be, or to one file if its name
	// ends in .zip; see the function Save.
	Save(path string) error
}

// Files is what a model's directory holds beside its weights.
type Files struct {
	Config any                              // becomes config.json; see Register
	Extra  map[string]func(io.Writer) error // writes each further file, by the names of Register
}

// The files of a model.
const (
	configFile     = modeldir.ConfigFile
	weightsFile    = modeldir.WeightsFile
	VocabularyFile = "vocabulary.json"
	TokeniserFile  = shared.TokeniserFile // of models that cut text by byte pairs
	LabelsFile     = "labels.json"
	formatVersion  = 1
	maxConfigBytes = 1 << 20
)

// envelope is config.json.
type envelope struct {
	Architecture string          `json:"architecture"`
	Format       int             `json:"format"`
	Config       json.RawMessage `json:"config"`
}

// Dir is a model's directory, held open while the model is made from it.
type Dir = modeldir.Dir

// architectures are the models that Load knows, by the name in config.json.
var architectures = struct {
	sync.RWMutex
	known map[string]architecture
}{known: map[string]architecture{}}

type architecture struct {
	files []string // beside configuration and weights
	open  func(d *Dir, config []byte) (Model, error)
}

// errorOf is fmt.Errorf for an error of a kind.
func errorOf(kind error, format string, args ...any) error {
	return check.Kind(kind, fmt.Errorf(format, args...))
}

// Register makes an architecture known to Load: open gives the model of a directory from its
// configuration, without its weights, and files are the names of what the directory holds beside
// configuration and weights. The package of a model calls it when it is imported. It panics if the
// name is empty or taken, or if a file's name is not a plain one, as of a mistake in the program
// itself.
func Register[C any, M Model](name string, open func(d *Dir, cfg C) (M, error), files ...string) {
	architectures.Lock()
	defer architectures.Unlock()
	if _, taken := architectures.known[name]; taken || name == "" {
		panic(fmt.Sprintf("zoo: Register(%q): the name is empty, or registered already", name))
	}
	for _, f := range files {
		if f != filepath.Base(f) || f == configFile || f == weightsFile ||
			strings.HasPrefix(f, ".") {
			panic(fmt.Sprintf("zoo: Register(%q): %q is no name for a file beside %s and %s", name,
				f, configFile, weightsFile))
		}
	}
	architectures.known[name] = architecture{files, func(d *Dir, config []byte) (Model, error) {
		var cfg C
		config, err := translated(config)
		if err == nil {
			err = strictjson.Decode(config, &cfg)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: config: %w", configFile, err)
		}
		return open(d, cfg)
	}}
}

// filesOfModels are the names that files of a model may have, beside the weights.
func filesOfModels() []string {
	architectures.RLock()
	defer architectures.RUnlock()
	names := []string{configFile}
	for _, a := range architectures.known {
		names = append(names, a.files...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// find is a registered architecture.
func find(name string) (architecture, error) {
	architectures.RLock()
	defer architectures.RUnlock()
	a, ok := architectures.known[name]
	if !ok {
		return a, errorOf(ErrArchitecture,
			"architecture %q is unknown; known are %s. The package of a model makes it known when it is "+
				"imported, and zoo/all imports all of the library's", name,
			strings.Join(slices.Sorted(maps.Keys(architectures.known)), ", "))
	}
	return a, nil
}

func load(d *modeldir.Dir) (Model, error) {
	path := d.Path(configFile)
	e, err := readEnvelope(d)
	if err != nil {
		return nil, err
	}
	a, err := find(e.Architecture)
	if err != nil {
		return nil, check.Short(fmt.Errorf("%s: %w", path, err))
	}
	m, err := a.open(d, e.Config)
	if err != nil {
		return nil, check.Short(fmt.Errorf("%s: %w", filepath.Dir(path), err))
	}
	return m, loadWeights(d, m.Params())
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
		return errorOf(ErrFormat, "%s was made by model format %d, this is format %d: a newer "+
			"version of the library reads it", path, v, formatVersion)
	case v < 1:
		return errorOf(ErrFormat, "%s says no format, such as \"format\": %d: it is no "+
			"model's configuration", path, formatVersion)
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

// loadWeights fills the parameters of s from a model's weights. Every parameter must be there, and
// nothing else: that is looked at before the values are read, since a file that takes little room
// on a disk may claim any number of them.
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
			differ = append(differ, fmt.Sprintf("%s is %s, the configuration says %s", p.Name(),
				ops.ShapeString(t.Shape), ops.ShapeString(p.Shape())))
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
	return errorOf(ErrMisfit, "%s does not fit its configuration:\n\t%s", path,
		strings.Join(differ, "\n\t"))
}

func fillParam(p *nodes.Param, t safetensors.Tensor) error {
	switch v := steps.Blank(p).Data().(type) {
	case []float64:
		return safetensors.ValuesTo(t, v)
	case []float32:
		return safetensors.ValuesTo(t, v)
	}
	return fmt.Errorf("the parameter is of %v", p.Value().Dtype()) // no store makes one
}

// copyParams gives the parameters of one store the values of those of the same names in another.
func copyParams(to, from *nodes.Store) error {
	var differ []string
	for _, p := range to.Params() {
		other, ok := from.Get(p.Name())
		if !ok || !slices.Equal(p.Shape(), other.Shape()) || to.Dtype() != from.Dtype() {
			differ = append(differ, p.Name()+" is missing, or of another shape or type")
			continue
		}
		switch v := steps.Blank(p).Data().(type) {
		case []float64:
			copy(v, other.Value().Float64s())
		case []float32:
			copy(v, other.Value().Float32s())
		}
	}
	return misfit("the model", differ)
}
