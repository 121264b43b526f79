package shared

import (
	"cmp"
	"context"
	"errors"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// writer is a decoder compiled to write about several sources side by side: the graph that encodes them, run once, and
// one step of the decoder that starts from there.
type Writer struct {
	Sources, width int // width is of the beam, 1 without
	encoder        *train.Step
	from           []*nodes.Node   // what the encoder computes, [sources·k, …]: what the decoder reads, then the state of its layers
	to             []*tensor.Dense // where the former goes, [sources·width·k, …]
	stepper        *decode.Recurrent
}

// newWriter compiles the graph of from, and a step of sources·width rows whose inputs are for the first of from; the
// others start the state of its layers, which stands between its output and whatever else it carries.
func NewWriter(sources, width int, from, inputs []*nodes.Node, step decode.StepGraph) (w *Writer, err error) {
	w = &Writer{Sources: sources, width: width, from: from}
	var nothing *nodes.Node
	if err := nodes.Try(func() { nothing = from[0].Graph().Const(0) }); err != nil { // a step has a loss; encoding has none
		return nil, err
	}
	if w.encoder, err = train.NewStep(nothing, from...); err != nil {
		return nil, err
	}
	var f Feeds
	for _, n := range inputs {
		w.to = append(w.to, f.Dense(n))
	}
	if f.Err != nil {
		return nil, f.Err
	}
	w.stepper, err = decode.NewRecurrent(step)
	return w, err
}

// start encodes what the inputs hold and makes the decoder start from it. Places says how many places of each source the
// decoder may attend to; nil: all.
func (w *Writer) Start(places []int) error {
	if _, err := w.encoder.Run(0, 0); err != nil {
		return err
	}
	var rows []int
	if places != nil {
		rows = make([]int, w.Sources*w.width)
		for i := range rows {
			rows[i] = places[i/w.width]
		}
	}
	state := w.stepper.Start(rows)
	for i, n := range w.from {
		if i < len(w.to) {
			w.repeat(w.to[i], n)
		} else {
			w.repeat(state[1+i-len(w.to)], n) // behind the output
		}
	}
	layers := len(w.from) - len(w.to)
	for i, v := range state {
		if i == 0 || i > layers {
			v.Zero()
		}
	}
	return nil
}

// repeat copies what the encoder computed of each source to all rows of it.
func (w *Writer) repeat(to *tensor.Dense, from *nodes.Node) {
	switch d := to.Data().(type) {
	case []float32:
		repeatRows(d, from.Value().Data().([]float32), w.Sources, w.width)
	case []float64:
		repeatRows(d, from.Value().Data().([]float64), w.Sources, w.width)
	}
}

func repeatRows[F any](to, from []F, sources, times int) {
	n := len(from) / sources
	for i := range sources * times {
		copy(to[i*n:(i+1)*n], from[i/times*n:(i/times+1)*n])
	}
}

// write decodes every source from the token bos, best first. First is the number of the first source, for o.Each and the
// seeds; v is the vocabulary of what is written.
func (w *Writer) Write(ctx context.Context, bos int, common decode.Options, o decode.SearchOptions, first int, v *text.Vocabulary) ([][]decode.Hypothesis, error) {
	starts := make([]int, w.Sources)
	for i := range starts {
		starts[i] = bos
	}
	if o.Beam > 1 {
		beam := decode.BeamOptions{
			Options: common, Width: o.Beam, Best: cmp.Or(o.Best, 1), Alpha: o.Alpha, Beta: o.Beta, EarlyStop: o.EarlyStop,
		}
		if o.Each != nil {
			beam.Each = func(i int, best decode.Hypothesis) { o.Each(first+i, Written(v, best.Tokens)) }
		}
		return decode.Beam(ctx, w.stepper, starts, beam)
	}
	single := decode.GenerateOptions{Options: common, Sampler: o.Sample, Seed: o.Seed + uint64(first)}
	if o.Each != nil {
		so := make([][]int, w.Sources)
		single.Each = func(i, id int) {
			so[i] = append(so[i], id)
			o.Each(first+i, Written(v, so[i]))
		}
	}
	hs, err := decode.Generate(ctx, w.stepper, starts, single)
	found := make([][]decode.Hypothesis, len(hs))
	for i, h := range hs {
		found[i] = []decode.Hypothesis{h}
	}
	return found, err
}

// silent are the tokens that nobody writes.
func Silent(v *text.Vocabulary) []int {
	var ids []int
	for _, token := range []string{text.BOS, text.Pad, text.Unk} {
		if id, ok := v.ID(token); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// written are the tokens of ids, without the end.
func Written(v *text.Vocabulary, ids []int) []string {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		if token, _ := v.Token(id); token != text.EOS {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// Close releases the memory of the compiled graphs.
func (w *Writer) Close() error { return errors.Join(w.encoder.Close(), w.stepper.Close()) }

// sourcesAtATime are translated side by side.
const SourcesAtATime = 16

func Found(h decode.Hypothesis, v *text.Vocabulary) decode.Found {
	t := decode.Found{Tokens: Written(v, h.Tokens), LogProb: h.LogProb, Score: h.Score, Ended: h.Ended}
	t.LogProbs = h.LogProbs[:len(t.Tokens)]
	if h.Attention != nil {
		t.Alignment = h.Attention[:len(t.Tokens)]
	}
	return t
}
