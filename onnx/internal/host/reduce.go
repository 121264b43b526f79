package host

import (
	"math"
	"slices"
	"sort"
)

// ReduceAxes are the axes that a Reduce operator goes along, and whether they stay with size 1. No
// axes means that nothing is reduced.
func ReduceAxes(c *Call) (axes []int, keep bool) {
	n := len(c.need(0).Shape)
	given := c.axes(1)
	if len(given) == 0 && c.Attrs.Int("noop_with_empty_axes", 0) == 1 {
		return nil, true
	}
	for _, a := range given {
		axes = append(axes, Axis(a, n))
	}
	if len(given) == 0 {
		for i := range n {
			axes = append(axes, i)
		}
	}
	slices.Sort(axes)
	return slices.Compact(axes), c.Attrs.Int("keepdims", 1) == 1
}

// ReducedShape is a shape with the given axes at size 1, or without them.
func ReducedShape(shape, axes []int, keep bool) []int {
	out := []int{}
	for i, d := range shape {
		switch {
		case !slices.Contains(axes, i):
			out = append(out, d)
		case keep:
			out = append(out, 1)
		}
	}
	return out
}

// reduceBy folds the elements along axes. Start is nil where there is no value for none of them.
func reduceBy(start *float64, startInt *int64, f func(a, b float64) float64,
	g func(a, b int64, t Type) int64, end func(x float64, n int) float64) Func {
	return func(c *Call) []*Tensor {
		x := c.needNumbers(0)
		axes, keep := ReduceAxes(c)
		kept := ReducedShape(x.Shape, axes, true)
		out := New(x.Type, kept...)
		started := make([]bool, out.Len())
		if start != nil {
			for i := range started {
				started[i] = true
				if out.F != nil {
					out.F[i] = *start
				} else {
					out.I[i] = *startInt
				}
			}
		}
		for k, at := range places(kept, x.Shape) {
			switch {
			case !started[at]:
				out.set(at, x, k)
				started[at] = true
			case x.F != nil:
				out.F[at] = f(out.F[at], x.F[k])
			case g == nil:
				Failf("%s of %v is not supported", c.Op, x.Type)
			default:
				out.I[at] = g(out.I[at], x.I[k], x.Type)
			}
		}
		if slices.Contains(started, false) {
			Failf("nothing to reduce in %v", x.Shape)
		}
		n := 1
		if out.Len() > 0 {
			n = x.Len() / out.Len()
		}
		for i := range out.Len() {
			switch {
			case end == nil:
			case out.F != nil:
				out.F[i] = end(out.F[i], n)
			default:
				out.I[i] = int64(end(float64(out.I[i]), n))
			}
		}
		return []*Tensor{out.As(ReducedShape(x.Shape, axes, keep)...)}
	}
}

// arg is ArgMax or ArgMin: the place of NaN, if there is one, as for NumPy.
func arg(least bool) Func {
	return func(c *Call) []*Tensor {
		x := c.needNumbers(0)
		axis := Axis(c.Attrs.Int("axis", 0), len(x.Shape))
		last := c.Attrs.Int("select_last_index", 0) == 1
		keep := c.Attrs.Int("keepdims", 1) == 1
		d, inner := x.Shape[axis], Size(x.Shape[axis+1:])
		out := New(Int64, ReducedShape(x.Shape, []int{axis}, keep)...)
		for i := range out.I {
			at := i/inner*d*inner + i%inner
			best := 0
			for k := 1; k < d; k++ {
				a, b := at+k*inner, at+best*inner
				order, unordered := ordered(x, a, x, b)
				if least && !unordered {
					order = -order
				}
				if order > 0 || last && order == 0 {
					best = k
				}
			}
			out.I[i] = int64(best)
		}
		return []*Tensor{out}
	}
}

// topK sorts along an axis: its second result is the places.
func topK(c *Call) []*Tensor {
	x := c.needNumbers(0)
	axis := Axis(c.Attrs.Int("axis", -1), len(x.Shape))
	k := c.Attrs.Int("k", 0)
	if t := c.Arg(1); t != nil {
		k = t.Int(0)
	}
	d, inner := x.Shape[axis], Size(x.Shape[axis+1:])
	if k < 0 || k > d {
		Failf("the %d largest of %d", k, d)
	}
	largest := c.Attrs.Int("largest", 1) == 1
	shape := slices.Clone(x.Shape)
	shape[axis] = k
	values, ids := New(x.Type, shape...), New(Int64, shape...)
	order := make([]int, d)
	for row := range x.Len() / max(d, 1) {
		at := row/inner*d*inner + row%inner
		for i := range order {
			order[i] = i
		}
		sort.SliceStable(order, func(i, j int) bool {
			by, _ := ordered(x, at+order[i]*inner, x, at+order[j]*inner)
			return largest && by > 0 || !largest && by < 0
		})
		for i, from := range order[:k] {
			to := (row/inner*k+i)*inner + row%inner
			values.set(to, x, at+from*inner)
			ids.I[to] = int64(from)
		}
	}
	return []*Tensor{values, ids}
}

func cumSum(c *Call) []*Tensor {
	x, along := c.needNumbers(0), c.needNumbers(1)
	if along.Len() != 1 {
		Failf("the axis is %v; want one number", along)
	}
	axis := Axis(along.Int(0), len(x.Shape))
	reverse, exclusive := c.Attrs.Int("reverse", 0) == 1, c.Attrs.Int("exclusive", 0) == 1
	d, inner := x.Shape[axis], Size(x.Shape[axis+1:])
	out := New(x.Type, x.Shape...)
	for row := range x.Len() / max(d, 1) {
		at := row/inner*d*inner + row%inner
		var f float64
		var n int64
		for k := range d {
			i := at + k*inner
			if reverse {
				i = at + (d-1-k)*inner
			}
			before, beforeInt := f, n
			if x.F != nil {
				f += x.F[i]
			} else {
				n += x.I[i]
			}
			if !exclusive {
				before, beforeInt = f, n
			}
			if x.F != nil {
				out.F[i] = before
			} else {
				out.I[i] = beforeInt
			}
		}
	}
	return []*Tensor{out}
}

func reduceFuncs() map[string]Func {
	zero, unit, none, all := 0.0, 1.0, int64(0), int64(1)
	add := func(a, b float64) float64 { return a + b }
	addInt := func(a, b int64, _ Type) int64 { return a + b }
	return map[string]Func{
		"ReduceSum": reduceBy(&zero, &none, add, addInt, nil),
		"ReduceMean": reduceBy(&zero, &none, add, addInt,
			func(x float64, n int) float64 { return x / float64(n) }),
		"ReduceProd": reduceBy(&unit, &all, func(a, b float64) float64 { return a * b },
			func(a, b int64, _ Type) int64 { return a * b }, nil),
		"ReduceMax": reduceBy(nil, nil, math.Max, larger, nil),
		"ReduceMin": reduceBy(nil, nil, math.Min, smaller, nil),
		"ReduceSumSquare": reduceBy(&zero, &none, func(a, b float64) float64 { return a + b*b },
			func(a, b int64, _ Type) int64 { return a + b*b }, nil),
		"ReduceL1": reduceBy(&zero, &none,
			func(a, b float64) float64 { return a + math.Abs(b) },
			func(a, b int64, _ Type) int64 { return a + max(b, -b) }, nil),
		"ReduceL2": reduceBy(&zero, &none, func(a, b float64) float64 { return a + b*b },
			func(a, b int64, _ Type) int64 { return a + b*b },
			func(x float64, _ int) float64 { return math.Sqrt(x) }),
		"ReduceLogSum": reduceBy(&zero, &none, add, addInt,
			func(x float64, _ int) float64 { return math.Log(x) }),
		"ReduceLogSumExp": reduceBy(&zero, &none,
			func(a, b float64) float64 { return a + math.Exp(b) }, nil,
			func(x float64, _ int) float64 { return math.Log(x) }),
		"ArgMax": arg(false),
		"ArgMin": arg(true),
		"TopK":   topK, "CumSum": cumSum,
	}
}
