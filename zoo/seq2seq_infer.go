package zoo

import (
	"cmp"
	"context"
	"fmt"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// TranslateOptions say how a target is found. The zero value takes the likeliest token each time.
type TranslateOptions struct {
	Beam        int     // width of a beam search; 0 and 1: none
	Best        int     // translations to return at most, with a beam; default 1
	Max         int     // tokens at most, <eos> included; default twice the longest source side by side and 10
	Alpha, Beta float64 // of the beam: length normalisation and coverage penalty, see decode.BeamOptions
	EarlyStop   bool    // of the beam

	Sample decode.Sampler // without a beam: temperature, top-k, nucleus
	Seed   uint64         // of the sampling

	// Each, if set, is called with the tokens of source number i so far, after every step: those that will stand, or with
	// a beam the best at the time.
	Each func(i int, tokens []string)
}

// Translation is a target that was found.
type Translation struct {
	Tokens    []string
	LogProb   float64     // of all tokens, <eos> included
	Score     float64     // by which translations are ranked
	LogProbs  []float64   // of each token
	Alignment [][]float64 // [len(Tokens)][len(source)]: where each token looked; nil without attention
	Ended     bool        // by <eos>, not by Max
}

// Translate finds targets of a source, best first. Tokens that the vocabulary lacks are read as <unk>; none is ever
// written. A cancelled context ends it with what there is and the context's error.
func (m *Seq2Seq) Translate(ctx context.Context, source []string, o TranslateOptions) ([]Translation, error) {
	all, err := m.TranslateAll(ctx, [][]string{source}, o)
	if len(all) == 0 {
		return nil, err
	}
	return all[0], err
}

// sourcesAtATime are translated side by side.
const sourcesAtATime = 16

// TranslateAll is Translate for many sources, which are translated side by side.
func (m *Seq2Seq) TranslateAll(ctx context.Context, sources [][]string, o TranslateOptions) ([][]Translation, error) {
	ids := make([][]int, len(sources))
	for i, tokens := range sources {
		var err error
		if ids[i], err = m.sources.Encode(tokens); err == nil {
			err = checkSource(ids[i], m.sources.Len())
		}
		if err != nil {
			return nil, fmt.Errorf("zoo: seq2seq: source %d: %w", i, err)
		}
	}
	var out [][]Translation
	for i := 0; i < len(ids); i += sourcesAtATime {
		chunk, err := m.translate(ctx, ids[i:min(i+sourcesAtATime, len(ids))], i, o)
		out = append(out, chunk...)
		if err != nil {
			return out, fmt.Errorf("zoo: seq2seq: %w", err)
		}
	}
	return out, nil
}

// translate finds targets of a few sources, the first of which has number first.
func (m *Seq2Seq) translate(ctx context.Context, sources [][]int, first int, o TranslateOptions) ([][]Translation, error) {
	longest := 1
	for _, s := range sources {
		longest = max(longest, len(s))
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	size := translatorSize{len(sources), max(o.Beam, 1), roundUp(longest)}
	t, err := m.translators.take(size, m.newTranslator)
	if err != nil {
		return nil, err
	}
	defer m.translators.put(size, t)
	if err := t.read(sources); err != nil {
		return nil, err
	}
	common := decode.Options{End: m.eos, Max: cmp.Or(o.Max, 2*longest+10), Never: silent(m.targets)}
	found, err := t.write(ctx, m.bos, common, o, first, m.targets)
	out := make([][]Translation, len(found))
	for i, hs := range found {
		for _, h := range hs {
			out[i] = append(out[i], translation(h, m.targets))
		}
	}
	return out, err
}

func translation(h decode.Hypothesis, v *text.Vocabulary) Translation {
	t := Translation{Tokens: written(v, h.Tokens), LogProb: h.LogProb, Score: h.Score, Ended: h.Ended}
	t.LogProbs = h.LogProbs[:len(t.Tokens)]
	if h.Attention != nil {
		t.Alignment = h.Attention[:len(t.Tokens)]
	}
	return t
}

// translatorSize is what a translator is compiled for.
type translatorSize struct{ sources, width, length int }

// translator is a model compiled to translate.
type translator struct {
	*writer
	src, lengths []int
}

func (m *Seq2Seq) newTranslator(size translatorSize) (t *translator, err error) {
	t = &translator{}
	var src, lengths *nodes.Node
	var step decode.StepGraph
	var from, inputs []*nodes.Node
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype()})
		src, lengths = g.IntInput("source", size.length, size.sources), g.IntInput("lengths", size.sources)
		memory, start := m.encode(src, lengths, unroll.Scan)

		rows, sg := size.sources*size.width, nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype()})
		var in *cells.Memory
		if memory != nil {
			in = memory.Input(sg, rows)
			from, inputs = memory.Nodes(), in.Nodes()
		}
		summary := m.summary(start)
		if summary != nil {
			from = append(from, summary)
			summary = sg.Input("summary", rows, summary.Dim(-1))
			inputs = append(inputs, summary)
		}
		from = append(from, start...)
		decoder := m.over(in, summary)
		step.Tokens, step.State = sg.IntInput("tokens", rows), inputState(sg, decoder.Parts(), rows)
		step.Next = decoder.Step(nodes.Embedding(m.target, step.Tokens, -1), step.State)
		step.Logits = m.logits(step.Next[0], summary, 0)
		if in != nil {
			parts := len(step.Next)
			if m.cfg.Coverage > 0 {
				parts--
			}
			step.Attention = step.Next[parts-1]
		}
	})
	if err != nil {
		return nil, err
	}
	if t.writer, err = newWriter(size.sources, size.width, from, inputs, step); err != nil {
		return nil, err
	}
	var f feeds
	t.src, t.lengths = f.ints(src), f.ints(lengths)
	return t, f.err
}

// read encodes sources and makes the decoder start from them.
func (t *translator) read(sources [][]int) error {
	clear(t.src)
	for i, s := range sources {
		t.lengths[i] = len(s)
		for k, id := range s {
			t.src[k*t.sources+i] = id
		}
	}
	return t.start(t.lengths)
}
