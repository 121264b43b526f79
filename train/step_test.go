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
func squares(t *testing.T, training bool) (s *train.Step, x run.Floats) {
	require.NoError(t, nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Training: training})
		in := g.Input("x", 6, 2, 3)
		v, err := run.Feed(in)
		require.NoError(t, err)
		x = v.Floats()
		cell := cells.NewRNN(nodes.NewStore(nodes.Float32, 1).Root().In("layer"),
			cells.RNNConfig{In: 3, Hidden: 4, Activation: cells.ReLU})
		s, err = train.NewStep(nodes.Mean(nodes.Square(unroll.Over(cell).Unroll(in, nil,
			unroll.Options{}).Y())))
		require.NoError(t, err)
	}))
	t.Cleanup(func() { s.Close() })
	r := rand.New(rand.NewPCG(1, 2))
	for i := range x.Len() {
		x.Set(i, r.NormFloat64())
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
	old := x.At(3*6 + 1)
	x.Set(3*6+1, math.NaN())
	loss, err := s.Run(1, 2)
	require.NoError(t, err)
	require.False(t, loss-loss == 0, "%v", loss)
	x.Set(3*6+1, old) // what was wrong is known all the same
	var found *graph.NotFinite
	require.ErrorAs(t, s.Check(), &found)
	require.Equal(t, "input x", found.Operation)
	_, err = s.Run(1, 2)
	require.NoError(t, err)
	require.NoError(t, s.Check())
}

// wrtGraph is a loss of two layers, and their parameters.
func wrtGraph(s *nodes.Store, training bool) (loss, y *nodes.Node, x run.Floats) {
	g := nodes.NewGraph(nodes.Options{Training: training})
	in := g.Input("x", 7, 2, 3)
	x = must(run.Feed(in)).Floats()
	for i := range x.Len() {
		x.Set(i, math.Sin(float64(i)))
	}
	h := in
	for i, name := range []string{"l0", "l1"} {
		cell := cells.NewGRU(s.Root().In("%s", name), cells.GRUConfig{In: 3 + 2*i, Hidden: 5})
		h = unroll.Over(cell).Unroll(h, nil, unroll.Options{}).Y()
	}
	return nodes.Mean(nodes.Square(h)), h, x
}

// gradientsOf are those of one run, by name.
func gradientsOf(t *testing.T, s *train.Step) map[string][]float32 {
	_, err := s.Run(1, 1)
	require.NoError(t, err)
	m := map[string][]float32{}
	for _, vg := range s.Grads() {
		name := vg.(interface{ Name() string }).Name()
		g, err := s.Grad(name)
		require.NoError(t, err)
		m[name] = append([]float32{}, g.Float32s()...)
	}
	return m
}

// A step for some of the parameters gives their gradients, and needs less memory and fewer
// operations than one for all; frozen parameters are left out in the same way.
func TestStepWrtAndFrozen(t *testing.T) {
	build := func(training bool, change func(*nodes.Store) train.StepConfig) (*train.Step, error) {
		s := nodes.NewStore(nodes.Float32, 1)
		var loss *nodes.Node
		require.NoError(t, nodes.Try(func() { loss, _, _ = wrtGraph(s, training) }))
		c := train.StepConfig{}
		if change != nil {
			c = change(s)
		}
		return train.NewStepWith(c, loss)
	}
	whole, err := build(true, nil)
	require.NoError(t, err)
	all := gradientsOf(t, whole)
	require.Len(t, all, 8)
	for name, change := range map[string]func(*nodes.Store) train.StepConfig{
		"wrt": func(s *nodes.Store) train.StepConfig {
			return train.StepConfig{Wrt: must(s.Find("l1"))}
		},
		"frozen": func(s *nodes.Store) train.StepConfig {
			for _, p := range must(s.Find("l0")) {
				p.Freeze(true)
			}
			return train.StepConfig{}
		},
	} {
		part, err := build(true, change)
		require.NoError(t, err, name)
		some := gradientsOf(t, part)
		require.Len(t, some, 4)
		for param, want := range all {
			if got, ok := some[param]; ok {
				for i := range want {
					require.InDelta(t, want[i], got[i], 1e-6, "%s: %s", name, param)
				}
			} else {
				require.Equal(t, "l0", param[:2])
				_, err := part.Grad(param)
				require.ErrorContains(t, err, "it has those of l1/")
			}
		}
		require.Less(t, part.Machine().Memory(), whole.Machine().Memory(), name)
	}
	s := nodes.NewStore(nodes.Float32, 2)
	other := s.Root().Param("other", nodes.Zeros(), 1)
	for want, change := range map[string]func(*nodes.Store) train.StepConfig{
		"parameter 0 of Wrt is nil": func(*nodes.Store) train.StepConfig {
			return train.StepConfig{Wrt: []*nodes.Param{nil}}
		},
		"Wrt has other, which the graph does not use": func(*nodes.Store) train.StepConfig {
			return train.StepConfig{Wrt: []*nodes.Param{other}}
		},
		"Wrt has l0/W_ih twice": func(s *nodes.Store) train.StepConfig {
			p, _ := s.Get("l0/W_ih")
			return train.StepConfig{Wrt: []*nodes.Param{p, p}}
		},
		"Wrt has l0/W_ih, which is frozen": func(s *nodes.Store) train.StepConfig {
			p, _ := s.Get("l0/W_ih")
			p.Freeze(true)
			return train.StepConfig{Wrt: []*nodes.Param{p}}
		},
	} {
		_, err := build(true, change)
		require.ErrorContains(t, err, want)
	}
	_, err = build(false, func(s *nodes.Store) train.StepConfig {
		return train.StepConfig{Wrt: must(s.Find("l0"))}
	})
	require.ErrorContains(t, err, "build it with Training set")
	none, err := build(true, func(*nodes.Store) train.StepConfig {
		return train.StepConfig{Wrt: []*nodes.Param{}}
	})
	require.NoError(t, err)
	require.Empty(t, gradientsOf(t, none))
	_, err = none.Grad("x")
	require.ErrorContains(t, err, "those of nothing")
}
