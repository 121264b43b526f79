package onnx

import (
	"math"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/unroll"
)

// activation is a function of a recurrent operator.
type activation func(x *nodes.Node) *nodes.Node

// activations make functions from the names, in lower case, and parameters that attributes give.
// Otherwise are the values of parameters that are not given; as many are taken from the lists.
var activations = map[string]struct {
	alpha, beta float64 // NaN: there is none
	f           func(x *nodes.Node, alpha, beta float64) *nodes.Node
}{
	"relu":     {none, none, always(nodes.ReLU)},
	"tanh":     {none, none, always(nodes.Tanh)},
	"sigmoid":  {none, none, always(nodes.Sigmoid)},
	"softplus": {none, none, always(nodes.Softplus)},
	"softsign": {none, none, func(x *nodes.Node, _, _ float64) *nodes.Node {
		return nodes.Div(x, nodes.Shift(nodes.Abs(x), 1))
	}},
	"affine": {1, 0, func(x *nodes.Node, a, b float64) *nodes.Node {
		return nodes.Affine(x, a, b)
	}},
	"leakyrelu": {0.01, none, func(x *nodes.Node, a, _ float64) *nodes.Node {
		return positive(x, x, nodes.Scale(x, a))
	}},
	"thresholdedrelu": {1, none, func(x *nodes.Node, a, _ float64) *nodes.Node {
		return nodes.Select(nodes.Greater(x, nodes.Scalar(a)), x, nodes.Scalar(0))
	}},
	"scaledtanh": {1, 1, func(x *nodes.Node, a, b float64) *nodes.Node {
		return nodes.Scale(nodes.Tanh(nodes.Scale(x, b)), a)
	}},
	"hardsigmoid": {0.2, 0.5, hardSigmoid},
	"elu":         {1, none, func(x *nodes.Node, a, _ float64) *nodes.Node { return elu(x, a) }},
}

var none = math.NaN()

// always is a function without parameters.
func always(
	f func(nodes.Operand) *nodes.Node,
) func(x *nodes.Node, _, _ float64) *nodes.Node {
	return func(x *nodes.Node, _, _ float64) *nodes.Node { return f(x) }
}

// recurrence is an RNN, LSTM or GRU operator.
type recurrence struct {
	op            string
	gates, hidden int
	clip          float64 // 0: none
	inputForget   bool
	resetAfter    bool // linear_before_reset
}

// recurrences are the gates and functions of each operator.
var recurrences = map[string]struct {
	gates int
	acts  []string
}{
	"RNN":  {1, []string{"tanh"}},
	"GRU":  {3, []string{"sigmoid", "tanh"}},
	"LSTM": {4, []string{"sigmoid", "tanh", "tanh"}},
}

func recurrentOperators() map[string]operator {
	return map[string]operator{"RNN": recurrent, "GRU": recurrent, "LSTM": recurrent}
}

// functions are those of all directions.
func (r *recurrence) functions(c *call, directions int) []activation {
	names := c.Strings("activations")
	if names == nil {
		for range directions {
			names = append(names, recurrences[r.op].acts...)
		}
	}
	if len(names) != directions*len(recurrences[r.op].acts) {
		host.Failf("%d activations, want %d", len(names), directions*len(recurrences[r.op].acts))
	}
	alphas, betas := c.Floats("activation_alpha"), c.Floats("activation_beta")
	pop := func(list *[]float64, otherwise float64) float64 {
		if otherwise != otherwise || len(*list) == 0 {
			return otherwise
		}
		v := (*list)[0]
		*list = (*list)[1:]
		return v
	}
	var out []activation
	for _, name := range names {
		a, ok := activations[strings.ToLower(name)]
		if !ok {
			host.Failf("there is no activation %q", name)
		}
		alpha, beta := pop(&alphas, a.alpha), pop(&betas, a.beta)
		out = append(out, func(x *nodes.Node) *nodes.Node {
			if r.clip > 0 {
				x = nodes.Clip(x, -r.clip, r.clip)
			}
			return a.f(x, alpha, beta)
		})
	}
	return out
}

func recurrent(b *builder, c *call) []*value {
	kind := recurrences[c.op]
	x := c.need(0)
	if len(x.shape) != 3 || !c.floatsAt(0, 1, 2, 3, 5, 6, 7) {
		host.Failf("operands of %v", c.types())
	}
	r := &recurrence{op: c.op, gates: kind.gates, clip: c.Float("clip", 0),
		inputForget: c.Int("input_forget", 0) == 1,
		resetAfter:  c.Int("linear_before_reset", 0) == 1}
	rs := c.need(2).shape
	if len(rs) != 3 || rs[1] != r.gates*rs[2] {
		host.Failf("recurrent weights are %v, want [directions, %d·H, H]", rs, r.gates)
	}
	r.hidden = rs[2]
	directions := map[string]int{"forward": 1, "reverse": 1, "bidirectional": 2}[strings.ToLower(
		c.Attrs.String("direction", "forward"))]
	if directions == 0 || rs[0] != directions {
		host.Failf("direction %q with weights %v", c.Attrs.String("direction", "forward"), rs)
	}
	batchFirst := c.Int("layout", 0) == 1
	acts := r.functions(c, directions)
	xn := b.node(x)
	if batchFirst {
		xn = nodes.Transpose(xn, 1, 0, 2)
	}
	T, B := xn.Dim(0), xn.Dim(1)
	r.check(c, directions, xn.Dim(2), B)
	var ys []*nodes.Node
	finals := make([][]*nodes.Node, 2)
	for d := range directions {
		n := len(kind.acts)
		cell := r.cell(b, c, d, acts[d*n:(d+1)*n])
		o := unroll.Options{Reverse: d == 1 ||
			strings.EqualFold(c.Attrs.String("direction", ""), "reverse")}
		if t := c.arg(4); t != nil && !r.whole(t, T) {
			o.Lengths = b.node(t)
		}
		result := unroll.Over(cell).Unroll(xn, r.initial(b, c, d, B, batchFirst), o)
		ys = append(ys, nodes.Reshape(result.Y(), T, 1, B, r.hidden))
		for i, s := range result.Final() {
			finals[i] = append(finals[i], nodes.Reshape(s, 1, B, r.hidden))
		}
	}
	out := []*value{r.output(nodes.Concat(1, ys...), batchFirst, 2, 0, 1, 3)}
	for _, f := range finals {
		if f != nil {
			out = append(out, r.output(nodes.Concat(0, f...), batchFirst, 1, 0, 2))
		}
	}
	for _, v := range out {
		v.typ = x.typ
	}
	return out
}

// floatsAt reports whether the operands at the given places are floats, where they are given.
func (c *call) floatsAt(places ...int) bool {
	return !slices.ContainsFunc(places, func(i int) bool {
		return c.arg(i) != nil && !c.arg(i).typ.IsFloat()
	})
}

// whole reports whether lengths are known and all are T.
func (r *recurrence) whole(lengths *value, T int) bool {
	return lengths.host != nil &&
		!slices.ContainsFunc(lengths.host.I, func(n int64) bool { return n != int64(T) })
}

func (r *recurrence) output(n *nodes.Node, batchFirst bool, perm ...int) *value {
	if batchFirst {
		n = nodes.Transpose(n, perm...)
	}
	return made(host.Float32, n)
}

// check holds the shapes of all operands to what they must be.
func (r *recurrence) check(c *call, D, in, B int) {
	G, H := r.gates, r.hidden
	state := []int{D, B, H}
	if c.Int("layout", 0) == 1 {
		state = []int{B, D, H}
	}
	if n := c.Int("hidden_size", H); n != H {
		host.Failf("hidden_size is %d, the weights are %d wide", n, H)
	}
	for i, want := range [][]int{nil, {D, G * H, in}, {D, G * H, H}, {D, 2 * G * H}, {B}, state,
		state, {D, 3 * H}} {
		if i > 0 && c.arg(i) != nil && !slices.Equal(c.arg(i).shape, want) {
			host.Failf("operand %d is %v, want %v", i, c.arg(i).shape, want)
		}
	}
	if t := c.arg(4); t != nil && !t.typ.IsInt() {
		host.Failf("lengths of %v", t.typ)
	}
}

// initial is the state that a direction begins with; nil is zeros.
func (r *recurrence) initial(b *builder, c *call, d, B int, batchFirst bool) cells.State {
	n := 1
	if r.op == "LSTM" {
		n = 2
	}
	if c.arg(5) == nil && (n == 1 || c.arg(6) == nil) {
		return nil
	}
	var s cells.State
	for i := range n {
		v := c.arg(5 + i)
		if v == nil {
			s = append(s, b.g.Zeros(B, r.hidden))
			continue
		}
		axis := 0
		if batchFirst {
			axis = 1
		}
		s = append(s, nodes.Reshape(nodes.Slice(b.node(v), axis, d, d+1), B, r.hidden))
	}
	return s
}

// cell is the step of one direction.
func (r *recurrence) cell(b *builder, c *call, d int, acts []activation) cells.Cell {
	G, H := r.gates, r.hidden
	part := func(i int, shape ...int) *nodes.Node {
		return nodes.Reshape(nodes.Slice(b.node(c.need(i)), 0, d, d+1), shape...)
	}
	k := recurrentCell{recurrence: r, acts: acts, w: b.weights(c.need(1), d),
		r: b.weights(c.need(2), d)}
	if c.arg(3) != nil {
		both := part(3, 2*G*H)
		bw, br := nodes.Slice(both, 0, 0, G*H), nodes.Slice(both, 0, G*H, 2*G*H)
		k.b = nodes.Add(bw, br)
		if r.op == "GRU" && r.resetAfter { // the last third of br lies within the reset
			k.b = nodes.Concat(0, nodes.Slice(k.b, 0, 0, 2*H), nodes.Slice(bw, 0, 2*H, 3*H))
			k.bn = nodes.Slice(br, 0, 2*H, 3*H)
		}
	}
	if r.op == "LSTM" && c.arg(7) != nil {
		k.p = nodes.Split(part(7, 3*H), 3, 0)
	}
	return k
}

// recurrentCell is the step as ONNX defines it. Weights have G·H outputs.
type recurrentCell struct {
	*recurrence
	acts  []activation
	w, r  weights
	b, bn *nodes.Node   // [G·H]; nil: none. bn [H] is a GRU's bias within the reset
	p     []*nodes.Node // peepholes i, o, f, each [H]; nil: none
}

// Parts are h, and c of an LSTM.
func (k recurrentCell) Parts() []cells.Part {
	parts := []cells.Part{{Name: "h", Width: k.hidden}}
	if k.op == "LSTM" {
		parts = append(parts, cells.Part{Name: "c", Width: k.hidden})
	}
	return parts
}

// Step is one step of the operator.
func (k recurrentCell) Step(x *nodes.Node, s cells.State) cells.State {
	a := k.w.times(x)
	if k.b != nil {
		a = nodes.Add(a, k.b)
	}
	switch k.op {
	case "RNN":
		return cells.State{k.acts[0](nodes.Add(a, k.r.times(s[0])))}
	case "GRU":
		return cells.State{k.gru(a, s[0])}
	}
	return k.lstm(nodes.Add(a, k.r.times(s[0])), s[1])
}

// gru has the gates z, r and h.
func (k recurrentCell) gru(a, h *nodes.Node) *nodes.Node {
	H := k.hidden
	ax := nodes.Split(a, 3, -1)
	f, g := k.acts[0], k.acts[1]
	if k.resetAfter {
		ah := nodes.Split(k.r.times(h), 3, -1)
		z, r := f(nodes.Add(ax[0], ah[0])), f(nodes.Add(ax[1], ah[1]))
		if k.bn != nil {
			ah[2] = nodes.Add(ah[2], k.bn)
		}
		n := g(nodes.Add(ax[2], nodes.Mul(r, ah[2])))
		return nodes.Add(nodes.Mul(nodes.OneMinus(z), n), nodes.Mul(z, h))
	}
	ah := nodes.Split(k.r.outputs(0, 2*H).times(h), 2, -1)
	z, r := f(nodes.Add(ax[0], ah[0])), f(nodes.Add(ax[1], ah[1]))
	n := g(nodes.Add(ax[2], k.r.outputs(2*H, 3*H).times(nodes.Mul(r, h))))
	return nodes.Add(nodes.Mul(nodes.OneMinus(z), n), nodes.Mul(z, h))
}

// lstm has the gates i, o, f and c.
func (k recurrentCell) lstm(a, c *nodes.Node) cells.State {
	gates := nodes.Split(a, 4, -1)
	look := func(gate int, c *nodes.Node, p int) *nodes.Node {
		if k.p == nil {
			return gates[gate]
		}
		return nodes.Add(gates[gate], nodes.Mul(k.p[p], c))
	}
	f, g, h := k.acts[0], k.acts[1], k.acts[2]
	in := f(look(0, c, 0))
	var forget *nodes.Node
	if k.inputForget {
		forget = nodes.OneMinus(in)
	} else {
		forget = f(look(2, c, 2))
	}
	next := nodes.Add(nodes.Mul(forget, c), nodes.Mul(in, g(gates[3])))
	out := f(look(1, next, 1))
	return cells.State{nodes.Mul(out, h(next)), next}
}
