package ops_test

import (
	"fmt"
	"slices"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	_ "github.com/seqzoo/seqzoo/internal/testkit" // one seed

	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/nodes"
)

var sizes = []int{1, 2, 3, 5, 7}

// recipe is a random expression that can be built again and again. Every value in it is smooth and
// stays small: what the operations make is brought back by tanh, and operands of functions with a
// limited domain are squared first.
type recipe struct {
	inputs [][]int
	steps  []func(pool []*nodes.Node) *nodes.Node
	names  []string
}

func (r *recipe) String() string { return fmt.Sprint(r.inputs, r.names) }

// draw extends a recipe on the side of a graph that tells it the shapes.
func draw(t *rapid.T) *recipe {
	r := &recipe{}
	g := nodes.NewGraph(nodes.Options{})
	var pool []*nodes.Node
	size := func() int { return rapid.SampledFrom(sizes).Draw(t, "size") }
	for i := range rapid.IntRange(1, 3).Draw(t, "inputs") {
		shape := []int{}
		for range rapid.IntRange(0, 3).Draw(t, "axes") {
			shape = append(shape, size())
		}
		r.inputs = append(r.inputs, shape)
		pool = append(pool, g.Input(fmt.Sprint(i), shape...))
	}
	add := func(name string, f func(pool []*nodes.Node) *nodes.Node) {
		n := f(pool)
		if ops.Size(n.Shape()) > 2000 {
			return
		}
		r.steps, r.names = append(r.steps, f), append(r.names, name)
		pool = append(pool, n)
	}
	unary := []func(x nodes.Operand) *nodes.Node{
		nodes.Tanh, nodes.Sigmoid, nodes.Softplus, nodes.Exp, nodes.Expm1, nodes.Square, nodes.Sin,
		nodes.Cos, nodes.Neg, nodes.OneMinus,
	}
	domain := []func(x nodes.Operand) *nodes.Node{nodes.Log, nodes.Log1p, nodes.Sqrt, nodes.Inverse}
	axial := []func(x nodes.Operand) *nodes.Node{nodes.Softmax, nodes.LogSoftmax, nodes.LogSumExp}
	binary := []func(a, b nodes.Operand) *nodes.Node{nodes.Sub, nodes.Mul,
		func(a, b nodes.Operand) *nodes.Node { return nodes.Add(a, b) }}
	pick := func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(t, what) }
	bounded := func(n *nodes.Node) *nodes.Node { return nodes.Tanh(n) }
	for range rapid.IntRange(1, 10).Draw(t, "steps") {
		i := pick(len(pool), "operand")
		x := pool[i]
		s := x.Shape()
		axis := 0
		if len(s) > 0 {
			axis = pick(len(s), "axis")
		}
		kind := rapid.SampledFrom([]string{"unary", "domain", "binary", "div", "select", "matmul",
			"stack matmul", "slice", "split", "concat",
			"transpose", "reshape", "sum", "mean", "axial", "gather", "norm", "twice",
			"stop"}).Draw(t, "kind")
		switch kind {
		case "unary":
			f := unary[pick(len(unary), "function")]
			add(kind, func(p []*nodes.Node) *nodes.Node { return bounded(f(p[i])) })
		case "domain":
			f := domain[pick(len(domain), "function")]
			add(kind, func(p []*nodes.Node) *nodes.Node { return bounded(f(nodes.Shift(nodes.Square(p[i]), 0.5))) })
		case "binary", "div", "select":
			f := binary[pick(len(binary), "function")]
			// An operand that fits, or else a part of x that repeats along some axes.
			j := pick(len(pool), "second operand")
			if nodes.Try(func() { nodes.Add(x, pool[j]) }) != nil {
				j = i
			}
			drop := []int{}
			for a := range s {
				if rapid.Bool().Draw(t, "repeat") {
					drop = append(drop, a)
				}
			}
			add(kind, func(p []*nodes.Node) *nodes.Node {
				b := p[j]
				if j == i && len(drop) > 0 {
					b = nodes.MeanKeep(p[i], drop...)
				}
				switch kind {
				case "div":
					return bounded(nodes.Div(p[i], nodes.Shift(nodes.Square(b), 1)))
				case "select":
					mask := nodes.Less(b.Graph().Const(0.5), b.Graph().Const(1, b.Shape()...))
					return nodes.Select(mask, nodes.Mul(p[i], b), p[i])
				}
				return bounded(f(p[i], b))
			})
		case "matmul":
			if len(s) < 2 {
				continue
			}
			n, trans := size(), rapid.Bool().Draw(t, "transposed")
			add(kind, func(p []*nodes.Node) *nodes.Node {
				in := p[i].Dim(-1)
				// [n, in]
				w := nodes.Broadcast(nodes.Sin(nodes.MeanKeep(nodes.Reshape(p[i], -1, in), 0)), n,
					in)
				w = nodes.Mul(w, nodes.Reshape(nodes.Concat(0, ramp(p[i].Graph(), n)...), n, 1))
				if trans {
					return bounded(nodes.MatMulT(p[i], w))
				}
				return bounded(nodes.MatMul(p[i], nodes.Transpose(w)))
			})
		case "stack matmul":
			if len(s) != 3 {
				continue
			}
			add(kind, func(p []*nodes.Node) *nodes.Node {
				return bounded(nodes.MatMul(p[i],
					nodes.Transpose(p[i], 0, 2, 1)))
			})
		case "slice":
			if len(s) == 0 {
				continue
			}
			from := pick(s[axis], "from")
			to := from + 1 + pick(s[axis]-from, "length")
			add(kind, func(p []*nodes.Node) *nodes.Node {
				return nodes.Slice(p[i], axis, from,
					to)
			})
		case "split":
			if len(s) == 0 {
				continue
			}
			add(kind, func(p []*nodes.Node) *nodes.Node {
				sum := p[i].Graph().Const(0)
				for k, part := range nodes.Split(p[i], s[axis], axis) {
					sum = nodes.Add(sum, nodes.Scale(part, float64(k)-1))
				}
				return bounded(sum)
			})
		case "concat":
			if len(s) == 0 {
				continue
			}
			add(kind, func(p []*nodes.Node) *nodes.Node {
				return nodes.Concat(axis, p[i],
					nodes.Sin(p[i]), p[i])
			})
		case "transpose":
			perm := rapid.Permutation([]int{0, 1, 2}[:len(s)]).Draw(t, "order")
			add(kind, func(p []*nodes.Node) *nodes.Node { return nodes.Transpose(p[i], perm...) })
		case "reshape":
			to := append([]int{1}, s...)
			slices.Reverse(to)
			if len(s) == 3 {
				to = []int{-1, s[1]}
			}
			add(kind, func(p []*nodes.Node) *nodes.Node { return nodes.Reshape(p[i], to...) })
		case "sum", "mean":
			if len(s) == 0 {
				continue
			}
			add(kind, func(p []*nodes.Node) *nodes.Node {
				if kind == "sum" {
					return bounded(nodes.Sum(p[i], axis))
				}
				return nodes.Mean(p[i], axis)
			})
		case "axial":
			if len(s) == 0 {
				continue
			}
			f := axial[pick(len(axial), "function")]
			add(kind, func(p []*nodes.Node) *nodes.Node { return bounded(f(p[i])) })
		case "gather":
			if len(s) != 2 {
				continue
			}
			ids := rapid.SliceOfN(rapid.IntRange(0, s[0]-1), 1, 5).Draw(t, "ids")
			name := fmt.Sprintf("ids %d", len(r.steps))
			k := 0
			add(kind, func(p []*nodes.Node) *nodes.Node {
				k++
				return nodes.Embedding(p[i], gradcheck.Ints(p[i].Graph(),
					fmt.Sprintf("%s.%d", name, k), ids, len(ids)), -1)
			})
		case "norm":
			if len(s) == 0 {
				continue
			}
			add(kind, func(p []*nodes.Node) *nodes.Node {
				return nodes.LayerNorm(p[i], nodes.Scalar(1.5), nodes.Scalar(0.5), 0.1)
			})
		case "twice":
			add(kind, func(p []*nodes.Node) *nodes.Node { return nodes.Mul(p[i], p[i]) })
		case "stop":
			add(kind, func(p []*nodes.Node) *nodes.Node {
				return bounded(nodes.Add(p[i], nodes.StopGradient(nodes.Square(p[i]))))
			})
		}
	}
	return r
}

// ramp is n scalars [1] that differ.
func ramp(g *nodes.Graph, n int) []*nodes.Node {
	out := make([]*nodes.Node, n)
	for i := range out {
		out[i] = g.Const(0.5+float64(i)/float64(n), 1)
	}
	return out
}

// build adds the weighted sums of everything that the recipe makes, so that nothing is without
// effect.
func (r *recipe) build(_ *nodes.Graph, in []*nodes.Node) *nodes.Node {
	pool := slices.Clone(in)
	loss := gradcheck.Weigh(in[0])
	for _, f := range r.steps {
		n := f(pool)
		pool = append(pool, n)
		loss = nodes.Add(loss, gradcheck.Weigh(n))
	}
	return loss
}

// Random expressions: the plain run against finite differences, Gorgonia's machine and float32 (in
// gradcheck), and the compiled one against the plain one.
func TestRandomExpressions(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := draw(rt)
		rt.Log(r)
		var in []gradcheck.Input
		for i, s := range r.inputs {
			in = append(in, gradcheck.Between(-1, 1, i, s...))
		}
		if !slices.Contains(r.names, "stop") { // a difference sees what the gradient must not
			gradcheck.Check(rt, r.build, in...)
		}
		for _, dtype := range []tensor.Dtype{nodes.Float64, nodes.Float32} {
			tol := 1e-11
			if dtype == nodes.Float32 {
				tol = 1e-4
			}
			outcome := func(run machine) [][]float64 {
				g := nodes.NewGraph(nodes.Options{Dtype: dtype})
				var xs []*nodes.Node
				for i, x := range in {
					n := g.Input(fmt.Sprint(i), x.Shape...)
					gradcheck.Bind(n, x.Values)
					xs = append(xs, n)
				}
				loss := r.build(g, xs)
				want := []*G.Node{loss.Gorgonia()}
				for _, d := range g.Gradients(loss, operands(xs)...) {
					want = append(want, d.Gorgonia())
				}
				return run(rt, g, want)
			}
			plain, engine := outcome(plainly), outcome(compiled)
			for i := range plain {
				gradcheck.Close(rt, plain[i], engine[i], tol,
					fmt.Sprintf("%v: value %d of the compiled run", dtype, i))
			}
		}
	})
}
