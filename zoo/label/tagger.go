package label

import (
	"context"

	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// TaggerConfig sizes a Tagger. The zero value of an optional field is its default.
type TaggerConfig struct {
	Config
	// the labels of a sequence depend on each other, by a score for each pair of neighbours: a
	// conditional random field
	CRF bool `json:"crf,omitempty"`
}

// Tagger gives every step of a sequence a label (with layers that read both ways: Graves and
// Schmidhuber, 2005):
//
//	h_1 … h_T = recurrent layers over x_1 … x_T,  p(label_t) = softmax(h_t·W + b)
//
// where x is embedded tokens or vectors of features. Its parameters are those of a Classifier.
//
// With CRF the labels are those of the likeliest sequence of labels (Lafferty, McCallum and
// Pereira, 2001; Lample et al., 2016), where h_t·W + b and A[label_t−1, label_t] are the scores of
// a label and of a pair, and Probs are the probabilities of a step's labels, summed over all
// sequences. Its parameters are then also crf/transitions A [labels, labels], from a label to the
// next, and crf/start and crf/end [labels].
//
// Its methods other than training are safe for concurrent use.
type Tagger struct {
	labeller
	cfg  TaggerConfig
	step run.Pool[run.Of[int], *tagStep]
}

// NewTagger makes a model with initial weights drawn from seed. A model that reads features has no
// vocabulary of tokens: nil.
func NewTagger(cfg TaggerConfig, tokens, labels *text.Vocabulary, seed uint64) (*Tagger, error) {
	if err := cfg.Validate(); err != nil {
		return nil, taggerPrefix.Wrap(err)
	}
	cfg.Config = cfg.withDefaults()
	m := &Tagger{cfg: cfg}
	if err := m.declare(taggerPrefix, cfg.Config,
		output{pool: eachStep, crf: cfg.CRF}, tokens, labels, seed); err != nil {
		return nil, err
	}
	return m, nil
}

const tagger = "Tagger"

// Architecture is "Tagger".
func (m *Tagger) Architecture() string { return tagger }

// Config is the configuration that the model was made with, defaults filled in.
func (m *Tagger) Config() TaggerConfig { return m.cfg }

// Predict finds the label of every step of a sequence.
func (m *Tagger) Predict(s Sequence) ([]Prediction, error) {
	all, err := m.PredictAll(context.Background(), []Sequence{s})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// PredictAll finds the labels of the steps of sequences, many sequences at a time.
func (m *Tagger) PredictAll(ctx context.Context, sequences []Sequence) ([][]Prediction, error) {
	predictions := make([][]Prediction, len(sequences))
	err := m.predict(ctx, sequences, func(example int, found []Prediction) {
		predictions[example] = found
	})
	if err != nil {
		return nil, err
	}
	return predictions, nil
}

// Save writes config.json, vocabulary.json (tokens only), labels.json and model.safetensors to
// path; see zoo.Save.
func (m *Tagger) Save(path string) error { return zoo.Save(path, m) }

// Files are the files that Save writes beside the weights.
func (m *Tagger) Files() zoo.Files { return zoo.Files{Config: m.cfg, Extra: m.files()} }

func init() {
	zoo.Register(tagger, openTagger, zoo.VocabularyFile, zoo.LabelsFile,
		zoo.TokeniserFile)
}

func openTagger(d *zoo.Dir, cfg TaggerConfig) (*Tagger, error) {
	tokens, labels, err := openVocabularies(d, &cfg.Config)
	if err != nil {
		return nil, err
	}
	return NewTagger(cfg, tokens, labels, 0)
}

// LoadTagger is Load for a directory that must hold a Tagger.
func LoadTagger(dir string) (*Tagger, error) { return zoo.LoadAs[*Tagger](dir, "a Tagger") }
