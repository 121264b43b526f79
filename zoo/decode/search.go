package decode

import (
	"github.com/seqzoo/seqzoo/internal/check"
)

// SearchOptions say how a target is found. The zero value takes the likeliest token each time.
type SearchOptions struct {
	Beam int // width of a beam search; 0 and 1: none
	Best int // translations to return at most, with a beam; default 1
	// tokens at most, <eos> included; default twice the longest source side by side and 10
	Max         int
	Alpha, Beta float64 // of the beam: length normalisation and coverage penalty, see BeamOptions
	EarlyStop   bool    // of the beam

	Sample Sampler // without a beam: temperature, top-k, nucleus
	Seed   uint64  // of the sampling

	// Each, if set, is called with the tokens of source number i so far, after every step: those
	// that will stand, or with a beam the best at the time.
	Each func(i int, tokens []string)
}

// Translation is a target that was found.
type Found struct {
	Tokens   []string
	LogProb  float64   // of all tokens, <eos> included
	Score    float64   // by which translations are ranked
	LogProbs []float64 // of each token
	// [len(Tokens)][len(source)]: where each token looked; nil without attention
	Alignment [][]float64
	Ended     bool // by <eos>, not by Max
}

// check refuses what no search can do.
func (o SearchOptions) Check() error {
	bad := check.Problems{Prefix: "the option "}
	bad.Optional("Max", o.Max, 1, 1<<20, "or 0 for the default")
	bad.Int("Beam", o.Beam, 0, maxBeam)
	return bad.Err()
}

// maxBeam is a width beyond all use.
const maxBeam = 1 << 10
