package train

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// flat holds the numbers of all parameters one after another, with float32 and float64 parameters
// apart.
type flat struct {
	f32 []float32
	f64 []float64
	// by parameter, of numbers that a layout has made: where they may differ from 0
	touched []touched
	shown   []bool // to somebody who may write to them
}

func (x flat) add(y flat) {
	add(x.f32, y.f32)
	add(x.f64, y.f64)
}

func (x flat) len() int { return len(x.f32) + len(x.f64) }

func (x flat) scale(factor float64) {
	scale(x.f32, factor)
	scale(x.f64, factor)
}

// size is how many numbers of each type a flat has.
type size struct{ n32, n64 int }

func (s size) zeros() flat {
	return flat{f32: make([]float32, s.n32), f64: make([]float64, s.n64)}
}

// add makes room for so many more numbers of one type, and returns where it begins.
func (s *size) add(t tensor.Dtype, n int) (at int) {
	of := &s.n32
	if t == tensor.Float64 {
		of = &s.n64
	}
	at = *of
	*of += n
	return at
}

// block is a part of a parameter, whose squares are summed, and which is updated, in one go:
// whatever is done block by block has the bits that it has for the parameter as a whole.
type block struct{ slot, from, to int }

// slot is where the numbers of a parameter stand.
type slot struct {
	name   string
	vg     gorgonia.ValueGrad // for its value
	vector                    // of its value
	at     int                // in the flat of its type
	blocks indices            // of the layout
}

// indices is a range.
type indices struct{ from, to int }

// layout says where the numbers of each parameter stand in a flat.
type layout struct {
	slots  []slot
	index  map[string]int
	blocks []block
	all    size
}

// newLayout lays the parameters out in the order of the list.
func newLayout(params []gorgonia.ValueGrad) (*layout, error) {
	l := &layout{index: map[string]int{}}
	for i, vg := range params {
		p, err := openValue(i, vg)
		if err != nil {
			return nil, fmt.Errorf("train: %w", err)
		}
		if _, twice := l.index[p.name]; twice {
			return nil, fmt.Errorf("train: parameter %q is listed twice; names must be unique",
				p.name)
		}
		s := slot{name: p.name, vg: vg, vector: p.value, at: l.all.add(p.value.dtype,
			p.value.len())}
		s.blocks.from = len(l.blocks)
		for from := 0; from < p.value.len(); from += kernels.Block {
			l.blocks = append(l.blocks, block{i, from, min(from+kernels.Block, p.value.len())})
		}
		s.blocks.to = len(l.blocks)
		l.index[p.name] = i
		l.slots = append(l.slots, s)
	}
	return l, nil
}

// part is numbers of the slot in x, of which those of the slot begin at number at.
func (s slot) part(x flat, at, from, to int) flat {
	if s.dtype == tensor.Float32 {
		return flat{f32: x.f32[at+from : at+to]}
	}
	return flat{f64: x.f64[at+from : at+to]}
}

// whole is the numbers of the slot in x, which holds all parameters.
func (s slot) whole(x flat) flat { return s.part(x, s.at, 0, s.len()) }

// values is a part of the parameter itself.
func (s slot) values(from, to int) flat {
	if s.dtype == tensor.Float32 {
		return flat{f32: s.f32[from:to]}
	}
	return flat{f64: s.f64[from:to]}
}

func (x flat) copyFrom(y flat) {
	copy(x.f32, y.f32)
	copy(x.f64, y.f64)
}

func (x flat) clear() {
	clear(x.f32)
	clear(x.f64)
}

// dense is a tensor over x, which has numbers of one type.
func (x flat) dense(shape ...int) *tensor.Dense {
	if x.f64 != nil {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x.f64))
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x.f32))
}

// flat is the numbers of v.
func (v vector) flat() flat { return flat{f32: v.f32, f64: v.f64} }

// scaled writes factor·g to x.
func (x flat) scaled(g flat, factor float64) {
	if factor == 1 {
		copy(x.f32, g.f32)
		copy(x.f64, g.f64)
		return
	}
	kernels.MulScalar(x.f32, g.f32, float32(factor))
	kernels.MulScalar(x.f64, g.f64, factor)
}

// addScaled adds factor·g to x.
func (x flat) addScaled(g flat, factor float64) {
	kernels.Axpy(x.f32, float32(factor), g.f32)
	kernels.Axpy(x.f64, factor, g.f64)
}

// zeros are numbers of all parameters.
func (l *layout) zeros() flat {
	x := l.all.zeros()
	for range l.slots {
		x.touched, x.shown = append(x.touched, touched{}), append(x.shown, false)
	}
	return x
}

// set makes a parameter's numbers in x factor·g, of which t may differ from 0.
func (l *layout) set(x flat, at int, g flat, factor float64, t touched) {
	to, was := l.slots[at].whole(x), x.touched[at]
	if x.shown[at] && t != nil {
		to.clear()
		t.in(0, to.len(),
			func(from, end int) { to.slice(from, end).scaled(g.slice(from, end), factor) })
		x.touched[at] = nil
		return
	}
	if t == nil {
		to.scaled(g, factor)
		x.touched[at] = nil
		return
	}
	was.in(0, to.len(), func(from, end int) { to.slice(from, end).clear() })
	t.in(0, to.len(),
		func(from, end int) { to.slice(from, end).scaled(g.slice(from, end), factor) })
	if was == nil {
		was = touched{}
	}
	x.touched[at] = append(was[:0], t...)
}

// addScaled adds factor·g to a parameter's numbers in x.
func (l *layout) addScaled(x flat, at int, g flat, factor float64, t touched) {
	if x.touched[at] == nil {
		t = nil // there may be a −0, which is +0 once +0 is added
	}
	to := l.slots[at].whole(x)
	t.in(0, to.len(),
		func(from, end int) { to.slice(from, end).addScaled(g.slice(from, end), factor) })
	x.touched[at] = x.touched[at].join(t, nil)
}

// add adds y to x.
func (l *layout) add(x, y flat) {
	for at, s := range l.slots {
		t := y.touched[at]
		if x.touched[at] == nil {
			t = nil
		}
		to, from := s.whole(x), s.whole(y)
		t.in(0, to.len(), func(a, b int) { to.slice(a, b).add(from.slice(a, b)) })
		x.touched[at] = x.touched[at].join(t, nil)
	}
}

// scale multiplies x by a factor.
func (l *layout) scale(x flat, factor float64) {
	for at, s := range l.slots {
		to := s.whole(x)
		x.touched[at].in(0, to.len(), func(a, b int) { to.slice(a, b).scale(factor) })
	}
}
