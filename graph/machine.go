package graph

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/graph/internal/exec"
	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/lower"
	"github.com/seqzoo/seqzoo/graph/internal/optimise"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Machine is a compiled graph. It is not safe for concurrent use; several machines may share bound tensors, such as
// parameters, as long as none of them is written during a run.
type Machine struct {
	program exec.Program
	results []result
	scalars []scalar
	closed  bool
}

type result struct {
	node  *gorgonia.Node
	index int
}

// scalar is a result that Gorgonia holds by a pointer of its own.
type scalar struct {
	from ops.Tensor
	f32  *gorgonia.F32
	f64  *gorgonia.F64
}

var _ gorgonia.VM = (*Machine)(nil)

// Compile makes a machine of a graph. Inputs need no value yet.
func Compile(g *gorgonia.ExprGraph, opts ...Option) (*Machine, error) {
	m, err := compile(g, opts)
	if err != nil {
		return nil, fmt.Errorf("graph.Compile: %w", err)
	}
	return m, nil
}

func compile(g *gorgonia.ExprGraph, opts []Option) (*Machine, error) {
	if g == nil {
		return nil, errors.New("the graph is nil")
	}
	c := config{without: map[string]bool{}}
	for _, o := range opts {
		o(&c)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	for _, n := range c.keep {
		if n == nil || n.Graph() != g {
			return nil, fmt.Errorf("%v, which is to be kept, is not a node of this graph", n)
		}
	}
	if len(c.keep) == 0 {
		all, err := roots(g)
		if err != nil {
			return nil, err
		}
		c.keep = all
	}
	m := &Machine{}
	var wanted []*gorgonia.Node
	for _, n := range c.keep {
		if n.Op() == nil || slices.Contains(wanted, n) {
			continue // an input: its value is the caller's
		}
		m.results = append(m.results, result{n, len(wanted)})
		wanted = append(wanted, n)
	}
	var err error
	if m.program, err = c.build(wanted); err != nil {
		return nil, err
	}
	for _, r := range m.results {
		if err := m.deliver(r); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (c *config) build(wanted []*gorgonia.Node) (exec.Program, error) {
	if c.plain {
		return newPlain(wanted)
	}
	low, err := lower.Graph(wanted, lower.Options{NoHoist: c.without["hoist"]})
	if err != nil {
		return nil, err
	}
	values := make([]*ir.Value, len(wanted))
	for i, n := range wanted {
		values[i] = low.Of[n]
	}
	values = optimise.Run(low.Region, values, c.without)
	return exec.New(low.Region, values, exec.Config{Workers: c.workers, Shard: c.shard, Without: c.without, Least: c.least})
}

// deliver makes the memory of a result the value of its node.
func (m *Machine) deliver(r result) error {
	t := m.program.Result(r.index)
	v := t.Value()
	switch v := v.(type) {
	case *gorgonia.F32:
		m.scalars = append(m.scalars, scalar{from: t, f32: v})
	case *gorgonia.F64:
		m.scalars = append(m.scalars, scalar{from: t, f64: v})
	}
	if err := gorgonia.UnsafeLet(r.node, v); err != nil {
		return fmt.Errorf("result of %v: %w", r.node, err)
	}
	return nil
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
	for _, s := range m.scalars {
		if s.f32 != nil {
			*s.f32 = gorgonia.F32(s.from.F32[0])
		} else {
			*s.f64 = gorgonia.F64(s.from.F64[0])
		}
	}
	return nil
}

// Reset does nothing: a machine can be run again at once. It is there for gorgonia.VM.
func (m *Machine) Reset() {}

// Memory is what the machine allocated for values, in bytes: intermediate values, activations kept for the backward
// pass, results. It is known, and allocated, before the first run; inputs and parameters are not in it.
func (m *Machine) Memory() int {
	if m.closed {
		return 0
	}
	return m.program.Memory()
}

// Explain lists the instructions of the machine in the order in which they run, and what the compiler noticed.
func (m *Machine) Explain() string {
	if m.closed {
		return ""
	}
	return strings.Join(m.program.Listing(), "\n") + "\n"
}

// Close releases the machine's memory. A closed machine refuses to run.
func (m *Machine) Close() error {
	if !m.closed {
		m.program.Close()
	}
	m.closed, m.program, m.results, m.scalars = true, nil, nil, nil
	return nil
}
