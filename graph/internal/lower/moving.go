package lower

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/native"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Fixed is a node of which the engine's form has something as it stood, though a program can still
// change it: the range of a slice, or a constant.
type Fixed struct {
	Node    *G.Node
	Inside  bool // a step of a recurrence, where it cannot be looked up in each run
	Changed func() bool
}

// Moving is a slice, or the gradient of one, whose range is looked up in each run.
type Moving struct {
	Node *G.Node
	op   native.Slicer
	size int   // of the axis
	ids  []int // the numbers of the elements that it takes: an operand
	last native.Range
}

// Update looks the range up.
func (m *Moving) Update() error {
	r := native.RangeOf(m.op.IsSlice(), m.size)
	if r == m.last {
		return nil
	}
	if err := r.Out(m.size, len(m.ids)); err != nil {
		return fmt.Errorf("%v, %v, was given %w", m.Node, m.Node.Shape(), err)
	}
	m.last = r
	for i := range m.ids {
		m.ids[i] = r.Start + i*r.Step
	}
	return nil
}

// moves lowers a node of Options.Moving, which was changed after an earlier lowering: what it had
// is an operand now.
func (l *lowering) moves(n *G.Node, args []*ir.Value, types []ops.Type) (*ir.Value, error) {
	if native.IsConstant(n.Op()) {
		l.Notes.Add("%v is read in each run: it was changed", n.Op())
		return l.Region.Leaf(ir.Input{Node: n}, ops.TypeOf(n)), nil
	}
	axis, ok := native.Sliced(n.Op(), types[0])
	if !ok {
		return nil, fmt.Errorf("%v cannot be followed", n.Op())
	}
	taken := types[0].Size() / types[0].Shape[axis] // elements of each of the slices that it takes
	whole := ops.TypeOf(n)                          // what they are together
	if len(args) == 2 {
		whole = types[1]
	}
	t := ops.Type{Dtype: tensor.Int, Shape: []int{whole.Size() / taken}}
	m := &Moving{Node: n, op: n.Op().(native.Slicer), size: types[0].Shape[axis]}
	m.ids = make([]int, t.Shape[0])
	ids := ops.Input(G.NewGraph(), "elements of "+n.Name(), t)
	if err := G.Let(ids, tensor.New(tensor.WithShape(t.Shape...),
		tensor.WithBacking(m.ids))); err != nil {
		return nil, err
	}
	e, err := native.TranslateMoving(n.Op(), append(types, t), ops.TypeOf(n))
	if err != nil {
		return nil, err
	}
	l.Notes.Add("the range of %v is looked up in each run: it was changed", n.Op())
	l.Moving = append(l.Moving, m)
	args = append(args, l.Region.Leaf(ir.Input{Node: ids}, t))
	return native.Apply(e, args, l.operation), nil
}
