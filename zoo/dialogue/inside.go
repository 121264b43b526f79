package dialogue

import (
	"slices"

	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Inside is what the layers compute while the model reads a dialogue and answers each turn but the
// last with the next: each part of the state of each layer, of encoder and decoder after each token
// of each turn, such as encoder/l0/h [T, N, H] and decoder/l0/h [T, N−1, H], where T is the tokens
// of the longest turn with its <eos>, and of the context after each turn, context/l0/h [N, H]. The
// logits out [T, N−1, V] are of the turns but the first. A latent variable is the mean of its
// posterior.
func (m *Model) Inside(d Dialogue) (zoo.Inside, error) {
	err := shared.Made(m.store)
	if err == nil {
		err = m.checkDialogues([]Dialogue{d})
	}
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	N, T := len(d), 0
	for _, turn := range d {
		T = max(T, len(turn)+1)
	}
	words, before, lengths := make([]int, T*N), make([]int, T*N), make([]int, N)
	for n, turn := range d {
		lengths[n] = len(turn) + 1
		for t, id := range append(slices.Clone(turn), m.eos) {
			words[t*N+n] = m.readAs(id)
		}
		for t, id := range append([]int{m.bos}, turn...) {
			before[t*N+n] = m.readAs(id)
		}
	}
	found, err := shared.Look(m.store, func(r *shared.Reading) {
		in := Inputs{Words: r.Ints("words", words, T, N, 1),
			Before:  r.Ints("before", before, T, N, 1),
			Lengths: r.Ints("lengths", lengths, N, 1), Turns: r.Ints("turns", []int{N}, 1)}
		if z := m.cfg.Latent.Width; z > 0 {
			in.Eps = r.Graph.Zeros(N-1, 1, z)
		}
		if m.cfg.Copy > 0 {
			places, counts, S := m.placesOf(d)
			in.Places = r.Ints("places", places, S, N-1, 1)
			in.Counts = r.Ints("counts", counts, N-1, 1)
		}
		m.Forward(in, unroll.Scan)
	})
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return found, nil
}

// TrainingStep compiles a step of training on batch dialogues of two turns of so many tokens each,
// for what it needs (see zoo.SummariseFor) and what it is made of (its Machine's Explain and
// Profile).
func (m *Model) TrainingStep(steps, batch int) (*run.Step, error) {
	if err := shared.CheckSizes(m.store, steps, batch); err != nil {
		return nil, prefix.Wrap(err)
	}
	shape := dialogueShape{N: 2, B: batch, Tokens: steps * batch}
	for k := range shape.T {
		shape.T[k] = steps
	}
	shape.Places = min(m.cfg.Copy, steps)
	g, err := newDialogueRunner(m, Data{}, nil, batch, true).graphs.Get(shape)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return g.Step.Step, nil
}
