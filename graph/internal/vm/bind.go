package vm

import (
	"fmt"
	"unsafe"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// NewInput is the buffer of a node of the graph.
func NewInput(node *G.Node, buf int, want ops.Type) input {
	return input{node: node, buf: buf, want: want}
}

// input is a buffer that is bound anew at each run.
type input struct {
	node *G.Node
	buf  int
	want ops.Type
	last *tensor.Dense
	own  bool // the buffer is the program's, and holds a scalar
}

// bind looks up the values of the inputs.
func (p *program[F]) bind() error {
	for i := range p.inputs {
		in := &p.inputs[i]
		v := in.node.Value()
		if d, ok := v.(*tensor.Dense); ok && d == in.last && sameShape(d.Shape(), in.want.Shape) &&
			direct(d) {
			in.set(p, d)
			continue
		}
		if p.number(in, v) {
			continue
		}
		t, err := ops.TensorOf(v)
		if err != nil {
			return fmt.Errorf("input %q: %w", in.node.Name(), err)
		}
		if !sameShape(t.Shape, in.want.Shape) || t.Dtype() != in.want.Dtype {
			return fmt.Errorf("input %q is %v %s, want %v", in.node.Name(), t.Dtype(),
				ops.ShapeString(t.Shape), in.want)
		}
		if p.isResult(t) {
			return fmt.Errorf("input %q is bound to memory of the machine's own results, which "+
				"the run writes to: copy it", in.node.Name())
		}
		in.last, in.own = nil, false
		if d, ok := v.(*tensor.Dense); ok && direct(d) {
			in.last = d
		}
		if t.Int != nil {
			p.ints[in.buf] = t.Int
		} else {
			p.bufs[in.buf] = floats[F](t)
		}
	}
	return nil
}

// isResult reports whether t lies within the memory of a result.
func (p *program[F]) isResult(t ops.Tensor) bool {
	for _, r := range p.results {
		if overlap(t.F32, r.F32) || overlap(t.F64, r.F64) || overlap(t.Int, r.Int) {
			return true
		}
	}
	return false
}

// overlap reports whether two slices have memory in common.
func overlap[E any](a, b []E) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	size := unsafe.Sizeof(a[0])
	x, y := uintptr(unsafe.Pointer(&a[0])), uintptr(unsafe.Pointer(&b[0]))
	return x < y+size*uintptr(len(b)) && y < x+size*uintptr(len(a))
}

// number takes a scalar, which Gorgonia holds by a pointer, without allocating in every run.
func (p *program[F]) number(in *input, v G.Value) bool {
	var x F
	var dt tensor.Dtype
	switch v := v.(type) {
	case *G.F32:
		x, dt = F(*v), tensor.Float32
	case *G.F64:
		x, dt = F(*v), tensor.Float64
	default:
		return false
	}
	if len(in.want.Shape) > 0 || in.want.Dtype != dt {
		return false
	}
	if !in.own {
		p.bufs[in.buf], in.own, in.last = make([]F, 1), true, nil
	}
	p.bufs[in.buf][0] = x
	return true
}

// direct reports whether the elements of a tensor lie in memory as the engine wants them.
func direct(d *tensor.Dense) bool {
	o := d.DataOrder()
	return len(d.Shape()) > 0 && !d.RequiresIterator() && !d.IsView() && !o.IsTransposed() &&
		!o.IsColMajor()
}

// set takes the elements of a tensor that was checked before, without allocating.
func (in *input) set(p any, d *tensor.Dense) {
	switch p := p.(type) {
	case *program[float32]:
		if in.want.Dtype == tensor.Int {
			p.ints[in.buf] = d.Ints()
		} else {
			p.bufs[in.buf] = d.Float32s()
		}
	case *program[float64]:
		if in.want.Dtype == tensor.Int {
			p.ints[in.buf] = d.Ints()
		} else {
			p.bufs[in.buf] = d.Float64s()
		}
	}
}

func sameShape(a []int, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func floats[F kernels.Float](t ops.Tensor) []F {
	if t.F32 != nil {
		return any(t.F32).([]F)
	}
	return any(t.F64).([]F)
}
