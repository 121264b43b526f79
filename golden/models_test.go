package golden_test

import (
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/series"
)

// placeStack says where the parameters of a model's layers are.
func placeStack(r *goldenRun, layers []goldenCell, bothWays bool) {
	for k, cell := range layers {
		s, suffix := r.store.Root().In("layers").In("l%d", k), fmt.Sprintf("_l%d", k)
		if bothWays {
			cell.place(r, s.In("forward"), "", suffix)
			cell.place(r, s.In("backward"), "", suffix+"_reverse")
		} else {
			cell.place(r, s, "", suffix)
		}
	}
	out := r.store.Root().In("out")
	r.place("out.weight", all(out.Shared("W")))
	r.place("out.bias", all(out.Shared("b")))
}

// runLabel runs the family label: one label for a sequence, or one for each step.
func runLabel(r *goldenRun) {
	c := r.config
	B, T, V, E, L := c.whole("B"), c.whole("T"), c.whole("V"), c.whole("E"), c.whole("labels")
	pool := c.word("pool", "each", "last", "mean", "max")
	cell := c.object("cell")
	cfg := label.Config{Bidirectional: cell.flag("bidirectional"), Embed: E,
		Float64: r.dtype == nodes.Float64}
	require.Equal(r, E, cell.whole("In"))
	var layers []goldenCell
	cfg.Recurrent, layers = recurrent(cell, cfg.Bidirectional)
	cell.done()

	var m interface {
		Forward(x, lengths *nodes.Node, s unroll.Strategy) *nodes.Node
		Params() *nodes.Store
	}
	var err error
	if pool == "each" {
		m, err = label.NewTagger(label.TaggerConfig{Config: cfg}, numbered(r, V), numbered(r, L), 1)
	} else {
		m, err = label.NewClassifier(label.ClassifierConfig{Config: cfg, Pool: label.Pool(pool)},
			numbered(r, V), numbered(r, L), 1)
	}
	require.NoError(r, err)
	r.store = m.Params()
	r.place("embed.weight", verbatim(r.store.Root().In("embed").Shared("E")))
	placeStack(r, layers, cfg.Bidirectional)

	r.start(nodes.Options{})
	lengths := r.ints("lengths", B)
	logits := m.Forward(r.ints("ids", T, B), lengths, r.strategy)
	if pool != "each" {
		r.output("logits", logits)
		r.check(nodes.CrossEntropy(logits, r.ints("targets", B), nodes.CrossEntropyOptions{}))
		return
	}
	live := nodes.LengthMask(lengths, T)
	r.output("logits", nodes.Mul(logits, live))
	nll := nodes.CrossEntropy(logits, r.ints("targets", T, B),
		nodes.CrossEntropyOptions{Reduction: nodes.ReduceNone})
	r.check(nodes.Div(nodes.Sum(nodes.Mul(nll, nodes.Reshape(live, T, B))), nodes.Sum(live)))
}

// runForecast runs the family forecast: the steps behind a window, all at once.
func runForecast(r *goldenRun) {
	c := r.config
	B, T, In := c.whole("B"), c.whole("T"), c.whole("In")
	cfg := forecast.Config{Lookback: T, Horizon: c.whole("horizon"), Patch: c.whole("patch"),
		Level:   forecast.Level(c.word("level", "none", "last", "mean")),
		Float64: r.dtype == nodes.Float64}
	for i := range In {
		cfg.Variables = append(cfg.Variables, fmt.Sprint(i))
	}
	cell := c.object("cell")
	require.False(r, cell.flag("bidirectional"))
	require.Equal(r, cfg.Patch*In, cell.whole("In"))
	var layers []goldenCell
	cfg.Recurrent, layers = recurrent(cell, false)
	cell.done()

	scale := &series.Scale{Mean: make([]float64, In), Deviation: slices.Repeat([]float64{1}, In)}
	m, err := forecast.New(cfg, scale, 1)
	require.NoError(r, err)
	r.store = m.Params()
	placeStack(r, layers, false)
	r.start(nodes.Options{})
	r.output("y", m.Forward(r.input("x", T, B, In), r.strategy))
	r.check(r.cotangentLoss())
}
