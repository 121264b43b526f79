package unroll_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// model is a two-layer network over T steps with all that hangs on a step: lengths, dropout,
// zoneout, gradients.
func model(t testkit.T, T int, strategy unroll.Strategy) (g *nodes.Graph, loss *nodes.Node,
	grads []*nodes.Node) {
	store := nodes.NewStore(nodes.Float32, 1)
	g = nodes.NewGraph(nodes.Options{Training: true})
	try(t, func() {
		s := store.Root()
		layer := unroll.Stack{Dropout: 0.5, Layers: []unroll.Layer{
			unroll.Bidirectional{
				Forward:  unroll.Over(cells.NewLSTM(s.In("f"), cells.LSTMConfig{In: 2, Hidden: 3})),
				Backward: unroll.Over(cells.NewLSTM(s.In("b"), cells.LSTMConfig{In: 2, Hidden: 3})),
			},
			unroll.Over(cells.Zoneout{Cell: cells.NewGRU(s.In("top"),
				cells.GRUConfig{In: 6, Hidden: 4}), Rates: []float64{0.1}}),
		}}
		x := g.Input("x", T, 2, 2)
		gorgonia.Let(x.Gorgonia(), tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(T, 2, 2)))
		r := layer.Unroll(x, nil, unroll.Options{Strategy: strategy,
			Lengths: ints(g, "lengths", []int{T, T / 2}, 2)})
		loss = nodes.Mean(nodes.Square(nodes.Add(r.Y(), nodes.Scalar(0.1))))
		grads = g.Gradients(loss, operands(store)...)
	})
	return g, loss, grads
}

// With Scan a graph does not grow with the sequence, and 10,000 steps run.
func TestScanGraphDoesNotGrow(t *testing.T) {
	short, _, _ := model(t, 10, unroll.Scan)
	long, loss, grads := model(t, 10000, unroll.Scan)
	require.Equal(t, len(short.Expr().AllNodes()), len(long.Expr().AllNodes()))

	expanded, _, _ := model(t, 10, unroll.Expand)
	require.Greater(t, len(expanded.Expr().AllNodes()), 3*len(short.Expr().AllNodes()))

	for _, v := range compiled(t, long, append(grads, loss)) {
		for _, f := range v {
			require.False(t, f != f, "NaN")
		}
	}
	require.Positive(t, testkit.Floats(loss.Value())[0])
}

// A slice beyond 255 is where Gorgonia's own would be merged with another one: Expand must not be.
func TestExpandBeyond255Steps(t *testing.T) {
	const T = 300
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	last := toy{parts(1), func(x *nodes.Node, s cells.State) cells.State { return cells.State{x} }}
	x := make([]float64, T)
	for i := range x {
		x[i] = float64(i)
	}
	var y *nodes.Node
	try(t, func() {
		y = unroll.Over(last).Unroll(input(g, "x", x, T, 1, 1), nil,
			unroll.Options{Strategy: unroll.Expand}).Y()
	})
	require.Equal(t, x, compiled(t, g, []*nodes.Node{y})[0])
}

// BenchmarkBuild times what it takes until a network with its gradients can run.
//
//	go test ./unroll -bench Build -benchtime 5x
func BenchmarkBuild(b *testing.B) {
	for _, c := range []struct {
		strategy unroll.Strategy
		T        int
	}{{unroll.Scan, 10}, {unroll.Scan, 10000}, {unroll.Expand, 10}, {unroll.Expand, 100}} {
		b.Run(fmt.Sprintf("strategy=%v/T=%d", c.strategy, c.T), func(b *testing.B) {
			var build, compile time.Duration
			var size int
			for b.Loop() {
				start := time.Now()
				g, loss, grads := model(b, c.T, c.strategy)
				built := time.Now()
				m, err := graph.Compile(g.Expr(), keep(append(grads, loss)...))
				require.NoError(b, err)
				build, compile = build+built.Sub(start), compile+time.Since(built)
				size = len(g.Expr().AllNodes())
				m.Close()
			}
			b.ReportMetric(float64(size), "nodes")
			b.ReportMetric(build.Seconds()*1e3/float64(b.N), "ms-build")
			b.ReportMetric(compile.Seconds()*1e3/float64(b.N), "ms-compile")
		})
	}
}

// BenchmarkRun times a run with gradients, per step of the sequence.
func BenchmarkRun(b *testing.B) {
	for _, c := range []struct {
		strategy unroll.Strategy
		T        int
	}{{unroll.Scan, 100}, {unroll.Scan, 10000}, {unroll.Expand, 100}} {
		b.Run(fmt.Sprintf("strategy=%v/T=%d", c.strategy, c.T), func(b *testing.B) {
			g, loss, grads := model(b, c.T, c.strategy)
			m, err := graph.Compile(g.Expr(), keep(append(grads, loss)...))
			require.NoError(b, err)
			for b.Loop() {
				require.NoError(b, m.RunAll())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*c.T), "ns/step")
		})
	}
}
