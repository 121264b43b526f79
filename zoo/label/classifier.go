package label

import (
	"cmp"
	"context"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// ClassifierConfig sizes a Classifier. The zero value of an optional field is its default.
type ClassifierConfig struct {
	Config
	Pool Pool `json:"pool"` // what is classified; default PoolLast
	// a sequence has any number of the labels, each with a probability of its own, and not one of
	// them
	Several bool `json:"several,omitempty"`
}

// withDefaults fills in the defaults of fields that are not set.
func (c ClassifierConfig) withDefaults() ClassifierConfig {
	c.Config = c.Config.withDefaults()
	c.Pool = cmp.Or(c.Pool, PoolLast)
	return c
}

// Validate reports every field that is out of range.
func (c ClassifierConfig) Validate() error {
	c = c.withDefaults()
	var bad check.Problems
	bad.Add(c.Config.Validate())
	check.OneOf(&bad, "pool", c.Pool, PoolLast, PoolMean, PoolMax)
	return bad.Err()
}

// Classifier gives a sequence a label:
//
//	h_1 … h_T = recurrent layers over x_1 … x_T,  p(label) = softmax(h·W + b)
//
// where x is embedded tokens or vectors of features, and h is h_T (of a layer that reads both
// ways: what either direction puts out at its own end), or the mean of h_1 … h_T, or the largest
// of each unit. Where a sequence has several labels at once p(label) = σ(h·W + b), for each label
// apart. With a head, ReLU(h·W_head + b_head) stands for h.
//
// Its parameters are embed/E [V, Embed] (tokens only), layers/l0/… (forward and backward below, if
// it reads both ways), head/W and head/b, out/W [Hidden or twice that, labels] and out/b [labels].
//
// Its methods other than training are safe for concurrent use.
type Classifier struct {
	labeller
	cfg ClassifierConfig
}

// NewClassifier makes a model with initial weights drawn from seed. A model that reads features has
// no vocabulary of tokens: nil.
func NewClassifier(cfg ClassifierConfig, tokens, labels *text.Vocabulary, seed uint64) (*Classifier,
	error) {
	if err := cfg.Validate(); err != nil {
		return nil, classifierPrefix.Wrap(err)
	}
	cfg = cfg.withDefaults()
	m := &Classifier{cfg: cfg}
	if err := m.declare(classifierPrefix, cfg.Config,
		output{pool: cfg.Pool, several: cfg.Several}, tokens, labels, seed); err != nil {
		return nil, err
	}
	return m, nil
}

// Architecture is "SequenceClassifier".
func (m *Classifier) Architecture() string { return "SequenceClassifier" }

// Config is the configuration that the model was made with, defaults filled in.
func (m *Classifier) Config() ClassifierConfig { return m.cfg }

// Predict finds the label of a sequence.
func (m *Classifier) Predict(s Sequence) (Prediction, error) {
	all, err := m.PredictAll(context.Background(), []Sequence{s})
	if err != nil {
		return Prediction{}, err
	}
	return all[0], nil
}

// PredictAll finds the labels of sequences, many at a time.
func (m *Classifier) PredictAll(ctx context.Context, sequences []Sequence) ([]Prediction, error) {
	predictions := make([]Prediction, len(sequences))
	err := m.predict(ctx, sequences, func(example int, found []Prediction) {
		predictions[example] = found[0]
	})
	if err != nil {
		return nil, err
	}
	return predictions, nil
}

// Save writes config.json, vocabulary.json (tokens only), labels.json and model.safetensors to
// path; see zoo.Save.
func (m *Classifier) Save(path string) error { return zoo.Save(path, m) }

// Files are the files that Save writes beside the weights.
func (m *Classifier) Files() zoo.Files { return zoo.Files{Config: m.cfg, Extra: m.files()} }

func init() {
	zoo.Register("SequenceClassifier", openClassifier, zoo.VocabularyFile,
		zoo.LabelsFile, zoo.TokeniserFile)
}

func openClassifier(d *zoo.Dir, cfg ClassifierConfig) (*Classifier, error) {
	tokens, labels, err := openVocabularies(d, &cfg.Config)
	if err != nil {
		return nil, err
	}
	return NewClassifier(cfg, tokens, labels, 0)
}

// LoadClassifier is Load for a directory that must hold a Classifier.
func LoadClassifier(dir string) (*Classifier, error) {
	return zoo.LoadAs[*Classifier](dir, "a SequenceClassifier")
}
