package zoo

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// LanguageModelConfig sizes a LanguageModel. The zero value of an optional field is its default.
type LanguageModelConfig struct {
	Recurrent
	Level     string  `json:"level"`                // "word" (default) or "char"
	KeepCase  bool    `json:"keep_case,omitempty"`  // words: do not fold to lower case
	Embed     int     `json:"embed"`                // width of the embedding; default Hidden
	Tied      bool    `json:"tied,omitempty"`       // the output layer is the embedding, transposed; Embed = Hidden
	IODropout float64 `json:"io_dropout,omitempty"` // of the embedded input and of the output of the top layer
}

// withDefaults fills in what is not set.
func (c LanguageModelConfig) withDefaults() LanguageModelConfig {
	c.Recurrent = c.Recurrent.withDefaults()
	c.Level = cmp.Or(c.Level, "word")
	c.Embed = cmp.Or(c.Embed, c.Hidden)
	return c
}

// Validate reports every field that is out of range.
func (c LanguageModelConfig) Validate() error {
	errs := []error{c.Recurrent.Validate()}
	report := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	report(c.Level == "" || c.Level == "word" || c.Level == "char", "level is %q, want word or char", c.Level)
	report(!c.KeepCase || c.Level != "char", "keep_case is set, and only words are folded to lower case, not characters")
	report(c.Embed >= 0 && c.Embed <= cells.MaxWidth, "embed is %d, want 1 … %d, or 0 for the hidden width", c.Embed, cells.MaxWidth)
	report(!c.Tied || c.Embed == 0 || c.Embed == c.Hidden, "tied: embed is %d, and must equal hidden, which is %d", c.Embed, c.Hidden)
	report(c.IODropout >= 0 && c.IODropout < 1, "io_dropout is %g, want at least 0 and less than 1", c.IODropout)
	return errors.Join(errs...)
}

// Tokenizer cuts text into the tokens of a vocabulary, and joins tokens to text.
type Tokenizer interface {
	Tokens(s string) ([]string, error)
	Join(tokens []string) string
}

// Tokenizer is what cuts text for a model of this configuration.
func (c LanguageModelConfig) Tokenizer() Tokenizer {
	if c.Level == "char" {
		return text.Chars{}
	}
	return text.Words{Lower: !c.KeepCase, Lines: true}
}

// LanguageModel predicts the next token of a text (Mikolov et al., 2010):
//
//	x_t = E[token_t],  h_t = recurrent layers over x,  p(token_{t+1}) = softmax(h_t·W + b)
//
// Its parameters are embed/E [V, Embed], those of the layers under layers/l0, layers/l1, …, and out/W [Hidden, V] (absent
// if tied: then W is Eᵀ; Press and Wolf, 2017) and out/b [V].
//
// Its methods other than training are safe for concurrent use.
type LanguageModel struct {
	cfg        LanguageModelConfig
	vocabulary *text.Vocabulary
	tokenizer  Tokenizer
	store      *nodes.Store
	embed, w   *nodes.Param // w nil if tied
	b          *nodes.Param
	layers     unroll.Layer
}

// NewLanguageModel makes a model with initial weights drawn from seed.
func NewLanguageModel(cfg LanguageModelConfig, v *text.Vocabulary, seed uint64) (m *LanguageModel, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("zoo: language model: %w", err)
	}
	if v == nil || v.Len() < 2 {
		return nil, errors.New("zoo: language model: the vocabulary needs at least 2 tokens")
	}
	cfg = cfg.withDefaults()
	m = &LanguageModel{cfg: cfg, vocabulary: v, tokenizer: cfg.Tokenizer(), store: nodes.NewStore(nodes.Float32, seed)}
	err = nodes.Try(func() {
		root := m.store.Root()
		m.embed = root.In("embed").Param("E", nodes.Uniform(-0.1, 0.1), v.Len(), cfg.Embed)
		m.layers = cfg.Recurrent.build(root.In("layers"), cfg.Embed)
		out := root.In("out")
		if !cfg.Tied {
			m.w = out.Param("W", nodes.XavierUniform(1), cfg.Hidden, v.Len())
		}
		m.b = out.Param("b", nodes.Zeros(), v.Len())
	})
	if err != nil {
		return nil, fmt.Errorf("zoo: language model: %w", err)
	}
	return m, nil
}

// Architecture is "LanguageModel".
func (m *LanguageModel) Architecture() string { return "LanguageModel" }

// Params holds the weights.
func (m *LanguageModel) Params() *nodes.Store { return m.store }

// Config is the configuration that the model was made with, its defaults filled in.
func (m *LanguageModel) Config() LanguageModelConfig { return m.cfg }

// Vocabulary are the model's tokens.
func (m *LanguageModel) Vocabulary() *text.Vocabulary { return m.vocabulary }

// Encode cuts text into tokens and returns their ids.
func (m *LanguageModel) Encode(s string) ([]int, error) {
	tokens, err := m.tokenizer.Tokens(s)
	if err != nil {
		return nil, err
	}
	return m.vocabulary.Encode(tokens)
}

// logits maps ids [T, B] and a state to logits [T, B, V], of the steps from scored on, and the layers unrolled.
func (m *LanguageModel) logits(ids *nodes.Node, init cells.State, scored int, s unroll.Strategy) (*nodes.Node, *unroll.Result) {
	x := nodes.Dropout(nodes.Embedding(m.embed, ids, -1), m.cfg.IODropout)
	r := m.layers.Unroll(x, init, unroll.Options{Strategy: s})
	y := nodes.Dropout(nodes.Slice(r.Y(), 0, scored, ids.Dim(0)), m.cfg.IODropout)
	if m.w == nil {
		return nodes.Add(nodes.MatMulT(y, m.embed), m.b), r
	}
	return nodes.Add(nodes.MatMul(y, m.w), m.b), r
}

// Save writes config.json, vocabulary.json and model.safetensors to dir.
func (m *LanguageModel) Save(dir string) error {
	return saveModel(dir, m, m.cfg, map[string]func(io.Writer) error{
		vocabularyFile: func(w io.Writer) error { _, err := m.vocabulary.WriteTo(w); return err },
	})
}

func openLanguageModel(dir string, config []byte) (*LanguageModel, error) {
	var cfg LanguageModelConfig
	if err := decodeStrict(config, &cfg); err != nil {
		return nil, fmt.Errorf("%s: config: %w", configFile, err)
	}
	v, err := text.LoadVocabulary(filepath.Join(dir, vocabularyFile))
	if err != nil {
		return nil, err
	}
	return NewLanguageModel(cfg, v, 0)
}

// LoadLanguageModel is Load for a directory that must hold a language model.
func LoadLanguageModel(dir string) (*LanguageModel, error) {
	m, err := Load(dir)
	if err != nil {
		return nil, err
	}
	lm, ok := m.(*LanguageModel)
	if !ok {
		return nil, fmt.Errorf("zoo: %s holds a %s, not a LanguageModel", dir, m.Architecture())
	}
	return lm, nil
}
