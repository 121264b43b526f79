package decode

import (
	"math"

	"github.com/seqzoo/seqzoo/internal/check"
)

// SearchOptions say how the target of a source is found. The zero value takes the likeliest token
// at each step.
type SearchOptions struct {
	Beam int // width of a beam search; 0 and 1: none
	Best int // translations to return at most, with a beam; default 1
	// tokens at most, <eos> included; default twice the longest source side by side and 10
	Max         int
	Alpha, Beta float64 // of the beam: length normalisation and coverage penalty, see BeamOptions
	EarlyStop   bool    // of the beam

	// KeepAttention asks for Found.Alignment, which takes as much memory as the target has tokens
	// times the source has.
	KeepAttention bool

	// CopyUnknown copies words that the vocabulary lacks from the source: where the likeliest token
	// is <unk>, the source token with the most attention is written in its place, as it was given
	// (Luong et al., 2015; Jean et al., 2015). If the source has tokens that its own vocabulary
	// lacks, the choice is among these. Without CopyUnknown <unk> is never written, but the
	// likeliest other token. It needs attention, and a model trained on targets with <unk>.
	CopyUnknown bool

	Sample Sampler // without a beam: temperature, top-k, nucleus
	Seed   uint64  // of the sampling; refused where nothing is drawn

	// Each, if set, is called after every step with the target of source number i so far: its final
	// tokens, or with a beam those of the best hypothesis at the time.
	Each func(i int, tokens []string)

	// Text, if set, is called with each part of the text of target number i as soon as it is
	// certain: whole characters, with the spaces between words, and no specials. A beam has no such
	// parts.
	Text func(i int, part string)
}

// Translation is a target as the search found it.
type Found struct {
	Tokens   []string
	LogProb  float64   // of all tokens, <eos> included
	Score    float64   // by which translations are ranked
	LogProbs []float64 // of each token
	// [len(Tokens)][len(source)]: the attention of each token; nil without KeepAttention, or if the
	// model has none
	Alignment [][]float64
	Ended     bool  // by <eos>, not by Max
	Copied    []int // places of tokens from the source that no vocabulary has
}

// check reports options that are out of range.
func (o SearchOptions) Check() error {
	bad := check.Problems{Prefix: "the option "}
	bad.Optional("Max", o.Max, 1, 1<<20, "or 0 for the default")
	bad.Int("Beam", o.Beam, 0, maxBeam)
	bad.NotNegative("Alpha", o.Alpha)
	bad.NotNegative("Beta", o.Beta)
	bad.Int("Best", o.Best, 0, math.MaxInt)
	bad.Add(o.Sample.Validate())
	bad.That(!o.CopyUnknown || o.Text == nil,
		"CopyUnknown is set, and so is Text, which has no words that are copied: use Each or the "+
			"result")
	if o.Beam > 1 {
		bad.That(o.Best <= o.Beam, "Best is %d; a beam of %d finds no more than that", o.Best,
			o.Beam)
		bad.That(o.Sample.Temperature == 0,
			"Sample draws at random, and Beam is %d, which searches; "+
				"set one of them", o.Beam)
		bad.That(o.Text == nil, "Text is set, and Beam is %d: with a beam no part of a text is "+
			"certain before the end", o.Beam)
		bad.That(o.Seed == 0, "Seed is %d, and Beam is %d, which searches and draws nothing",
			o.Seed, o.Beam)
	} else {
		bad.Add(o.Sample.CheckSeed(o.Seed))
		const beam = "which is of a beam search, and Beam is %d, which is none"
		bad.That(o.Best <= 1, "Best is %d, "+beam, o.Best, o.Beam)
		bad.That(!(o.Alpha > 0), "Alpha is %g, "+beam, o.Alpha, o.Beam)
		bad.That(!(o.Beta > 0), "Beta is %g, "+beam, o.Beta, o.Beam)
		bad.That(!o.EarlyStop, "EarlyStop is set, "+beam, o.Beam)
	}
	return bad.Err()
}

// maxBeam bounds the width: a beam takes rows of the model for each hypothesis.
const maxBeam = 1 << 10
