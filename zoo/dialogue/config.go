package dialogue

import (
	"cmp"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// Config sizes a Model. The zero value of an optional field is its default.
type Config struct {
	// how texts are cut; tokens that are given are brought to its Unicode form
	Text    text.Cut      `json:"text,omitzero"`
	Encoder zoo.Recurrent `json:"encoder"` // of the tokens of an utterance
	// the encoder reads both ways, and is twice as wide
	Bidirectional bool `json:"bidirectional,omitempty"`
	// over the utterances; default: as Encoder
	Context zoo.Recurrent `json:"context"`
	Decoder zoo.Recurrent `json:"decoder"` // default: as Encoder
	// the decoder reads what it is conditioned on at every step
	ContextInput bool   `json:"context_input,omitempty"`
	Latent       Latent `json:"latent,omitzero"` // makes it a VHRED
	// how many tokens of the turns before a turn may copy, the last ones: it then writes words that
	// the vocabulary lacks, if they were said before. 0: it copies nothing
	Copy  int `json:"copy,omitempty"`
	Embed int `json:"embed"` // default the encoder's width
	// of the embedded inputs, and of what the output layer reads
	IODropout float64 `json:"io_dropout,omitempty"`
	Float64   bool    `json:"float64,omitempty"` // weights of double precision
}

// Variance is the function that makes a variance of what a network of the latent variable puts out.
type Variance string

const (
	SoftplusVariance Variance = "softplus" // log(1 + eˣ): the default
	ExpVariance      Variance = "exp"      // eˣ
)

// Latent describes the latent variable of an utterance.
type Latent struct {
	Width int `json:"width"` // 0: there is none
	// of the prior and posterior networks; default the context's width
	Hidden   int      `json:"hidden"`
	Variance Variance `json:"variance"` // default SoftplusVariance
}

// withDefaults fills in what is left open.
func (c Config) withDefaults() Config {
	if c.Context == (zoo.Recurrent{}) {
		c.Context = c.Encoder
	}
	if c.Decoder == (zoo.Recurrent{}) {
		c.Decoder = c.Encoder
	}
	for _, r := range []*zoo.Recurrent{&c.Encoder, &c.Context, &c.Decoder} {
		*r = r.WithDefaults()
	}
	c.Embed = cmp.Or(c.Embed, c.Encoder.Width())
	if c.Latent.Width != 0 {
		c.Latent.Hidden, c.Latent.Variance = cmp.Or(c.Latent.Hidden, c.Context.Width()),
			cmp.Or(c.Latent.Variance, SoftplusVariance)
	}
	return c
}

// utterance is the width of an utterance's vector.
func (c Config) utterance() int {
	if c.Bidirectional {
		return c.Encoder.BothWays(c.Encoder.WithDefaults().Layers - 1)
	}
	return c.Encoder.Width()
}

// condition is the width of what the decoder is conditioned on.
func (c Config) condition() int { return c.Context.Width() + c.Latent.Width }

// Validate reports every field that is out of range.
func (c Config) Validate() error {
	c = c.withDefaults()
	var bad check.Problems
	bad.In("encoder", c.Encoder.Validate())
	bad.In("context", c.Context.Validate())
	bad.In("decoder", c.Decoder.Validate())
	bad.In("encoder", c.Encoder.CheckMerge(c.Bidirectional))
	bad.In("context", c.Context.CheckMerge(c.Context == c.Encoder))
	bad.In("decoder", c.Decoder.CheckMerge(c.Decoder == c.Encoder))
	bad.In("text", c.Text.Validate())
	bad.Optional("embed", c.Embed, 1, cells.MaxWidth)
	bad.Rate("io_dropout", c.IODropout)
	if c.Copy != 0 {
		bad.Int("copy", c.Copy, 1, shared.MaxTokens, "or 0 for none")
	}
	if l := c.Latent; l.Width == 0 {
		bad.That(l == Latent{}, "latent: it has hidden %d and variance %q, but width 0, which is "+
			"none", l.Hidden, l.Variance)
	} else {
		bad.Int("latent: width", l.Width, 1, cells.MaxWidth, "or 0 for none")
		bad.Optional("latent: hidden", l.Hidden, 1, cells.MaxWidth)
		check.OneOf(&bad, "latent: variance", l.Variance, SoftplusVariance, ExpVariance)
	}
	return bad.Err()
}
