package lm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Session reads a text token by token and keeps the state between them. One goroutine at a time;
// any number of sessions of one model may run at once. It holds a state and no compiled graph, so
// that thousands of sessions can be open.
type Session struct {
	m             *Model
	before, after *run.State // of the layers: before the token that was read last, and after it
	tail          []int      // the tokens read last, at least one of those that were
	logits        []float32  // [V], of the token after them
}

// tailTokens is the number of tokens that a session remembers, so that text that goes on is joined
// to the text before as if both were one.
const tailTokens = 64

// stepGraph is one step of the model, compiled.
type stepGraph struct {
	*run.Step // outputs: the parts of the state after the token, and the logits
	id        []int
	state     []run.Floats
	next      []run.Floats // memory of step
}

// alone is the number of sequences that a session reads.
const alone = 1

// takeStep takes a step of one sequence from the pool.
func (m *Model) takeStep() (*run.Lease[run.Of[int], *stepGraph], error) {
	return m.idle.Take(run.Of[int]{Key: alone}, m.newStepGraph)
}

func (m *Model) newStepGraph(shape run.Of[int]) (*stepGraph, error) {
	B, g := shape.Key, &stepGraph{}
	var ids *nodes.Node
	var init cells.State
	var outputs []*nodes.Node
	err := nodes.Try(func() {
		graph := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype()})
		ids = graph.IntInput("id", 1, B)
		init = shared.InputState(graph, m.layers.Parts(), B)
		y, layers := m.run(ids, init, 0, unroll.Options{Strategy: unroll.Expand})
		outputs = append(slices.Clone(layers.Final()),
			nodes.Reshape(m.out.logits(y), m.vocabulary.Len()))
	})
	if err != nil {
		return nil, err
	}
	if g.Step, err = run.New(outputs); err != nil {
		return nil, err
	}
	var in run.Inputs
	g.id, g.state = in.Ints(ids), in.State(init)
	g.next = make([]run.Floats, len(g.state))
	return g, in.Err()
}

// NewSession begins with an empty state.
func (m *Model) NewSession() (*Session, error) {
	if err := shared.Made(m.store); err != nil {
		return nil, prefix.Wrap(err)
	}
	s := &Session{m: m, logits: make([]float32, m.vocabulary.Len())}
	var errs [2]error
	s.before, errs[0] = run.NewState(m.layers.Parts(), alone, m.store.Dtype())
	s.after, errs[1] = run.NewState(m.layers.Parts(), alone, m.store.Dtype())
	if err := errors.Join(errs[:]...); err != nil {
		return nil, prefix.Wrap(err)
	}
	return s, nil
}

// begin is a new session with a graph for many steps, which the caller puts back.
func (m *Model) begin() (*Session, *run.Lease[run.Of[int], *stepGraph], error) {
	s, err := m.NewSession()
	if err != nil {
		return nil, nil, err
	}
	g, err := m.takeStep()
	if err != nil {
		return nil, nil, prefix.Wrap(err)
	}
	return s, g, nil
}

// with runs steps with a compiled step, which it takes from the pool and puts back.
func (s *Session) with(steps func(g *stepGraph) error) error {
	if s.m == nil {
		return prefix.Errorf("the session is closed, or none that NewSession made")
	}
	g, err := s.m.takeStep()
	if err == nil {
		defer g.Put()
		err = steps(g.Graph)
	}
	if err != nil {
		return prefix.Wrap(err)
	}
	return nil
}

// step reads one token. After an error the session is as before.
func (s *Session) step(g *stepGraph, id int) error {
	if err := s.m.checkIDs([]int{id}); err != nil {
		return err
	}
	g.id[0] = id
	if err := s.after.CopyTo(g.state); err != nil {
		return err
	}
	if err := g.Run(0, 0); err != nil {
		return err
	}
	for i := range g.next {
		g.next[i] = g.Output(i)
	}
	if err := s.before.CopyFrom(g.next); err != nil {
		return err
	}
	s.before, s.after = s.after, s.before
	g.Output(len(g.state)).Read32(0, s.logits)
	if len(s.tail) == 2*tailTokens {
		s.tail = append(s.tail[:0], s.tail[tailTokens:]...)
	}
	s.tail = append(s.tail, id)
	return nil
}

// Reset empties the state.
func (s *Session) Reset() {
	if s.m != nil {
		s.after.Zero()
		s.tail = s.tail[:0]
	}
}

// Step reads one token and returns the logits [V] of the next. They hold until the next call.
func (s *Session) Step(id int) ([]float32, error) {
	err := s.with(func(g *stepGraph) error { return s.step(g, id) })
	if err != nil {
		return nil, err
	}
	return s.logits, nil
}

// Read reads a text that goes on after what was read before, and says how it was cut. If nothing
// was read, an empty text stands for the start of a line; later it changes nothing. It is an error
// if the vocabulary has none of the tokens. After an error some of the text may have been read.
func (s *Session) Read(text string) (*Prompt, error) {
	if s.m == nil {
		return nil, s.with(nil)
	}
	if text == "" && len(s.tail) > 0 {
		return &Prompt{}, nil
	}
	p, err := s.m.Prompt(text)
	if err != nil {
		return nil, err
	}
	return p, s.with(func(g *stepGraph) error { return s.read(context.Background(), g, p) })
}

func (s *Session) read(ctx context.Context, g *stepGraph, p *Prompt) error {
	for _, id := range p.ids {
		if err := interrupt.Err(ctx); err != nil {
			return err
		}
		if err := s.step(g, id); err != nil {
			return err
		}
	}
	return nil
}

// Next returns the k likeliest tokens after what was read, as Model.Next does; if nothing was read,
// at the start of a line.
func (s *Session) Next(k int) ([]TokenProb, error) {
	if k < 1 {
		return nil, prefix.Errorf("k is %d, want at least 1", k)
	}
	if _, err := s.Read(""); err != nil {
		return nil, err
	}
	s.hide()
	best, err := decode.TopN(s.logits, k)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	out := make([]TokenProb, 0, len(best))
	for _, c := range best {
		if c.Prob > 0 {
			token, _ := s.m.vocabulary.Token(c.ID)
			out = append(out, TokenProb{token, c.Prob})
		}
	}
	return out, nil
}

// hide makes tokens impossible that no text shows.
func (s *Session) hide() {
	for _, id := range s.m.silent {
		s.logits[id] = float32(math.Inf(-1))
	}
}

// State is what was read, as a value: another session, or the same one later, goes on from it by
// SetState, and Generate by GenerateOptions.From. If nothing was read, it is empty.
func (s *Session) State() zoo.State {
	if s.m == nil || len(s.tail) == 0 {
		return zoo.State{}
	}
	return s.state(s.before, s.tail)
}

// state is the state before the last token of tail, so that the logits after it need not be kept.
func (s *Session) state(before *run.State, tail []int) zoo.State {
	tail = tail[max(0, len(tail)-tailTokens):]
	return shared.NewState(architecture, &s.m.identity, before.Clone(),
		map[string]string{tailNote: shared.Numbers(tail)})
}

const tailNote = "tail"

// SetState makes the session one that has read what the state's had. A state of another model, or
// of one with other weights, is an error of the kind zoo.ErrMisfit. After an error the session is
// as before.
func (s *Session) SetState(state zoo.State) error {
	return s.with(func(g *stepGraph) error { return s.set(g, state) })
}

func (s *Session) set(g *stepGraph, state zoo.State) error {
	if state.Empty() {
		s.Reset()
		return nil
	}
	parts, notes, err := state.Of(architecture, &s.m.identity)
	if err != nil {
		return err
	}
	tail, err := shared.ParseNumbers(notes[tailNote], s.m.vocabulary.Len())
	if err == nil && (len(tail) == 0 || len(tail) > tailTokens) {
		err = fmt.Errorf("the state has %d tokens, want 1 to %d", len(tail), tailTokens)
	}
	if err != nil {
		return err
	}
	fresh, err := s.m.NewSession()
	if err != nil {
		return err
	}
	if err := fresh.after.CopyFrom(parts.Parts()); err != nil {
		return err
	}
	last := len(tail) - 1
	fresh.tail = append(fresh.tail, tail[:last]...)
	if err := fresh.step(g, tail[last]); err != nil {
		return err
	}
	*s = *fresh
	return nil
}

// Close ends the session.
func (s *Session) Close() error {
	s.m = nil
	return nil
}
