package ops

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
)

// Program runs a graph the plain way: one node after another, each into a buffer of its own that is
// allocated once. It is not safe for concurrent use.
type Program struct {
	steps []instruction
	index map[*G.Node]int
	vals  []Tensor // of every node, by its index
	bound []bool   // vals[i] was given, or belongs to the node's own value
	watch *Watch   // nil: none
}

type instruction struct {
	node    *G.Node
	fn      Operation // nil: input, constant or an op of somebody else
	foreign G.Op
	args    []int
	in      []Tensor
}

// NewProgram compiles the nodes that outs need.
func NewProgram(outs []*G.Node) (*Program, error) {
	p := &Program{index: map[*G.Node]int{}}
	if len(outs) == 0 {
		return p, nil
	}
	g := outs[0].Graph()
	children, err := Children(g)
	if err != nil {
		return nil, err
	}
	before, err := Before(g)
	if err != nil {
		return nil, err
	}
	for _, n := range Needed(outs, children, before) {
		in := instruction{node: n}
		for _, c := range children[n] {
			in.args = append(in.args, p.index[c])
		}
		in.in = make([]Tensor, len(in.args))
		var buf Tensor
		switch op := n.Op().(type) {
		case nil:
		case *Op:
			in.fn = op.Fn
			buf = NewTensor(op.Out)
		default:
			in.foreign = op
		}
		p.index[n] = len(p.steps)
		p.steps = append(p.steps, in)
		p.vals = append(p.vals, buf)
	}
	p.bound = make([]bool, len(p.steps))
	return p, nil
}

// Index is the place of a node, for Set and At; −1 if the program does not need it.
func (p *Program) Index(n *G.Node) int {
	if i, ok := p.index[n]; ok {
		return i
	}
	return -1
}

// Set gives an input its value for the runs to come, without copying. An index of −1 is ignored.
func (p *Program) Set(i int, v Tensor) {
	if i >= 0 {
		p.vals[i], p.bound[i] = v, true
	}
}

// At is the value at an index after a run. The next run overwrites it.
func (p *Program) At(i int) Tensor { return p.vals[i] }

// Run computes everything. Inputs without a value from Set take the one that is bound to their
// node.
func (p *Program) Run() error {
	for i := range p.steps {
		s := &p.steps[i]
		switch {
		case s.fn != nil:
			for k, a := range s.args {
				s.in[k] = p.vals[a]
			}
			if err := p.eval(s, p.vals[i]); err != nil {
				return failed(s.node, err)
			}
		case s.foreign != nil && !isConstant(s.node):
			v, err := p.do(s)
			if err != nil {
				return err
			}
			p.vals[i] = v
		case !p.bound[i]:
			v, err := TensorOf(s.node.Value())
			if err != nil {
				return fmt.Errorf("input %q: %w", s.node.Name(), err)
			}
			if want := TypeOf(s.node); !slices.Equal(v.Shape, want.Shape) ||
				v.Dtype() != want.Dtype {
				return fmt.Errorf("input %q is %v %s, want %v", s.node.Name(), v.Dtype(),
					ShapeString(v.Shape), want)
			}
			p.vals[i] = v
		}
		if p.watch != nil {
			if err := p.look(s, p.vals[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Program) eval(s *instruction, out Tensor) error {
	if r, ok := s.fn.(recurrent); ok {
		return r.eval(s.in, out, p.watch)
	}
	return s.fn.Eval(s.in, out)
}

// recurrent is an operation that runs a step again and again, each value of which can be watched.
type recurrent interface {
	eval(in []Tensor, out Tensor, w *Watch) error
}

// look shows the watch a value.
func (p *Program) look(s *instruction, out Tensor) error {
	in := make([]Tensor, len(s.args))
	operands := make([]*G.Node, len(s.args))
	for k, a := range s.args {
		in[k], operands[k] = p.vals[a], p.steps[a].node
	}
	return p.watch.look(s.node, in, operands, out)
}

// failed is a failure of a node's operation. Inside a recurrence, what failed has its own place.
func failed(n *G.Node, err error) error {
	switch n.Op().(*Op).Fn.(type) {
	case Scan, ScanGrad:
		return err
	}
	return Failed(PlaceOf(n), err)
}

// do runs an op that is not ours through its Do method.
func (p *Program) do(s *instruction) (v Tensor, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v: %v", s.foreign, r)
		}
	}()
	args := make([]G.Value, len(s.args))
	for k, a := range s.args {
		args[k] = p.vals[a].Value()
	}
	out, err := s.foreign.Do(args...)
	if err != nil {
		return v, fmt.Errorf("%v: %w", s.foreign, err)
	}
	return TensorOf(out)
}
