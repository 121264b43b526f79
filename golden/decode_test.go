package golden_test

import (
	"context"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/decode"
)

// runDecode runs the family decode.
func runDecode(r *goldenRun) {
	c := r.config
	method := c.word("method", "greedy", "beam", "filter")
	B, V := c.whole("B"), c.whole("V")
	if method == "filter" {
		runFilter(r, B, V)
		return
	}
	E := c.whole("E")
	bos := c.whole("bos")
	o := decode.Options{End: c.whole("eos"), Max: c.whole("max_length")}
	width, alpha := 1, 0.0
	if method == "beam" {
		width, alpha = c.whole("beam"), c.number("alpha")
	}
	stepper := newGoldenStepper(r, c.object("cell"), B, width, V, E)
	defer stepper.Close()
	starts := make([]int, B)
	for i := range starts {
		starts[i] = bos
	}
	var found [][]decode.Hypothesis
	if method == "greedy" {
		hs, err := decode.Generate(context.Background(), stepper, starts,
			decode.GenerateOptions{Options: o})
		require.NoError(r, err)
		for _, h := range hs {
			found = append(found, []decode.Hypothesis{h})
		}
	} else {
		var err error
		found, err = decode.Beam(context.Background(), stepper, starts,
			decode.BeamOptions{Options: o, Width: width, Alpha: alpha})
		require.NoError(r, err)
	}
	n := len(slices.MinFunc(found, func(a, b []decode.Hypothesis) int { return len(a) - len(b) }))
	got := map[string]array{}
	put := func(name string, shape []int, values ...float64) {
		got[name] = array{Shape: shape, Data: append(got[name].Data, values...)}
	}
	for _, hs := range found {
		for _, h := range hs[:n] {
			require.Equal(r, h.Ended, h.Tokens[len(h.Tokens)-1] == o.End)
			for t := range o.Max {
				id := -1
				if t < len(h.Tokens) {
					id = h.Tokens[t]
				}
				put("sequences", []int{B, n, o.Max}, float64(id))
			}
			put("lengths", []int{B, n}, float64(len(h.Tokens)))
			put("log_probs", []int{B, n}, h.LogProb)
			put("scores", []int{B, n}, h.Score)
		}
	}
	r.compareAll("output", r.Outputs, got)
}

// newGoldenStepper is one step of the model E[token] → cell → out, from the initial state of the
// case, in width rows for each of B sources.
func newGoldenStepper(r *goldenRun, cell settings, B, width, V, E int) *decode.Recurrent {
	s := newStack(r, cell, nil)
	require.Equal(r, E, s.in)
	root := r.store.Root()
	table := root.Param("E", nodes.Zeros(), V, E)
	r.place("embed.weight", verbatim(table))
	w, b := r.affine("out", s.Width(), V)
	r.load(r.Params)
	g := r.start(nodes.Options{})
	rows := B * width
	graph := decode.StepGraph{Tokens: g.IntInput("tokens", 1, rows)}
	for _, p := range s.Parts() {
		graph.State = append(graph.State, g.Input(p.Name, rows, p.Width))
	}
	result := s.Unroll(nodes.Embedding(table, graph.Tokens, -1), graph.State,
		unroll.Options{Strategy: r.strategy})
	graph.Next = result.Final()
	graph.Logits = nodes.Reshape(nodes.Add(nodes.MatMul(result.Y(), w), b), rows, V)
	stepper, err := decode.NewRecurrent(graph)
	require.NoError(r, err)
	for i, to := range stepper.Start(nil) {
		name := s.slots[i].name
		var repeated []float64
		s.each(i, r.raw(name+"0", s.shape(name, B)...), B, func(_ int, row []float64) {
			for range width {
				repeated = append(repeated, row...)
			}
		})
		to.Put64(0, repeated)
	}
	return stepper
}

// runFilter checks what a sampler may draw.
func runFilter(r *goldenRun, B, V int) {
	c := r.config
	sampler := decode.Sampler{Temperature: c.number("temperature"), TopK: c.whole("top_k"),
		TopP: c.number("top_p")}
	logits := r.raw("logits", B, V)
	keep, probs := make([]float64, B*V), make([]float64, B*V)
	for b := range B {
		row := logits[b*V : (b+1)*V]
		var kept []decode.Candidate
		var err error
		if r.dtype == nodes.Float32 {
			single := make([]float32, V)
			for i, x := range row {
				single[i] = float32(x)
			}
			kept, err = decode.Filter(&sampler, single)
		} else {
			kept, err = decode.Filter(&sampler, row)
		}
		require.NoError(r, err)
		for _, k := range kept {
			keep[b*V+k.ID], probs[b*V+k.ID] = 1, k.Prob
		}
	}
	r.compareAll("output", r.Outputs, map[string]array{
		"keep": {Shape: []int{B, V}, Data: keep}, "probs": {Shape: []int{B, V}, Data: probs},
	})
}
