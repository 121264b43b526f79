package shared

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// Writer is a decoder compiled to write about several sources side by side: the graph that encodes
// them, run once, and one step of the decoder that starts from there.
type Writer struct {
	Sources, width int // width is of the beam, 1 without
	// its outputs, [sources·k, …], are what the decoder reads, then the state of its layers
	encoder *run.Step
	outputs int
	to      []run.Floats // where the former goes, [sources·width·k, …]
	source  []int        // of each row of the decoder
	stepper *decode.Recurrent
	// Via, if set, stands between the compiled step and the search
	Via decode.Stepper
}

// Tokens name ids: a vocabulary, or one with more behind it.
type Tokens interface {
	Token(id int) (token string, ok bool)
	Specials() []string
}

// Extended is a vocabulary with more words, whose ids follow on.
type Extended struct {
	*text.Vocabulary
	More []string
}

// Token returns the token of id, and whether there is such an id.
func (e Extended) Token(id int) (token string, ok bool) {
	if k := id - e.Len(); k >= 0 && k < len(e.More) {
		return e.More[k], true
	}
	return e.Vocabulary.Token(id)
}

// Always is the same vocabulary for every source.
func Always(v *text.Vocabulary) func(source int) Tokens {
	return func(int) Tokens { return v }
}

// NewWriter compiles the graph of from, and a step of sources·width rows. The first nodes of from
// feed the inputs of the step; the others start the state of its layers, which stands between the
// output of the step and all else that it carries.
func NewWriter(sources, width int, from, inputs []*nodes.Node, step decode.StepGraph) (w *Writer,
	err error) {
	w = &Writer{Sources: sources, width: width, outputs: len(from),
		source: make([]int, sources*width)}
	for i := range w.source {
		w.source[i] = i / width
	}
	if w.encoder, err = run.New(from); err != nil {
		return nil, err
	}
	var in run.Inputs
	if w.to = in.State(inputs); in.Err() != nil {
		return nil, in.Err()
	}
	w.stepper, err = decode.NewRecurrent(step)
	return w, err
}

// Start encodes the inputs and makes the decoder start from the result. Places says how many
// places of each source the decoder may attend to; nil: all.
func (w *Writer) Start(places []int) error {
	if err := w.encoder.Run(0, 0); err != nil {
		return err
	}
	var rows []int
	if places != nil {
		rows = make([]int, len(w.source))
		for i, k := range w.source {
			rows[i] = places[k]
		}
	}
	state := w.stepper.Start(rows)
	layers := w.outputs - len(w.to)
	for i, part := range state {
		if i == 0 || i > layers { // the output, and what else is carried behind the layers
			part.Fill(0)
		}
	}
	for i, part := range append(slices.Clone(w.to), state[1:1+layers]...) {
		if err := part.Gather(w.encoder.Output(i), w.source); err != nil {
			return err
		}
	}
	return nil
}

// Write decodes every source from the token bos, best first. First is the number of the first
// source, for o.Each and the seeds; words names the tokens that each source may be given, by its
// number from 0.
func (w *Writer) Write(ctx context.Context, bos int, common decode.Options, o decode.SearchOptions,
	first int, words func(source int) Tokens, cut text.Tokeniser) ([][]decode.Hypothesis, error) {
	starts := make([]int, w.Sources)
	for i := range starts {
		starts[i] = bos
	}
	if o.Beam > 1 {
		beam := decode.BeamOptions{
			Options: common, Width: o.Beam, Best: cmp.Or(o.Best, 1), Alpha: o.Alpha, Beta: o.Beta,
			EarlyStop: o.EarlyStop,
		}
		if o.Each != nil {
			beam.Each = func(i int, best decode.Hypothesis) {
				o.Each(first+i, Written(words(i), best.Tokens))
			}
		}
		return decode.Beam(ctx, w.Stepper(), starts, beam)
	}
	single := decode.GenerateOptions{Options: common, Sampler: o.Sample,
		Each: Telling(o, first, words, cut, nil)}
	if o.Sample.Temperature > 0 {
		single.Seed = o.Seed + uint64(first)
	}
	hs, err := decode.Generate(ctx, w.Stepper(), starts, single)
	found := make([][]decode.Hypothesis, len(hs))
	for i, h := range hs {
		found[i] = []decode.Hypothesis{h}
	}
	return found, err
}

// Telling returns a function that calls those of o for tokens as they are chosen; nil if o has
// none. The target of the first source goes on after the tokens before.
func Telling(o decode.SearchOptions, first int, words func(source int) Tokens, cut text.Tokeniser,
	before []string) func(i, id int) {
	if o.Each == nil && o.Text == nil {
		return nil
	}
	so, streams := map[int][]int{}, map[int]*text.Stream{}
	return func(i, id int) {
		so[i] = append(so[i], id)
		if o.Each != nil {
			o.Each(first+i, Written(words(i), so[i]))
		}
		token, _ := words(i).Token(id)
		if o.Text == nil || id < len(words(i).Specials()) {
			return
		}
		if streams[i] == nil {
			streams[i] = text.NewStream(cut, before...)
		}
		if part := streams[i].Add(token); part != "" {
			o.Text(first+i, part)
		}
	}
}

// Silent are the tokens that are never written.
func Silent(v *text.Vocabulary) []int {
	var ids []int
	for _, token := range []string{text.BOS, text.Pad, text.Unk} {
		if id, ok := v.ID(token); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// Written are the tokens of ids, without the end.
func Written(v Tokens, ids []int) []string {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		if token, _ := v.Token(id); token != text.EOS {
			tokens = append(tokens, token)
		}
	}
	return tokens
}

// Carried is the memory that a decoder of one source goes on from, in place: its input from the
// source, and the state before its next step. It may be read after Start, and written instead of
// it; places are as in Start.
func (w *Writer) Carried(places []int) []run.Floats {
	return append(slices.Clone(w.to), w.stepper.Start(places)...)
}

// After is the state that Carried will hold when the next step begins.
func (w *Writer) After() []run.Floats { return append(slices.Clone(w.to), w.stepper.After()...) }

// Stepper is the decoder, or the Stepper that Via makes of it.
func (w *Writer) Stepper() decode.Stepper {
	if w.Via != nil {
		return w.Via
	}
	return w.stepper
}

// Memory is the number of bytes that the compiled graphs take while they do not run.
func (w *Writer) Memory() int { return w.encoder.Memory() + w.stepper.Memory() }

// Close releases the memory of the compiled graphs.
func (w *Writer) Close() error { return errors.Join(w.encoder.Close(), w.stepper.Close()) }

// SourcesAtATime are translated side by side.
const SourcesAtATime = 16

// Found is a hypothesis in words.
func Found(h decode.Hypothesis, v Tokens) decode.Found {
	t := decode.Found{Tokens: Written(v, h.Tokens), LogProb: h.LogProb, Score: h.Score,
		Ended: h.Ended}
	t.LogProbs = h.LogProbs[:len(t.Tokens)]
	if h.Attention != nil {
		t.Alignment = h.Attention[:len(t.Tokens)]
	}
	return t
}
