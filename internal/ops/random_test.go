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
// limited limited are squared first.
type recipe struct {
	inputs [][]int
	steps  []func(pool []*nodes.Node) *nodes.Node
	names  []string
}

func (r *recipe) String() string { return fmt.Sprint(r.inputs, r.names) }

// drawing is a recipe that is extended on the side of a graph, which tells it the shapes.
type drawing struct {
	*rapid.T
	*recipe
	pool []*nodes.Node
}

func draw(t *rapid.T) *recipe {
	d := &drawing{T: t, recipe: &recipe{}}
	g := nodes.NewGraph(nodes.Options{})
	for i := range rapid.IntRange(1, 3).Draw(t, "inputs") {
		shape := []int{}
		for range rapid.IntRange(0, 3).Draw(t, "axes") {
			shape = append(shape, d.size())
		}
		d.inputs = append(d.inputs, shape)
		d.pool = append(d.pool, g.Input(fmt.Sprint(i), shape...))
	}
	for range rapid.IntRange(1, 10).Draw(t, "steps") {
		i := d.pick(len(d.pool), "operand")
		axis, axes := 0, len(d.pool[i].Shape())
		if axes > 0 {
			axis = d.pick(axes, "axis")
		}
		kind := rapid.SampledFrom(stepKinds).Draw(t, "kind")
		if axes >= kind.axes && (kind.most == 0 || axes <= kind.most) {
			d.add(kind.name, kind.draw(d, i, axis))
		}
	}
	return d.recipe
}

func (d *drawing) size() int { return rapid.SampledFrom(sizes).Draw(d.T, "size") }

func (d *drawing) pick(n int, what string) int { return rapid.IntRange(0, n-1).Draw(d.T, what) }

// add adds a step, if its value is not too large.
func (d *drawing) add(name string, f step) {
	n := f(d.pool)
	if ops.Size(n.Shape()) > 2000 {
		return
	}
	d.steps, d.names = append(d.steps, f), append(d.names, name)
	d.pool = append(d.pool, n)
}

func bounded(n *nodes.Node) *nodes.Node { return nodes.Tanh(n) }

type (
	step     = func(pool []*nodes.Node) *nodes.Node
	function = func(x nodes.Operand) *nodes.Node
)

var (
	smooth = []function{nodes.Tanh, nodes.Sigmoid, nodes.Softplus, nodes.Exp, nodes.Expm1,
		nodes.Square, nodes.Sin, nodes.Cos, nodes.Neg, nodes.OneMinus}
	limited   = []function{nodes.Log, nodes.Log1p, nodes.Sqrt, nodes.Inverse}
	alongLast = []function{nodes.Softmax, nodes.LogSoftmax, nodes.LogSumExp}
	pairwise  = []func(a, b nodes.Operand) *nodes.Node{nodes.Sub, nodes.Mul,
		func(a, b nodes.Operand) *nodes.Node { return nodes.Add(a, b) }}
)

// stepKinds are the steps of a recipe. An operand has at least so many axes, and at most.
var stepKinds = []struct {
	name string
	axes int
	most int // 0: any number
	draw func(d *drawing, i, axis int) step
}{
	{"unary", 0, 0, func(d *drawing, i, _ int) step {
		f := smooth[d.pick(len(smooth), "function")]
		return func(p []*nodes.Node) *nodes.Node { return bounded(f(p[i])) }
	}},
	{"domain", 0, 0, func(d *drawing, i, _ int) step {
		f := limited[d.pick(len(limited), "function")]
		return func(p []*nodes.Node) *nodes.Node {
			return bounded(f(nodes.Shift(nodes.Square(p[i]), 0.5)))
		}
	}},
	{"binary", 0, 0, func(d *drawing, i, _ int) step {
		f := pairwise[d.pick(len(pairwise), "function")]
		second := d.second(i)
		return func(p []*nodes.Node) *nodes.Node { return bounded(f(p[i], second(p))) }
	}},
	{"div", 0, 0, func(d *drawing, i, _ int) step {
		second := d.second(i)
		return func(p []*nodes.Node) *nodes.Node {
			return bounded(nodes.Div(p[i], nodes.Shift(nodes.Square(second(p)), 1)))
		}
	}},
	{"select", 0, 0, func(d *drawing, i, _ int) step {
		second := d.second(i)
		return func(p []*nodes.Node) *nodes.Node {
			b := second(p)
			mask := nodes.Less(b.Graph().Const(0.5), b.Graph().Const(1, b.Shape()...))
			return nodes.Select(mask, nodes.Mul(p[i], b), p[i])
		}
	}},
	{"matmul", 2, 0, (*drawing).product},
	{"stack matmul", 3, 3, func(_ *drawing, i, _ int) step {
		return func(p []*nodes.Node) *nodes.Node {
			return bounded(nodes.MatMul(p[i], nodes.Transpose(p[i], 0, 2, 1)))
		}
	}},
	{"slice", 1, 0, func(d *drawing, i, axis int) step {
		size := d.pool[i].Dim(axis)
		from := d.pick(size, "from")
		to := from + 1 + d.pick(size-from, "length")
		return func(p []*nodes.Node) *nodes.Node { return nodes.Slice(p[i], axis, from, to) }
	}},
	{"split", 1, 0, func(d *drawing, i, axis int) step {
		n := d.pool[i].Dim(axis)
		return func(p []*nodes.Node) *nodes.Node {
			sum := p[i].Graph().Const(0)
			for k, part := range nodes.Split(p[i], n, axis) {
				sum = nodes.Add(sum, nodes.Scale(part, float64(k)-1))
			}
			return bounded(sum)
		}
	}},
	{"concat", 1, 0, func(_ *drawing, i, axis int) step {
		return func(p []*nodes.Node) *nodes.Node {
			return nodes.Concat(axis, p[i], nodes.Sin(p[i]), p[i])
		}
	}},
	{"transpose", 0, 0, func(d *drawing, i, _ int) step {
		axes := []int{0, 1, 2}[:len(d.pool[i].Shape())]
		perm := rapid.Permutation(axes).Draw(d.T, "order")
		return func(p []*nodes.Node) *nodes.Node { return nodes.Transpose(p[i], perm...) }
	}},
	{"reshape", 0, 0, func(d *drawing, i, _ int) step {
		s := d.pool[i].Shape()
		to := append([]int{1}, s...)
		slices.Reverse(to)
		if len(s) == 3 {
			to = []int{-1, s[1]}
		}
		return func(p []*nodes.Node) *nodes.Node { return nodes.Reshape(p[i], to...) }
	}},
	{"sum", 1, 0, func(_ *drawing, i, axis int) step {
		return func(p []*nodes.Node) *nodes.Node { return bounded(nodes.Sum(p[i], axis)) }
	}},
	{"mean", 1, 0, func(_ *drawing, i, axis int) step {
		return func(p []*nodes.Node) *nodes.Node { return nodes.Mean(p[i], axis) }
	}},
	{"axial", 1, 0, func(d *drawing, i, _ int) step {
		f := alongLast[d.pick(len(alongLast), "function")]
		return func(p []*nodes.Node) *nodes.Node { return bounded(f(p[i])) }
	}},
	{"gather", 2, 2, (*drawing).rows},
	{"norm", 1, 0, func(_ *drawing, i, _ int) step {
		return func(p []*nodes.Node) *nodes.Node {
			return nodes.LayerNorm(p[i], nodes.Scalar(1.5), nodes.Scalar(0.5), 0.1)
		}
	}},
	{"twice", 0, 0, func(_ *drawing, i, _ int) step {
		return func(p []*nodes.Node) *nodes.Node { return nodes.Mul(p[i], p[i]) }
	}},
	{"stop", 0, 0, func(_ *drawing, i, _ int) step {
		return func(p []*nodes.Node) *nodes.Node {
			return bounded(nodes.Add(p[i], nodes.StopGradient(nodes.Square(p[i]))))
		}
	}},
}

// second is a second operand that fits operand i, or else a part of i that repeats along some axes.
func (d *drawing) second(i int) step {
	j := d.pick(len(d.pool), "second operand")
	if nodes.Try(func() { nodes.Add(d.pool[i], d.pool[j]) }) != nil {
		j = i
	}
	drop := []int{}
	for a := range d.pool[i].Shape() {
		if rapid.Bool().Draw(d.T, "repeat") {
			drop = append(drop, a)
		}
	}
	return func(p []*nodes.Node) *nodes.Node {
		if j == i && len(drop) > 0 {
			return nodes.MeanKeep(p[i], drop...)
		}
		return p[j]
	}
}

// product multiplies operand i by a matrix of its columns' means.
func (d *drawing) product(i, _ int) step {
	n, trans := d.size(), rapid.Bool().Draw(d.T, "transposed")
	return func(p []*nodes.Node) *nodes.Node {
		in := p[i].Dim(-1)
		means := nodes.MeanKeep(nodes.Reshape(p[i], -1, in), 0)
		w := nodes.Broadcast(nodes.Sin(means), n, in) // [n, in]
		w = nodes.Mul(w, nodes.Reshape(nodes.Concat(0, ramp(p[i].Graph(), n)...), n, 1))
		if trans {
			return bounded(nodes.MatMulT(p[i], w))
		}
		return bounded(nodes.MatMul(p[i], nodes.Transpose(w)))
	}
}

// rows takes rows of operand i by their numbers.
func (d *drawing) rows(i, _ int) step {
	ids := rapid.SliceOfN(rapid.IntRange(0, d.pool[i].Dim(0)-1), 1, 5).Draw(d.T, "ids")
	name := fmt.Sprintf("ids %d", len(d.steps))
	k := 0
	return func(p []*nodes.Node) *nodes.Node {
		k++
		return nodes.Embedding(p[i], gradcheck.Ints(p[i].Graph(),
			fmt.Sprintf("%s.%d", name, k), ids, len(ids)), -1)
	}
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
