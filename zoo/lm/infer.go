package lm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/internal/rng"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// Session reads a text token by token and keeps the state between them. One goroutine at a time;
// any number of sessions of one model may run at once.
type Session struct {
	m      *Model
	step   *run.Step // outputs: the parts of the state after the token, and the logits
	id     []int
	state  []run.Floats
	logits []float32 // [V]
}

// NewSession compiles one step of the model, with an empty state.
func (m *Model) NewSession() (*Session, error) {
	s := &Session{m: m, logits: make([]float32, m.vocabulary.Len())}
	var ids *nodes.Node
	var init cells.State
	var outputs []*nodes.Node
	err := nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype()})
		ids = g.IntInput("id", 1, 1)
		init = shared.InputState(g, m.layers.Parts(), 1)
		y, layers := m.run(ids, init, 0, unroll.Expand)
		outputs = append(slices.Clone(layers.Final()),
			nodes.Reshape(m.out.logits(y), m.vocabulary.Len()))
	})
	if err != nil {
		return nil, fmt.Errorf("zoo: language model: %w", err)
	}
	if s.step, err = run.New(outputs); err != nil {
		return nil, fmt.Errorf("zoo: language model: %w", err)
	}
	var in run.Inputs
	s.id, s.state = in.Ints(ids), in.State(init)
	return s, in.Err()
}

// Reset empties the state.
func (s *Session) Reset() {
	for _, part := range s.state {
		part.Fill(0)
	}
}

// Step reads one token and returns the logits [V] of the next. They hold until the next call.
func (s *Session) Step(id int) ([]float32, error) {
	if err := s.m.checkIDs([]int{id}); err != nil {
		return nil, fmt.Errorf("zoo: language model: %w", err)
	}
	s.id[0] = id
	if err := s.step.Run(0, 0); err != nil {
		return nil, fmt.Errorf("zoo: language model: %w", err)
	}
	for i, part := range s.state {
		if err := part.Copy(s.step.Output(i)); err != nil {
			return nil, fmt.Errorf("zoo: language model: %w", err)
		}
	}
	s.step.Output(len(s.state)).Read32(0, s.logits)
	return s.logits, nil
}

// Close releases the memory of the compiled step.
func (s *Session) Close() error { return s.step.Close() }

// Prompt is a text as a model reads it.
type Prompt struct {
	Tokens  []string
	Unknown []string // tokens that the vocabulary lacks, each once; they are read as <unk>
	ids     []int
}

// Prompt cuts a prompt into tokens. An empty one stands for the start of a line. It is an error if
// the vocabulary has none of the tokens.
func (m *Model) Prompt(s string) (*Prompt, error) {
	tokens, err := m.tokenizer.Tokens(s)
	if err != nil {
		return nil, fmt.Errorf("zoo: language model: prompt: %w", err)
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
		return nil, errors.New("zoo: language model: the prompt is empty, and the vocabulary has no end of line to begin after")
	}
	known := false
	for _, t := range tokens {
		_, ok := m.vocabulary.ID(t)
		known = known || ok
	}
	if !known {
		return nil, fmt.Errorf("zoo: language model: the vocabulary has no word of the prompt: %q",
			p.Unknown)
	}
	if p.ids, err = m.vocabulary.Encode(tokens); err != nil {
		return nil, fmt.Errorf("zoo: language model: prompt: %w", err)
	}
	return p, nil
}

// read runs a prompt through the session and returns the logits of the token after it.
func (s *Session) read(p *Prompt) (logits []float32, err error) {
	for _, id := range p.ids {
		if logits, err = s.Step(id); err != nil {
			return nil, err
		}
	}
	return logits, nil
}

// LogProbs are the logarithms of the probabilities of ids[1], ids[2], …, each predicted from those
// before it.
func (m *Model) LogProbs(ctx context.Context, ids []int) ([]float64, error) {
	if err := m.checkIDs(ids); err != nil {
		return nil, fmt.Errorf("zoo: language model: %w", err)
	}
	if len(ids) < 2 {
		return nil, fmt.Errorf("zoo: language model: %w", errNothingToPredict)
	}
	s, err := m.NewSession()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	out := make([]float64, len(ids)-1)
	for i := range out {
		if err := interrupt.Err(ctx); err != nil {
			return nil, err
		}
		logits, err := s.Step(ids[i])
		if err != nil {
			return nil, err
		}
		if out[i] = logProb(logits, ids[i+1]); out[i]-out[i] != 0 {
			return nil, fmt.Errorf("zoo: language model: the log-probability of ids[%d], which is %d, is %g: the weights are too large", i+1, ids[i+1], out[i])
		}
	}
	return out, nil
}

// hideUnknown makes <unk> impossible: no reader wants to see it.
func (m *Model) hideUnknown(logits []float32) {
	if id, ok := m.vocabulary.ID(text.Unk); ok {
		logits[id] = float32(math.Inf(-1))
	}
}

// TokenProb is a token and its probability.
type TokenProb struct {
	Token string
	Prob  float64
}

// Next returns the k likeliest tokens after a prompt with their probabilities, best first. <unk> is
// left out, and its probability shared out among the others in proportion.
func (m *Model) Next(prompt string, k int) ([]TokenProb, *Prompt, error) {
	if k < 1 {
		return nil, nil, fmt.Errorf("zoo: language model: k is %d, want at least 1", k)
	}
	p, err := m.Prompt(prompt)
	if err != nil {
		return nil, nil, err
	}
	s, err := m.NewSession()
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	logits, err := s.read(p)
	if err != nil {
		return nil, nil, err
	}
	m.hideUnknown(logits)
	best, err := decode.TopN(logits, k)
	if err != nil {
		return nil, nil, fmt.Errorf("zoo: language model: %w", err)
	}
	out := make([]TokenProb, 0, len(best))
	for _, c := range best {
		if c.Prob > 0 {
			token, _ := m.vocabulary.Token(c.ID)
			out = append(out, TokenProb{token, c.Prob})
		}
	}
	return out, p, nil
}

// GenerateOptions says how a text is continued. The zero value takes the likeliest token each time,
// up to 50.
type GenerateOptions struct {
	Max    int            // tokens at most; 0 means 50
	Sample decode.Sampler // temperature, top-k, nucleus
	Seed   uint64         // of the sampling
	Stop   string         // end before this token, such as <eos>; "" never
	Each   func(token string)
}

// Generated is a continued text.
type Generated struct {
	*Prompt
	New  []string // the tokens that were added
	Text string   // prompt and new tokens, joined
	// of the new tokens under the model, <unk> left out, before temperature and filters
	LogProb float64
}

// Generate continues a prompt. A cancelled context ends it with what there is and the context's
// error.
func (m *Model) Generate(ctx context.Context, prompt string, o GenerateOptions) (*Generated,
	error) {
	if o.Max < 0 {
		return nil, fmt.Errorf("zoo: language model: Max is %d, want 0 or more", o.Max)
	}
	if o.Max == 0 {
		o.Max = 50
	}
	p, err := m.Prompt(prompt)
	if err != nil {
		return nil, err
	}
	s, err := m.NewSession()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	out := &Generated{Prompt: p}
	random := rng.Stream{Key: rng.New(o.Seed).Named("generate")}
	logits, err := s.read(p)
	for len(out.New) < o.Max {
		if err == nil {
			err = interrupt.Err(ctx)
		}
		if err != nil {
			break
		}
		m.hideUnknown(logits)
		id, e := decode.Sample(&o.Sample, logits, &random)
		if err = e; err != nil {
			break
		}
		token, _ := m.vocabulary.Token(id)
		if token == o.Stop {
			break
		}
		out.LogProb += logProb(logits, id)
		out.New = append(out.New, token)
		if o.Each != nil {
			o.Each(token)
		}
		logits, err = s.Step(id)
	}
	out.Text = strings.TrimSpace(m.tokenizer.Join(append(append([]string{}, p.Tokens...),
		out.New...)))
	if err != nil {
		return out, fmt.Errorf("zoo: language model: %w", err)
	}
	return out, nil
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
