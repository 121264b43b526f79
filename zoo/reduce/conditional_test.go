package reduce_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/reduce"
)

// stepwise writes a row of features one after the other by a recurrent layer that reads the code at
// every step.
func stepwise(s *nodes.Scope, in, out int) func(z *nodes.Node) *nodes.Node {
	cell := unroll.Over(cells.NewGRU(s.In("gru"), cells.GRUConfig{In: in, Hidden: 6}))
	last := nodes.NewLinear(s.In("out"), nodes.LinearConfig{In: 6, Out: 1})
	return func(z *nodes.Node) *nodes.Node {
		B := z.Dim(0)
		x := nodes.Broadcast(nodes.Reshape(z, 1, B, in), out, B, in)
		y := last.Of(cell.Unroll(x, nil, unroll.Options{}).Y()) // [out, B, 1]
		return nodes.Transpose(nodes.Reshape(y, out, B), 1, 0)
	}
}

func init() {
	reduce.RegisterDecoder("stepwise", stepwise)
	reduce.RegisterDecoder("too narrow", func(s *nodes.Scope, in, out int) func(*nodes.Node) *nodes.Node {
		w := s.Param("W", nodes.XavierUniform(1), in, out)
		return func(z *nodes.Node) *nodes.Node { return nodes.Slice(nodes.MatMul(z, w), -1, 0, 1) }
	})
	reduce.RegisterDecoder("none", func(*nodes.Scope, int, int) func(*nodes.Node) *nodes.Node { return nil })
}

// slopes are rows that rise, fall or stand, from a level of their own, with which of these they are
// behind them.
func slopes(n int) (x []float32) {
	r := rng.Stream{Key: rng.New(6)}
	for range n {
		kind, level := r.Intn(3), r.Normal()
		for t := range 5 {
			x = append(x, float32(level+float64(kind-1)*float64(t)+0.05*r.Normal()))
		}
		for k := range 3 {
			x = append(x, map[bool]float32{true: 1}[k == kind])
		}
	}
	return x
}

// Gradients are those of the loss, with layers and with a decoder of one's own.
func TestConditionalGradients(t *testing.T) {
	for _, decoder := range []string{"", "stepwise"} {
		m, err := reduce.NewVAE(reduce.VAEConfig{Features: 5, Condition: 3, Code: 2,
			Widths: []int{4}, Likelihood: reduce.GaussianDecoder, Decoder: decoder,
			Activation: cells.Tanh, Float64: true}, 1)
		require.NoError(t, err)
		task, err := m.Task(reduce.VAEData{RowData: reduce.RowData{Train: slopes(6), Batch: 6}})
		require.NoError(t, err)
		r, err := train.CheckGradients(task, graph.GradientCheck{Samples: 3, Directions: 1})
		require.NoError(t, err)
		require.NoError(t, r.Err())
		require.NotZero(t, r.Directions[0].Symbolic)
	}
}

// What is drawn under a condition is of that kind; the code tells what the condition does not; and
// a row comes back under another condition as one of that kind.
func TestConditionalVAE(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains")
	}
	ctx := context.Background()
	for _, decoder := range []string{"", "stepwise"} {
		m, err := reduce.NewVAE(reduce.VAEConfig{Features: 5, Condition: 3, Code: 1,
			Widths: []int{16}, Likelihood: reduce.GaussianDecoder, Decoder: decoder,
			Standardise: true, Beta: 0.2}, 1)
		require.NoError(t, err)
		require.Equal(t, []int{8, 4}, []int{m.Features(), m.Codes()})
		task, err := m.Task(reduce.VAEData{RowData: reduce.RowData{Train: slopes(600),
			Valid: slopes(700)[600*8:], Batch: 32}})
		require.NoError(t, err)
		adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
		require.NoError(t, err)
		_, err = train.Fit(ctx, task, train.Config{Optimizer: adam, Epochs: 25})
		require.NoError(t, err)
		dir := t.TempDir()
		require.NoError(t, m.Save(dir))
		of, err := zoo.Load(dir)
		require.NoError(t, err)
		loaded := of.(*reduce.VAE)
		for kind := range 3 {
			condition := make([]float32, 3)
			condition[kind] = 1
			drawn, err := loaded.SampleGiven(condition, 20, 1)
			require.NoError(t, err)
			require.Len(t, drawn, 20*8)
			again, err := m.SampleGiven(condition, 20, 1)
			require.NoError(t, err)
			require.Equal(t, again, drawn)
			slope := 0.0
			for row := range 20 {
				require.Equal(t, condition, drawn[row*8+5:row*8+8])
				slope += float64(drawn[row*8+4]-drawn[row*8]) / 4 / 20
			}
			t.Logf("decoder %q: slope %.3f under condition %d", decoder, slope, kind)
			require.InDelta(t, float64(kind-1), slope, 0.25)
		}
		x := slopes(1)
		code, err := m.Transform(x)
		require.NoError(t, err)
		require.Equal(t, x[5:], code[1:])
		copy(code[1:], []float32{0, 0, 1})
		y, err := m.InverseTransform(code)
		require.NoError(t, err)
		require.InDelta(t, 4, y[4]-y[0], 1)
		require.Equal(t, []float32{0, 0, 1}, y[5:])
		errs, err := m.Errors(append(slopes(2), 9, -9, 9, -9, 9, 1, 0, 0))
		require.NoError(t, err)
		require.Greater(t, errs[2], 10*math.Max(errs[0], errs[1]))
		relative, err := reduce.RelativeErrors(m, slopes(2))
		require.NoError(t, err)
		require.Len(t, relative, 2)
		b, err := m.Bound(ctx, slopes(50))
		require.NoError(t, err)
		require.False(t, math.IsNaN(b.Total()))
	}
}

func TestConditionalErrors(t *testing.T) {
	cfg := reduce.VAEConfig{Features: 2, Condition: 1, Code: 1}
	m, err := reduce.NewVAE(cfg, 1)
	require.NoError(t, err)
	_, err = m.Sample(1, 1)
	require.ErrorContains(t, err, "a condition of 0 numbers, want 1")
	_, err = m.SampleGiven([]float32{float32(math.NaN())}, 1, 1)
	require.ErrorContains(t, err, "row 0")
	_, err = m.Task(reduce.VAEData{RowData: reduce.RowData{Train: []float32{0, 1, 7, 0, 2, 7}}})
	require.ErrorContains(t, err, "row 1: feature 1 is 2", "the condition may be any number")
	_, err = m.Transform([]float32{1, 2})
	require.ErrorContains(t, err, "2 values are no rows of 3")
	cfg.Condition = -1
	require.ErrorContains(t, cfg.Validate(), "condition")
	for decoder, want := range map[string]string{"unheard of": "decoder \"unheard of\" is unknown",
		"none": "gives no function", "too narrow": "is not [1, 2]"} {
		m, err := reduce.NewVAE(reduce.VAEConfig{Features: 2, Code: 1, Decoder: decoder}, 1)
		if err == nil {
			_, err = m.InverseTransform([]float32{1})
		}
		require.ErrorContains(t, err, want)
	}
	for _, register := range []func(){
		func() { reduce.RegisterDecoder("", stepwise) },
		func() { reduce.RegisterDecoder("stepwise", stepwise) },
		func() { reduce.RegisterDecoder("new", nil) },
	} {
		require.Panics(t, register, fmt.Sprint(reduce.Decoders()))
	}
	require.Equal(t, []string{"none", "stepwise", "too narrow"}, reduce.Decoders())
	_, err = new(reduce.VAE).SampleGiven(nil, 1, 1)
	require.Error(t, err)
}
