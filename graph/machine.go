package graph

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/lower"
	"github.com/seqzoo/seqzoo/graph/internal/native"
	"github.com/seqzoo/seqzoo/graph/internal/optimise"
	"github.com/seqzoo/seqzoo/graph/internal/pass"
	"github.com/seqzoo/seqzoo/graph/internal/plan"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Machine is a compiled graph. It is not safe for concurrent use; several machines may share bound
// tensors, such as parameters, as long as none of them is written during a run. A node of a graph
// with several machines shows the value of the last run that was to deliver it.
type Machine struct {
	config   *config
	graph    *gorgonia.ExprGraph
	wanted   *wanted
	program  *compiled
	results  *delivery
	warnings []string
	closed   bool
}

// usable says why the machine cannot run, if it cannot.
func (m *Machine) usable() error {
	switch {
	case m != nil && m.closed:
		return errors.New("graph: the machine is closed")
	case m == nil || m.program == nil:
		return errors.New("graph: the machine is nil, or an empty value: Compile makes one")
	}
	return nil
}

var _ gorgonia.VM = (*Machine)(nil)

// Compile makes a machine of a graph, and is used where a program for Gorgonia alone has
// gorgonia.NewTapeMachine:
//
//	vm, err := graph.Compile(g)
//
// Inputs need no value yet; they are looked up anew in every run. After a run, results are where
// Gorgonia's own machine leaves them: in Value of the graph's roots and of what was differentiated,
// in what Read was given, and in Grad of every input that gorgonia.Grad was asked for, ready for a
// gorgonia.Solver. What is different there:
//
//   - Value of an inner node is nil, since most are never computed by themselves, unless Also, Keep
//     or KeepAll asked for it. Gorgonia's machine has a value for each, which may be another
//     node's.
//   - Gradients are assigned. Gorgonia's machine adds to them in each run, with BindDualValues: see
//     AddGradients.
//   - Value and Grad are new memory after each run, so that values of several runs may be
//     collected, and Grad is apart from the derivative's Value. Only a gradient that a solver has
//     used, and set to 0 as solvers do, is written over by the next run. See ReuseValues for runs
//     that allocate nothing. What Read gave is written over by the next run, unless its place is
//     set to nil, as with Gorgonia's machine.
//
// A run takes what the program has changed since the last one: values, also those of constants,
// ranges that gorgonia.UnsafeLet gave to slices, and the training or evaluation that an operation
// was set to. Shapes stay as they were when the graph was built; anything else is an error.
//
// Every operation of Gorgonia runs, those the engine does not know by their own Do method (see
// Explain). Numbers are those of the graph as it stands, including the derivatives that Gorgonia
// gets wrong, and row 0 for an id beyond the table of ByIndices. What Gorgonia merged while the
// graph was built cannot be told apart again: see Warnings.
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
	c := config{without: map[pass.Name]bool{}}
	for i, o := range opts {
		if o == nil {
			return nil, fmt.Errorf("option %d is nil", i)
		}
		o(&c)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	for _, n := range slices.Concat(c.keep, c.also) {
		if n == nil || n.Graph() != g {
			return nil, fmt.Errorf("%v, which is to be kept, is not a node of this graph", n)
		}
	}
	children, err := ops.Children(g)
	if err != nil {
		return nil, err
	}
	m := &Machine{graph: g}
	for _, n := range g.AllNodes() {
		if op, ok := n.Op().(gorgonia.TrainModeOp); ok {
			if err := op.SetTraining(!c.eval); err != nil {
				return nil, fmt.Errorf("%v: %w", n, err)
			}
		}
		if w := native.Warning(n, children[n]); w != "" {
			m.warnings = append(m.warnings, w)
		}
	}
	if costs := differentiated(g.AllNodes(), children); len(costs) > 1 {
		m.warnings = append(m.warnings,
			fmt.Sprintf("gorgonia.Grad was called for %v and then for %v: of a node that has a "+
				"derivative already, gorgonia.Grad returns no more than a part of the next one",
				costs[0], costs[1]))
	}
	m.config, m.wanted = &c, want(g, children, &c)
	if err := m.assemble(); err != nil {
		return nil, err
	}
	return m, nil
}

// assemble builds the program anew.
func (m *Machine) assemble() error {
	p, err := m.config.build(m.wanted.nodes)
	if err != nil {
		return err
	}
	if m.program != nil {
		m.program.Close()
	}
	m.program, m.results = p, p.deliver(m.wanted, m.config)
	return nil
}

// compiled is a program and where it has the values of nodes.
type compiled struct {
	vm.Program
	index  map[*gorgonia.Node]int // of the program's results
	boxes  map[*gorgonia.Node]*lower.Box
	fixed  []*lower.Fixed
	moving []*lower.Moving
	notes  []string
}

func (p *compiled) result(n *gorgonia.Node) ops.Tensor { return p.Result(p.index[n]) }

func (c *config) build(nodes []*gorgonia.Node) (*compiled, error) {
	p := &compiled{index: map[*gorgonia.Node]int{}}
	if c.plain {
		var err error
		for i, n := range nodes {
			p.index[n] = i
		}
		p.Program, err = newPlain(nodes)
		return p, err
	}
	low, err := lower.Graph(nodes, lower.Options{Moving: c.moving, NoHoist: c.without[lower.Hoist]})
	if err != nil {
		return nil, err
	}
	var values []*ir.Value
	for _, n := range nodes {
		p.index[n] = len(values)
		values = append(values, low.Of[n])
	}
	p.boxes, p.fixed, p.moving = low.Boxes, low.Fixed, low.Moving
	values = optimise.Run(low.Region, values, c.without, low.Notes)
	p.notes = low.Notes.Lines()
	p.Program, err = plan.New(low.Region, values, plan.Config{Workers: c.workers, Shard: c.shard,
		Without: c.without, Arena: c.arena, Arenas: c.arenas,
		Results: c.results, Limit: c.room(), Least: c.least})
	return p, err
}

// RunAll runs the graph once.
func (m *Machine) RunAll() error {
	if err := m.usable(); err != nil {
		return err
	}
	if err := m.follow(); err != nil {
		return fmt.Errorf("graph: %w", err)
	}
	if err := m.program.Run(); err != nil {
		return fmt.Errorf("graph: %w", err)
	}
	if err := m.results.after(); err != nil {
		return fmt.Errorf("graph: %w", err)
	}
	if m.config.watch {
		if err := m.watch(); err != nil {
			return fmt.Errorf("graph: %w", err)
		}
	}
	return nil
}

// Let binds a value to an input of the machine's graph, as gorgonia.Let does.
func (m *Machine) Let(n *gorgonia.Node, be any) error {
	if err := m.has(n); err != nil {
		return fmt.Errorf("graph: Let: %w", err)
	}
	if err := gorgonia.Let(n, be); err != nil {
		return fmt.Errorf("graph: Let: %w", err)
	}
	return nil
}

// Set makes a copy of the value of b the value of a, such as the last state of a recurrence that of
// the first in the next run. Both are nodes of the machine's graph. An inner node has a value if
// Also or KeepAll asked for it.
func (m *Machine) Set(a, b *gorgonia.Node) error {
	if err := errors.Join(m.has(a), m.has(b)); err != nil {
		return fmt.Errorf("graph: Set: %w", err)
	}
	v := b.Value()
	if v == nil {
		return fmt.Errorf("graph: Set: %v has no value; run the machine first, and name the node "+
			"in graph.Also if it is no root", b)
	}
	v, err := gorgonia.CloneValue(v)
	if err == nil {
		err = gorgonia.UnsafeLet(a, v)
	}
	if err != nil {
		return fmt.Errorf("graph: Set %v to %v: %w", a, b, err)
	}
	return nil
}

// has refuses nodes of other graphs.
func (m *Machine) has(n *gorgonia.Node) error {
	switch {
	case n == nil:
		return errors.New("the node is nil")
	case n.Graph() != m.graph:
		return fmt.Errorf("%v is not a node of the machine's graph", n)
	}
	return nil
}

// Reset does nothing: a machine can be run again at once. It is there for gorgonia.VM.
func (m *Machine) Reset() {}

// Memory is what the machine allocated for values, in bytes: intermediate values, activations kept
// for the backward pass, results. It is known, and allocated, before the first run; inputs and
// parameters are not in it, nor is the scratch memory of matrix products, some 0.6 MB a worker for
// all machines of a process together, nor the copies of results that a run makes without
// ReuseValues.
func (m *Machine) Memory() int {
	if m.usable() != nil {
		return 0
	}
	return m.program.Memory()
}

// OwnMemory is the part of Memory that lies in no arena: all of it without the options In and
// InAny.
func (m *Machine) OwnMemory() int {
	if m.usable() != nil {
		return 0
	}
	return m.program.Own()
}

// Flop is the number of floating-point operations of the matrix products of a run, a
// multiplication and its addition being two. What is done element by element is not in it. It is
// known before the first run.
func (m *Machine) Flop() float64 {
	if m.usable() != nil {
		return 0
	}
	return m.program.Flop()
}

// Explain lists the instructions of the machine in the order in which they run, and what the
// compiler noticed.
func (m *Machine) Explain() string {
	if m.usable() != nil {
		return ""
	}
	lines := m.program.Listing()
	lines = append(lines, m.program.notes...)
	for _, w := range m.warnings {
		lines = append(lines, "warning: "+w)
	}
	return strings.Join(lines, "\n") + "\n"
}

// Warnings tells of nodes in whose place Gorgonia may have built another graph than was meant: it
// takes some different operations for one. The library's own operations, in package nodes, are free
// of that.
func (m *Machine) Warnings() []string { return slices.Clone(m.warnings) }

// Close releases the machine's memory. A closed machine refuses to run.
func (m *Machine) Close() error {
	if m.usable() == nil {
		m.program.Close()
	}
	m.closed, m.program, m.results = true, nil, nil
	return nil
}
