package graph_test

import (
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/owncells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// stateful is a graph with an operation that leaves something in itself for its derivative.
type stateful struct {
	x, y, cost *G.Node
	wrt        []*G.Node
	stats      func() []tensor.Tensor
}

func (s *stateful) derivatives() []*G.Node {
	var ds []*G.Node
	for _, n := range s.wrt {
		ds = append(ds, n.Deriv())
	}
	return ds
}

// weighted makes Σ y²·w the cost, with fixed unequal w, and asks for derivatives.
func (s *stateful) weighted(t *testing.T, wrt ...*G.Node) *stateful {
	w := constantLike(s.y, 3)
	s.cost = G.Must(G.Sum(G.Must(G.HadamardProd(G.Must(G.Square(s.y)), w))))
	s.wrt = wrt
	_, err := G.Grad(s.cost, wrt...)
	require.NoError(t, err)
	return s
}

func drawn(seed uint64, dt tensor.Dtype, shape ...int) *tensor.Dense {
	r := rand.New(rand.NewPCG(seed, 1))
	v := tensor.New(tensor.Of(dt), tensor.WithShape(shape...))
	for i := range v.Shape().TotalSize() {
		if x := r.NormFloat64(); dt == tensor.Float32 {
			v.Float32s()[i] = float32(x)
		} else {
			v.Float64s()[i] = x
		}
	}
	return v
}

func constantLike(n *G.Node, seed uint64) *G.Node {
	return G.NewTensor(n.Graph(), n.Dtype(), n.Dims(), G.WithName(fmt.Sprintf("c%d", seed)),
		G.WithShape(n.Shape()...),
		G.WithValue(drawn(seed, n.Dtype(), n.Shape()...)))
}

func input(g *G.ExprGraph, dt tensor.Dtype, name string, seed uint64, shape ...int) *G.Node {
	return G.NewTensor(g, dt, len(shape), G.WithName(name), G.WithShape(shape...),
		G.WithValue(drawn(seed, dt, shape...)))
}

func batchNorm(t *testing.T, dt tensor.Dtype, shape ...int) (*stateful, *G.BatchNormOp) {
	g := G.NewGraph()
	s := &stateful{x: input(g, dt, "x", 1, shape...)}
	scale, bias := input(g, dt, "scale", 5, shape...), input(g, dt, "bias", 6, shape...)
	y, _, _, op, err := G.BatchNorm(s.x, scale, bias, 0.3, 1e-3)
	require.NoError(t, err)
	s.y = y
	s.stats = func() []tensor.Tensor {
		mean, variance := op.Stats()
		return []tensor.Tensor{mean, variance}
	}
	s.wrt = []*G.Node{s.x, scale, bias}
	return s, op
}

var statefuls = map[string]func(t *testing.T, dt tensor.Dtype) *stateful{
	"batch norm of vectors": func(t *testing.T, dt tensor.Dtype) *stateful {
		s, _ := batchNorm(t, dt, 5, 3)
		return s.weighted(t, s.wrt...)
	},
	"batch norm of images": func(t *testing.T, dt tensor.Dtype) *stateful {
		s, _ := batchNorm(t, dt, 2, 3, 3, 2)
		return s.weighted(t, s.wrt...)
	},
	"group norm": func(t *testing.T, dt tensor.Dtype) *stateful {
		g := G.NewGraph()
		s := &stateful{x: input(g, dt, "x", 1, 2, 4, 3, 3)}
		scale, bias := input(g, dt, "scale", 5, 1, 4, 1, 1), input(g, dt, "bias", 6, 1, 4, 1, 1)
		y, err := G.GroupNorm(s.x, scale, bias, 2, 4, 1e-3)
		require.NoError(t, err)
		s.y = y
		return s.weighted(t, s.x, scale, bias)
	},
	"max pooling": func(t *testing.T, dt tensor.Dtype) *stateful {
		s := &stateful{x: input(G.NewGraph(), dt, "x", 1, 2, 2, 5, 5)}
		y, err := G.MaxPool2D(s.x, tensor.Shape{2, 2}, []int{0, 0}, []int{1, 1})
		require.NoError(t, err)
		s.y = y
		return s.weighted(t, s.x)
	},
	"average pooling": func(t *testing.T, dt tensor.Dtype) *stateful {
		s := &stateful{x: input(G.NewGraph(), dt, "x", 1, 1, 2, 4, 4)}
		y, err := G.AveragePool2D(s.x, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2})
		require.NoError(t, err)
		s.y = y
		return s.weighted(t, s.x)
	},
	"ctc loss": func(t *testing.T, dt tensor.Dtype) *stateful {
		g := G.NewGraph()
		s := &stateful{x: input(g, dt, "x", 1, 4, 3, 5)}
		ints := func(name string, v []int, shape ...int) *G.Node {
			return G.NewTensor(g, tensor.Int, len(shape), G.WithName(name), G.WithShape(shape...),
				G.WithValue(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(v))))
		}
		logits, err := G.LogSoftMax(s.x, 2)
		require.NoError(t, err)
		s.y, err = G.CTCLoss(logits, ints("targets", []int{1, 2, 3, 4, 2, 2}, 3, 2),
			ints("input lengths", []int{4, 4, 3}, 3),
			ints("target lengths", []int{2, 2, 1}, 3), G.ReductionSum)
		require.NoError(t, err)
		s.cost, s.wrt = s.y, []*G.Node{s.x}
		_, err = G.Grad(s.cost, s.x)
		require.NoError(t, err)
		return s
	},
}

// Operations that keep something in themselves for their derivatives give the values and gradients
// of Gorgonia's own machine in every run, whatever is asked for and on any number of workers.
func TestOperationsWithState(t *testing.T) {
	for name, build := range statefuls {
		for dt, tolerance := range map[tensor.Dtype]float64{tensor.Float64: 1e-12,
			tensor.Float32: 1e-5} {
			for what, options := range map[string]func(s *stateful) []graph.Option{
				"all":              func(*stateful) []graph.Option { return nil },
				"derivatives only": func(s *stateful) []graph.Option { return []graph.Option{graph.Keep(s.derivatives()...)} },
				"and values": func(s *stateful) []graph.Option {
					return []graph.Option{graph.Also(append(s.derivatives(), s.y)...),
						graph.Workers(3)}
				},
			} {
				t.Run(fmt.Sprint(name, "/", dt, "/", what), func(t *testing.T) {
					log.SetOutput(io.Discard) // Gorgonia's GroupNorm prints its operands
					defer log.SetOutput(os.Stderr)
					tape, ours := build(t, dt), build(t, dt)
					want := make([]G.Value, len(tape.wrt)+1)
					for i, n := range append(tape.derivatives(), tape.cost) {
						G.Read(n, &want[i])
					}
					reference := G.NewTapeMachine(tape.x.Graph())
					defer reference.Close()
					vm, err := graph.Compile(ours.x.Graph(), options(ours)...)
					require.NoError(t, err)
					defer vm.Close()
					if name == "average pooling" {
						require.Len(t, vm.Warnings(), 1)
						require.Contains(t, vm.Warnings()[0], "gorgonia.AveragePool2D")
					}
					for run := range uint64(3) {
						x := drawn(20+run, dt, ours.x.Shape()...)
						require.NoError(t, G.Let(tape.x, x.Clone()))
						require.NoError(t, G.Let(ours.x, x.Clone()))
						require.NoError(t, reference.RunAll())
						reference.Reset()
						require.NoError(t, vm.RunAll())
						for i, n := range ours.derivatives() {
							near(t, want[i], n.Value(), tolerance,
								fmt.Sprintf("run %d: derivative of %v", run, ours.wrt[i]))
						}
						if what != "derivatives only" {
							near(t, want[len(want)-1], ours.cost.Value(), tolerance, "cost")
						}
						if ours.stats != nil {
							// a forward pass too many would move them
							for i, s := range ours.stats() {
								near(t, tape.stats()[i], s, tolerance, "statistics")
							}
						}
					}
				})
			}
		}
	}
}

// Their gradients are those of finite differences, but for two of Gorgonia's: CTCLoss gives the
// gradient of the numbers before a LogSoftMax, and AveragePool2D a wrong one.
func TestGradientsOfOperationsWithState(t *testing.T) {
	for name, build := range statefuls {
		if name == "ctc loss" || name == "average pooling" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			s := build(t, tensor.Float64)
			vm, err := graph.Compile(s.x.Graph())
			require.NoError(t, err)
			defer vm.Close()
			require.NoError(t, vm.RunAll())
			got := numbers(t, s.x.Deriv().Value())
			got = append([]float64(nil), got...)
			x := s.x.Value().(*tensor.Dense).Float64s()
			cost := func() float64 {
				require.NoError(t, vm.RunAll())
				return numbers(t, s.cost.Value())[0]
			}
			const h = 1e-5
			for i, was := range x {
				x[i] = was + h
				up := cost()
				x[i] = was - h
				down := cost()
				x[i] = was
				require.InDelta(t, (up-down)/(2*h), got[i], 1e-6, "element %d", i)
			}
		})
	}
}

// The mean of what batch normalisation gives does not depend on its input.
func TestBatchNormUnderALinearHead(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
		g := G.NewGraph()
		x := input(g, dt, "x", 1, 8, 3)
		ones := G.NewTensor(g, dt, 2, G.WithName("scale"), G.WithShape(8, 3), G.WithInit(G.Ones()))
		zeros := G.NewTensor(g, dt, 2, G.WithName("bias"), G.WithShape(8, 3),
			G.WithInit(G.Zeroes()))
		y, _, _, _, err := G.BatchNorm(x, ones, zeros, 0.9, 1e-5)
		require.NoError(t, err)
		_, err = G.Grad(G.Must(G.Mean(y)), x)
		require.NoError(t, err)
		vm, err := graph.Compile(g, graph.Keep(x.Deriv()))
		require.NoError(t, err)
		defer vm.Close()
		for range 3 {
			require.NoError(t, vm.RunAll())
			for _, d := range numbers(t, x.Deriv().Value()) {
				require.InDelta(t, 0, d, 1e-6)
			}
		}
	}
}

// Training and evaluation are switched at compile time, and by the operation itself at any time.
func TestTrainingModes(t *testing.T) {
	tape, tapeOp := batchNorm(t, tensor.Float64, 5, 3)
	tape.weighted(t, tape.wrt...)
	ours, op := batchNorm(t, tensor.Float64, 5, 3)
	ours.weighted(t, ours.wrt...)
	var want, cost G.Value
	G.Read(tape.x.Deriv(), &want)
	G.Read(tape.cost, &cost)
	reference := G.NewTapeMachine(tape.x.Graph(), G.EvalMode())
	defer reference.Close()
	vm, err := graph.Compile(ours.x.Graph(), graph.EvalMode())
	require.NoError(t, err)
	defer vm.Close()
	for i, training := range []bool{false, true, true, false, false, true} {
		require.NoError(t, tapeOp.SetTraining(training))
		require.NoError(t, op.SetTraining(training))
		if !training {
			mean, variance := drawn(uint64(i), tensor.Float64, 3),
				tensor.New(tensor.WithBacking([]float64{0.5, 1, 2}))
			require.NoError(t, tapeOp.SetStats(mean, variance))
			require.NoError(t, op.SetStats(mean, variance))
		}
		require.NoError(t, reference.RunAll())
		reference.Reset()
		require.NoError(t, vm.RunAll())
		near(t, cost, ours.cost.Value(), 1e-12, i)
		near(t, want, ours.x.Deriv().Value(), 1e-12, i)
	}
}

// Gorgonia's dropout draws a mask a run, and its derivative is of that mask.
func TestDropoutMasks(t *testing.T) {
	g := G.NewGraph()
	x := G.NewMatrix(g, tensor.Float64, G.WithName("x"), G.WithShape(20, 30), G.WithInit(G.Ones()))
	y := G.Must(G.Dropout(x, 0.5))
	_, err := G.Grad(G.Must(G.Sum(y)), x)
	require.NoError(t, err)
	vm, err := graph.Compile(g, graph.Also(y), graph.Workers(3))
	require.NoError(t, err)
	defer vm.Close()
	var last []float64
	for range 3 {
		require.NoError(t, vm.RunAll())
		mask := append([]float64(nil), numbers(t, y.Value())...)
		for i, d := range numbers(t, x.Deriv().Value()) {
			require.Equal(t, mask[i] == 0, d == 0)
		}
		require.NotEqual(t, last, mask)
		last = mask
	}
}

// What is random is drawn once a run, however many read it, also of a type that the engine has no
// memory for.
func TestRandomNodesAreDrawnOnce(t *testing.T) {
	for _, most := range []tensor.Dtype{tensor.Float64, tensor.Float32} {
		g := G.NewGraph()
		for i := range 20 { // most nodes are of this type
			G.Must(G.Neg(input(g, most, fmt.Sprint(i), uint64(i), 2)))
		}
		r := G.GaussianRandomNode(g, tensor.Float64, 0, 1, 7)
		a, b := G.Must(G.Add(r, r)), G.Must(G.Neg(r))
		positive, negative := G.Must(G.Gt(r, G.NewConstant(0.0), false)),
			G.Must(G.Lt(r, G.NewConstant(0.0), false))
		vm, err := graph.Compile(g, graph.Also(r, a, b, positive, negative))
		require.NoError(t, err)
		defer vm.Close()
		for range 3 {
			require.NoError(t, vm.RunAll())
			for i, v := range numbers(t, r.Value()) {
				require.Equal(t, 2*v, numbers(t, a.Value())[i])
				require.Equal(t, -v, numbers(t, b.Value())[i])
				require.Equal(t, v > 0, positive.Value().Data().([]bool)[i])
				require.Equal(t, v < 0, negative.Value().Data().([]bool)[i])
			}
		}
	}
}

// An operation applied twice overwrites what it left for the derivative of its first use.
func TestOneOperationWithStateTwice(t *testing.T) {
	g := G.NewGraph()
	x := input(g, tensor.Float64, "x", 1, 5, 3)
	y, _, _, op, err := G.BatchNorm(x, nil, nil, 0.9, 1e-3)
	require.NoError(t, err)
	again := G.Must(G.ApplyOp(op, G.Must(G.Square(x))))
	_, err = G.Grad(G.Must(G.Sum(G.Must(G.Square(G.Must(G.Add(y, again)))))), x)
	require.NoError(t, err)
	for _, o := range [][]graph.Option{nil, {graph.Plain()}} {
		_, err = graph.Compile(g, o...)
		require.ErrorContains(t, err, "are one operation, which leaves in itself")
	}
}

// In a recurrence all steps run forward before one runs backward.
func TestOperationsWithStateInARecurrence(t *testing.T) {
	build := func(o unroll.Options) error {
		return nodes.Try(func() {
			store := nodes.NewStore(nodes.Float64, 1)
			g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64, Training: true})
			cell := normalised{owncells.NewMinimalGatedUnit(store.Root(), 3, 4)}
			res := unroll.Over(cell).Unroll(g.Input("x", 3, 5, 3), nil, o)
			ds := g.Gradients(nodes.Mean(nodes.Square(res.Y())), store.Params()[0])
			x := g.Expr().ByName("x")[0]
			require.NoError(t, G.Let(x, drawn(1, tensor.Float64, 3, 5, 3)))
			vm, err := graph.Compile(g.Expr(), graph.Keep(ds[0].Gorgonia()))
			if err != nil {
				panic(err)
			}
			defer vm.Close()
			require.NoError(t, vm.RunAll())
		})
	}
	err := build(unroll.Options{})
	require.ErrorContains(t, err, "cannot be in a step of a recurrence that is differentiated")
	require.True(t, strings.Contains(err.Error(), "batchnorm"))
	require.NoError(t, build(unroll.Options{Strategy: unroll.Expand}))
}

// normalised is a cell over a batch normalised input.
type normalised struct{ *owncells.MinimalGatedUnit }

func (n normalised) Step(x *nodes.Node, s cells.State) cells.State {
	g := x.Graph()
	shape := x.Shape()
	y, _, _, _, err := G.BatchNorm(x.Gorgonia(), g.Const(1, shape...).Gorgonia(),
		g.Zeros(shape...).Gorgonia(), 0.9, 1e-3)
	if err != nil {
		panic(err)
	}
	return n.MinimalGatedUnit.Step(g.Of(y), s)
}
