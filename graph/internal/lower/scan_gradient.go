package lower

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// scanGrad is what a backward loop packs.
type scanGrad struct {
	region *ir.Region
	sizes  []int
	pieces []func() *ir.Value
}

func (s *scanGrad) cut(from, to int) *ir.Value {
	return cutPieces(s.region, s.sizes, func(i int) *ir.Value { return s.pieces[i]() }, from, to)
}

func (l *lowering) scanGrad(fn ops.ScanGrad, t ops.Type, args []*ir.Value) (*ir.Value, error) {
	st, b, err := l.backward(fn.Scan, args)
	if err != nil {
		return nil, err
	}
	res := &scanGrad{region: l.Region}
	for i, in := range st.inputs {
		if !fn.Want[i] {
			continue
		}
		size := in.Size()
		if i < len(st.Seqs) {
			size *= fn.T
		}
		res.sizes = append(res.sizes, size)
		var made *ir.Value
		res.pieces = append(res.pieces, func() *ir.Value {
			if made == nil {
				switch k := st.isState(i); {
				case k >= 0:
					made = b.initial(k)
				case i < len(st.Seqs):
					made = b.sequence(i)
				default:
					made = b.constant(i)
				}
			}
			return made
		})
	}
	v := l.Region.Leaf(packed{what: "packed gradients{}"}, t)
	l.grads[v] = res
	return v, nil
}

// scanFlow is the gradient of a part of the state at all steps.
func (l *lowering) scanFlow(fn ops.ScanFlow, args []*ir.Value) (*ir.Value, error) {
	_, b, err := l.backward(fn.Scan, args)
	if err != nil {
		return nil, err
	}
	return b.flow(fn.Part), nil
}

// cotangent is [from, to) of a packed cotangent: the gradients of all views of one slot, apart from
// the other slots'.
func (l *lowering) cotangent(v *ir.Value, from, to int) *ir.Value {
	if fn, ok := v.Fn.(ops.Elementwise); ok {
		args := make([]*ir.Value, len(v.Args))
		for i, a := range v.Args {
			if args[i] = a; slices.Equal(a.Shape, v.Shape) {
				args[i] = l.cotangent(a, from, to)
			}
		}
		return l.Region.Apply(fn, args...)
	}
	return l.Region.Apply(ops.Slice{Axis: 0, From: from, To: to}, v)
}
