package zoo

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// TranslateOptions say how a target is found. The zero value takes the likeliest token each time.
type TranslateOptions struct {
	Beam        int     // width of a beam search; 0 and 1: none
	Best        int     // translations to return at most, with a beam; default 1
	Max         int     // tokens at most, <eos> included; default twice the source and 10
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
	if o.Max < 0 || o.Max > 1<<20 {
		return nil, fmt.Errorf("the option Max is %d, want 1 … %d, or 0 for twice the source and 10", o.Max, 1<<20)
	}
	if o.Beam < 0 || o.Beam > maxBeam {
		return nil, fmt.Errorf("the option Beam is %d, want 0 … %d", o.Beam, maxBeam)
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
	common := decode.Options{End: m.eos, Max: cmp.Or(o.Max, 2*longest+10), Never: m.silent()}
	starts := make([]int, len(sources))
	for i := range starts {
		starts[i] = m.bos
	}
	var found [][]decode.Hypothesis
	if o.Beam > 1 {
		beam := decode.BeamOptions{
			Options: common, Width: o.Beam, Best: cmp.Or(o.Best, 1), Alpha: o.Alpha, Beta: o.Beta, EarlyStop: o.EarlyStop,
		}
		if o.Each != nil {
			beam.Each = func(i int, best decode.Hypothesis) { o.Each(first+i, m.words(best.Tokens)) }
		}
		found, err = decode.Beam(ctx, t.stepper, starts, beam)
	} else {
		var hs []decode.Hypothesis
		single := decode.GenerateOptions{Options: common, Sampler: o.Sample, Seed: o.Seed + uint64(first)}
		if o.Each != nil {
			so := make([][]int, len(sources))
			single.Each = func(i, id int) {
				so[i] = append(so[i], id)
				o.Each(first+i, m.words(so[i]))
			}
		}
		hs, err = decode.Generate(ctx, t.stepper, starts, single)
		for _, h := range hs {
			found = append(found, []decode.Hypothesis{h})
		}
	}
	out := make([][]Translation, len(found))
	for i, hs := range found {
		for _, h := range hs {
			out[i] = append(out[i], m.translation(h))
		}
	}
	return out, err
}

// maxBeam is a width beyond all use.
const maxBeam = 1 << 10

// silent are the tokens that no target has.
func (m *Seq2Seq) silent() []int {
	var ids []int
	for _, token := range []string{text.BOS, text.Pad, text.Unk} {
		if id, ok := m.targets.ID(token); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// words are the tokens of ids, without the end.
func (m *Seq2Seq) words(ids []int) []string {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		if id != m.eos {
			token, _ := m.targets.Token(id)
			tokens = append(tokens, token)
		}
	}
	return tokens
}

func (m *Seq2Seq) translation(h decode.Hypothesis) Translation {
	t := Translation{Tokens: m.words(h.Tokens), LogProb: h.LogProb, Score: h.Score, Ended: h.Ended}
	t.LogProbs = h.LogProbs[:len(t.Tokens)]
	if h.Attention != nil {
		t.Alignment = h.Attention[:len(t.Tokens)]
	}
	return t
}

// translatorSize is what a translator is compiled for.
type translatorSize struct{ sources, width, length int }

// translator is a model compiled to translate: the encoder, and one step of the decoder.
type translator struct {
	translatorSize
	encoder      *train.Step
	src, lengths []int
	from         []*nodes.Node   // what the encoder computes, [sources·k, …]: the memory, then the state of the layers
	to           []*tensor.Dense // where the memory goes, [sources·width·k, …]
	stepper      *decode.Recurrent
}

func (m *Seq2Seq) newTranslator(size translatorSize) (t *translator, err error) {
	t = &translator{translatorSize: size}
	var src, lengths, nothing *nodes.Node
	var step decode.StepGraph
	var inputs []*nodes.Node
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype()})
		src, lengths, nothing = g.IntInput("source", size.length, size.sources), g.IntInput("lengths", size.sources), g.Const(0)
		memory, start := m.encode(src, lengths, unroll.Scan)

		rows, sg := size.sources*size.width, nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype()})
		var in *cells.Memory
		if memory != nil {
			in = memory.Input(sg, rows)
			t.from, inputs = memory.Nodes(), in.Nodes()
		}
		t.from = append(t.from, start...)
		decoder := m.over(in)
		step.Tokens, step.State = sg.IntInput("tokens", rows), inputState(sg, decoder.Parts(), rows)
		step.Next = decoder.Step(nodes.Embedding(m.target, step.Tokens, -1), step.State)
		step.Logits = m.logits(step.Next[0])
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
	if t.encoder, err = train.NewStep(nothing, t.from...); err != nil {
		return nil, err
	}
	var f feeds
	t.src, t.lengths = f.ints(src), f.ints(lengths)
	for _, n := range inputs {
		t.to = append(t.to, f.dense(n))
	}
	if f.err != nil {
		return nil, f.err
	}
	t.stepper, err = decode.NewRecurrent(step)
	return t, err
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
	if _, err := t.encoder.Run(0, 0); err != nil {
		return err
	}
	places := make([]int, t.sources*t.width)
	for i := range places {
		places[i] = t.lengths[i/t.width]
	}
	state := t.stepper.Start(places)
	for i, n := range t.from {
		if i < len(t.to) {
			t.repeat(t.to[i], n)
		} else {
			t.repeat(state[1+i-len(t.to)], n) // behind the output
		}
	}
	layers := len(t.from) - len(t.to)
	for i, v := range state {
		if i == 0 || i > layers {
			v.Zero()
		}
	}
	return nil
}

// repeat copies what the encoder computed of each source to all rows of it.
func (t *translator) repeat(to *tensor.Dense, from *nodes.Node) {
	switch d := to.Data().(type) {
	case []float32:
		repeatRows(d, from.Value().Data().([]float32), t.sources, t.width)
	case []float64:
		repeatRows(d, from.Value().Data().([]float64), t.sources, t.width)
	}
}

func repeatRows[F any](to, from []F, sources, times int) {
	n := len(from) / sources
	for i := range sources * times {
		copy(to[i*n:(i+1)*n], from[i/times*n:(i/times+1)*n])
	}
}

// Close releases the memory of the compiled graphs.
func (t *translator) Close() error { return errors.Join(t.encoder.Close(), t.stepper.Close()) }
