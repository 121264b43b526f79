package graph_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// poisoned is an LSTM whose input carries a number for each gate beside its features. Every gate is
// multiplied by a function of its own of that number, whose value at 1 is 1.
type poisoned struct {
	in, hidden int
	w, u       *nodes.Param
}

func (c *poisoned) Parts() []cells.Part {
	return []cells.Part{{Name: "h", Width: c.hidden}, {Name: "c", Width: c.hidden}}
}

// gates are the functions: each has a name of its own.
var gates = []struct {
	name string
	fn   func(nodes.Operand) *nodes.Node
}{
	{"Sqrt", nodes.Sqrt}, // at −1 NaN, at 0 its derivative is +Inf
	{"Inverse", func(x nodes.Operand) *nodes.Node { return nodes.Inverse(x) }},
	{"Log", func(x nodes.Operand) *nodes.Node { return nodes.Add(nodes.Log(x), nodes.Scalar(1)) }},
	{"Power", func(x nodes.Operand) *nodes.Node { return nodes.Power(x, -0.5) }},
}

func (c *poisoned) Step(x *nodes.Node, s cells.State) cells.State {
	h, m := s[0], s[1]
	a := nodes.Split(nodes.Add(nodes.MatMul(nodes.Slice(x, 1, 0, c.in), c.w), nodes.MatMul(h, c.u)),
		4, -1)
	gate := func(k int, y *nodes.Node) *nodes.Node {
		return nodes.Mul(y, gates[k].fn(nodes.Slice(x, 1, c.in+k, c.in+k+1)))
	}
	i, f, g, o := gate(0, nodes.Sigmoid(a[0])), gate(1, nodes.Sigmoid(a[1])),
		gate(2, nodes.Tanh(a[2])), gate(3, nodes.Sigmoid(a[3]))
	m = nodes.Add(nodes.Mul(f, m), nodes.Mul(i, g))
	return cells.State{nodes.Mul(o, nodes.Tanh(m)), m}
}

// NaN and infinities that come up in one gate of one layer at one step are named: layer, operation
// and step.
func TestWatchNamesTheFirst(t *testing.T) {
	const T, B, I, H, layers = 9, 3, 4, 5, 2
	var m model
	poison := make([]*nodes.Node, layers)
	require.NoError(t, nodes.Try(func() {
		store := nodes.NewStore(nodes.Float32, 3)
		m.g = nodes.NewGraph(nodes.Options{})
		y := m.g.Input("x", T, B, I)
		random(t, rand.New(rand.NewPCG(1, 1)), y)
		loss := m.g.Const(0)
		wrt := []nodes.Operand{y}
		for l := range layers {
			poison[l] = m.g.Input(fmt.Sprintf("poison %d", l), T, B, len(gates))
			wrt = append(wrt, poison[l])
			s := store.Root().In("l%d", l)
			c := &poisoned{y.Dim(-1), H, s.Param("W", nodes.Normal(0, 0.5), y.Dim(-1), 4*H),
				s.Param("U", nodes.Normal(0, 0.5), H, 4*H)}
			r := unroll.Over(c).Unroll(nodes.Concat(-1, y, poison[l]), nil, unroll.Options{})
			y = r.Y()
			for _, s := range r.Final() {
				loss = nodes.Add(loss, nodes.Mean(nodes.Square(s)))
			}
		}
		loss = nodes.Add(loss, nodes.Mean(nodes.Square(y)))
		m.keep = append(m.keep, loss.Gorgonia())
		for _, p := range store.Params() {
			wrt = append(wrt, p)
		}
		for _, d := range m.g.Gradients(loss, wrt...) {
			m.keep = append(m.keep, d.Gorgonia())
		}
	}))
	ones := func(n *nodes.Node) []float32 {
		random(t, rand.New(rand.NewPCG(1, 1)), n)
		v := n.Value().Data().([]float32)
		for i := range v {
			v[i] = 1
		}
		return v
	}
	var values [layers][]float32
	for l := range layers {
		values[l] = ones(poison[l])
	}
	vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.Watch())
	require.NoError(t, err)
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	require.NoError(t, vm.Check())

	r := rand.New(rand.NewPCG(20, 20))
	for trial := range 200 {
		l, k, at, row := r.IntN(layers), r.IntN(len(gates)), r.IntN(T), r.IntN(B)
		p := &values[l][(at*B+row)*len(gates)+k]
		bad := []float32{-1, 0}[r.IntN(2)]
		if gates[k].name == "Inverse" {
			bad = 0 // 1/−1 is finite
		}
		*p = bad
		err := vm.RunAll()
		where := fmt.Sprintf("trial %d: layer %d, %s at step %d, given %v: %v", trial, l,
			gates[k].name, at, bad, err)
		var found *graph.NotFinite
		require.True(t, errors.As(err, &found), where)
		require.Equal(t, fmt.Sprintf("l%d step", l), found.Path, where)
		require.Equal(t, at, found.Step(), where)
		require.Equal(t, gates[k].name, found.Operation, where)
		require.Equal(t, gates[k].name == "Sqrt" && bad == 0, found.Backward, where)
		require.Equal(t, found.Backward, found.Gradient, where)
		require.Equal(t, row, found.Index[0], where)
		require.False(t, found.Value-found.Value == 0, where)
		*p = 1
		require.NoError(t, vm.RunAll(), "afterwards all is well")
	}
}

// What was given is named as such, with its place.
func TestWatchNamesInputs(t *testing.T) {
	m := training(t, "gru", 6, 2, 3, 4)
	vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.Watch())
	require.NoError(t, err)
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	for _, v := range []float64{math.NaN(), math.Inf(1)} {
		x := m.g.Expr().ByName("x")[0].Value().Data().([]float32)
		old := x[3*2*3+5]
		x[3*2*3+5] = float32(v)
		var found *graph.NotFinite
		require.ErrorAs(t, vm.RunAll(), &found)
		if math.IsNaN(v) {
			require.Equal(t, "input x", found.Operation)
			require.Equal(t, []int{3, 1, 2}, found.Index)
			require.ErrorContains(t, vm.RunAll(), "graph: input x is NaN at [3, 1, 2]")
		} else {
			require.Equal(t, 3, found.Step(), "%v", found) // a product makes NaN of it
		}
		x[3*2*3+5] = old
	}
}

// Weights as after a learning rate out of all measure: the product that overflows is named.
func TestWatchNamesOverflow(t *testing.T) {
	m := training(t, "relu", 6, 2, 3, 4)
	vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.Watch())
	require.NoError(t, err)
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	w := m.g.Expr().ByName("W_hh")[0].Value().Data().([]float32)
	for i := range w {
		w[i] = 3e38
	}
	var found *graph.NotFinite
	require.ErrorAs(t, vm.RunAll(), &found)
	require.Equal(t, "MatMul", found.Operation)
	require.Contains(t, found.Text, "W_hh")
	require.GreaterOrEqual(t, found.Step(), 0)
	require.Contains(t, found.Error(), "step ")
}

// What leaves no trace in the results is for Check alone.
func TestCheckFindsWhatVanishes(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NewVector(g, gorgonia.Float64, gorgonia.WithShape(2), gorgonia.WithName("x"),
		gorgonia.WithValue(dense([]float64{1, 1e308}, 2)))
	y := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.Sigmoid(gorgonia.Must(gorgonia.Add(x,
		x))))))
	vm := compiled(t, g, graph.Keep(y), graph.Watch())
	require.NoError(t, vm.RunAll())
	var found *graph.NotFinite
	require.ErrorAs(t, vm.Check(), &found)
	require.Equal(t, []int{1}, found.Index)
	require.Contains(t, found.Operation, "+")
}
