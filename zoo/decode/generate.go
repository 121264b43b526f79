package decode

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/rng"
)

// Stepper is a model that reads many sequences side by side, each in a row of its own, one token of
// each at a time.
type Stepper interface {
	// Step gives every row i the state of row from[i], has it read tokens[i], and returns the
	// logits of the next token. The number of rows is the same in every call; in the first, from[i]
	// is i. The Prediction holds until the next call, and may be written to.
	Step(from, tokens []int) (Prediction, error)
}

// Prediction holds the logits of the token after those that a Stepper has read.
type Prediction struct {
	Logits [][]float64 // [rows][V]
	// [rows][S]: the attention of each row, up to the end of its own source; nil: the model has no
	// attention
	Attention [][]float64
}

// Options are those of every way to decode.
type Options struct {
	End int // the token that ends a sequence; −1: none does
	Max int // tokens of a sequence at most, the end included; at least 1
	// tokens that are never chosen; their probability is shared out among the others in proportion
	Never []int
	// KeepAttention asks for the attention of each token. It takes a number for each token and
	// place of the source.
	KeepAttention bool
}

func (o Options) check(starts []int) error {
	bad := check.Problems{Prefix: "decode: "}
	bad.That(len(starts) > 0, "there is nothing to start from; one token a sequence is needed")
	bad.Int("Max", o.Max, 1, math.MaxInt)
	return bad.Err()
}

// Hypothesis is a sequence as a model continued it.
type Hypothesis struct {
	Tokens   []int     // without the one it started from, with the one that ended it
	LogProbs []float64 // of each token, given those before
	// [len(Tokens)][S]: the attention of each; nil without KeepAttention, or if the model has none
	Attention [][]float64
	LogProb   float64 // of all together
	Score     float64 // by which hypotheses are ranked
	Ended     bool    // by the end token
}

func (h *Hypothesis) add(token int, logProb float64, attention []float64) {
	h.Tokens, h.LogProbs = append(h.Tokens, token), append(h.LogProbs, logProb)
	h.LogProb += logProb
	h.Score = h.LogProb
	if attention != nil {
		h.Attention = append(h.Attention, attention)
	}
}

// GenerateOptions say how Generate chooses.
type GenerateOptions struct {
	Options
	Sampler Sampler // the zero value is greedy
	// of the sampling; each row has random numbers of its own. It is refused where nothing is drawn
	Seed uint64

	// Each, if set, is called with every token as soon as it is chosen, row by row.
	Each func(row, token int)
}

// Generate continues one sequence in each row, row i from the token starts[i], until its end token
// or Max tokens. The score of a hypothesis is its log-probability under the model, before
// temperature and filters. A cancelled context ends it: Generate then returns the sequences so far
// and the context's error.
func Generate(ctx context.Context, s Stepper, starts []int, o GenerateOptions) ([]Hypothesis,
	error) {
	if err := errors.Join(o.check(starts), o.Sampler.Validate(),
		o.Sampler.CheckSeed(o.Seed)); err != nil {
		return nil, err
	}
	out := make([]Hypothesis, len(starts))
	random := make([]rng.Stream, len(starts))
	from, tokens := identity(len(starts)), slices.Clone(starts)
	for i := range random {
		random[i].Key = rng.New(o.Seed).Named("generate").Numbered(uint64(i))
	}
	for range o.Max {
		live := 0
		p, err := step(ctx, s, from, tokens)
		if err != nil {
			return out, err
		}
		for i := range out {
			h := &out[i]
			if h.Ended {
				continue
			}
			if err := o.logProbs(p.Logits[i]); err != nil {
				return out, fmt.Errorf("decode: row %d: %w", i, err)
			}
			id, err := Sample(&o.Sampler, p.Logits[i], &random[i])
			if err != nil {
				return out, fmt.Errorf("decode: row %d: %w", i, err)
			}
			h.add(id, p.Logits[i][id], o.kept(p.attention(i)))
			h.Ended, tokens[i] = id == o.End, id
			if !h.Ended {
				live++
			}
			if o.Each != nil {
				o.Each(i, id)
			}
		}
		if live == 0 {
			break
		}
	}
	return out, nil
}

func identity(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	return p
}

// step has the model read, unless the context is cancelled, and checks its prediction.
func step(ctx context.Context, s Stepper, from, tokens []int) (Prediction, error) {
	if err := interrupt.Err(ctx); err != nil {
		return Prediction{}, err
	}
	if s == nil {
		return Prediction{}, errors.New("decode: the model is nil")
	}
	p, err := s.Step(from, tokens)
	if err != nil {
		return p, err
	}
	if len(p.Logits) != len(tokens) || p.Attention != nil && len(p.Attention) != len(tokens) {
		return p, fmt.Errorf("decode: the model has logits for %d rows and attention for "+
			"%d; want %d", len(p.Logits), len(p.Attention), len(tokens))
	}
	return p, nil
}

// attention returns the attention of row i, which holds until the next step, or nil.
func (p Prediction) attention(i int) []float64 {
	if p.Attention == nil {
		return nil
	}
	return p.Attention[i]
}

// kept is a copy of attention, if it was asked for.
func (o Options) kept(attention []float64) []float64 {
	if attention == nil || !o.KeepAttention {
		return nil
	}
	return append(make([]float64, 0, len(attention)), attention...)
}

// logProbs turns logits into log-probabilities, in place. Tokens that may not be chosen get −Inf.
func (o Options) logProbs(logits []float64) error {
	for _, id := range o.Never {
		if id >= 0 && id < len(logits) {
			logits[id] = math.Inf(-1)
		}
	}
	top := math.Inf(-1)
	for id, x := range logits {
		if math.IsNaN(x) || math.IsInf(x, 1) {
			return fmt.Errorf("logits[%d] is %g", id, x)
		}
		top = max(top, x)
	}
	if math.IsInf(top, -1) {
		return fmt.Errorf("none of %d tokens may be chosen", len(logits))
	}
	sum := 0.0
	for _, x := range logits {
		sum += math.Exp(x - top)
	}
	top += math.Log(sum)
	for id := range logits {
		logits[id] -= top
	}
	return nil
}
