package train_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

// squares is a step of an RNN whose loss is the mean of its squared outputs.
func squares(t *testing.T, training bool) (s *train.Step, x []float32) {
	require.NoError(t, nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Training: training})
		in := g.Input("x", 6, 2, 3)
		v, err := run.Feed(in)
		require.NoError(t, err)
		x = v.Float32s()
		cell := cells.NewRNN(nodes.NewStore(nodes.Float32, 1).Root().In("layer"),
			cells.RNNConfig{In: 3, Hidden: 4, Activation: cells.ReLU})
		s, err = train.NewStep(nodes.Mean(nodes.Square(unroll.Over(cell).Unroll(in, nil,
			unroll.Options{}).Y())))
		require.NoError(t, err)
	}))
	t.Cleanup(func() { s.Close() })
	r := rand.New(rand.NewPCG(1, 2))
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return s, x
}

func TestStepGradientFlow(t *testing.T) {
	s, _ := squares(t, true)
	loss, err := s.Run(1, 2)
	require.NoError(t, err)
	norm := func(i int) float64 {
		g, err := s.Grads()[i].Grad()
		require.NoError(t, err)
		sum := 0.0
		for _, v := range g.Data().([]float32) {
			sum += float64(v) * float64(v)
		}
		return math.Sqrt(sum)
	}
	want := []float64{norm(0), norm(1), norm(2)}
	for range 2 {
		r, err := s.GradientFlow()
		require.NoError(t, err)
		require.Len(t, r.Layers, 1)
		require.Equal(t, "layer h", r.Layers[0].Name())
		require.Len(t, r.Layers[0].Norms, 6)
		require.Greater(t, r.Layers[0].Norms[0], 0.0)
		require.Len(t, r.Params, 3)
		for i, p := range r.Params {
			require.InDelta(t, want[i], p.Norm, 1e-6*want[i], p.Name)
		}
		again, err := s.Run(1, 2)
		require.NoError(t, err)
		require.Equal(t, loss, again)
		require.Equal(t, want, []float64{norm(0), norm(1), norm(2)})
	}
	s, _ = squares(t, false)
	_, err = s.GradientFlow()
	require.ErrorContains(t, err, "no gradients")
}

func TestStepCheck(t *testing.T) {
	s, x := squares(t, true)
	_, err := s.Run(1, 2)
	require.NoError(t, err)
	require.NoError(t, s.Check())
	old := x[3*6+1]
	x[3*6+1] = float32(math.NaN())
	loss, err := s.Run(1, 2)
	require.NoError(t, err)
	require.False(t, loss-loss == 0, "%v", loss)
	x[3*6+1] = old // what was wrong is known all the same
	var found *graph.NotFinite
	require.ErrorAs(t, s.Check(), &found)
	require.Equal(t, "input x", found.Operation)
	_, err = s.Run(1, 2)
	require.NoError(t, err)
	require.NoError(t, s.Check())
}
