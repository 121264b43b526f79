package zoo

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/seqzoo/seqzoo/internal/modeldir"
	"github.com/seqzoo/seqzoo/internal/strictjson"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// SequenceClassifierConfig sizes a SequenceClassifier. The zero value of an optional field is its default.
type SequenceClassifierConfig struct {
	SequenceConfig
	Pool string `json:"pool"` // what is classified: "last" (default), the output after the last step, or "mean", over all steps
}

// withDefaults fills in what is not set.
func (c SequenceClassifierConfig) withDefaults() SequenceClassifierConfig {
	c.SequenceConfig = c.SequenceConfig.withDefaults()
	c.Pool = cmp.Or(c.Pool, poolLast)
	return c
}

// Validate reports every field that is out of range.
func (c SequenceClassifierConfig) Validate() error {
	err := c.SequenceConfig.Validate()
	if c.Pool != "" && c.Pool != poolLast && c.Pool != poolMean {
		err = errors.Join(err, fmt.Errorf("pool is %q, want last or mean", c.Pool))
	}
	return err
}

// SequenceClassifier gives a sequence a label:
//
//	h_1 … h_T = recurrent layers over x_1 … x_T,  p(label) = softmax(h·W + b)
//
// where x is embedded tokens or vectors of features, and h is h_T (of a layer that reads both ways: what either direction
// puts out at its own end), or the mean of h_1 … h_T.
//
// Its parameters are embed/E [V, Embed] (tokens only), layers/l0/… (forward and backward below, if it reads both ways),
// out/W [Hidden or twice that, labels] and out/b [labels].
//
// Its methods other than training are safe for concurrent use.
type SequenceClassifier struct {
	*labeller
	cfg SequenceClassifierConfig
}

// NewSequenceClassifier makes a model with initial weights drawn from seed. A model that reads features has no vocabulary of
// tokens: nil.
func NewSequenceClassifier(cfg SequenceClassifierConfig, tokens, labels *text.Vocabulary, seed uint64) (*SequenceClassifier, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("zoo: sequence classifier: %w", err)
	}
	cfg = cfg.withDefaults()
	m, err := newLabeller("sequence classifier", cfg.SequenceConfig, cfg.Pool, tokens, labels, seed)
	if err != nil {
		return nil, err
	}
	return &SequenceClassifier{m, cfg}, nil
}

// Architecture is "SequenceClassifier".
func (m *SequenceClassifier) Architecture() string { return "SequenceClassifier" }

// Config is the configuration that the model was made with, defaults filled in.
func (m *SequenceClassifier) Config() SequenceClassifierConfig { return m.cfg }

// Predict finds the label of a sequence.
func (m *SequenceClassifier) Predict(s Sequence) (Prediction, error) {
	all, err := m.PredictAll(context.Background(), []Sequence{s})
	if err != nil {
		return Prediction{}, err
	}
	return all[0], nil
}

// PredictAll finds the labels of sequences, many at a time.
func (m *SequenceClassifier) PredictAll(ctx context.Context, sequences []Sequence) ([]Prediction, error) {
	predictions := make([]Prediction, len(sequences))
	err := m.predict(ctx, sequences, func(example int, probs [][]float64) { predictions[example] = m.prediction(probs[0]) })
	if err != nil {
		return nil, err
	}
	return predictions, nil
}

// Save writes config.json, vocabulary.json (tokens only), labels.json and model.safetensors to dir.
func (m *SequenceClassifier) Save(dir string) error { return saveModel(dir, m, m.cfg, m.files()) }

func openSequenceClassifier(d *modeldir.Dir, config []byte) (*SequenceClassifier, error) {
	var cfg SequenceClassifierConfig
	if err := strictjson.Decode(config, &cfg); err != nil {
		return nil, fmt.Errorf("%s: config: %w", configFile, err)
	}
	tokens, labels, err := openVocabularies(d, cfg.SequenceConfig)
	if err != nil {
		return nil, err
	}
	return NewSequenceClassifier(cfg, tokens, labels, 0)
}

// LoadSequenceClassifier is Load for a directory that must hold a SequenceClassifier.
func LoadSequenceClassifier(dir string) (*SequenceClassifier, error) {
	return loadAs[*SequenceClassifier](dir, "a SequenceClassifier")
}
