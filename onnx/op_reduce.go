package onnx

import (
	"math"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
)

// reduction lays out a Reduce operator from what f makes of a node along axes that are kept.
func reduction(f func(x *nodes.Node, axes []int) *nodes.Node) operator {
	return func(b *builder, c *call) []*value {
		x := c.need(0)
		if !x.typ.IsFloat() {
			return b.onHost(c)
		}
		axes, keep := host.ReduceAxes(b.hostCall(c))
		shape := host.ReducedShape(x.shape, axes, keep)
		n := b.node(x)
		if len(axes) > 0 || !strings.HasPrefix(c.op, "ReduceMa") &&
			!strings.HasPrefix(c.op, "ReduceMi") {
			n = f(n, axes)
		}
		return []*value{made(x.typ, nodes.Reshape(n, shape...))}
	}
}

// sumKeep and meanKeep leave a node as it is along no axes, where nodes takes all.
func sumKeep(x *nodes.Node, axes []int) *nodes.Node {
	if len(axes) == 0 {
		return x
	}
	return nodes.SumKeep(x, axes...)
}

func meanKeep(x *nodes.Node, axes []int) *nodes.Node {
	if len(axes) == 0 {
		return x
	}
	return nodes.MeanKeep(x, axes...)
}

func maxKeep(x *nodes.Node, axes []int) *nodes.Node {
	for _, a := range axes {
		s := x.Shape()
		s[a] = 1
		x = nodes.Reshape(nodes.Max(x, a), s...)
	}
	return x
}

func minKeep(x *nodes.Node, axes []int) *nodes.Node {
	return nodes.Neg(maxKeep(nodes.Neg(x), axes))
}

// prodKeep multiplies the slices of each axis, which keeps the gradient right where some are 0.
func prodKeep(x *nodes.Node, axes []int) *nodes.Node {
	for _, a := range axes {
		y := nodes.Slice(x, a, 0, 1)
		for k := 1; k < x.Dim(a); k++ {
			y = nodes.Mul(y, nodes.Slice(x, a, k, k+1))
		}
		x = y
	}
	return x
}

func logSumExp(x *nodes.Node, axes []int) *nodes.Node {
	if len(axes) == 0 {
		return x
	}
	most := nodes.Scalar(math.MaxFloat64)
	if x.Dtype() == nodes.Float32 {
		most = math.MaxFloat32
	}
	// an infinity less itself would be NaN
	top := nodes.StopGradient(nodes.Maximum(nodes.Minimum(maxKeep(x, axes), most), -most))
	return nodes.Add(nodes.Log(sumKeep(nodes.Exp(nodes.Sub(x, top)), axes)), top)
}

func reduceOperators() map[string]operator {
	return map[string]operator{
		"ReduceSum": reduction(sumKeep), "ReduceMean": reduction(meanKeep),
		"ReduceMax": reduction(maxKeep), "ReduceMin": reduction(minKeep),
		"ReduceProd": reduction(prodKeep), "ReduceLogSumExp": reduction(logSumExp),
		"ReduceL1": reduction(func(x *nodes.Node, axes []int) *nodes.Node {
			return sumKeep(nodes.Abs(x), axes)
		}),
		"ReduceL2": reduction(func(x *nodes.Node, axes []int) *nodes.Node {
			return nodes.Sqrt(sumKeep(nodes.Square(x), axes))
		}),
		"ReduceSumSquare": reduction(func(x *nodes.Node, axes []int) *nodes.Node {
			return sumKeep(nodes.Square(x), axes)
		}),
		"ReduceLogSum": reduction(func(x *nodes.Node, axes []int) *nodes.Node {
			return nodes.Log(sumKeep(x, axes))
		}),
		"MatMul": matMul, "Gemm": gemm,
	}
}

// stacked gives a value [..., a, b] the batch axes of shape, as [N, a, b].
func (b *builder) stacked(n *nodes.Node, batch []int) *nodes.Node {
	s := n.Shape()
	k := len(s) - 2
	full := slices.Concat(batch, s[k:])
	if !slices.Equal(full, s) {
		n = nodes.Broadcast(n, full...)
	}
	return nodes.Reshape(n, host.Size(batch), s[k], s[k+1])
}

func matMul(b *builder, c *call) []*value {
	x, y := c.need(0), c.need(1)
	if !x.typ.IsFloat() || x.typ != y.typ {
		return b.onHost(c)
	}
	return []*value{made(x.typ, b.product(b.node(x), b.node(y)))}
}

// product is the matrix product as NumPy's matmul has it.
func (b *builder) product(x, y *nodes.Node) *nodes.Node {
	xs, ys := x.Shape(), y.Shape()
	if len(xs) == 0 || len(ys) == 0 {
		host.Failf("a product of scalars")
	}
	drop := []int{}
	if len(xs) == 1 {
		x, xs = nodes.Reshape(x, 1, xs[0]), []int{1, xs[0]}
		drop = append(drop, -2)
	}
	if len(ys) == 1 {
		y, ys = nodes.Reshape(y, ys[0], 1), []int{ys[0], 1}
		drop = append(drop, -1)
	}
	var z *nodes.Node
	batch := host.Broadcast(xs[:len(xs)-2], ys[:len(ys)-2])
	if len(ys) == 2 {
		z = nodes.MatMul(x, y)
	} else {
		z = nodes.MatMul(b.stacked(x, batch), b.stacked(y, batch))
	}
	shape := slices.Clone(batch)
	for k, d := range []int{xs[len(xs)-2], ys[len(ys)-1]} {
		if !slices.Contains(drop, k-2) {
			shape = append(shape, d)
		}
	}
	return nodes.Reshape(z, shape...)
}

func gemm(b *builder, c *call) []*value {
	x, y := c.need(0), c.need(1)
	if !x.typ.IsFloat() {
		host.Failf("not supported for %v", c.types())
	}
	if len(x.shape) != 2 || len(y.shape) != 2 {
		host.Failf("operands %v, want matrices", c.types())
	}
	a := b.node(x)
	if c.Int("transA", 0) != 0 {
		a = nodes.Transpose(a)
	}
	var z *nodes.Node
	if c.Int("transB", 0) != 0 {
		z = b.weights(y, 0).times(a)
	} else {
		z = nodes.MatMul(a, b.node(y))
	}
	if alpha := c.Float("alpha", 1); alpha != 1 {
		z = nodes.Scale(z, alpha)
	}
	if t := c.arg(2); t != nil {
		bias := b.node(t)
		if beta := c.Float("beta", 1); beta != 1 {
			bias = nodes.Scale(bias, beta)
		}
		z = nodes.Add(z, bias)
	}
	return []*value{made(x.typ, z)}
}

// einsum multiplies its operands one after another, each time as one product of stacks of matrices.
func einsum(b *builder, c *call) []*value {
	if !c.floats(false) {
		host.Failf("not supported for %v", c.types())
	}
	terms, result := equation(c)
	acc, labels := b.summand(b.node(c.need(0)), terms[0])
	for i := 1; i < len(terms); i++ {
		y, ls := b.summand(b.node(c.need(i)), terms[i])
		later := result + strings.Join(terms[i+1:], "")
		acc, labels = b.contract(acc, labels, y, ls, later)
	}
	acc, labels = sumOut(acc, labels, result)
	perm := make([]int, len(result))
	for i, l := range result {
		if perm[i] = strings.IndexRune(labels, l); perm[i] < 0 {
			host.Failf("the result has an axis %q that no operand has", l)
		}
	}
	if !slices.IsSorted(perm) {
		acc = nodes.Transpose(acc, perm...)
	}
	return []*value{made(c.in[0].typ, acc)}
}

// equation gives the labels of the axes of each operand and of the result. Axes that an ellipsis
// stands for get capital Greek letters, the last one Ω.
func equation(c *call) (terms []string, result string) {
	text := strings.ReplaceAll(c.Attrs.String("equation", ""), " ", "")
	left, right, arrow := strings.Cut(text, "->")
	terms = strings.Split(left, ",")
	if len(terms) != len(c.in) || len(terms) == 0 {
		host.Failf("the equation %q has %d operands, the node %d", text, len(terms), len(c.in))
	}
	dots := 0
	for i, t := range terms {
		if strings.Contains(t, "...") {
			dots = max(dots, len(c.need(i).shape)-len(t)+3)
		}
	}
	greek := func(n int) string {
		var s []rune
		for k := n; k > 0; k-- {
			s = append(s, 'Ω'-rune(k-1))
		}
		return string(s)
	}
	all := ""
	for i, t := range terms {
		n := len(c.need(i).shape)
		t = strings.Replace(t, "...", greek(max(n-len(t)+3, 0)), 1)
		if len([]rune(t)) != n {
			host.Failf("the equation %q does not fit %v", text, c.types())
		}
		terms[i] = t
		all += t
	}
	if arrow {
		return terms, strings.Replace(right, "...", greek(dots), 1)
	}
	letters := []rune(strings.ReplaceAll(left, ",", ""))
	slices.Sort(letters)
	result = greek(dots)
	for _, l := range slices.Compact(letters) {
		if l != '.' && strings.Count(all, string(l)) == 1 {
			result += string(l)
		}
	}
	return terms, result
}

// summand takes the diagonal of an operand where a label stands twice, and drops nothing else.
func (b *builder) summand(n *nodes.Node, term string) (*nodes.Node, string) {
	labels := []rune(term)
	for i := 0; i < len(labels); i++ {
		j := slices.Index(labels[i+1:], labels[i])
		if j < 0 {
			continue
		}
		j += i + 1
		d := n.Dim(i)
		if n.Dim(j) != d {
			host.Failf("axes of sizes %d and %d have one label", d, n.Dim(j))
		}
		eye := host.New(host.Float32, d, d)
		for k := range d {
			eye.F[k*d+k] = 1
		}
		shape := make([]int, len(labels))
		for k := range shape {
			shape[k] = 1
		}
		shape[i], shape[j] = d, d
		mask := nodes.Reshape(b.node(constant(eye)), shape...)
		n = nodes.Sum(nodes.Mul(n, mask), j)
		labels = slices.Delete(labels, j, j+1)
		i--
	}
	return n, string(labels)
}

// sumOut adds up along axes whose labels are not wanted.
func sumOut(n *nodes.Node, labels, wanted string) (*nodes.Node, string) {
	var axes []int
	kept := ""
	for i, l := range []rune(labels) {
		if strings.ContainsRune(wanted, l) {
			kept += string(l)
		} else {
			axes = append(axes, i)
		}
	}
	if len(axes) > 0 {
		n = nodes.Sum(n, axes...)
	}
	return n, kept
}

// contract multiplies two operands and adds up along the axes that are not wanted later.
func (b *builder) contract(x *nodes.Node, xl string, y *nodes.Node, yl, later string) (*nodes.Node,
	string) {
	x, xl = sumOut(x, xl, yl+later)
	y, yl = sumOut(y, yl, xl+later)
	var batch, inner, left, right []rune
	size := map[rune]int{}
	for i, l := range []rune(xl) {
		size[l] = x.Dim(i)
		switch {
		case !strings.ContainsRune(yl, l):
			left = append(left, l)
		case strings.ContainsRune(later, l):
			batch = append(batch, l)
		default:
			inner = append(inner, l)
		}
	}
	for i, l := range []rune(yl) {
		d := y.Dim(i)
		if !strings.ContainsRune(xl, l) {
			right = append(right, l)
		} else if other := size[l]; other != d && other != 1 && d != 1 {
			host.Failf("axes of sizes %d and %d have the label %q", other, d, l)
		} else {
			d = max(d, other)
		}
		size[l] = d
	}
	arrange := func(n *nodes.Node, labels string, order ...[]rune) *nodes.Node {
		old := []rune(labels)
		all := slices.Concat(order...)
		perm, shape := make([]int, len(all)), make([]int, len(all))
		for i, l := range all {
			perm[i], shape[i] = slices.Index(old, l), size[l]
		}
		if !slices.IsSorted(perm) {
			n = nodes.Transpose(n, perm...)
		}
		if !slices.Equal(n.Shape(), shape) {
			n = nodes.Broadcast(n, shape...)
		}
		dims := make([]int, len(order))
		for i, part := range order {
			dims[i] = 1
			for _, l := range part {
				dims[i] *= size[l]
			}
		}
		return nodes.Reshape(n, dims...)
	}
	z := nodes.MatMul(arrange(x, xl, batch, left, inner), arrange(y, yl, batch, inner, right))
	labels := slices.Concat(batch, left, right)
	shape := make([]int, len(labels))
	for i, l := range labels {
		shape[i] = size[l]
	}
	return nodes.Reshape(z, shape...), string(labels)
}
