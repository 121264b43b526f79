package host

import (
	"math"
	"slices"
)

// resolve is the shape that Reshape makes of a tensor of the given shape.
func resolve(shape, want []int, allowZero bool) []int {
	out := slices.Clone(want)
	free, rest := -1, 1
	for i, d := range out {
		switch {
		case d == 0 && !allowZero:
			if i >= len(shape) {
				Failf("size %d of %v is 0, which takes it from %v", i, want, shape)
			}
			out[i] = shape[i]
		case d == -1 && free >= 0:
			Failf("%v leaves two sizes open", want)
		case d == -1:
			free = i
			continue
		case d < 0:
			Failf("%v has a negative size", want)
		}
		rest *= out[i]
	}
	if free >= 0 {
		if rest == 0 || Size(shape)%rest != 0 {
			Failf("%v elements do not fill %v", shape, want)
		}
		out[free] = Size(shape) / rest
	}
	if Size(out) != Size(shape) {
		Failf("%v elements do not fill %v", shape, want)
	}
	return out
}

// Reshaped is the shape that an operator which only changes the shape gives to its operand; ok is
// false for other operators.
func Reshaped(c *Call) (shape []int, ok bool) {
	in := c.need(0).Shape
	switch c.Op {
	case "Reshape":
		want := c.Attrs.Ints("shape")
		if c.Version >= 5 {
			want = c.need(1).Ints()
		}
		return resolve(in, want, c.Attrs.Int("allowzero", 0) == 1), true
	case "Flatten":
		axis := c.Attrs.Int("axis", 1)
		if axis < 0 {
			axis += len(in)
		}
		if axis < 0 || axis > len(in) {
			Failf("axis %d of %v", axis, in)
		}
		return []int{Size(in[:axis]), Size(in[axis:])}, true
	case "Squeeze":
		axes := c.axes(1)
		drop := map[int]bool{}
		for _, a := range axes {
			drop[Axis(a, len(in))] = true
		}
		shape = []int{}
		for i, d := range in {
			switch {
			case drop[i] && d != 1:
				Failf("axis %d of %v is not of size 1", i, in)
			case !drop[i] && (axes != nil || d != 1):
				shape = append(shape, d)
			}
		}
		return shape, true
	case "Unsqueeze":
		axes := c.axes(1)
		n := len(in) + len(axes)
		if n > MaxAxes {
			Failf("%d axes", n)
		}
		added := make([]bool, n)
		for _, a := range axes {
			if a = Axis(a, n); added[a] {
				Failf("axis %d is named twice", a)
			}
			added[a] = true
		}
		for _, isNew := range added {
			if isNew {
				shape = append(shape, 1)
			} else {
				shape, in = append(shape, in[0]), in[1:]
			}
		}
		return shape, true
	case "Identity", "Dropout":
		return in, true
	}
	return nil, false
}

func reshaped(c *Call) []*Tensor {
	shape, _ := Reshaped(c)
	x := c.need(0)
	return []*Tensor{x.As(shape...)}
}

func shapeFuncs() map[string]Func {
	return map[string]Func{
		"Reshape": reshaped, "Flatten": reshaped, "Squeeze": reshaped, "Unsqueeze": reshaped,
		"Shape": func(c *Call) []*Tensor {
			s := c.need(0).Shape
			bound := func(name string, otherwise int) int {
				i := c.Attrs.Int(name, otherwise)
				if i < 0 {
					i += len(s)
				}
				return min(max(i, 0), len(s))
			}
			start, end := bound("start", 0), bound("end", len(s))
			return []*Tensor{Ints(s[start:max(start, end)]...)}
		},
		"Size": func(c *Call) []*Tensor {
			return []*Tensor{{Type: Int64, Shape: []int{}, I: []int64{int64(c.need(0).Len())}}}
		},
		"Range": func(c *Call) []*Tensor {
			from, limit, step := c.need(0), c.need(1), c.need(2)
			if from.Len() != 1 || limit.Len() != 1 || step.Len() != 1 || from.S != nil ||
				from.Type != limit.Type || from.Type != step.Type {
				Failf("a range from %v to %v by %v", from, limit, step)
			}
			if step.Float(0) == 0 {
				Failf("a range with steps of 0")
			}
			n := math.Ceil((limit.Float(0) - from.Float(0)) / step.Float(0))
			if !(n <= MaxElements) {
				Failf("a range of %g elements", n)
			}
			out := New(from.Type, int(max(n, 0)))
			for i := range out.Len() {
				if out.F != nil {
					out.F[i] = from.F[0] + float64(i)*step.F[0]
				} else {
					out.I[i] = from.I[0] + int64(i)*step.I[0]
				}
			}
			return []*Tensor{out}
		},
		"ConstantOfShape": func(c *Call) []*Tensor {
			value := c.Attrs.Tensor("value")
			if value == nil {
				value = New(Float32, 1)
			}
			if value.Len() != 1 {
				Failf("a value %v", value)
			}
			shape := c.need(0).Ints()
			if err := CheckShape(shape); err != nil {
				Failf("%w", err)
			}
			return []*Tensor{take(value, make([]int, Size(shape)), shape)}
		},
		"EyeLike": func(c *Call) []*Tensor {
			x := c.need(0)
			out := New(Type(c.Attrs.Int("dtype", int(x.Type))), x.Shape...)
			one := Cast(Ints(1), out.Type)
			k := c.Attrs.Int("k", 0)
			if len(x.Shape) != 2 {
				Failf("%v: want a matrix", x.Shape)
			}
			for i := range x.Shape[0] {
				if j := i + k; j >= 0 && j < x.Shape[1] {
					out.set(i*x.Shape[1]+j, one, 0)
				}
			}
			return []*Tensor{out}
		},
		"Concat": concat,
		"OneHot": oneHot,
		"NonZero": func(c *Call) []*Tensor {
			x := c.need(0)
			var found [][]int
			for i := range x.Len() {
				if x.Float(i) != 0 {
					found = append(found, unravel(i, x.Shape))
				}
			}
			out := New(Int64, len(x.Shape), len(found))
			for j, index := range found {
				for a, k := range index {
					out.I[a*len(found)+j] = int64(k)
				}
			}
			return []*Tensor{out}
		},
	}
}

func unravel(at int, shape []int) []int {
	index := make([]int, len(shape))
	for a := len(shape) - 1; a >= 0; a-- {
		index[a] = at % shape[a]
		at /= shape[a]
	}
	return index
}

func concat(c *Call) []*Tensor {
	first := c.need(0)
	axis := Axis(c.Attrs.Int("axis", 1), len(first.Shape))
	shape := slices.Clone(first.Shape)
	for i := range c.In[1:] {
		t := c.need(i + 1)
		if t.Type != first.Type || len(t.Shape) != len(shape) {
			Failf("%v and %v are joined", first, t)
		}
		for a, d := range t.Shape {
			if a != axis && d != shape[a] {
				Failf("%v and %v do not fit along axis %d", first, t, axis)
			}
		}
		shape[axis] += t.Shape[axis]
	}
	out := New(first.Type, shape...)
	inner := Size(shape[axis+1:])
	at := 0
	for _, t := range c.In {
		n := t.Shape[axis] * inner
		for k := range t.Len() {
			out.set(k/n*shape[axis]*inner+at+k%n, t, k)
		}
		at += n
	}
	return []*Tensor{out}
}

func oneHot(c *Call) []*Tensor {
	ids, values := c.need(0), c.need(2)
	if c.need(1).Len() != 1 || values.Len() != 2 {
		Failf("a depth %v, values %v", c.need(1), values)
	}
	depth := c.need(1).Int(0)
	if depth < 1 || depth > MaxElements {
		Failf("a depth of %d", depth)
	}
	axis := Axis(c.Attrs.Int("axis", -1), len(ids.Shape)+1)
	shape := slices.Insert(slices.Clone(ids.Shape), axis, depth)
	out := take(values, make([]int, Size(shape)), shape)
	inner := Size(ids.Shape[axis:])
	for i := range ids.Len() {
		id := ids.Int(i)
		if id < 0 {
			id += depth
		}
		if id >= 0 && id < depth {
			out.set((i/inner*depth+id)*inner+i%inner, values, 1)
		}
	}
	return []*Tensor{out}
}

// Permuted is a tensor with its axes in another order.
func Permuted(t *Tensor, perm []int) *Tensor {
	strides := rowMajor(t.Shape)
	shape, to := make([]int, len(perm)), make([]int, len(perm))
	for i, p := range perm {
		shape[i], to[i] = t.Shape[p], strides[p]
	}
	return take(t, walk(shape, to), shape)
}
