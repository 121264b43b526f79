package lower

import (
	"fmt"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// Island is a part of a graph that runs node by node through Gorgonia's own Do, because the engine has no memory for
// values of it: booleans, and floats of another type than most of the graph's.
type Island struct {
	In    []*G.Node // its operands, which the engine computes
	nodes []*G.Node // operands first; the last is the result
	args  [][]int   // of each node: numbers of operands, then of nodes
}

// foreignTypes knows which values an engine has memory for.
type foreignTypes struct {
	float    tensor.Dtype // the float type of the graph
	children map[*G.Node][]*G.Node
}

func newForeignTypes(all []*G.Node, children map[*G.Node][]*G.Node) foreignTypes {
	count := map[tensor.Dtype]int{}
	for _, n := range all {
		count[n.Dtype()]++
	}
	f := foreignTypes{tensor.Float32, children}
	if count[tensor.Float64] > count[tensor.Float32] {
		f.float = tensor.Float64
	}
	return f
}

func (f foreignTypes) has(n *G.Node) bool {
	t := n.Dtype()
	return t != f.float && t != tensor.Int
}

// island is what has to be run to get n: n itself, and all foreign values that it depends on without others between.
func (f foreignTypes) island(n *G.Node) *Island {
	s := &Island{}
	inner := map[*G.Node]bool{}
	index := map[*G.Node]int{}
	var visit func(n *G.Node)
	visit = func(n *G.Node) { // operands first
		if inner[n] {
			return
		}
		inner[n] = true
		for _, c := range f.children[n] {
			switch _, known := index[c]; {
			case f.has(c):
				visit(c)
			case !known:
				index[c] = len(s.In)
				s.In = append(s.In, c)
			}
		}
		s.nodes = append(s.nodes, n)
	}
	visit(n)
	for i, n := range s.nodes {
		index[n] = len(s.In) + i
	}
	for _, n := range s.nodes {
		var args []int
		for _, c := range f.children[n] {
			args = append(args, index[c])
		}
		s.args = append(s.args, args)
	}
	return s
}

func (s *Island) String() string { return fmt.Sprint(s.nodes[len(s.nodes)-1].Op()) }

// Do computes the result from values of the operands.
func (s *Island) Do(in ...G.Value) (v G.Value, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v: %v", s, r)
		}
	}()
	vs := append([]G.Value(nil), in...)
	for i, n := range s.nodes {
		if n.Op() == nil {
			if v = n.Value(); v == nil {
				return nil, fmt.Errorf("input %q: no value is bound", n.Name())
			}
		} else {
			args := make([]G.Value, len(s.args[i]))
			for k, a := range s.args[i] {
				args[k] = vs[a]
			}
			if v, err = n.Op().Do(args...); err != nil {
				return nil, fmt.Errorf("%v: %w", n.Op(), err)
			}
		}
		vs = append(vs, v)
	}
	return v, nil
}

// storable reports whether the engine could have memory for a type, in some graph.
func storable(t ops.Type) bool { return t.IsFloat() || t.Dtype == tensor.Int }
