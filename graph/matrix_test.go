package graph_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// matrixCell has a state [B, heads, keys, values] that it computes as step says, from rows and
// columns of its input and gates.
type matrixCell struct {
	heads, keys, values int
	step                func(s, k, v, q, gate, rows *nodes.Node) (state, read *nodes.Node)
	w                   *nodes.Param
}

func (c *matrixCell) Parts() []cells.Part {
	return []cells.Part{{Name: "h", Width: c.heads * (c.keys + c.values)},
		cells.Matrix("S", c.heads, c.keys, c.values)}
}

func (c *matrixCell) Step(x *nodes.Node, s cells.State) cells.State {
	B, h := x.Dim(0), c.heads
	x = nodes.Tanh(nodes.MatMul(x, c.w))
	at := 0
	take := func(shape ...int) *nodes.Node {
		n := h * shape[0] * shape[1]
		y := nodes.Reshape(nodes.Slice(x, 1, at, at+n), B, h, shape[0], shape[1])
		at += n
		return y
	}
	k, q, rows := take(c.keys, 1), take(c.keys, 1), take(c.keys, 1)
	v, gate := take(1, c.values), take(1, 1)
	state, read := c.step(s[1], k, v, q, nodes.Sigmoid(gate), nodes.Sigmoid(rows))
	back := nodes.Sum(nodes.Mul(state, nodes.Mul(v, gate)), 3) // what a value finds: S·v
	return cells.State{nodes.Concat(1, nodes.Reshape(read, B, h*c.values),
		nodes.Reshape(back, B, h*c.keys)), state}
}

// width is that of what the weights make of the input.
func (c *matrixCell) width() int { return c.heads * (3*c.keys + c.values + 1) }

// matrixSteps are what cells with a matrix as a state do with it.
var matrixSteps = map[string]func(s, k, v, q, gate, rows *nodes.Node) (state, read *nodes.Node){
	"linear attention": func(s, k, v, q, _, _ *nodes.Node) (state, read *nodes.Node) {
		s = nodes.Add(s, nodes.Mul(k, v))
		return s, nodes.Sum(nodes.Mul(q, s), 2)
	},
	"decay and add": func(s, k, v, q, gate, _ *nodes.Node) (state, read *nodes.Node) {
		s = nodes.Add(nodes.Mul(gate, s), nodes.Mul(k, v))
		norm := nodes.Shift(nodes.SumKeep(nodes.Square(s), 2, 3), 1)
		return s, nodes.Div(nodes.SumKeep(nodes.Mul(q, s), 2), norm)
	},
	"a gate for each row": func(s, k, v, q, _, rows *nodes.Node) (state, read *nodes.Node) {
		s = nodes.Add(nodes.Mul(s, rows), nodes.Mul(k, v))
		return s, nodes.Sum(nodes.Mul(s, q), 2)
	},
	"delta rule": func(s, k, v, q, gate, _ *nodes.Node) (state, read *nodes.Node) {
		known := nodes.SumKeep(nodes.Mul(k, s), 2)
		s = nodes.Sub(s, nodes.Mul(nodes.Mul(gate, k), nodes.Sub(known, v)))
		return s, nodes.Sum(nodes.Mul(q, s), 2)
	},
	"bonus of the present": func(s, k, v, q, _, rows *nodes.Node) (state, read *nodes.Node) {
		now := nodes.Mul(k, v)
		read = nodes.Sum(nodes.Mul(q, nodes.Add(s, nodes.Mul(rows, now))), 2)
		return nodes.Add(nodes.Mul(rows, s), now), read
	},
	"not linear": func(s, k, v, q, gate, _ *nodes.Node) (state, read *nodes.Node) {
		s = nodes.Tanh(nodes.Add(nodes.Mul(s, gate), nodes.Mul(v, k)))
		return s, nodes.Max(nodes.Mul(q, s), 2)
	},
}

// matrixModel is a layer of such a cell with its gradients.
func matrixModel(t *testing.T, name string, dt tensor.Dtype, T, B int, c matrixCell,
	o unroll.Options, lengths bool) (m model) {
	const in = 3
	c.step = matrixSteps[name]
	r := rand.New(rand.NewPCG(1, uint64(T*B*c.keys*c.values)))
	store := nodes.NewStore(dt, 1)
	var x, n *nodes.Node
	require.NoError(t, nodes.Try(func() {
		c.w = store.Root().Param("w", nodes.XavierUniform(1), in, c.width())
		m.g = nodes.NewGraph(nodes.Options{Dtype: dt})
		x = m.g.Input("x", T, B, in)
		if lengths {
			n = m.g.IntInput("lengths", B)
			o.Lengths = n
		}
		out := unroll.Over(&c).Unroll(x, nil, o)
		loss := nodes.Mean(nodes.Square(nodes.Shift(out.Y(), 0.5)))
		m.keep = []*gorgonia.Node{loss.Gorgonia(), out.Y().Gorgonia()}
		for _, d := range m.g.Gradients(loss, x, c.w) {
			m.keep = append(m.keep, d.Gorgonia())
		}
	}))
	random(t, r, x)
	if lengths {
		v := make([]int, B)
		for i := range v {
			v[i] = 1 + r.IntN(T)
		}
		bindInts(t, n, v)
	}
	return m
}

// A state that is a matrix for each row is computed, and added up, in passes that hold no product
// in memory. They give what separate operations give, and the same bits with any number of workers.
func TestMatrixStates(t *testing.T) {
	defer kernels.SetLevel(kernels.CurrentLevel())
	sizes := []struct{ T, B, heads, keys, values int }{{3, 2, 1, 5, 7}, {1, 1, 1, 1, 1},
		{2, 1, 1, 70, 3}, {2, 3, 2, 2, 1}, {3, 1, 2, 1, 9}, {2, 5, 1, 129, 67}, {2, 2, 3, 4, 300},
		{2, 1, 1, 520, 2}, {2, 2, 1, 3, 513}, {4, 3, 1, 16, 16}}
	for _, level := range kernels.Levels() {
		kernels.SetLevel(level)
		for name := range matrixSteps {
			for i, s := range sizes {
				dt := []tensor.Dtype{nodes.Float32, nodes.Float64}[i%2]
				for _, expand := range []bool{false, true} {
					o := unroll.Options{Reverse: i%3 == 2}
					if expand {
						o.Strategy = unroll.Expand
					}
					what := fmt.Sprint(level, " ", name, " ", s, " ", expand)
					c := matrixCell{heads: s.heads, keys: s.keys, values: s.values}
					m := matrixModel(t, name, dt, s.T, s.B, c, o, i%2 == 0)
					want := m.outcome(t, graph.Workers(1), graph.Without("fuse"))
					got := m.outcome(t, graph.Workers(1))
					for i := range want {
						require.Len(t, got[i], len(want[i]), what)
						for k, w := range want[i] {
							require.InDelta(t, w, got[i][k], 1e-4, what)
						}
					}
					for workers := 2; workers < 5; workers++ {
						requireBits(t, got, m.outcome(t, graph.Workers(workers), graph.ShareAll()), what)
					}
				}
			}
		}
	}
}
