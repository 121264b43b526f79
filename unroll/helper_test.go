package unroll_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/unroll"
)

// numbers are n normal numbers that float32 holds exactly, a function of name alone.
func numbers(name string, n int) []float64 {
	key := rng.New(11).Named(name)
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(float32(0.7 * key.Normal(uint64(i))))
	}
	return v
}

// input declares an input and binds values to it.
func input(g *nodes.Graph, name string, values []float64, shape ...int) *nodes.Node {
	n := g.Input(name, shape...)
	v := tensor.New(tensor.Of(g.Dtype()), tensor.WithShape(shape...))
	set(v, values)
	if err := gorgonia.Let(n.Gorgonia(), v); err != nil {
		panic(err)
	}
	return n
}

// random is an input of random numbers.
func random(g *nodes.Graph, name string, shape ...int) *nodes.Node {
	return input(g, name, numbers(name, product(shape)), shape...)
}

func ints(g *nodes.Graph, name string, values []int, shape ...int) *nodes.Node {
	n := g.IntInput(name, shape...)
	if err := gorgonia.Let(n.Gorgonia(), tensor.New(tensor.WithShape(shape...),
		tensor.WithBacking(values))); err != nil {
		panic(err)
	}
	return n
}

// randomise gives every parameter of a store random values, biases and peepholes too.
func randomise(s *nodes.Store) {
	for _, p := range s.Params() {
		set(p.Value(), numbers(p.Name(), product(p.Shape())))
	}
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// set writes values to the elements of v.
func set(v gorgonia.Value, values []float64) {
	switch d := v.Data().(type) {
	case []float32:
		for i := range d {
			d[i] = float32(values[i])
		}
	case []float64:
		copy(d, values)
	}
}

// engine runs a graph once and returns the values of some nodes.
type engine func(t testkit.T, g *nodes.Graph, want []*nodes.Node) [][]float64

func compiled(t testkit.T, g *nodes.Graph, want []*nodes.Node) [][]float64 {
	t.Helper()
	return runOnce(t, g, want)
}

// plain runs every operation by its definition.
func plain(t testkit.T, g *nodes.Graph, want []*nodes.Node) [][]float64 {
	t.Helper()
	return runOnce(t, g, want, graph.Plain())
}

func runOnce(t testkit.T, g *nodes.Graph, want []*nodes.Node, options ...graph.Option) [][]float64 {
	t.Helper()
	m, err := graph.Compile(g.Expr(), append(options, keep(want...))...)
	require.NoError(t, err)
	require.NoError(t, m.RunAll())
	return values(want)
}

// keep is graph.Keep of our nodes.
func keep(ns ...*nodes.Node) graph.Option {
	raw := make([]*gorgonia.Node, len(ns))
	for i, n := range ns {
		raw[i] = n.Gorgonia()
	}
	return graph.Keep(raw...)
}

func values(ns []*nodes.Node) [][]float64 {
	out := make([][]float64, len(ns))
	for i, n := range ns {
		out[i] = testkit.Floats(n.Value())
	}
	return out
}

// tape runs on Gorgonia's own machine, and reads results the only way that is safe there.
func tape(t testkit.T, g *nodes.Graph, want []*nodes.Node) [][]float64 {
	t.Helper()
	read := make([]gorgonia.Value, len(want))
	for i, n := range want {
		if n.Gorgonia().Op() != nil {
			gorgonia.Read(n.Gorgonia(), &read[i])
		}
	}
	vm := gorgonia.NewTapeMachine(g.Expr())
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	out := make([][]float64, len(want))
	for i, n := range want {
		if read[i] == nil {
			read[i] = n.Value() // an input
		}
		out[i] = testkit.Floats(read[i])
	}
	return out
}

// try builds and wants no mistake.
func try(t testkit.T, build func()) {
	t.Helper()
	require.NoError(t, nodes.Try(build))
}

// operands are the parameters of a store, for Gradients.
func operands(s *nodes.Store) []nodes.Operand {
	var out []nodes.Operand
	for _, p := range s.Params() {
		out = append(out, p)
	}
	return out
}

// strategies runs a test for each.
func strategies(t *testing.T, test func(t *testing.T, s unroll.Strategy)) {
	for _, s := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
		t.Run(s.String(), func(t *testing.T) { test(t, s) })
	}
}

// pattern is a regular expression for a text in which * stands for anything.
func pattern(text string) string {
	return "^" + strings.ReplaceAll(regexp.QuoteMeta(text), `\*`, ".*") + "$"
}
