package lm

import (
	"context"
	"math"

	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// Prompt is a text as a model reads it.
type Prompt struct {
	Tokens  []string
	Unknown []string // tokens that the vocabulary lacks, each once; they are read as <unk>
	ids     []int
}

// Prompt cuts a prompt into tokens. An empty one stands for the start of a line. It is an error if
// the vocabulary has none of the tokens.
func (m *Model) Prompt(s string) (*Prompt, error) {
	if err := shared.Made(m.store); err != nil {
		return nil, prefix.Wrap(err)
	}
	tokens, err := m.tokeniser.Tokens(s)
	if err != nil {
		return nil, prefix.Errorf("prompt: %w", err)
	}
	if n := len(tokens); n > 0 && tokens[n-1] == text.EOS {
		tokens = tokens[:n-1] // a prompt is not a finished line
	}
	p := &Prompt{Tokens: tokens, Unknown: m.vocabulary.Unknowns(tokens)}
	if len(tokens) == 0 {
		for _, start := range []string{text.EOS, "\n", text.LineEnd} {
			if id, ok := m.vocabulary.ID(start); ok {
				p.ids = []int{id}
				return p, nil
			}
		}
		return nil, prefix.Errorf("the prompt is empty, and the vocabulary has no end of line to " +
			"begin after")
	}
	known := false
	for _, t := range tokens {
		_, ok := m.vocabulary.ID(t)
		known = known || ok
	}
	if !known {
		return nil, prefix.Errorf("the vocabulary has no word of the prompt: %q",
			p.Unknown)
	}
	if p.ids, err = m.vocabulary.Encode(tokens); err != nil {
		return nil, prefix.Errorf("prompt: %w", err)
	}
	return p, nil
}

// LogProbs are the logarithms of the probabilities of ids[1], ids[2], …, each predicted from the
// ids before it.
func (m *Model) LogProbs(ctx context.Context, ids []int) ([]float64, error) {
	if err := m.checkIDs(ids); err != nil {
		return nil, prefix.Wrap(err)
	}
	if len(ids) < 2 {
		return nil, prefix.Wrap(errNothingToPredict)
	}
	s, lease, err := m.begin()
	if err != nil {
		return nil, err
	}
	defer lease.Put()
	out := make([]float64, len(ids)-1)
	for i := range out {
		if err := interrupt.Err(ctx); err != nil {
			return nil, err
		}
		if err := s.step(lease.Graph, ids[i]); err != nil {
			return nil, prefix.Wrap(err)
		}
		logits := s.logits
		if out[i] = logProb(logits, ids[i+1]); out[i]-out[i] != 0 {
			return nil, prefix.Errorf("the log-probability of ids[%d], which is %d, is %g: the "+
				"weights are too large", i+1, ids[i+1], out[i])
		}
	}
	return out, nil
}

// TokenProb is a token and its probability.
type TokenProb struct {
	Token string
	Prob  float64
}

// Next returns the k likeliest tokens after a prompt with their probabilities, best first. <unk>
// and other tokens that no text shows are left out, and their probability is shared out among the
// others in proportion.
func (m *Model) Next(prompt string, k int) ([]TokenProb, *Prompt, error) {
	s, err := m.NewSession()
	if err != nil {
		return nil, nil, err
	}
	p, err := s.Read(prompt)
	if err != nil {
		return nil, nil, err
	}
	next, err := s.Next(k)
	if err != nil {
		return nil, nil, err
	}
	return next, p, nil
}

func logProb(logits []float32, id int) float64 {
	top := math.Inf(-1)
	for _, l := range logits {
		top = max(top, float64(l))
	}
	var sum float64
	for _, l := range logits {
		sum += math.Exp(float64(l) - top)
	}
	return float64(logits[id]) - top - math.Log(sum)
}
