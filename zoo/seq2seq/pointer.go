package seq2seq

import (
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// pointing is a decoder with one more part of its state: the logit of writing a word of the
// vocabulary at this step, rather than copying one of the source.
type pointing struct {
	decoderCell
	gate nodes.Linear
}

func (p pointing) Parts() []cells.Part {
	return append(slices.Clone(p.decoderCell.Parts()), cells.Part{Name: "gate", Width: 1})
}

func (p pointing) Initial(layers cells.State) cells.State {
	s := p.decoderCell.Initial(layers)
	return append(s, s[0].Graph().Zeros(s[0].Dim(0), 1))
}

func (p pointing) Step(x *nodes.Node, s cells.State) cells.State {
	next := p.decoderCell.Step(x, s[:len(s)-1])
	return append(slices.Clone(next), p.gate.Of(nodes.Concat(-1, next[0], x)))
}

// checkCopy refuses vocabularies from which nothing can be copied.
func (m *Model) checkCopy() error {
	if !m.cfg.Copy {
		return nil
	}
	for i, v := range []*text.Vocabulary{m.sources, m.targets} {
		unk, ok := v.ID(text.Unk)
		if !ok {
			return fmt.Errorf("copy is set; the vocabulary of the %s needs the special token %s",
				[]string{"sources", "targets"}[i], text.Unk)
		}
		m.unk[i] = unk
	}
	if m.copies() > 0 {
		return fmt.Errorf("copy is set, and the vocabularies have %s, which is another way to "+
			"copy; leave out one of them", text.Copies(1)[0])
	}
	if n := m.targets.Len() + MaxTokens; n > maxExact && !m.cfg.Float64 {
		return fmt.Errorf("copy is set; the vocabulary of the targets has %d tokens, and at most "+
			"%d are told apart in float32", m.targets.Len(), maxExact-MaxTokens)
	}
	return nil
}

// maxExact is the largest integer up to which float32 has all.
const maxExact = 1 << 24

// copied says as which id of the targets each place of a source is copied, and how many words there
// are behind their vocabulary.
type copied struct {
	as   []int
	more int
}

// places are those of a source; none if the model does not copy.
func (m *Model) places(source []int) (c copied, err error) {
	if m.cfg.Copy {
		c.as, c.more, err = shared.CopyPlaces(source, m.sources, m.targets)
	}
	return c, err
}

// readAs is the id that is read for one of a source.
func (m *Model) readAs(id int) int {
	if id >= m.sources.Len() {
		return m.unk[0]
	}
	return id
}

// found is a hypothesis in words, which says where they are behind the vocabulary.
func (m *Model) found(h decode.Hypothesis, words shared.Tokens) decode.Found {
	f := shared.Found(h, words)
	for k, id := range h.Tokens[:len(f.Tokens)] {
		if id >= m.targets.Len() {
			f.Copied = append(f.Copied, k)
		}
	}
	return f
}

// copyLoss is that of targets [T, B] from sources, of which places [S, B] and are [T, B] say as
// which ids they are copied, and what is to be written. Targets are those of the vocabulary alone.
func (y Graph) copyLoss(places, are, targets *nodes.Node) *nodes.Node {
	T, B, S := y.Weights.Dim(0), y.Weights.Dim(1), y.Weights.Dim(2)
	from := nodes.Reshape(nodes.Transpose(places, 1, 0), 1, B, S)
	here := nodes.Equal(nodes.Reshape(are, T, B, 1), from)
	return nodes.CopyCrossEntropy(y.Logits, y.Gate, y.Weights, here, targets,
		nodes.CrossEntropyOptions{Ignore: []int{shared.Ignored}})
}

// copyPair is a pair of a model that copies, from tokens.
func (m *Model) copyPair(source, target []string) (p Pair) {
	var more []string
	p.Source, more = shared.CopyIDs(source, m.sources, m.targets)
	p.Target = make([]int, len(target))
	for t, token := range target {
		id, known := m.targets.ID(token)
		if k := slices.Index(more, token); !known && k >= 0 {
			id = m.targets.Len() + k
		} else if !known {
			id = m.unk[1]
		}
		p.Target[t] = id
	}
	return p
}

// fillCopy puts what is copied of a pair into column k of a graph. What the vocabulary of the
// targets lacks is read as <unk>, and not written by the softmax.
func (m *Model) fillCopy(g *pairGraph, k int, p Pair) error {
	places, err := m.places(p.Source)
	if err != nil {
		return err
	}
	for s, id := range places.as {
		g.places.Set(s*g.B+k, float64(id))
	}
	for t, id := range p.Target {
		at := t*g.B + k
		if g.are.Set(at, float64(id)); id >= m.targets.Len() {
			g.words.In[at+g.B], g.words.Out[at] = m.unk[1], shared.Ignored
		}
	}
	g.are.Set(len(p.Target)*g.B+k, float64(m.eos))
	return nil
}
