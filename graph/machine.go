package graph

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// Option changes how a graph is compiled.
type Option func(*config)

type config struct{ keep []*gorgonia.Node }

// Keep names the nodes whose values are wanted. Everything that they do not need is left out. Without Keep the wanted
// nodes are the roots of the graph: those that no other node uses.
func Keep(nodes ...*gorgonia.Node) Option {
	return func(c *config) { c.keep = append(c.keep, nodes...) }
}

// Machine is a compiled graph. It is not safe for concurrent use; several machines may share bound tensors, such as
// parameters, as long as none of them is written during a run.
type Machine struct {
	program *ops.Program
	results []result
	closed  bool
}

type result struct {
	node  *gorgonia.Node
	index int
	value ops.Tensor // what the node's value shares
	f32   *gorgonia.F32
	f64   *gorgonia.F64
}

var _ gorgonia.VM = (*Machine)(nil)

// Compile makes a machine of a graph. Inputs need no value yet.
func Compile(g *gorgonia.ExprGraph, opts ...Option) (*Machine, error) {
	if g == nil {
		return nil, errors.New("graph.Compile: the graph is nil")
	}
	var c config
	for _, o := range opts {
		o(&c)
	}
	for _, n := range c.keep {
		if n == nil || n.Graph() != g {
			return nil, fmt.Errorf("graph.Compile: %v, which is to be kept, is not a node of this graph", n)
		}
	}
	if len(c.keep) == 0 {
		roots, err := roots(g)
		if err != nil {
			return nil, fmt.Errorf("graph.Compile: %w", err)
		}
		c.keep = roots
	}
	p, err := ops.NewProgram(c.keep)
	if err != nil {
		return nil, fmt.Errorf("graph.Compile: %w", err)
	}
	m := &Machine{program: p}
	for _, n := range c.keep {
		if n.Op() == nil {
			continue // an input: its value is the caller's
		}
		r := result{node: n, index: p.Index(n), value: ops.NewTensor(ops.TypeOf(n))}
		v := r.value.Value()
		switch v := v.(type) {
		case *gorgonia.F32:
			r.f32 = v
		case *gorgonia.F64:
			r.f64 = v
		}
		if err := gorgonia.UnsafeLet(n, v); err != nil {
			return nil, fmt.Errorf("graph.Compile: result of %v: %w", n, err)
		}
		m.results = append(m.results, r)
	}
	return m, nil
}

// roots are the nodes that no other uses.
func roots(g *gorgonia.ExprGraph) ([]*gorgonia.Node, error) {
	children, err := ops.Children(g)
	if err != nil {
		return nil, err
	}
	used := map[*gorgonia.Node]bool{}
	for _, cs := range children {
		for _, c := range cs {
			used[c] = true
		}
	}
	var out []*gorgonia.Node
	for _, n := range g.AllNodes() {
		if !used[n] {
			out = append(out, n)
		}
	}
	return out, nil
}

// RunAll runs the graph once.
func (m *Machine) RunAll() error {
	if m.closed {
		return errors.New("graph: the machine is closed")
	}
	if err := m.program.Run(); err != nil {
		return fmt.Errorf("graph: %w", err)
	}
	for _, r := range m.results {
		v := m.program.At(r.index)
		r.value.CopyFrom(v)
		switch {
		case r.f32 != nil:
			*r.f32 = gorgonia.F32(v.F32[0])
		case r.f64 != nil:
			*r.f64 = gorgonia.F64(v.F64[0])
		}
	}
	return nil
}

// Reset does nothing: a machine can be run again at once. It is there for gorgonia.VM.
func (m *Machine) Reset() {}

// Close releases the machine's memory. A closed machine refuses to run.
func (m *Machine) Close() error {
	m.closed, m.program, m.results = true, nil, nil
	return nil
}
