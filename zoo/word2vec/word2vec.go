package word2vec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/sysmem"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// Architecture is what is predicted from what.
type Architecture string

const (
	SkipGram Architecture = "skipgram" // each neighbour from the word: the default
	CBOW     Architecture = "cbow"     // the word from the mean of its neighbours
)

// Output says how the probability of a word is computed: by negative samples or by a tree.
type Output string

const (
	Negative     Output = "negative"     // against a few words that are drawn: the default
	Hierarchical Output = "hierarchical" // along its path in a Huffman tree
	Full         Output = "full"         // by a softmax over all words; of the Network alone
)

// Config is all that a training depends on beside the text. The zero value is a skip-gram with
// negative sampling; the defaults are gensim's.
type Config struct {
	Model  Architecture `json:"model"`  // SkipGram (default) or CBOW
	Output Output       `json:"output"` // Negative (default) or Hierarchical
	Dim    int          `json:"dim"`    // width of the vectors; 0 means 100
	// neighbours on either side; each word draws its own reach from 1 to Window; 0 means 5
	Window int `json:"window"`
	// words seen less often are left out of the text; 0 means 5
	MinCount  int `json:"min_count"`
	MaxVocab  int `json:"max_vocab"` // keep the most frequent words; 0 means no limit
	Negatives int `json:"negatives"` // words drawn for each pair, of Negative; 0 means 5
	// share of the text above which a word is left out at random; 0 means 1e-3, 1 never
	Sample float64 `json:"sample"`
	LR     float64 `json:"lr"` // learning rate at the start; 0 means 0.025
	// at the end, to which it falls linearly; 0 means 0.0001
	MinLR  float64 `json:"min_lr"`
	Epochs int     `json:"epochs"` // passes over the text; 0 means 5
	Seed   uint64  `json:"seed"`
	// TextOrder takes the steps of negative sampling in the order of the text, as the original tool
	// does, on one worker (or all of them, see TrainOptions.LockFree). By default they are sorted
	// within a chunk of text, so that all workers share them out with the same bits. A hierarchical
	// softmax always takes them in the order of the text
	TextOrder bool `json:"text_order,omitempty"`
	// words are brought to this form; as they are by default
	Unicode text.Form `json:"unicode,omitempty"`
}

// maxDim keeps sizes from overflowing.
const maxDim = 1 << 16

// withDefaults puts defaults in the place of zeros.
func (c Config) withDefaults() Config {
	c.Model, c.Output = cmp.Or(c.Model, SkipGram), cmp.Or(c.Output, Negative)
	c.Dim, c.Window = cmp.Or(c.Dim, 100), cmp.Or(c.Window, 5)
	c.MinCount = cmp.Or(c.MinCount, 5)
	if c.Output == Negative {
		c.Negatives = cmp.Or(c.Negatives, 5)
	}
	c.Sample, c.LR = cmp.Or(c.Sample, 1e-3), cmp.Or(c.LR, 0.025)
	c.MinLR, c.Epochs = cmp.Or(c.MinLR, min(0.0001, c.LR)), cmp.Or(c.Epochs, 5)
	return c
}

// Validate reports everything that is out of range.
func (c Config) Validate() error {
	c = c.withDefaults()
	bad := check.Problems{Prefix: "word2vec: "}
	check.OneOf(&bad, "Model", c.Model, SkipGram, CBOW)
	check.OneOf(&bad, "Output", c.Output, Negative, Hierarchical)
	bad.Int("Dim", c.Dim, 1, maxDim)
	bad.Int("Window", c.Window, 1, maxSentence)
	bad.Int("MinCount", c.MinCount, 1, math.MaxInt)
	bad.Int("MaxVocab", c.MaxVocab, 0, math.MaxInt)
	if c.Output == Hierarchical {
		bad.That(c.Negatives == 0, "Negatives is %d, and Output is %q, which draws none", c.Negatives,
			c.Output)
	} else {
		bad.Int("Negatives", c.Negatives, 1, 1000)
	}
	bad.Above("Sample", c.Sample, 1)
	bad.Above("LR", c.LR, 10)
	bad.Above("MinLR", c.MinLR, c.LR)
	if err := c.Unicode.Validate(); err != nil {
		bad.That(false, "%w", err)
	}
	bad.Int("Epochs", c.Epochs, 1, math.MaxInt)
	return bad.Err()
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

// New makes an untrained model with the words of the sentences. A cancelled context ends it soon
// with its error.
func New(ctx context.Context, cfg Config, sentences [][]string) (*Model, error) {
	return NewFrom(ctx, cfg, all(sentences))
}

// NewFrom is New of sentences that come one by one and need not fit in memory. It ranges over them
// once, and ends with the first error among them.
func NewFrom(ctx context.Context, cfg Config,
	sentences iter.Seq2[[]string, error]) (*Model, error) {
	if sentences == nil {
		return nil, errNoSentences
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	v, err := text.NewVocabularyFrom(ctx, text.VocabularyConfig{MinCount: cfg.MinCount,
		MaxSize: cfg.MaxVocab, FirstSeen: true}, cfg.formed(sentences))
	if err != nil {
		return nil, fmt.Errorf("word2vec: %w", err)
	}
	m, err := newModel(cfg, v)
	if err != nil {
		return nil, err
	}
	m.instructions = kernels.Instructions()
	if err := m.start(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

// memoryError is a model that is too large for the machine. It is an ErrMemory, as that of a graph
// is (train.ErrMemory).
type memoryError string

func (e memoryError) Error() string        { return string(e) }
func (e memoryError) Is(target error) bool { return target == sysmem.ErrMemory }

// fits refuses vectors for which there is no memory, before any is taken.
func (m *Model) fits() error {
	free, word := sysmem.Available(), 2*4*m.cfg.Dim // bytes of a word's vector and its output's
	need := float64(m.vocabulary.Len()) * float64(word)
	if free == 0 || need <= float64(free) {
		return nil
	}
	fit := fmt.Sprintf("a MaxVocab of %d would fit", free/word)
	if dim := int(float64(m.cfg.Dim) * float64(free) / need); dim > 0 {
		fit += fmt.Sprintf(", or a Dim of %d", dim)
	}
	return memoryError(fmt.Sprintf("word2vec: vectors of %d numbers for %d words, and as many "+
		"outputs, need %.0f bytes, more than the %d that there are; %s", m.cfg.Dim,
		m.vocabulary.Len(), need, free, fit))
}

// newModel makes a model without weights.
func newModel(cfg Config, v *text.Vocabulary) (*Model, error) {
	if v.Len() > math.MaxInt32/2 {
		return nil, fmt.Errorf("word2vec: %d words; the limit is %d (MaxVocab keeps the most "+
			"frequent ones)", v.Len(), math.MaxInt32/2)
	}
	m := &Model{cfg: cfg, vocabulary: v}
	if cfg.Output == Hierarchical {
		m.tree = newTree(v)
	}
	return m, nil
}

// made refuses a model that nothing has made.
func (m *Model) made() error {
	if m.vocabulary == nil {
		return errors.New("the model is an empty value: New makes one, and Load reads one")
	}
	return nil
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

// Instructions names the instruction sets that the weights were computed with, such as "amd64
// avx512", because sums are rounded in another order on others: a training that goes on elsewhere
// does not give the same bits. It is "" for a model that was saved before this was noted, and the
// name of this machine's after Train.
func (m *Model) Instructions() string { return m.instructions }

// Vectors are the words and a copy of their vectors as they are now, the most frequent first.
func (m *Model) Vectors() (*vectors.Vectors, error) {
	if err := m.made(); err != nil {
		return nil, fmt.Errorf("word2vec: %w", err)
	}
	words := make([]string, m.vocabulary.Len())
	for i := range words {
		words[i], _ = m.vocabulary.Token(i)
	}
	return vectors.New(words, m.cfg.Dim, append([]float32(nil), m.in...))
}
