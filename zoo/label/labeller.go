package label

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// What stands before the errors of the models.
const (
	taggerPrefix     = check.Prefix("zoo: tagger: ")
	classifierPrefix = check.Prefix("zoo: sequence classifier: ")
)

// Sequence is what the models read: tokens, or a vector of features at every step.
type Sequence struct {
	IDs      []int     // of tokens; or
	Features []float32 // [T, Features], step after step
}

// Labelled is a sequence with the ids of its labels: one for a Classifier, one a step for a Tagger.
type Labelled struct {
	Sequence
	Labels []int
}

// Config says how the models read. The zero value of an optional field is its default.
type Config struct {
	zoo.Recurrent
	// every layer reads both ways, and is twice as wide
	Bidirectional bool `json:"bidirectional,omitempty"`
	// how texts are cut; tokens that are given are brought to its Unicode form
	Text text.Cut `json:"text,omitzero"`
	// width of the vectors that it reads; 0: it reads tokens
	Features int `json:"features,omitempty"`
	// tokens: width of the embedding; default Hidden
	Embed int `json:"embed,omitempty"`
	// width of a hidden layer, of ReLU, before the output layer; 0: none
	Head int `json:"head,omitempty"`
	// of what the first layer, the hidden and the output layer read
	IODropout float64 `json:"io_dropout,omitempty"`
	Float64   bool    `json:"float64,omitempty"` // weights of double precision
}

// withDefaults fills in the defaults of fields that are not set.
func (c Config) withDefaults() Config {
	c.Recurrent = c.Recurrent.WithDefaults()
	if c.Features == 0 {
		c.Embed = cmp.Or(c.Embed, c.Width())
	}
	return c
}

// Validate reports every field that is out of range.
func (c Config) Validate() error {
	var bad check.Problems
	bad.Add(c.Recurrent.Validate(), c.CheckMerge(c.Bidirectional))
	bad.Optional("features", c.Features, 1, cells.MaxWidth, "or 0 to read tokens")
	bad.Optional("embed", c.Embed, 1, cells.MaxWidth, "or 0 for the hidden width")
	bad.That(c.Features == 0 || c.Embed == 0,
		"embed is %d, and only tokens are embedded; features is %d", c.Embed, c.Features)
	bad.That(c.Features == 0 || c.Text == text.Cut{},
		"text says how texts are cut, and features is %d: it reads none", c.Features)
	bad.In("text", c.Text.Validate())
	bad.Optional("head", c.Head, 1, cells.MaxWidth, "or 0 for none")
	bad.Rate("io_dropout", c.IODropout)
	return bad.Err()
}

// labeller is the common part of a Classifier, a Tagger and either head of a Joint: layers that
// read a sequence, and the logits of labels for what they put out, be it at every step or once.
type labeller struct {
	prefix check.Prefix
	cfg    Config
	output
	tokens, labels *text.Vocabulary
	store          *nodes.Store
	embed          *nodes.Param // nil: it reads features
	layers         unroll.Stack
	head           nodes.Linear // if cfg.Head is set
	out            nodes.Linear
	chain          *crf            // nil: steps have labels of their own
	scope          string          // of inputs and outputs, where a graph has two labellers
	identity       shared.Identity // of a Tagger
	idle           run.Pool[labelShape, *labelGraph]
}

// Pool is how a Classifier makes one vector of the outputs of all steps.
type Pool string

const (
	PoolLast Pool = "last" // the output after the last step: the default
	PoolMean Pool = "mean" // the mean over all steps
	PoolMax  Pool = "max"  // the largest of each unit over all steps

	eachStep Pool = "" // of a Tagger, which labels every step
)

// output is the kind of answer that a labeller gives for a sequence.
type output struct {
	pool    Pool // PoolLast, PoolMean, PoolMax or eachStep
	several bool // any number of labels for a sequence
	crf     bool // the labels of steps depend on each other
}

// declare makes the labeller, which is an empty value.
func (m *labeller) declare(prefix check.Prefix, cfg Config, o output, tokens,
	labels *text.Vocabulary, seed uint64) error {
	cfg = cfg.withDefaults()
	m.prefix, m.cfg, m.output, m.tokens, m.labels = prefix, cfg, o, tokens, labels
	switch {
	case labels == nil || labels.Len() < 1:
		return m.errorf("it needs labels, at least 1")
	case cfg.Features == 0 && (tokens == nil || tokens.Len() < 1):
		return m.errorf("it reads tokens, since features is 0, and needs a vocabulary of them")
	case cfg.Features > 0 && tokens != nil:
		return m.errorf("it reads features, %d a step, and takes no vocabulary of tokens",
			cfg.Features)
	}
	if err := cfg.Text.Check(tokens); err != nil {
		return m.errorf("%w", err)
	}
	m.store = nodes.NewStore(shared.DtypeOf(cfg.Float64), seed)
	m.identity.Is(tagger, cfg, m.store, tokens, labels)
	err := nodes.Try(func() {
		root, in := m.store.Root(), cfg.Features
		if in == 0 {
			in = cfg.Embed
			m.embed = root.In("embed").Param("E", nodes.Uniform(-0.1, 0.1), tokens.Len(), in)
		}
		m.layers = cfg.Recurrent.Stack(root.In("layers"), in, cfg.Bidirectional)
		m.declareOutput(root)
	})
	if err != nil {
		return m.errorf("%w", err)
	}
	return nil
}

// declareOutput declares what labels the outputs of the layers.
func (m *labeller) declareOutput(s *nodes.Scope) {
	width, labels := m.layers.Width(), m.labels.Len()
	if m.cfg.Head > 0 {
		m.head = nodes.NewLinear(s.In("head"), nodes.LinearConfig{In: width, Out: m.cfg.Head})
		width = m.cfg.Head
	}
	m.out = nodes.NewLinear(s.In("out"), nodes.LinearConfig{In: width, Out: labels})
	if m.crf {
		m.chain = newCRF(s.In("crf"), labels)
	}
}

func (m *labeller) errorf(format string, args ...any) error {
	return m.prefix.Errorf(format, args...)
}

// Params holds the weights.
func (m *labeller) Params() *nodes.Store { return m.store }

// Vocabulary are the tokens that the model reads, or nil if it reads features.
func (m *labeller) Vocabulary() *text.Vocabulary { return m.tokens }

// Labels are the labels that it gives.
func (m *labeller) Labels() *text.Vocabulary { return m.labels }

// Forward builds the model into the graph of its operands: x is ids [T, B] or features [T, B,
// Features], and lengths are [B], or nil if all sequences have T steps. It returns logits, [B,
// labels] of a classifier and [T, B, labels] of a tagger. It panics with a *nodes.BuildError, as
// package nodes does.
func (m *labeller) Forward(x, lengths *nodes.Node, s unroll.Strategy) *nodes.Node {
	return m.forward(x, lengths, unroll.Options{Strategy: s})
}

func (m *labeller) forward(x, lengths *nodes.Node, how unroll.Options) *nodes.Node {
	shared.NeedMade("Forward", m.store)
	return m.score(m.pooled(m.read(x, lengths, how), lengths))
}

// read runs the layers over sequences, as Forward takes them.
func (m *labeller) read(x, lengths *nodes.Node, how unroll.Options) *unroll.Result {
	if m.embed != nil {
		x = nodes.Embedding(m.embed, x, -1)
	}
	how.Lengths = lengths
	return m.layers.Unroll(nodes.Dropout(x, m.cfg.IODropout), nil, how)
}

// pooled is what is labelled of the outputs of the layers, once or at every step.
func (m *labeller) pooled(r *unroll.Result, lengths *nodes.Node) *nodes.Node {
	switch m.pool {
	case PoolLast:
		return shared.FinalOutput(m.layers, r.Final())
	case PoolMean:
		if lengths == nil {
			return nodes.Mean(r.Y(), 0)
		}
		steps := nodes.Sum(nodes.LengthMask(lengths, r.Y().Dim(0)), 0) // [B, 1]
		return nodes.Div(nodes.Sum(r.Y(), 0), nodes.Maximum(steps, nodes.Scalar(1)))
	case PoolMax:
		return maxOverTime(r.Y(), lengths)
	}
	return r.Y()
}

// score gives the logits of the outputs of the layers.
func (m *labeller) score(y *nodes.Node) *nodes.Node {
	y = nodes.Dropout(y, m.cfg.IODropout)
	if m.cfg.Head > 0 {
		y = nodes.Dropout(nodes.ReLU(m.head.Of(y)), m.cfg.IODropout)
	}
	return m.out.Of(y)
}

// maxOverTime is the largest of [T, B, H] over the steps of each sequence, [B, H]; 0 for a sequence
// without steps.
func maxOverTime(y, lengths *nodes.Node) *nodes.Node {
	if lengths == nil {
		return nodes.Max(y, 0)
	}
	mask := nodes.LengthMask(lengths, y.Dim(0)) // [T, B, 1]
	masked := nodes.Select(nodes.Broadcast(mask, y.Shape()...), y, nodes.Scalar(-math.MaxFloat32))
	any := nodes.Broadcast(nodes.TimeSlice(mask, 0), y.Dim(1), y.Dim(2))
	return nodes.Select(any, nodes.Max(masked, 0), nodes.Scalar(0))
}

// steps is the length of a sequence that the model has checked.
func (m *labeller) steps(s Sequence) int {
	if m.embed == nil {
		return len(s.Features) / m.cfg.Features
	}
	return len(s.IDs)
}

// maxSteps bounds a sequence; a longer one is a slip, such as a file without line ends.
const maxSteps = 1 << 17

func (m *labeller) check(s Sequence) error {
	if err := shared.Made(m.store); err != nil {
		return err
	}
	if m.embed != nil {
		switch {
		case len(s.Features) > 0:
			return errors.New("the sequence has features, and the model reads tokens")
		case len(s.IDs) == 0:
			return errors.New("the sequence is empty")
		case len(s.IDs) > maxSteps:
			return fmt.Errorf("the sequence has %d tokens; at most %d are taken", len(s.IDs),
				maxSteps)
		}
		for i, id := range s.IDs {
			if id < 0 || id >= m.tokens.Len() {
				return fmt.Errorf("the sequence has id %d at position %d; the vocabulary has "+
					"ids 0 … %d", id, i, m.tokens.Len()-1)
			}
		}
		return nil
	}
	n := m.cfg.Features
	switch {
	case len(s.IDs) > 0:
		return errors.New("the sequence has tokens, and the model reads features")
	case len(s.Features) == 0:
		return errors.New("the sequence is empty")
	case len(s.Features)%n != 0:
		return fmt.Errorf("the sequence has %d numbers; want a multiple of %d, the "+
			"features of a step", len(s.Features), n)
	case len(s.Features)/n > maxSteps:
		return fmt.Errorf("the sequence has %d steps; at most %d are taken", len(s.Features)/n,
			maxSteps)
	}
	for i, x := range s.Features {
		if x-x != 0 { // NaN or infinite
			return fmt.Errorf("the sequence has %g at step %d, feature %d: want a finite number", x,
				i/n, i%n)
		}
	}
	return nil
}

func (m *labeller) checkAll(examples []Labelled) error {
	if err := shared.Made(m.store); err != nil {
		return err
	}
	for i, e := range examples {
		if err := m.checkLabelled(e); err != nil {
			return check.Example("example", i, "%w", err)
		}
	}
	return nil
}

func (m *labeller) checkLabelled(e Labelled) error {
	if err := m.check(e.Sequence); err != nil {
		return err
	}
	want := 1
	switch {
	case m.several:
		want = len(e.Labels)
	case m.pool == eachStep:
		want = m.steps(e.Sequence)
	}
	if len(e.Labels) != want {
		return fmt.Errorf("it has %d labels; want %d", len(e.Labels), want)
	}
	for k, id := range e.Labels {
		if id < 0 || id >= m.labels.Len() {
			return fmt.Errorf("label %d has id %d; there are labels 0 … %d", k, id,
				m.labels.Len()-1)
		}
		if m.several && slices.Contains(e.Labels[:k], id) {
			return fmt.Errorf("label %d has id %d, which comes before it already", k, id)
		}
	}
	return nil
}

// Encode is a sequence of tokens. Those that the vocabulary lacks become its <unk>.
func (m *labeller) Encode(tokens []string) (s Sequence, err error) {
	if err := shared.Made(m.store); err != nil {
		return s, m.errorf("%w", err)
	}
	if m.embed == nil {
		return s, m.errorf("it reads features, %d a step, not tokens", m.cfg.Features)
	}
	if s.IDs, err = m.tokens.Encode(m.cfg.Text.Formed(tokens)); err == nil {
		err = m.check(s)
	}
	if err != nil {
		return s, m.errorf("%w", err)
	}
	return s, nil
}

// EncodeLabelled is a sequence of tokens with its labels, which must be known: one for a
// classifier, any number for one of several labels, one a token for a tagger.
func (m *labeller) EncodeLabelled(tokens []string, labels ...string) (e Labelled, err error) {
	if e.Sequence, err = m.Encode(tokens); err != nil {
		return e, err
	}
	for _, l := range labels {
		id, ok := m.labels.ID(l)
		if !ok {
			return e, m.errorf("the label %q is unknown; there are %d", l, m.labels.Len())
		}
		e.Labels = append(e.Labels, id)
	}
	if err := m.checkAll([]Labelled{e}); err != nil {
		return e, m.errorf("%w", err)
	}
	return e, nil
}

// Prediction is a label with its probability, and those of all.
type Prediction struct {
	Label string
	ID    int
	Prob  float64
	Probs []float64 // of every label, by id
	// of a classifier of several labels: the ids of all that are likelier than not, in ascending
	// order; Label is the likeliest, whether or not it is among them
	IDs []int
}

// prediction is the likeliest label.
func (m *labeller) prediction(probs []float64) (p Prediction) {
	best := 0
	for id, q := range probs {
		if q > probs[best] {
			best = id
		}
	}
	p = m.chosen(best, probs)
	for id, q := range probs {
		if m.several && q >= 0.5 {
			p.IDs = append(p.IDs, id)
		}
	}
	return p
}

func (m *labeller) chosen(id int, probs []float64) Prediction {
	label, _ := m.labels.Token(id)
	return Prediction{Label: label, ID: id, Prob: probs[id], Probs: probs}
}

// predictions are those of a sequence, from what a graph puts out for it: a row of probabilities
// for it or for each of its steps, or of emissions. It is an error if one is not finite.
func (m *labeller) predictions(rows [][]float64) ([]Prediction, error) {
	for _, row := range rows {
		if err := checkProbs(row); err != nil {
			return nil, err
		}
	}
	found := make([]Prediction, len(rows))
	if m.chain == nil {
		for i, row := range rows {
			found[i] = m.prediction(row)
		}
		return found, nil
	}
	scores := m.chain.scores()
	best, probs := scores.viterbi(rows), scores.marginals(rows)
	for i, p := range probs {
		if err := checkSum(p); err != nil {
			return nil, err
		}
		found[i] = m.chosen(best[i], p)
	}
	return found, nil
}

// files are the files of a model beside its configuration and weights.
func (m *labeller) files() map[string]func(io.Writer) error {
	files := map[string]func(io.Writer) error{
		zoo.LabelsFile: func(w io.Writer) error { _, err := m.labels.WriteTo(w); return err },
	}
	if m.tokens != nil {
		files[zoo.VocabularyFile] = func(w io.Writer) error {
			_, err := m.tokens.WriteTo(w)
			return err
		}
	}
	return shared.PutCut(files, m.cfg.Text)
}

// openVocabularies reads what files wrote.
func openVocabularies(d *zoo.Dir, c *Config) (tokens, labels *text.Vocabulary, err error) {
	if labels, err = shared.ReadVocabulary(d, zoo.LabelsFile); err != nil || c.Features > 0 {
		return nil, labels, err
	}
	tokens, err = shared.ReadWords(d, zoo.VocabularyFile, &c.Text)
	return tokens, labels, err
}
