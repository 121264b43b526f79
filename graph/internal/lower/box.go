package lower

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Box computes a node through Gorgonia's own Do, where the engine has no memory for its value or
// for one of its operands: for booleans, and for floats of another type than most of the graph's.
// In the engine's form such a value is a number that says nothing, and that operations on it take
// as an operand so that they run after it.
type Box struct {
	node  *G.Node
	from  []*Box  // of each operand; nil: the engine has it
	value G.Value // what the last run computed
	token G.Value // the number in its place; nil: the engine has the value
}

// Value is what the last run computed.
func (b *Box) Value() G.Value { return b.value }

func (b *Box) String() string {
	if b.node.Op() == nil {
		return fmt.Sprintf("input %q", b.node.Name())
	}
	return b.node.Op().String()
}

// Do computes the value from the values of the operands. An operand in a box has its value there.
func (b *Box) Do(in ...G.Value) (G.Value, error) {
	v := b.node.Value()
	if op := b.node.Op(); op != nil {
		for i, o := range b.from {
			if o != nil {
				in[i] = o.value
			}
		}
		var err error
		if v, err = op.Do(in[:len(b.from)]...); err != nil {
			return nil, err
		}
	}
	if v == nil {
		return nil, fmt.Errorf("no value is bound")
	}
	if b.token == nil {
		return v, nil
	}
	b.value = v
	return b.token, nil
}

// box lowers a node whose value or operands the engine cannot hold.
func (l *lowering) box(n *G.Node, children []*G.Node, t foreignTypes) *ir.Value {
	b := &Box{node: n}
	var args []*ir.Value
	for _, c := range children {
		b.from = append(b.from, l.Boxes[c])
		args = append(args, l.plain(l.Of[c]))
	}
	args = append(args, l.earlier(n)...)
	if !t.has(n) {
		why := fmt.Errorf("%v has operands that are neither %v nor int", n.Op(), t.float)
		return l.foreign(b, ops.TypeOf(n), args, why)
	}
	token := ops.Type{Dtype: t.float}
	b.token = ops.NewTensor(token).Value()
	l.Boxes[n] = b
	return l.Region.Leaf(ir.Foreign{Op: b}, token, args...)
}

// foreignTypes knows which values an engine has memory for.
type foreignTypes struct {
	float tensor.Dtype // the float type of the graph
}

func newForeignTypes(all []*G.Node) foreignTypes {
	count := map[tensor.Dtype]int{}
	for _, n := range all {
		count[n.Dtype()]++
	}
	if count[tensor.Float64] > count[tensor.Float32] {
		return foreignTypes{tensor.Float64}
	}
	return foreignTypes{tensor.Float32}
}

func (f foreignTypes) has(n *G.Node) bool {
	t := n.Dtype()
	return t != f.float && t != tensor.Int
}

// storable reports whether the engine could have memory for a type, in some graph.
func storable(t ops.Type) bool { return t.IsFloat() || t.Dtype == tensor.Int }
