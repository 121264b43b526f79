package seq2seq

import (
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Inside is what the layers compute while the model reads the source of a pair and writes its
// target, whatever it would have written itself: each part of the state of each layer after each
// token, such as encoder/l0/h [S, H] and decoder/l0/h [T+1, H], the embeddings source [S, E] and
// target [T+1, E] of <bos> and the target, the logits out [T+1, V] of the target and <eos>, and of
// a decoder that attends decoder/weights [T+1, S]. A model that copies wants targets of its
// vocabulary.
func (m *Model) Inside(p Pair) (zoo.Inside, error) {
	err := m.checkPairs([]Pair{p})
	if err == nil {
		err = shared.CheckIDs("target", p.Target, m.targets.Len())
	}
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	source := make([]int, len(p.Source))
	for i, id := range p.Source {
		source[i] = m.readAs(id)
	}
	found, err := shared.Look(m.store, func(r *shared.Reading) {
		src := r.Ints("source", source, len(source), 1)
		lengths := r.Ints("lengths", []int{len(source)}, 1)
		in := r.Ints("target", append([]int{m.bos}, p.Target...), len(p.Target)+1, 1)
		m.ForwardOver(src, lengths, in, nil, unroll.Options{})
	})
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return found, nil
}

// TrainingStep compiles a step of training on batch pairs of so many tokens each, for what it needs
// (see zoo.SummariseFor) and what it is made of (its Machine's Explain and Profile).
func (m *Model) TrainingStep(steps, batch int) (*run.Step, error) {
	if err := shared.CheckSizes(m.store, steps, batch); err != nil {
		return nil, prefix.Wrap(err)
	}
	g, err := newPairRunner(m, Data{}, batch, true).graphs.Get(pairShape{steps, steps, batch})
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return g.Step.Step, nil
}
