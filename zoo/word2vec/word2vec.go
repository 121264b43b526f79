package word2vec

import (
	"errors"
	"fmt"
	"math"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/rng"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// The models and their outputs.
const (
	SkipGram = "skipgram"
	CBOW     = "cbow"

	Negative     = "negative"
	Hierarchical = "hierarchical"
	Full         = "full" // softmax over all words; of the Network alone
)

// Config is all that a training depends on besides the text. The zero value is a skip-gram with negative sampling; the
// defaults are gensim's.
type Config struct {
	Model     string    `json:"model"`     // SkipGram (default) or CBOW
	Output    string    `json:"output"`    // Negative (default) or Hierarchical
	Dim       int       `json:"dim"`       // width of the vectors; 0 means 100
	Window    int       `json:"window"`    // neighbours on either side; each word draws its own reach from 1 to Window; 0 means 5
	MinCount  int       `json:"min_count"` // words seen less often are left out of the text; 0 means 5
	MaxVocab  int       `json:"max_vocab"` // keep the most frequent words; 0 means no limit
	Negatives int       `json:"negatives"` // words drawn for each pair; 0 means 5
	Sample    float64   `json:"sample"`    // share of the text above which a word is left out at random; 0 means 1e-3, 1 never
	LR        float64   `json:"lr"`        // learning rate at the start; 0 means 0.025
	MinLR     float64   `json:"min_lr"`    // at the end, to which it falls linearly; 0 means 0.0001
	Epochs    int       `json:"epochs"`    // passes over the text; 0 means 5
	Seed      uint64    `json:"seed"`
	Unicode   text.Form `json:"unicode,omitempty"` // words are brought to this form; as they are by default
}

// maxDim keeps sizes from overflowing.
const maxDim = 1 << 16

// withDefaults puts defaults in the place of zeros.
func (c Config) withDefaults() Config {
	text := func(p *string, to string) {
		if *p == "" {
			*p = to
		}
	}
	whole := func(p *int, to int) {
		if *p == 0 {
			*p = to
		}
	}
	number := func(p *float64, to float64) {
		if *p == 0 {
			*p = to
		}
	}
	text(&c.Model, SkipGram)
	text(&c.Output, Negative)
	whole(&c.Dim, 100)
	whole(&c.Window, 5)
	whole(&c.MinCount, 5)
	whole(&c.Negatives, 5)
	number(&c.Sample, 1e-3)
	number(&c.LR, 0.025)
	number(&c.MinLR, min(0.0001, c.LR))
	whole(&c.Epochs, 5)
	return c
}

// Validate reports everything that is out of range.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	report := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("word2vec: "+format, args...))
		}
	}
	report(c.Model == SkipGram || c.Model == CBOW, "Model is %q; want %q or %q", c.Model, SkipGram, CBOW)
	report(c.Output == Negative || c.Output == Hierarchical, "Output is %q; want %q or %q", c.Output, Negative, Hierarchical)
	report(c.Dim > 0 && c.Dim <= maxDim, "Dim is %d; want 1 to %d", c.Dim, maxDim)
	report(c.Window > 0 && c.Window <= maxSentence, "Window is %d; want 1 to %d", c.Window, maxSentence)
	report(c.MinCount > 0, "MinCount is %d; want at least 1", c.MinCount)
	report(c.MaxVocab >= 0, "MaxVocab is %d; want at least 0", c.MaxVocab)
	report(c.Negatives > 0 && c.Negatives <= 1000, "Negatives is %d; want 1 to 1000", c.Negatives)
	report(c.Sample > 0 && c.Sample <= 1, "Sample is %g; want more than 0 and at most 1", c.Sample)
	report(c.LR > 0 && c.LR <= 10, "LR is %g; want more than 0 and at most 10", c.LR)
	report(c.MinLR > 0 && c.MinLR <= c.LR, "MinLR is %g; want more than 0 and at most LR, %g", c.MinLR, c.LR)
	if err := c.Unicode.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("word2vec: %w", err))
	}
	report(c.Epochs > 0, "Epochs is %d; want at least 1", c.Epochs)
	return errors.Join(errs...)
}

// Model is a vocabulary with its vectors, in training or after. It is not safe for concurrent use.
type Model struct {
	cfg        Config
	vocabulary *text.Vocabulary
	in, out    []float32 // [V, D], [outputs, D]
	tree       *tree     // of a hierarchical softmax

	// How far the training has come.
	epoch, sentence int
	digest          uint64 // of the text; 0 before any
	instructions    string // that the weights were computed with; "" if a file did not say
}

// New makes an untrained model with the words of the sentences.
func New(cfg Config, sentences [][]string) (*Model, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	v, err := text.NewVocabulary(text.VocabularyConfig{MinCount: cfg.MinCount, MaxSize: cfg.MaxVocab, FirstSeen: true}, cfg.formed(sentences)...)
	if err != nil {
		return nil, fmt.Errorf("word2vec: %w", err)
	}
	m, err := newModel(cfg, v)
	if err != nil {
		return nil, err
	}
	m.instructions = kernels.Instructions()
	m.in, m.out = make([]float32, v.Len()*cfg.Dim), make([]float32, m.outputs()*cfg.Dim)
	key := rng.New(cfg.Seed).Named("word2vec/in")
	for i := range m.in {
		m.in[i] = float32((key.Float64(uint64(i)) - 0.5) / float64(cfg.Dim))
	}
	return m, nil
}

// formed are sentences in the form of the words.
func (c Config) formed(sentences [][]string) [][]string {
	if c.Unicode == text.AsIs {
		return sentences
	}
	out := make([][]string, len(sentences))
	for i, s := range sentences {
		out[i] = c.Unicode.Tokens(s)
	}
	return out
}

// newModel makes a model without weights.
func newModel(cfg Config, v *text.Vocabulary) (*Model, error) {
	if v.Len() > math.MaxInt32/2 {
		return nil, fmt.Errorf("word2vec: %d words; the limit is %d (MaxVocab keeps the most frequent ones)", v.Len(), math.MaxInt32/2)
	}
	m := &Model{cfg: cfg, vocabulary: v}
	if cfg.Output == Hierarchical {
		m.tree = newTree(v)
	}
	return m, nil
}

// outputs is the number of output vectors.
func (m *Model) outputs() int {
	if m.cfg.Output == Hierarchical {
		return m.vocabulary.Len() - 1
	}
	return m.vocabulary.Len()
}

// Config is the configuration, with defaults in the place of zeros.
func (m *Model) Config() Config { return m.cfg }

// Vocabulary holds the words and how often they were seen.
func (m *Model) Vocabulary() *text.Vocabulary { return m.vocabulary }

// Epoch is how many passes over the text are done.
func (m *Model) Epoch() int { return m.epoch }

// Done reports whether the training is complete.
func (m *Model) Done() bool { return m.epoch == m.cfg.Epochs }

// Instructions names the instruction sets that the weights were computed with, such as "amd64 avx512", because sums are
// rounded in another order on others: a training that goes on elsewhere does not give the same bits. It is "" for a model
// that was saved before this was noted, and the name of this machine's after Train.
func (m *Model) Instructions() string { return m.instructions }

// Vectors are the words and a copy of their vectors as they are now, the most frequent first.
func (m *Model) Vectors() (*vectors.Vectors, error) {
	words := make([]string, m.vocabulary.Len())
	for i := range words {
		words[i], _ = m.vocabulary.Token(i)
	}
	return vectors.New(words, m.cfg.Dim, append([]float32(nil), m.in...))
}
