package label

import (
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Session tags a sequence as it comes in, step by step: what it says of a step is what Predict says
// of the whole sequence up to there. One goroutine at a time; any number of sessions of one model
// may run at once. It holds a state and no compiled graph.
type Session struct {
	m     *Tagger
	steps int
	state *run.State
}

// tagStep is one step of a tagger, compiled.
type tagStep struct {
	*run.Step // outputs: the probabilities, and the parts of the state after it
	ids       []int
	features  run.Floats
	state     []run.Floats
	next      []run.Floats // memory of tag
}

// NewSession begins a sequence. A model that reads both ways has none: it must know the end of a
// sequence before it can tag the beginning.
func (m *Tagger) NewSession() (*Session, error) {
	switch {
	case m.store == nil:
		return nil, errNoSession
	case m.cfg.Bidirectional:
		return nil, m.errorf("it reads both ways, and so cannot tag a sequence step by step; only " +
			"a model that is not bidirectional can")
	case m.chain != nil:
		return nil, m.errorf("it finds the best labels of a whole sequence (CRF), and so cannot tag " +
			"step by step")
	}
	state, err := run.NewState(m.layers.Parts(), 1, m.store.Dtype())
	if err != nil {
		return nil, m.errorf("%w", err)
	}
	return &Session{m: m, state: state}, nil
}

func (m *Tagger) newStep(shape run.Of[int]) (*tagStep, error) {
	B, g := shape.Key, &tagStep{}
	var x *nodes.Node
	var init cells.State
	var outputs []*nodes.Node
	err := nodes.Try(func() {
		graph := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype()})
		in := graph.Input
		if m.embed != nil {
			in = graph.IntInput
		}
		shape := []int{1, B}
		if m.embed == nil {
			shape = append(shape, m.labeller.cfg.Features)
		}
		x = in("step", shape...)
		init = shared.InputState(graph, m.layers.Parts(), B)
		y := x
		if m.embed != nil {
			y = nodes.Embedding(m.embed, x, -1)
		}
		r := m.layers.Unroll(y, init, unroll.Options{Strategy: unroll.Expand})
		outputs = append(outputs, nodes.Softmax(nodes.Reshape(m.score(r.Y()), B, m.labels.Len())))
		outputs = append(outputs, r.Final()...)
	})
	if err != nil {
		return nil, err
	}
	if g.Step, err = run.New(outputs); err != nil {
		return nil, err
	}
	var in run.Inputs
	if m.embed != nil {
		g.ids = in.Ints(x)
	} else {
		g.features = in.Floats(x)
	}
	g.state = in.State(init)
	g.next = make([]run.Floats, len(g.state))
	return g, in.Err()
}

// Read reads further steps, one or many, and says what they are. After an error the session is as
// before.
func (s *Session) Read(more Sequence) ([]Prediction, error) {
	if s.m == nil {
		return nil, errNoSession
	}
	m := s.m
	if err := m.check(more); err != nil {
		return nil, m.errorf("%w", err)
	}
	lease, err := m.step.Take(run.Of[int]{Key: 1}, m.newStep)
	if err != nil {
		return nil, m.errorf("%w", err)
	}
	defer lease.Put()
	g := lease.Graph
	state, found := s.state.Clone(), make([]Prediction, m.steps(more))
	for t := range found {
		if g.ids != nil {
			g.ids[0] = more.IDs[t]
		} else {
			width := g.features.Len()
			g.features.Put32(0, more.Features[t*width:(t+1)*width])
		}
		probs, err := g.tag(state)
		if err == nil {
			err = checkProbs(probs)
		}
		if err != nil {
			return nil, m.errorf("step %d: %w", s.steps+t, err)
		}
		found[t] = m.prediction(probs)
	}
	s.state, s.steps = state, s.steps+len(found)
	return found, nil
}

// tag takes the state over the step that the input holds.
func (g *tagStep) tag(state *run.State) ([]float64, error) {
	if err := state.CopyTo(g.state); err != nil {
		return nil, err
	}
	if err := g.Run(0, 0); err != nil {
		return nil, err
	}
	for i := range g.next {
		g.next[i] = g.Output(1 + i)
	}
	return slices.Clone(g.Output(0).Float64s()), state.CopyFrom(g.next)
}

// Steps is how many were read.
func (s *Session) Steps() int { return s.steps }

// Reset begins a new sequence.
func (s *Session) Reset() {
	if s.m != nil {
		s.state.Zero()
		s.steps = 0
	}
}

const stepsNote = "steps"

// State is what was read, as a value: another session, or one of a later run of the program, goes
// on from it by SetState. Before the first step it is empty.
func (s *Session) State() zoo.State {
	if s.m == nil || s.steps == 0 {
		return zoo.State{}
	}
	return shared.NewState(tagger, &s.m.identity, s.state.Clone(),
		map[string]string{stepsNote: shared.Numbers([]int{s.steps})})
}

// SetState makes the session one that has read what the state's had. A state of another model, or
// of one with other weights, is an error of the kind zoo.ErrMisfit. After an error the session is
// as before.
func (s *Session) SetState(state zoo.State) error {
	if s.m == nil {
		return errNoSession
	}
	if state.Empty() {
		s.Reset()
		return nil
	}
	parts, notes, err := state.Of(tagger, &s.m.identity)
	if err != nil {
		return s.m.errorf("%w", err)
	}
	steps, err := shared.ParseNumbers(notes[stepsNote], 1<<62)
	if err != nil || len(steps) != 1 {
		return s.m.errorf("the state has %q steps: %w", notes[stepsNote], zoo.ErrMisfit)
	}
	if err := s.state.CopyFrom(parts.Parts()); err != nil {
		return s.m.errorf("%w", err)
	}
	s.steps = steps[0]
	return nil
}

var errNoSession = taggerPrefix.Errorf("the session is none that NewSession made")
