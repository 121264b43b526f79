package onnx

import (
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
)

// do lays out another operator on the way, as set 13 defines it.
func (b *builder) do(op string, attrs map[string]int, in ...*value) *value {
	return b.operator(&call{op: op, version: 13, in: in, outputs: 1, Attrs: attrInts(attrs)})[0]
}

// resizing is how Resize maps places of a result to places of its operand, along one axis.
type resizing struct {
	mode, coordinates, nearest string
	cubic                      float64 // the coefficient of cubic interpolation
	antialias, inside          bool
	in, out                    int
	scale, width               float64 // width is scale·in, which out is the whole part of
	from, to                   float64 // of tf_crop_and_resize
}

// resize changes the sizes of axes by interpolation, axis by axis.
func resize(b *builder, c *call) []*value {
	x := c.need(0)
	axes := c.resizeAxes()
	y := x
	var outside []*value
	out := slices.Clone(x.shape)
	for _, r := range axes {
		out[r.axis] = r.out
	}
	if err := host.CheckShape(out); err != nil {
		host.Failf("%w", err)
	}
	if host.Size(out) == 0 {
		return []*value{empty(x.typ, out)}
	}
	if host.Size(x.shape) == 0 {
		host.Failf("%v cannot become %v", x.shape, out)
	}
	for _, r := range axes {
		if r.mode != "nearest" && !x.typ.IsFloat() {
			host.Failf("%s interpolation of %v is not supported", r.mode, x.typ)
		}
		if r.out != r.in || r.scale != 1 || r.coordinates == "tf_crop_and_resize" {
			y = b.resampled(y, r.axis, r.resizing)
		}
		if r.coordinates == "tf_crop_and_resize" {
			outside = append(outside, r.beyond(r.axis, len(out)))
		}
	}
	for _, o := range outside {
		fill := &host.Tensor{Type: host.Float32, Shape: []int{},
			F: []float64{c.Float("extrapolation_value", 0)}}
		y = b.do("Where", nil, o, b.cast(constant(fill), x.typ), y)
	}
	return []*value{y}
}

type resizedAxis struct {
	axis int
	resizing
}

// resizeAxes reads what is to be done along which axes.
func (c *call) resizeAxes() []resizedAxis {
	x := c.need(0)
	n := len(x.shape)
	scales, sizes, roi := c.arg(1), (*value)(nil), (*value)(nil)
	base := resizing{mode: c.Attrs.String("mode", "nearest"), coordinates: "asymmetric",
		nearest: "floor"}
	var given []float64
	switch {
	case c.op == "Upsample" && c.version < 9:
		given = c.Floats("scales")
		scales = nil
	case c.op == "Resize" && c.version >= 11:
		roi, scales, sizes = c.arg(1), c.arg(2), c.arg(3)
		base.coordinates = c.Attrs.String("coordinate_transformation_mode", "half_pixel")
		base.nearest = c.Attrs.String("nearest_mode", "round_prefer_floor")
		base.cubic = c.Float("cubic_coeff_a", -0.75)
		base.inside = c.Int("exclude_outside", 0) != 0
		base.antialias = c.Int("antialias", 0) != 0
	}
	axes := c.Attrs.Ints("axes")
	if axes == nil {
		for a := range n {
			axes = append(axes, a)
		}
	}
	for i, a := range axes {
		axes[i] = host.Axis(a, n)
		if slices.Contains(axes[:i], axes[i]) {
			host.Failf("axis %d stands twice in axes", a)
		}
	}
	if v := scales; v != nil && host.Size(v.shape) > 0 {
		given = v.host.F
	}
	bySizes := sizes != nil && host.Size(sizes.shape) > 0
	if bySizes {
		given = nil
		for i := range sizes.host.Len() {
			given = append(given, sizes.host.Float(i))
		}
	}
	if len(given) != len(axes) {
		host.Failf("%d scales or sizes of %d axes", len(given), len(axes))
	}
	policy := c.Attrs.String("keep_aspect_ratio_policy", "stretch")
	if !slices.Contains([]string{"stretch", "not_larger", "not_smaller"}, policy) {
		host.Failf("keep_aspect_ratio_policy %q is not known", policy)
	}
	all := base.along(x.shape, axes, given, bySizes, policy)
	if base.coordinates == "tf_crop_and_resize" {
		if roi == nil || len(roi.host.F) != 2*len(axes) {
			host.Failf("tf_crop_and_resize wants a region: %d numbers", 2*len(axes))
		}
		for i := range all {
			all[i].from, all[i].to = roi.host.F[i], roi.host.F[len(axes)+i]
		}
	}
	return all
}

// along sets sizes and scales of the axes from what is given of them.
func (r resizing) along(shape, axes []int, given []float64, bySizes bool,
	policy string) []resizedAxis {
	uniform := 0.0
	if bySizes && policy != "stretch" {
		for i, a := range axes {
			s := given[i] / float64(max(1, shape[a]))
			if i == 0 || policy == "not_larger" == (s < uniform) {
				uniform = s
			}
		}
	}
	var all []resizedAxis
	for i, a := range axes {
		r.in = shape[a]
		size := 0.0
		switch {
		case !bySizes:
			// as float32: 10 · 0.7 is 7
			r.scale, r.width = given[i], float64(float32(r.in)*float32(given[i]))
			size = math.Floor(r.width)
		case uniform > 0:
			r.scale, size = uniform, math.Floor(uniform*float64(r.in)+0.5)
			r.width = size
		default:
			r.scale, r.width, size = given[i]/float64(max(1, r.in)), given[i], given[i]
		}
		if !(r.scale >= 0) || !(size >= 0 && size <= host.MaxElements) {
			host.Failf("axis %d of size %d becomes %v", a, r.in, size)
		}
		r.out = int(size)
		all = append(all, resizedAxis{a, r})
	}
	return all
}

// at is the place in the operand that place i of the result is taken from.
func (r resizing) at(i int) float64 {
	x, in, out := float64(i), float64(r.in), r.width
	switch r.coordinates {
	case "half_pixel":
		return (x+0.5)/r.scale - 0.5
	case "half_pixel_symmetric":
		return in/2*(1-float64(r.out)/out) + (x+0.5)/r.scale - 0.5
	case "pytorch_half_pixel":
		if out == 1 {
			return 0
		}
		return (x+0.5)/r.scale - 0.5
	case "tf_half_pixel_for_nn":
		return (x + 0.5) / r.scale
	case "align_corners":
		if out == 1 {
			return 0
		}
		return x * (in - 1) / (out - 1)
	case "asymmetric":
		return x / r.scale
	case "tf_crop_and_resize":
		if out == 1 {
			return (r.from + r.to) / 2 * (in - 1)
		}
		return r.from*(in-1) + x*(r.to-r.from)*(in-1)/(out-1)
	}
	host.Failf("coordinate_transformation_mode %q is not known", r.coordinates)
	return 0
}

// tap is a place of the operand and its weight.
type tap struct {
	at     int
	weight float64
}

// nearestModes round a place to a whole one.
var nearestModes = map[string]func(float64) float64{"floor": math.Floor, "ceil": math.Ceil,
	"round_prefer_floor": func(x float64) float64 { return math.Ceil(x - 0.5) },
	"round_prefer_ceil":  func(x float64) float64 { return math.Floor(x + 0.5) }}

// taps are what a place of the result is the sum of. Regions may reach to any place; those further
// away than any element are brought near, where adding 1 still makes another number.
func (r resizing) taps(i int) []tap {
	x := min(max(r.at(i), -host.MaxElements), host.MaxElements)
	if math.IsNaN(x) {
		host.Failf("the region from %v to %v has no place %d of %d", r.from, r.to, i, r.out)
	}
	if r.mode == "nearest" {
		round := nearestModes[r.nearest]
		if round == nil {
			host.Failf("nearest_mode %q is not known", r.nearest)
		}
		return []tap{{r.clamp(round(x)), 1}}
	}
	weight, reach := r.kernel()
	shrink := 1.0
	if r.antialias {
		shrink = min(1, r.scale)
	}
	first := math.Ceil(x) - 1 // the last place before x
	start := math.Floor(-reach/shrink) + 1
	var all []tap
	sum := 0.0
	for p := first + start; p <= first+1-start; p++ {
		w := weight((p - x) * shrink)
		if r.inside && (p < 0 || p > float64(r.in-1)) {
			w = 0
		}
		all, sum = append(all, tap{r.clamp(p), w}), sum+w
	}
	for k := range all {
		if r.antialias || r.inside {
			all[k].weight /= sum
		}
	}
	return all
}

func (r resizing) clamp(p float64) int { return int(min(max(p, 0), float64(r.in-1))) }

// kernel is the weight at a distance, and how far it reaches.
func (r resizing) kernel() (weight func(d float64) float64, reach float64) {
	switch r.mode {
	case "linear":
		return func(d float64) float64 { return max(0, 1-math.Abs(d)) }, 1
	case "cubic":
		return func(d float64) float64 {
			switch x, a := math.Abs(d), r.cubic; {
			case x <= 1:
				return ((a+2)*x-(a+3))*x*x + 1
			case x < 2:
				return ((a*x-5*a)*x+8*a)*x - 4*a
			}
			return 0
		}, 2
	}
	host.Failf("mode %q is not known", r.mode)
	return nil, 0
}

// resampled is y with one axis resized.
func (b *builder) resampled(y *value, axis int, r resizing) *value {
	all := make([][]tap, r.out)
	most := 0
	host.Fits(r.out)
	for i := range all {
		all[i] = r.taps(i)
		most = max(most, len(all[i]))
	}
	var sum *value
	for k := range most {
		at, weights := make([]int, r.out), host.New(host.Float32, r.out)
		for i, taps := range all {
			at[i], weights.F[i] = taps[k].at, taps[k].weight
		}
		part := b.do("Gather", map[string]int{"axis": axis}, y, constant(host.Ints(at...)))
		if r.mode != "nearest" {
			shape := make([]int, len(y.shape)-axis)
			for i := range shape {
				shape[i] = 1
			}
			shape[0] = r.out
			w := b.node(constant(weights.As(shape...)))
			part = &value{typ: y.typ, shape: part.shape, from: y.from,
				node: nodes.Mul(b.node(part), w)}
		}
		if sum == nil {
			sum = part
			continue
		}
		sum = &value{typ: y.typ, shape: part.shape, from: y.from,
			node: nodes.Add(b.node(sum), b.node(part))}
	}
	return sum
}

// beyond tells which places of the result lie outside of the operand.
func (r resizing) beyond(axis, n int) *value {
	shape := make([]int, n)
	for i := range shape {
		shape[i] = 1
	}
	shape[axis] = r.out
	t := host.New(host.Bool, shape...)
	for i := range t.I {
		if x := r.at(i); x < 0 || x > float64(r.in-1) {
			t.I[i] = 1
		}
	}
	return constant(t)
}
