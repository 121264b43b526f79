package graph_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/gorgoniatest"
)

var solvers = map[string]func() G.Solver{
	"vanilla":  func() G.Solver { return G.NewVanillaSolver(G.WithLearnRate(0.05)) },
	"adam":     func() G.Solver { return G.NewAdamSolver(G.WithLearnRate(0.01), G.WithClip(0.5)) },
	"rmsprop":  func() G.Solver { return G.NewRMSPropSolver(G.WithLearnRate(0.01)) },
	"momentum": func() G.Solver { return G.NewMomentum(G.WithLearnRate(0.02)) },
}

// A program written for Gorgonia alone has the same losses with its machine replaced, for 20 steps
// of each solver.
func TestPlainGorgoniaPrograms(t *testing.T) {
	programs := map[string]func(t *testing.T, dt tensor.Dtype) (*gorgoniatest.Program, error){
		"mlp": func(_ *testing.T, dt tensor.Dtype) (*gorgoniatest.Program, error) {
			return gorgoniatest.MLP(dt, 17, 5, 23)
		},
		"mlp of 1": func(_ *testing.T, dt tensor.Dtype) (*gorgoniatest.Program, error) {
			return gorgoniatest.MLP(dt, 2, 1, 1)
		},
		"rnn": func(_ *testing.T, dt tensor.Dtype) (*gorgoniatest.Program, error) {
			return gorgoniatest.RNN(dt, 7, 5, 3, 11)
		},
		"mnist": func(t *testing.T, dt tensor.Dtype) (*gorgoniatest.Program, error) {
			data, err := gorgoniatest.MNIST("../../shared/data", 500)
			if err != nil {
				t.Skipf("no MNIST: %v (SEQZOO_DATA names the folder of the data sets)", err)
			}
			return gorgoniatest.Classifier(dt, data, 50, 32)
		},
	}
	for name, program := range programs {
		for dt, tolerance := range map[tensor.Dtype]float64{tensor.Float64: 1e-9,
			tensor.Float32: 2e-4} {
			for solver, newSolver := range solvers {
				t.Run(name+"/"+dt.String()+"/"+solver, func(t *testing.T) {
					p, err := program(t, dt)
					require.NoError(t, err)
					tape := G.NewTapeMachine(p.Graph, G.BindDualValues(p.Learnables...))
					defer tape.Close()
					want, err := p.Train(tape, newSolver(), 20)
					require.NoError(t, err)

					for _, opts := range [][]graph.Option{nil, {graph.Plain()}} {
						p, err = program(t, dt)
						require.NoError(t, err)
						vm, err := graph.Compile(p.Graph, opts...)
						require.NoError(t, err)
						defer vm.Close()
						require.Empty(t, vm.Warnings())
						require.NotContains(t, vm.Explain(), "its own Do")
						got, err := p.Train(vm, newSolver(), 20)
						require.NoError(t, err)
						require.InEpsilonSlice(t, want, got, tolerance)
					}
				})
			}
		}
	}
}

// A convolutional network runs in the engine.
func TestConvolutions(t *testing.T) {
	build := func() *gorgoniatest.Program {
		p, err := gorgoniatest.Convolutions(tensor.Float64, 3, 8)
		require.NoError(t, err)
		return p
	}
	p := build()
	tape := G.NewTapeMachine(p.Graph, G.BindDualValues(p.Learnables...))
	defer tape.Close()
	want, err := p.Train(tape, solvers["vanilla"](), 5)
	require.NoError(t, err)
	p = build()
	vm, err := graph.Compile(p.Graph)
	require.NoError(t, err)
	defer vm.Close()
	require.NotContains(t, vm.Explain(), "its own Do")
	got, err := p.Train(vm, solvers["vanilla"](), 5)
	require.NoError(t, err)
	require.InEpsilonSlice(t, want, got, 1e-9)
}
