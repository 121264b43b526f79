package graph_test

import (
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"testing"

	"github.com/chewxy/hm"
	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
)

// kept is where an operation of a user's puts its operand for its derivative.
type kept struct{ x []float64 }

// base is what operations on matrices of float64 have in common.
type base struct {
	name  string
	arity int
}

func (b base) Arity() int            { return b.arity }
func (b base) ReturnsPtr() bool      { return false }
func (b base) CallsExtern() bool     { return false }
func (b base) OverwritesInput() int  { return -1 }
func (b base) String() string        { return b.name }
func (b base) WriteHash(h hash.Hash) { fmt.Fprint(h, b.name) }
func (b base) DiffWRT(n int) []bool  { return make([]bool, n) }
func (b base) Hashcode() uint32 {
	h := fnv.New32a()
	b.WriteHash(h)
	return h.Sum32()
}

func (b base) Type() hm.Type {
	t := G.TensorType{Dims: 2, Of: tensor.Float64}
	return hm.NewFnType(append(make([]hm.Type, 0, 3), []hm.Type{t, t, t}[:b.arity+1]...)...)
}

func (b base) InferShape(in ...G.DimSizer) (tensor.Shape, error) {
	return in[0].(tensor.Shape),
		nil
}

func (b base) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, errors.New("no derivative")
}

func mapped(v G.Value, f func(i int, x float64) float64) G.Value {
	out := v.(*tensor.Dense).Clone().(*tensor.Dense)
	for i, x := range out.Float64s() {
		out.Float64s()[i] = f(i, x)
	}
	return out
}

// squareOp keeps its operand as it stands, in itself or in a place that its derivative knows too.
type squareOp struct {
	base
	own   kept
	place *kept // nil: own
}

func (s *squareOp) Do(in ...G.Value) (G.Value, error) {
	s.memory().x = in[0].(*tensor.Dense).Float64s()
	return mapped(in[0], func(_ int, x float64) float64 { return x * x }), nil
}

func (s *squareOp) memory() *kept {
	if s.place != nil {
		return s.place
	}
	return &s.own
}

func (s *squareOp) DiffWRT(int) []bool { return []bool{true} }

func (s *squareOp) SymDiff(_ G.Nodes, _, dy *G.Node) (G.Nodes, error) {
	var op G.Op = squareDiffOp{base{"derivative of " + s.name, 1}, s}
	if s.place != nil {
		op = &placeDiffOp{base{"derivative of " + s.name, 1}, s.place}
	}
	d, err := G.ApplyOp(op, dy)
	return G.Nodes{d}, err
}

// squareDiffOp holds the operation, placeDiffOp only the place.
type squareDiffOp struct {
	base
	of *squareOp
}

func (s squareDiffOp) Do(in ...G.Value) (G.Value, error) {
	return mapped(in[0], func(i int, dy float64) float64 { return 2 * s.of.memory().x[i] * dy }),
		nil
}

type placeDiffOp struct {
	base
	place *kept
}

func (s *placeDiffOp) Do(in ...G.Value) (G.Value, error) {
	return mapped(in[0], func(i int, dy float64) float64 { return 2 * s.place.x[i] * dy }), nil
}

// Operations of users keep what they like where they like; even the operand itself, whose memory
// the engine would use again.
func TestOperationsOfUsersWithState(t *testing.T) {
	for _, shared := range []bool{false, true} {
		for name, opts := range map[string]func(d *G.Node) []graph.Option{
			"all":      func(*G.Node) []graph.Option { return nil },
			"gradient": func(d *G.Node) []graph.Option { return []graph.Option{graph.Keep(d)} },
			"plain": func(d *G.Node) []graph.Option {
				return []graph.Option{graph.Keep(d),
					graph.Plain()}
			},
			"on workers": func(d *G.Node) []graph.Option {
				return []graph.Option{graph.Keep(d),
					graph.Workers(3)}
			},
		} {
			t.Run(fmt.Sprint(name, shared), func(t *testing.T) {
				build := func(square func(x *G.Node) *G.Node) *G.Node {
					g := G.NewGraph()
					x := input(g, tensor.Float64, "x", 1, 4, 5)
					y, weights := x, input(g, tensor.Float64, "w", 2, 5, 5)
					for range 3 {
						y = square(G.Must(G.Mul(y, weights))) // which nothing else needs later
					}
					_, err := G.Grad(G.Must(G.Sum(y)), x)
					require.NoError(t, err)
					return x
				}
				n := 0
				ours := build(func(x *G.Node) *G.Node {
					n++
					op := &squareOp{base: base{fmt.Sprint("square ", n), 1}}
					if shared {
						op.place = &kept{}
					}
					return G.Must(G.ApplyOp(op, x))
				})
				right := build(func(x *G.Node) *G.Node { return G.Must(G.Square(x)) })
				want, err := graph.Compile(right.Graph(), graph.Keep(right.Deriv()))
				require.NoError(t, err)
				defer want.Close()
				vm, err := graph.Compile(ours.Graph(), opts(ours.Deriv())...)
				require.NoError(t, err)
				defer vm.Close()
				for run := range uint64(3) {
					v := drawn(10+run, tensor.Float64, 4, 5)
					require.NoError(t, G.Let(right, v))
					require.NoError(t, G.Let(ours, v))
					require.NoError(t, want.RunAll())
					require.NoError(t, vm.RunAll())
					near(t, right.Deriv().Value(), ours.Deriv().Value(), 1e-12, run)
				}
			})
		}
	}
}

// State stays where it is also among values of a type that the engine has no memory for.
func TestStateOfAnotherType(t *testing.T) {
	build := func(others int) (*stateful, *graph.Machine) {
		s, _ := batchNorm(t, tensor.Float64, 5, 3)
		s.weighted(t, s.wrt...)
		for i := range others {
			G.Must(G.Neg(input(s.x.Graph(), tensor.Float32, fmt.Sprint(i), uint64(i), 2)))
		}
		vm, err := graph.Compile(s.x.Graph(), graph.Also(append(s.derivatives(), s.y)...))
		require.NoError(t, err)
		return s, vm
	}
	few, reference := build(0)
	defer reference.Close()
	many, vm := build(200)
	defer vm.Close()
	for run := range uint64(3) {
		v := drawn(run, tensor.Float64, 5, 3)
		require.NoError(t, G.Let(few.x, v.Clone()))
		require.NoError(t, G.Let(many.x, v.Clone()))
		require.NoError(t, reference.RunAll())
		require.NoError(t, vm.RunAll())
		for i, d := range many.derivatives() {
			near(t, few.derivatives()[i].Value(), d.Value(), 1e-12, d)
			gradient, err := many.wrt[i].Grad()
			require.NoError(t, err)
			near(t, few.derivatives()[i].Value(), gradient, 1e-12, d)
		}
		for i, s := range many.stats() {
			near(t, few.stats()[i], s, 1e-12, "statistics")
		}
	}
}
