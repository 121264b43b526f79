package host

import (
	"math"
	"slices"
)

// Arrangement says which element of operand 0 stands at each place of a result; −1 is none of them
// but the value that the operator puts there.
type Arrangement struct {
	Shape []int
	At    []int
}

// Arrange is what an operator that only moves elements does with those of operand 0, of which it
// looks at type and shape alone. ok is false for other operators.
func Arrange(c *Call) (out []Arrangement, ok bool) {
	f := arrangements[c.Op]
	if f == nil {
		return nil, false
	}
	return f(c), true
}

var arrangements map[string]func(c *Call) []Arrangement

func init() {
	arrangements = map[string]func(c *Call) []Arrangement{
		"Transpose": func(c *Call) []Arrangement {
			in := c.need(0).Shape
			perm := Permutation(c, len(in))
			strides := rowMajor(in)
			shape, to := make([]int, len(in)), make([]int, len(in))
			for i, p := range perm {
				shape[i], to[i] = in[p], strides[p]
			}
			return one(shape, walk(shape, to))
		},
		"Slice": slice, "Gather": gather, "GatherElements": gatherElements, "GatherND": gatherND,
		"Expand": func(c *Call) []Arrangement {
			in := c.need(0).Shape
			shape := Broadcast(in, c.need(1).Ints())
			check(shape)
			return one(shape, places(in, shape))
		},
		"Tile": func(c *Call) []Arrangement {
			in, times := c.need(0).Shape, c.need(1).Ints()
			if len(times) != len(in) {
				Failf("%d repeats of %v", len(times), in)
			}
			shape := make([]int, len(in))
			for i := range in {
				if times[i] < 0 || times[i] > MaxElements {
					Failf("%d repeats", times[i])
				}
				shape[i] = in[i] * times[i]
			}
			check(shape)
			return byIndex(shape, in, func(to, from []int) bool {
				for i, k := range to {
					from[i] = k % in[i]
				}
				return true
			})
		},
		"Pad": pad, "Split": split, "DepthToSpace": depthToSpace, "SpaceToDepth": spaceToDepth,
		"Trilu": func(c *Call) []Arrangement {
			in := c.need(0).Shape
			k, upper := 0, c.Attrs.Int("upper", 1) == 1
			if len(in) < 2 {
				Failf("%v: want at least two axes", in)
			}
			if t := c.Arg(1); t != nil {
				k = t.Int(0)
			}
			n := len(in)
			return byIndex(in, in, func(to, from []int) bool {
				copy(from, to)
				if upper {
					return to[n-1] >= to[n-2]+k
				}
				return to[n-1] <= to[n-2]+k
			})
		},
		"ReverseSequence": func(c *Call) []Arrangement {
			in, lengths := c.need(0).Shape, c.need(1).Ints()
			b, t := Axis(c.Attrs.Int("batch_axis", 1), len(in)),
				Axis(c.Attrs.Int("time_axis", 0), len(in))
			if b == t || len(lengths) != in[b] {
				Failf("%d lengths along axis %d of %v", len(lengths), b, in)
			}
			return byIndex(in, in, func(to, from []int) bool {
				copy(from, to)
				if n := lengths[to[b]]; to[t] < n && n <= in[t] {
					from[t] = n - 1 - to[t]
				}
				return true
			})
		},
		"Compress": func(c *Call) []Arrangement {
			in, keep := c.need(0).Shape, c.need(1)
			axis := 0
			if c.Attrs.Has("axis") {
				axis = Axis(c.Attrs.Int("axis", 0), len(in))
			} else {
				in = []int{Size(in)}
			}
			var ids []int
			for i := range min(keep.Len(), in[axis]) {
				if keep.Int(i) != 0 {
					ids = append(ids, i)
				}
			}
			return along(in, axis, ids, []int{len(ids)})
		},
	}
}

func check(shape []int) {
	if err := CheckShape(shape); err != nil {
		Failf("%w", err)
	}
}

func one(shape, at []int) []Arrangement { return []Arrangement{{shape, at}} }

func rowMajor(shape []int) []int {
	strides := make([]int, len(shape))
	step := 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = step
		step *= shape[i]
	}
	return strides
}

// Permutation is the order of axes that Transpose makes.
func Permutation(c *Call, n int) []int {
	perm := c.Attrs.Ints("perm")
	if perm == nil {
		for i := n - 1; i >= 0; i-- {
			perm = append(perm, i)
		}
	}
	sorted := slices.Sorted(slices.Values(perm))
	for i, p := range sorted {
		if p != i {
			Failf("perm %v is not an order of the axes", perm)
		}
	}
	if len(perm) != n {
		Failf("perm %v of %d axes", perm, n)
	}
	return perm
}

// byIndex arranges by a function from indices of the result to those of the operand.
func byIndex(shape, in []int, f func(to, from []int) bool) []Arrangement {
	check(shape)
	Fits(Size(shape))
	strides := rowMajor(in)
	at := make([]int, Size(shape))
	from := make([]int, len(in))
	for k := range at {
		at[k] = -1
		if f(unravel(k, shape), from) {
			at[k] = 0
			for i, j := range from {
				at[k] += j * strides[i]
			}
		}
	}
	return one(shape, at)
}

// Cut is what Slice takes of each axis: N places from Start on, Step apart.
type Cut struct{ Start, Step, N int }

// Cuts are those of a Slice, one an axis.
func Cuts(c *Call) []Cut {
	in := c.need(0).Shape
	starts, ends, axes := c.Attrs.Ints("starts"), c.Attrs.Ints("ends"), c.Attrs.Ints("axes")
	var steps []int
	if c.Version >= 10 {
		starts, ends, axes = c.need(1).Ints(), c.need(2).Ints(), nil
		if t := c.Arg(3); t != nil {
			axes = t.Ints()
		}
		if t := c.Arg(4); t != nil {
			steps = t.Ints()
		}
	}
	cuts := make([]Cut, len(in))
	for i, d := range in {
		cuts[i] = Cut{0, 1, d}
	}
	if len(starts) != len(ends) || axes != nil && len(axes) != len(starts) ||
		steps != nil && len(steps) != len(starts) {
		Failf("%d starts, %d ends, %d axes, %d steps", len(starts), len(ends), len(axes),
			len(steps))
	}
	for i, start := range starts {
		axis, step, end := i, 1, ends[i]
		if axes != nil {
			axis = axes[i]
		}
		if steps != nil {
			step = steps[i]
		}
		axis = Axis(axis, len(in))
		d := in[axis]
		if step == 0 {
			Failf("a slice with steps of 0")
		}
		if start < 0 {
			start = max(start, math.MinInt+d) + d
		}
		if end < 0 {
			end = max(end, math.MinInt+d) + d
		}
		if step > 0 {
			start, end = min(max(start, 0), d), min(max(end, 0), d)
			cuts[axis] = Cut{start, step, max(0, (end-start+min(step, d+1)-1)/min(step, d+1))}
			if step > d {
				cuts[axis].N = min(1, max(0, end-start))
			}
			continue
		}
		step = max(step, -d-1)
		start, end = min(max(start, -1), d-1), min(max(end, -1), d-1)
		cuts[axis] = Cut{start, step, max(0, (start-end-step-1)/-step)}
	}
	return cuts
}

func slice(c *Call) []Arrangement {
	cuts := Cuts(c)
	strides := rowMajor(c.need(0).Shape)
	shape := make([]int, len(cuts))
	first := 0
	for i, cut := range cuts {
		shape[i] = cut.N
		first += cut.Start * strides[i]
		strides[i] *= cut.Step
	}
	at := walk(shape, strides)
	for i := range at {
		at[i] += first
	}
	return one(shape, at)
}

// Pads are the places that Pad adds before and behind each axis.
func Pads(c *Call) (before, behind []int) {
	n := len(c.need(0).Shape)
	pads := c.Attrs.Ints("pads")
	if c.Version >= 11 {
		pads = c.need(1).Ints()
	}
	before, behind = make([]int, n), make([]int, n)
	axes := make([]int, 0, n)
	if t := c.Arg(3); t != nil {
		for _, a := range t.Ints() {
			axes = append(axes, Axis(a, n))
		}
	} else {
		for i := range n {
			axes = append(axes, i)
		}
	}
	if len(pads) != 2*len(axes) {
		Failf("pads %v of %d axes", pads, len(axes))
	}
	for i, a := range axes {
		before[a], behind[a] = pads[i], pads[len(axes)+i]
	}
	return before, behind
}

func pad(c *Call) []Arrangement {
	in := c.need(0).Shape
	before, behind := Pads(c)
	shape := make([]int, len(in))
	for i, d := range in {
		shape[i] = before[i] + d + behind[i]
	}
	check(shape)
	mode := c.Attrs.String("mode", "constant")
	return byIndex(shape, in, func(to, from []int) bool {
		for i, k := range to {
			k -= before[i]
			n := in[i]
			if k >= 0 && k < n {
				from[i] = k
				continue
			}
			switch mode {
			case "constant":
				return false
			case "edge":
				k = min(max(k, 0), n-1)
			case "wrap":
				k = (k%n + n) % n
			case "reflect":
				if n > 1 {
					k = ((k % (2*n - 2)) + 2*n - 2) % (2*n - 2)
					k = min(k, 2*n-2-k)
				} else {
					k = 0
				}
			default:
				Failf("mode %q", mode)
			}
			from[i] = k
		}
		return true
	})
}

// Parts are the sizes that Split makes of an axis of size d.
func Parts(c *Call, d int) []int {
	parts := c.Attrs.Ints("split")
	if t := c.Arg(1); t != nil {
		parts = t.Ints()
	}
	if parts == nil {
		n := c.Attrs.Int("num_outputs", c.Outputs)
		if n < 1 || n > d {
			Failf("an axis of size %d in %d parts", d, n)
		}
		size := (d + n - 1) / n
		for i := range n {
			parts = append(parts, min(size, d-i*size))
		}
	}
	sum := 0
	for _, p := range parts {
		if sum += p; p < 0 {
			Failf("parts %v", parts)
		}
	}
	if sum != d {
		Failf("parts %v of an axis of size %d", parts, d)
	}
	return parts
}

func split(c *Call) []Arrangement {
	in := c.need(0).Shape
	axis := Axis(c.Attrs.Int("axis", 0), len(in))
	var out []Arrangement
	at := 0
	for _, n := range Parts(c, in[axis]) {
		ids := make([]int, n)
		for i := range ids {
			ids[i] = at + i
		}
		at += n
		out = append(out, along(in, axis, ids, []int{n})...)
	}
	return out
}

func depthToSpace(c *Call) []Arrangement {
	in, b := c.need(0).Shape, c.Attrs.Int("blocksize", 1)
	if len(in) != 4 || b < 1 || b > in[1] || in[1]%(b*b) != 0 {
		Failf("%v in blocks of %d", in, b)
	}
	n := in[1] / (b * b)
	mode := c.Attrs.String("mode", "DCR")
	if mode != "DCR" && mode != "CRD" {
		Failf("mode %q", mode)
	}
	crd := mode == "CRD"
	return byIndex([]int{in[0], n, in[2] * b, in[3] * b}, in, func(to, from []int) bool {
		y, x := to[2]%b, to[3]%b
		from[0], from[2], from[3] = to[0], to[2]/b, to[3]/b
		from[1] = (y*b+x)*n + to[1]
		if crd {
			from[1] = (to[1]*b+y)*b + x
		}
		return true
	})
}

func spaceToDepth(c *Call) []Arrangement {
	in, b := c.need(0).Shape, c.Attrs.Int("blocksize", 1)
	if len(in) != 4 || b < 1 || b > max(in[2], in[3]) || in[2]%b != 0 || in[3]%b != 0 {
		Failf("%v in blocks of %d", in, b)
	}
	n := in[1]
	return byIndex([]int{in[0], n * b * b, in[2] / b, in[3] / b}, in, func(to, from []int) bool {
		k := to[1] / n
		from[0], from[1] = to[0], to[1]%n
		from[2], from[3] = to[2]*b+k/b, to[3]*b+k%b
		return true
	})
}

// filled is the value that stands where an arrangement has none.
func filled(c *Call) *Tensor {
	x := c.need(0)
	if c.Op == "Pad" {
		if t := c.Arg(2); t != nil && t.Len() > 0 {
			return t
		}
		if v := c.Attrs.Float("value", 0); v != 0 && x.F != nil {
			return &Tensor{Type: x.Type, Shape: []int{1}, F: []float64{v}}
		}
	}
	return New(x.Type, 1)
}

func arranged(c *Call) []*Tensor {
	arrangements, _ := Arrange(c)
	fill := filled(c)
	var out []*Tensor
	for _, a := range arrangements {
		t := New(c.In[0].Type, a.Shape...)
		for i, j := range a.At {
			if j >= 0 {
				t.set(i, c.In[0], j)
			} else {
				t.set(i, fill, 0)
			}
		}
		out = append(out, t)
	}
	return out
}

func indexFuncs() map[string]Func {
	table := map[string]Func{
		"ScatterElements": scatterElements, "Scatter": scatterElements, "ScatterND": scatterND,
	}
	for _, name := range []string{"Transpose", "Slice", "Gather", "GatherElements", "GatherND",
		"Expand", "Tile", "Pad", "Split", "DepthToSpace", "SpaceToDepth", "Trilu",
		"ReverseSequence", "Compress"} {
		table[name] = arranged
	}
	return table
}
