package host

import (
	"slices"
)

// along takes whole slices of an axis by ids, whose shape replaces the axis.
func along(in []int, axis int, ids, shape []int) []Arrangement {
	outer, inner := Size(in[:axis]), Size(in[axis+1:])
	full := []int{outer, len(ids), inner}
	check(full)
	Fits(Size(full))
	at := make([]int, 0, outer*len(ids)*inner)
	for o := range outer {
		for _, id := range ids {
			for k := range inner {
				at = append(at, (o*in[axis]+id)*inner+k)
			}
		}
	}
	return one(slices.Concat(in[:axis], shape, in[axis+1:]), at)
}

// Index is id as a place of an axis of n: negative ones count from the end.
func (c *Call) Index(id, n int) int {
	if id < 0 {
		id += n
	}
	if id < 0 || id >= n {
		if c.Shapes {
			return 0
		}
		Failf("index %d is outside an axis of size %d", id, n)
	}
	return id
}

func gather(c *Call) []Arrangement {
	in, ids := c.need(0).Shape, c.need(1)
	axis := Axis(c.Attrs.Int("axis", 0), len(in))
	at := ids.Ints()
	for i, id := range at {
		at[i] = c.Index(id, in[axis])
	}
	return along(in, axis, at, ids.Shape)
}

func gatherElements(c *Call) []Arrangement {
	in, ids := c.need(0).Shape, c.need(1)
	axis := Axis(c.Attrs.Int("axis", 0), len(in))
	if len(ids.Shape) != len(in) {
		Failf("indices %v of %v: want as many axes", ids.Shape, in)
	}
	for i, d := range ids.Shape {
		if i != axis && d > in[i] {
			Failf("indices %v of %v", ids.Shape, in)
		}
	}
	k := 0
	return byIndex(ids.Shape, in, func(to, from []int) bool {
		copy(from, to)
		from[axis] = c.Index(ids.Int(k), in[axis])
		k++
		return true
	})
}

func gatherND(c *Call) []Arrangement {
	in, ids := c.need(0).Shape, c.need(1)
	batch := c.Attrs.Int("batch_dims", 0)
	if len(ids.Shape) == 0 || len(in) == 0 {
		Failf("indices %v of %v", ids.Shape, in)
	}
	n := ids.Shape[len(ids.Shape)-1]
	if batch < 0 || batch+n > len(in) || batch >= len(ids.Shape) {
		Failf("indices %v of %v", ids.Shape, in)
	}
	rest := in[batch+n:]
	shape := slices.Concat(ids.Shape[:len(ids.Shape)-1], rest)
	if Size(in) == 0 && Size(shape) > 0 {
		Failf("elements %v of nothing, %v", shape, in)
	}
	strides := rowMajor(in)
	size := Size(rest)
	each := Size(ids.Shape[batch : len(ids.Shape)-1])
	at := make([]int, 0, Size(shape))
	for row := range Size(ids.Shape[:len(ids.Shape)-1]) {
		from := row / max(each, 1) * Size(in[batch:])
		for a := range n {
			from += c.Index(ids.Int(row*n+a), in[batch+a]) * strides[batch+a]
		}
		for k := range size {
			at = append(at, from+k)
		}
	}
	return one(shape, at)
}

// ScatterPlaces are, for every update of a Scatter, the place in operand 0 that it goes to.
func ScatterPlaces(c *Call) []int {
	x, ids, updates := c.need(0), c.need(1), c.need(2)
	if c.Op == "ScatterND" {
		in := x.Shape
		if len(ids.Shape) == 0 {
			Failf("indices without an axis")
		}
		n := ids.Shape[len(ids.Shape)-1]
		if n > len(in) {
			Failf("indices %v of %v", ids.Shape, in)
		}
		size, strides := Size(in[n:]), rowMajor(in)
		var at []int
		for row := range Size(ids.Shape[:len(ids.Shape)-1]) {
			from := 0
			for a := range n {
				from += c.Index(ids.Int(row*n+a), in[a]) * strides[a]
			}
			for k := range size {
				at = append(at, from+k)
			}
		}
		if len(at) != updates.Len() {
			Failf("updates %v of %v by indices %v", updates.Shape, in, ids.Shape)
		}
		return at
	}
	if !slices.Equal(ids.Shape, updates.Shape) {
		Failf("updates %v by indices %v", updates.Shape, ids.Shape)
	}
	sub := *c
	sub.Op, sub.In = "GatherElements", []*Tensor{x, ids}
	return gatherElements(&sub)[0].At
}

func scatter(c *Call) []*Tensor {
	x, updates := c.need(0), c.need(2)
	out := take(x, places(x.Shape, x.Shape), x.Shape)
	reduction := c.Attrs.String("reduction", "none")
	ops := map[string]string{"add": "Add", "mul": "Mul", "max": "Max", "min": "Min"}
	for i, at := range ScatterPlaces(c) {
		if reduction == "none" {
			out.set(at, updates, i)
			continue
		}
		f := funcs[ops[reduction]]
		if f == nil {
			Failf("reduction %q", reduction)
		}
		r := f(&Call{Op: ops[reduction], In: []*Tensor{take(out, []int{at}, []int{1}),
			take(updates, []int{i}, []int{1})}})
		out.set(at, r[0], 0)
	}
	return []*Tensor{out}
}

func scatterElements(c *Call) []*Tensor { return scatter(c) }

func scatterND(c *Call) []*Tensor { return scatter(c) }
