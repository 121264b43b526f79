package seq2seq

import (
	"cmp"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// Bridge is how the state of the encoder becomes that in which the decoder starts.
type Bridge string

const (
	NoBridge   Bridge = "none" // as it is
	TanhBridge Bridge = "tanh" // through a layer with tanh for each part of the state
)

// Attention is how the decoder reads the outputs of the encoder.
type Attention string

const (
	NoAttention       Attention = "none"     // not at all: the default
	BahdanauAttention Attention = "bahdanau" // before its step, as cells.Bahdanau
	LuongAttention    Attention = "luong"    // after its step, as cells.Luong
)

// Config sizes a Model. The zero value of an optional field is its default.
type Config struct {
	// how texts are cut, on both sides; tokens that are given are brought to its Unicode form
	Text    text.Cut      `json:"text,omitzero"`
	Encoder zoo.Recurrent `json:"encoder"`
	// default: as Encoder. As many layers, of any cells
	Decoder zoo.Recurrent `json:"decoder"`
	// the encoder reads both ways, and is twice as wide
	Bidirectional bool `json:"bidirectional,omitempty"`
	// default NoBridge if every part of the decoder's state has its like in the encoder's, else
	// TanhBridge
	Bridge    Bridge    `json:"bridge"`
	Attention Attention `json:"attention"` // default NoAttention
	// default additive, or general if luong
	Score cells.Score `json:"score,omitempty"`
	// of the scores additive and concat; default the decoder's width
	ScoreHidden int `json:"score_hidden,omitempty"`
	// weight of the coverage loss (See, Liu and Manning, 2017: 1); 0: no coverage
	Coverage float64 `json:"coverage,omitempty"`
	// Copy has the decoder copy words of the source that it attends to, also those that no
	// vocabulary has, or write one of its own, as a gate says at each step (pointer-generator; See,
	// Liu and Manning, 2017). It takes attention, and <unk> in both vocabularies.
	Copy        bool `json:"copy,omitempty"`
	EmbedSource int  `json:"embed_source"` // default the encoder's width
	EmbedTarget int  `json:"embed_target"` // default the decoder's width
	// deviation of the first embeddings, normal; default: uniform ±0.1
	EmbedStd float64 `json:"embed_std,omitempty"`
	// layers of the decoder and output read the source's summary at every step
	Peeky bool `json:"peeky,omitempty"`
	// width of a tanh layer between the decoder and the output layer; 0: none
	Readout int `json:"readout,omitempty"`
	// the output layer is the target's embedding, transposed; needs that width
	Tied bool `json:"tied,omitempty"`
	// of the embedded inputs, and of what the output layer reads
	IODropout float64 `json:"io_dropout,omitempty"`
	Float64   bool    `json:"float64,omitempty"` // weights of double precision
}

// withDefaults fills in what is left open.
func (c Config) withDefaults() Config {
	if c.Decoder == (zoo.Recurrent{}) {
		c.Decoder = c.Encoder
	}
	c.Encoder, c.Decoder = c.Encoder.WithDefaults(), c.Decoder.WithDefaults()
	c.Attention = cmp.Or(c.Attention, NoAttention)
	switch c.Attention {
	case BahdanauAttention:
		c.Score = cmp.Or(c.Score, cells.AdditiveScore)
	case LuongAttention:
		c.Score = cmp.Or(c.Score, cells.GeneralScore)
	}
	c.EmbedSource, c.EmbedTarget = cmp.Or(c.EmbedSource, c.Encoder.Width()),
		cmp.Or(c.EmbedTarget, c.Decoder.Width())
	if c.Bridge == "" {
		c.Bridge = NoBridge
		if missing, err := c.missing(); err != nil || missing > 0 {
			c.Bridge = TanhBridge
		}
	}
	return c
}

// memory is the width of what the decoder attends to.
func (c Config) memory() int { return c.memoryOf(c.Encoder.WithDefaults().Layers - 1) }

// memoryOf is the width of the outputs of layer k of the encoder.
func (c Config) memoryOf(k int) int {
	if c.Bidirectional {
		return c.Encoder.BothWays(k)
	}
	return c.Encoder.LayerWidth(k)
}

// read is the width of what the decoder shows to the readout, or to the output layer if there is
// none.
func (c Config) read() int {
	n := c.Decoder.Width()
	if c.Attention == BahdanauAttention {
		n += c.memory()
	}
	if c.Peeky {
		n += c.Decoder.Width()
	}
	return n
}

// shown is the width of the output of the decoder: what read shows without the summary.
func (c Config) shown() int {
	c.Peeky = false
	return c.read()
}

func (c Config) attention() cells.AttentionConfig {
	return cells.AttentionConfig{
		Score: c.Score, Query: c.Decoder.Width(), Key: c.memory(), Hidden: c.ScoreHidden,
		Coverage: c.Coverage > 0,
	}
}

// Validate reports every field that is out of range.
func (c Config) Validate() error {
	c = c.withDefaults()
	var bad check.Problems
	bad.In("encoder", c.Encoder.Validate())
	bad.In("decoder", c.Decoder.Validate())
	bad.In("encoder", c.Encoder.CheckMerge(c.Bidirectional))
	bad.In("decoder", c.Decoder.CheckMerge(c.Decoder == c.Encoder))
	bad.In("text", c.Text.Validate())
	bad.That(c.Encoder.Layers == c.Decoder.Layers,
		"the encoder has %d layers, the decoder %d; want as many",
		c.Encoder.Layers, c.Decoder.Layers)
	check.OneOf(&bad, "bridge", c.Bridge, NoBridge, TanhBridge)
	bad.That(c.Bridge != NoBridge || !c.Bidirectional,
		"bridge is none: the encoder must read one way; else it is tanh")
	if c.Bridge == NoBridge && bad.None() {
		_, err := c.missing()
		bad.Add(err)
	}
	bad.Number("coverage", c.Coverage, 0, 1e6)
	bad.Rate("io_dropout", c.IODropout)
	bad.Number("embed_std", c.EmbedStd, 0, 100)
	bad.Optional("readout", c.Readout, 1, cells.MaxWidth, "or 0 for none")
	if width := cmp.Or(c.Readout, c.read()); c.Tied {
		bad.That(width == c.EmbedTarget,
			"tied: the output layer reads %d numbers and embed_target is %d; want as many, "+
				"which a readout of %d gives", width, c.EmbedTarget, c.EmbedTarget)
	}
	bad.Optional("embed_source", c.EmbedSource, 1, cells.MaxWidth)
	bad.Optional("embed_target", c.EmbedTarget, 1, cells.MaxWidth)
	switch c.Attention {
	case NoAttention:
		bad.That(c.Score == "" && c.Coverage == 0,
			"score and coverage are of an attention, and attention is none")
		bad.That(c.ScoreHidden == 0,
			"score_hidden is %d, and attention is none, whose scores it is of", c.ScoreHidden)
		bad.That(!c.Copy, "copy is set, and attention is none, which tells what is copied")
	case BahdanauAttention, LuongAttention:
		bad.Add(c.attention().Validate())
	default:
		check.OneOf(&bad, "attention", c.Attention, NoAttention, BahdanauAttention, LuongAttention)
	}
	return bad.Err()
}
