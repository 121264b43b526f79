package onnx

import (
	"math"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
)

// exported is an operation that is being written.
type exported struct {
	*exporter
	at       []*G.Node // in all graphs
	fn       ops.Operation
	operands []*G.Node // of the first graph
	in       []string
}

// size is a number of the operation.
func (c *exported) size(f func(fn ops.Operation) int) size {
	return c.number(c.at, func(n *G.Node) int { return f(n.Op().(*ops.Op).Fn) })
}

// operandShape is the shape of operand i.
func (c *exported) operandShape(i int) []size {
	var at []*G.Node
	for k, n := range c.at {
		at = append(at, c.operandOf(k, n, i))
	}
	return c.shapes(at)
}

func (c *exported) operandOf(k int, n *G.Node, i int) *G.Node { return c.children[k][n][i] }

// exportOps write operations, by the names of their types. Each returns the name of its result.
var exportOps map[string]func(c *exported) string

func init() {
	exportOps = map[string]func(c *exported) string{
		"Elementwise": exportElementwise, "MatMul": exportMatMul, "Scan": exportScan,
		"Function": func(c *exported) string {
			name := c.fn.(ops.Function).Name
			return c.emit(string(name[0]-32)+name[1:], c.in)
		},
		"Fill": func(c *exported) string {
			f := c.fn.(ops.Fill)
			if len(f.Shape) == 0 {
				return c.float(f.Value)
			}
			return c.emit("Expand", []string{c.float(f.Value), c.shapeOf(c.shapes(c.at))})
		},
		"Reshape": func(c *exported) string { return c.reshape(c.in[0], c.shapes(c.at)) },
		"Transpose": func(c *exported) string {
			return c.emit("Transpose", c.in, attrList("perm", c.fn.(ops.Transpose).Perm...))
		},
		"Slice": exportSlice,
		"Pad": func(c *exported) string {
			axis := c.fn.(ops.Pad).Axis
			n := len(c.at[0].Shape())
			pads := make([]size, 2*n)
			for i := range pads {
				pads[i] = make(size, 1<<len(c.openSizes.names))
			}
			from := c.size(func(fn ops.Operation) int { return fn.(ops.Pad).From })
			pads[axis], pads[n+axis] = from, c.number(c.at, func(m *G.Node) int {
				return m.Shape()[axis] - m.Op().(*ops.Op).Fn.(ops.Pad).From -
					m.Op().(*ops.Op).In[0].Shape[axis]
			})
			return c.emit("Pad", []string{c.in[0], c.shapeOf(pads)})
		},
		"Concat": func(c *exported) string {
			return c.emit("Concat", c.in, attrInt("axis", c.fn.(ops.Concat).Axis))
		},
		"SumTo": exportSumTo,
		"Broadcast": func(c *exported) string {
			return c.emit("Expand", []string{c.in[0], c.shapeOf(c.shapes(c.at))})
		},
		"Max": func(c *exported) string {
			axis := c.fn.(ops.Max).Axis
			if c.o.Opset >= 18 {
				return c.emit("ReduceMax", []string{c.in[0], c.ints(axis)}, attrInt("keepdims", 1))
			}
			return c.emit("ReduceMax", c.in, attrList("axes", axis), attrInt("keepdims", 1))
		},
		"Softmax": func(c *exported) string {
			return c.emit("Softmax", c.in, attrInt("axis", -1))
		},
		"LogSoftmax": func(c *exported) string {
			return c.emit("LogSoftmax", c.in, attrInt("axis", -1))
		},
		"Gather": func(c *exported) string {
			return c.emit("Gather", c.in[:2], attrInt("axis", 0))
		},
		"ArgMax": func(c *exported) string {
			return c.emit("ArgMax", c.in, attrInt("axis", -1), attrInt("keepdims", 0))
		},
		"OneHot": func(c *exported) string {
			values := c.constant(&host.Tensor{Type: c.elem0(), Shape: []int{2}, F: []float64{0, 1}})
			depth := c.constant(host.Ints(c.fn.(ops.OneHot).V))
			return c.emit("OneHot", []string{c.in[0], depth, values}, attrInt("axis", -1))
		},
		"Range": func(c *exported) string {
			return c.truth(c.places(c.size(func(fn ops.Operation) int { return fn.(ops.Range).N })))
		},
		"LengthMask": func(c *exported) string {
			T := c.size(func(fn ops.Operation) int { return fn.(ops.LengthMask).T })
			t := c.emit("Reshape", []string{c.places(T), c.ints(-1, 1, 1)})
			n := c.emit("Reshape", []string{c.in[0], c.ints(1, -1, 1)})
			return c.truth(c.emit("Less", []string{t, n}))
		},
		"MaskIDs": func(c *exported) string {
			zero := c.constant(host.Ints(0).As())
			return c.emit("Where", []string{c.condition(c.in[0]), c.in[1], zero})
		},
		"Differs": func(c *exported) string {
			all := ""
			for _, v := range c.fn.(ops.Differs).Values {
				is := c.emit("Equal", []string{c.in[0], c.constant(host.Ints(v).As())})
				if differs := c.emit("Not", []string{is}); all == "" {
					all = differs
				} else {
					all = c.emit("And", []string{all, differs})
				}
			}
			if all == "" {
				return c.emit("Expand", []string{c.float(1), c.shapeOf(c.shapes(c.at))})
			}
			return c.truth(all)
		},
		"Conv": func(c *exported) string {
			v := c.fn.(ops.Conv)
			return c.emit("Conv", c.in, windowAttrs(v.Window, attrInt("group", v.Groups))...)
		},
		"MaxPool": func(c *exported) string {
			return c.emit("MaxPool", c.in, windowAttrs(c.fn.(ops.MaxPool).Window)...)
		},
	}
}

// places is 0, 1, … n−1 as int64.
func (c *exported) places(n size) string {
	zero, one := c.constant(host.Ints(0).As()), c.constant(host.Ints(1).As())
	limit := c.emit("Squeeze", []string{c.sizeOf(n)})
	return c.emit("Range", []string{zero, limit, one})
}

// truth is 1 and 0 in the graph's float type, of truth values or of integers.
func (c *exported) truth(x string) string {
	return c.emit("Cast", []string{x}, attrInt("to", int(c.elem0())))
}

// condition is where x is not 0.
func (c *exported) condition(x string) string {
	return c.emit("Cast", []string{x}, attrInt("to", int(host.Bool)))
}

func (c *exported) reshape(x string, shape []size) string {
	open := 0
	for _, s := range shape {
		if _, ok := s.known(); !ok {
			open++
		}
	}
	if open != 1 {
		return c.emit("Reshape", []string{x, c.shapeOf(shape)})
	}
	var want []int
	for _, s := range shape {
		v, ok := s.known()
		if !ok {
			v = -1
		}
		want = append(want, v)
	}
	return c.emit("Reshape", []string{x, c.ints(want...)})
}

// comparisons are the functions whose operators in ONNX give truth values in place of 1 and 0.
var comparisons = map[ops.Kind]string{ops.KindLt: "Less", ops.KindLe: "LessOrEqual",
	ops.KindGt: "Greater", ops.KindGe: "GreaterOrEqual", ops.KindEq: "Equal"}

func exportElementwise(c *exported) string {
	e := c.fn.(ops.Elementwise)
	x := c.in[0]
	if e.Kind == ops.KindSoftplus && c.double() {
		small := c.emit("Exp", []string{c.emit("Neg", []string{c.emit("Abs", []string{x})})})
		small = c.emit("Log", []string{c.emit("Add", []string{small, c.float(1)})})
		return c.emit("Add", []string{c.emit("Max", []string{x, c.float(0)}), small})
	}
	if op := e.Kind.ONNX(); op != "" {
		return c.emit(op, c.in)
	}
	if op := comparisons[e.Kind]; op != "" {
		return c.truth(c.emit(op, c.in))
	}
	switch e.Kind {
	case ops.KindAffine:
		if e.P != 1 {
			x = c.emit("Mul", []string{x, c.float(e.P)})
		}
		if e.Q != 0 || e.P == 1 {
			x = c.emit("Add", []string{x, c.float(e.Q)})
		}
		return x
	case ops.KindClip:
		return c.emit("Clip", []string{x, c.bound(e.P), c.bound(e.Q)})
	case ops.KindPower:
		return c.emit("Pow", []string{x, c.float(e.P)})
	case ops.KindSquare:
		return c.emit("Mul", []string{x, x})
	case ops.KindLog1p:
		return c.emit("Log", []string{c.emit("Add", []string{x, c.float(1)})})
	case ops.KindLog2:
		return c.emit("Mul", []string{c.emit("Log", []string{x}), c.float(1 / math.Ln2)})
	case ops.KindExpm1:
		// 2·tanh(x/2)/(1 − tanh(x/2)) keeps the digits of small x, and e^x − 1 those of large ones.
		h := c.emit("Tanh", []string{c.emit("Mul", []string{x, c.float(0.5)})})
		small := c.emit("Div", []string{c.emit("Add", []string{h, h}),
			c.emit("Sub", []string{c.float(1), h})})
		large := c.emit("Sub", []string{c.emit("Exp", []string{x}), c.float(1)})
		near := c.emit("Less", []string{c.emit("Abs", []string{x}), c.float(1)})
		return c.emit("Where", []string{near, small, large})
	case ops.KindPositive:
		return c.truth(c.emit("Greater", []string{x, c.float(0)}))
	case ops.KindWithin:
		low := c.emit("GreaterOrEqual", []string{x, c.float(e.P)})
		return c.truth(c.emit("And",
			[]string{low, c.emit("LessOrEqual", []string{x, c.float(e.Q)})}))
	case ops.KindNe:
		return c.truth(c.emit("Not", []string{c.emit("Equal", c.in)}))
	case ops.KindSelect:
		return c.emit("Where", []string{c.condition(x), c.in[1], c.in[2]})
	}
	host.Failf("%s is no operator of ONNX, and is not composed of others here", e.Kind)
	return ""
}

// double reports whether the model is of double precision, in which ONNX Runtime has neither
// Softplus nor RNN, LSTM and GRU.
func (c *exported) double() bool { return c.store.Dtype() == nodes.Float64 }

// bound is a bound of Clip; none if it is infinite.
func (c *exported) bound(x float64) string {
	if math.IsInf(x, 0) {
		return ""
	}
	return c.float(x)
}

func exportMatMul(c *exported) string {
	m := c.fn.(ops.MatMul)
	in := slices.Clone(c.in)
	for i, trans := range []bool{m.TransA, m.TransB} {
		if !trans {
			continue
		}
		perm := swapped(len(c.operands[i].Shape()), len(c.operands[i].Shape())-2,
			len(c.operands[i].Shape())-1)
		in[i] = c.emit("Transpose", []string{in[i]}, attrList("perm", perm...))
	}
	return c.emit("MatMul", in)
}

func exportSumTo(c *exported) string {
	from, to := c.operandShape(0), c.shapes(c.at)
	var axes []int
	for i := range from {
		k := i - len(from) + len(to)
		if k < 0 || !slices.Equal(from[i], to[k]) {
			axes = append(axes, i)
		}
	}
	y := c.emit("ReduceSum", []string{c.in[0], c.ints(axes...)}, attrInt("keepdims", 1))
	if len(from) != len(to) {
		return c.reshape(y, to)
	}
	return y
}

func exportSlice(c *exported) string {
	if s := c.scans[c.operands[0]]; s != nil {
		return s.cut(c)
	}
	from := c.sizeOf(c.size(func(fn ops.Operation) int { return fn.(ops.Slice).From }))
	to := c.sizeOf(c.size(func(fn ops.Operation) int { return fn.(ops.Slice).To }))
	return c.emit("Slice", []string{c.in[0], from, to, c.ints(c.fn.(ops.Slice).Axis)})
}

func windowAttrs(w ops.Window, more ...*attribute) []*attribute {
	return append(more, attrList("kernel_shape", w.Kernel...), attrList("strides", w.Stride...),
		attrList("dilations", w.Dilation...),
		attrList("pads", slices.Concat(w.Before, w.Behind)...))
}
