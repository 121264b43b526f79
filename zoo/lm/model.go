package lm

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// prefix stands before the errors of this package.
const prefix = check.Prefix("zoo: language model: ")

// Level is how a Model cuts text: one of these constants, or the name of a registered tokeniser,
// such as "ja", which zoo/text/japanese brings (see text.Register).
type Level string

const (
	Words      Level = "word" // the default
	Characters Level = "char"
	BytePairs  Level = "bpe" // the pieces of Config.BPE
)

// Config sizes a Model. The zero value of an optional field is its default.
type Config struct {
	zoo.Recurrent
	// Level is how text is cut; default Words.
	Level    Level `json:"level"`
	KeepCase bool  `json:"keep_case,omitempty"` // words: do not fold to lower case
	// words: the text is tokenised already, and cut at white space alone
	Spaced bool `json:"spaced,omitempty"`
	// texts are brought to this form before they are cut
	Unicode text.Form `json:"unicode,omitempty"`
	Embed   int       `json:"embed"` // width of the embedding; default Hidden
	// the output layer is the embedding, transposed; Embed = Hidden
	Tied bool `json:"tied,omitempty"`
	// deviation of the first embedding, normal; default: uniform ±0.1
	EmbedStd float64 `json:"embed_std,omitempty"`
	// of the embedded input and of the output of the top layer
	IODropout float64 `json:"io_dropout,omitempty"`

	// Cutoffs, if there are any, make the output an adaptive softmax with these clusters of the
	// vocabulary, of which each is Div times narrower than the one before; see
	// nodes.AdaptiveSoftmaxConfig. It cannot be Tied.
	Cutoffs []int   `json:"cutoffs,omitempty"`
	Div     float64 `json:"div,omitempty"` // default 4

	Float64 bool `json:"float64,omitempty"` // weights of double precision

	BPE *text.BPE `json:"-"` // of the level bpe; is saved in a file of its own
}

// withDefaults fills in the defaults of fields that are not set.
func (c Config) withDefaults() Config {
	c.Recurrent = c.Recurrent.WithDefaults()
	c.Level = cmp.Or(c.Level, Words)
	c.Embed = cmp.Or(c.Embed, c.Width())
	return c
}

// Validate reports every field that is out of range.
func (c Config) Validate() error {
	var bad check.Problems
	bad.Add(c.Recurrent.Validate(), c.CheckMerge(false))
	words := c.Level == "" || c.Level == Words
	_, err := c.tokeniser()
	bad.Add(err)
	bad.That(!c.KeepCase || words,
		"keep_case is set, and only words are folded to lower case, not the level %q", c.Level)
	bad.That(!c.Spaced || words,
		"spaced is set, and only words are cut at spaces, not the level %q", c.Level)
	bad.That(c.BPE == nil || c.Level == BytePairs, "a BPE is given, and the level is %q", c.Level)
	bad.Optional("embed", c.Embed, 1, cells.MaxWidth, "or 0 for the hidden width")
	bad.That(!c.Tied || c.Embed == 0 || c.Embed == c.Width(),
		"tied: embed is %d, and must equal hidden, which is %d", c.Embed, c.Width())
	bad.Number("embed_std", c.EmbedStd, 0, 100)
	bad.Rate("io_dropout", c.IODropout)
	bad.That(!c.Tied || len(c.Cutoffs) == 0,
		"tied is set, and an adaptive softmax (cutoffs) has no output layer of the embedding's "+
			"shape to share")
	bad.That(c.Div == 0 || len(c.Cutoffs) > 0,
		"div is set, and only an adaptive softmax (cutoffs) has it")
	if len(c.Cutoffs) > 0 && c.Hidden >= 1 {
		bad.Add(c.adaptive(math.MaxInt, nil).Validate())
	}
	return bad.Err()
}

// adaptive sizes the output layer for a vocabulary of v tokens.
func (c Config) adaptive(v int, shares []float64) nodes.AdaptiveSoftmaxConfig {
	return nodes.AdaptiveSoftmaxConfig{In: c.Width(), V: v, Cutoffs: c.Cutoffs, Div: c.Div,
		Shares: shares}
}

// Tokeniser returns the tokeniser of a model with this configuration. If there is none (see
// Validate), its Tokens returns an error that says why.
func (c Config) Tokeniser() text.Tokeniser {
	t, err := c.tokeniser()
	if err != nil {
		return noTokeniser{err}
	}
	return t
}

func (c Config) tokeniser() (text.Tokeniser, error) {
	t, err := c.cutter()
	if err = errors.Join(err, c.Unicode.Validate()); err != nil {
		return nil, err
	}
	return c.Unicode.Tokeniser(t), nil
}

// cutter is the tokeniser of texts that have been brought to the form.
func (c Config) cutter() (text.Tokeniser, error) {
	switch c.Level {
	case "", Words:
		return text.Words{Lower: !c.KeepCase, Lines: true, Spaced: c.Spaced}, nil
	case Characters:
		return text.Chars{}, nil
	case BytePairs:
		if c.BPE == nil {
			return nil, errors.New("level is \"bpe\", and no BPE is given")
		}
		return c.BPE, nil
	}
	t, err := text.Registered(string(c.Level))
	if err != nil {
		return nil, fmt.Errorf("level is %q, want word, char, bpe or that of a registered "+
			"tokeniser: %w", c.Level, err)
	}
	return t, nil
}

type noTokeniser struct{ err error }

func (t noTokeniser) Tokens(string) ([]string, error) { return nil, t.err }
func (t noTokeniser) Join(tokens []string) string     { return text.Words{Spaced: true}.Join(tokens) }

// Model predicts the next token of a text (Mikolov et al., 2010):
//
//	x_t = E[token_t],  h_t = recurrent layers over x,  p(token_{t+1}) = softmax(h_t·W + b)
//
// Its parameters are embed/E [V, Embed], those of the layers under layers/l0, layers/l1, …, and
// out/W [Hidden, V] (absent if tied: then W is Eᵀ; Press and Wolf, 2017) and out/b [V]; or those of
// nodes.AdaptiveSoftmax under out.
//
// Its methods other than training are safe for concurrent use.
type Model struct {
	cfg        Config
	vocabulary *text.Vocabulary
	tokeniser  text.Tokeniser
	store      *nodes.Store
	embed      *nodes.Param
	layers     unroll.Layer
	out        output
	identity   shared.Identity
	silent     []int // tokens that no text shows
	specials   int   // the first so many ids are special tokens
	idle       run.Pool[run.Of[int], *stepGraph]
}

// New makes a model with initial weights drawn from seed.
func New(cfg Config, v *text.Vocabulary, seed uint64) (m *Model, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, prefix.Wrap(err)
	}
	if v == nil || v.Len() < 2 {
		return nil, prefix.Errorf("the vocabulary needs at least 2 tokens")
	}
	cfg = cfg.withDefaults()
	if cfg.Level != "bpe" { // whose pieces are written in bytes
		if err := cfg.Unicode.Check(v); err != nil {
			return nil, prefix.Wrap(err)
		}
	}
	store := nodes.NewStore(shared.DtypeOf(cfg.Float64), seed)
	m = &Model{cfg: cfg, vocabulary: v, tokeniser: cfg.Tokeniser(), store: store,
		silent: shared.Silent(v), specials: len(v.Specials())}
	m.identity.Is(architecture, cfg, store, v)
	err = nodes.Try(func() {
		root := m.store.Root()
		m.embed = root.In("embed").Param("E", cfg.embedInit(), v.Len(), cfg.Embed)
		m.layers = cfg.Recurrent.Build(root.In("layers"), cfg.Embed)
		m.out = newOutput(root.In("out"), cfg, v, m.embed)
	})
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return m, nil
}

func (c Config) embedInit() nodes.Init {
	if c.EmbedStd > 0 {
		return nodes.Normal(0, c.EmbedStd)
	}
	return nodes.Uniform(-0.1, 0.1)
}

const architecture = "LanguageModel"

// Architecture is "LanguageModel".
func (m *Model) Architecture() string { return architecture }

// Params holds the weights.
func (m *Model) Params() *nodes.Store { return m.store }

// Config is the configuration that the model was made with, its defaults filled in.
func (m *Model) Config() Config { return m.cfg }

// Vocabulary are the model's tokens.
func (m *Model) Vocabulary() *text.Vocabulary { return m.vocabulary }

// Encode cuts text into tokens and returns their ids.
func (m *Model) Encode(s string) ([]int, error) {
	if err := shared.Made(m.store); err != nil {
		return nil, prefix.Wrap(err)
	}
	tokens, err := m.tokeniser.Tokens(s)
	if err != nil {
		return nil, err
	}
	return m.vocabulary.Encode(tokens)
}

// run maps ids [T, B] and a state to the output y [T', B, Hidden] of the top layer at the steps
// from scored on, and the layers unrolled.
func (m *Model) run(ids *nodes.Node, init cells.State, scored int,
	how unroll.Options) (y *nodes.Node, r *unroll.Result) {
	x := nodes.Dropout(nodes.Embedding(m.embed, ids, -1), m.cfg.IODropout)
	r = m.layers.Unroll(x, init, how)
	return nodes.Dropout(nodes.Slice(r.Y(), 0, scored, ids.Dim(0)), m.cfg.IODropout), r
}

// Save writes config.json, vocabulary.json, model.safetensors, and tokenizer.json if the level is
// bpe, to path; see zoo.Save.
func (m *Model) Save(path string) error { return zoo.Save(path, m) }

// Files are the files that Save writes beside the weights.
func (m *Model) Files() zoo.Files {
	extra := map[string]func(io.Writer) error{
		zoo.VocabularyFile: func(w io.Writer) error {
			_, err := m.vocabulary.WriteTo(w)
			return err
		},
	}
	if m.cfg.BPE != nil {
		extra[zoo.TokeniserFile] = func(w io.Writer) error {
			_, err := m.cfg.BPE.WriteTo(w)
			return err
		}
	}
	return zoo.Files{Config: m.cfg, Extra: extra}
}

func init() { zoo.Register(architecture, open, zoo.VocabularyFile, zoo.TokeniserFile) }

func open(d *zoo.Dir, cfg Config) (*Model, error) {
	v, err := shared.ReadVocabulary(d, zoo.VocabularyFile)
	if err != nil {
		return nil, err
	}
	if cfg.Level == BytePairs {
		if cfg.BPE, err = shared.ReadBPE(d); err != nil {
			return nil, err
		}
	}
	return New(cfg, v, 0)
}

// Load is Load for a directory that must hold a language model.
func Load(dir string) (*Model, error) {
	return zoo.LoadAs[*Model](dir, "a LanguageModel")
}
