package run

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
)

// ErrMemory is the error of New for a graph whose values need more memory than there is: the system
// would kill the process as soon as they were written.
var ErrMemory = graph.ErrMemory

// MemoryError is an ErrMemory with its numbers.
type MemoryError = graph.MemoryError

// Step is a compiled graph.
type Step struct {
	outputs []*nodes.Node
	machine *graph.Machine
	key     []int // the value of the graph's noise key
	inputs  int   // bytes of their values
}

var errEmpty = errors.New("run: the step is nil, or an empty value: New makes one")

// New compiles the graph of the outputs, whose values can be read after each run. It reuses their
// memory from run to run. Intermediate values lie in memory that all steps of the process use in
// turn: a few more of them than there are processors can run at a time, and others wait. Options
// are those of graph.Compile, and take precedence.
func New(outputs []*nodes.Node, options ...graph.Option) (*Step, error) {
	if len(outputs) == 0 {
		return nil, errors.New("run: a step needs at least one output")
	}
	kept := make([]*gorgonia.Node, len(outputs))
	for i, n := range outputs {
		if n == nil || n.Graph() == nil {
			return nil, fmt.Errorf("run: output %d is nil", i)
		}
		if n.Graph() != outputs[0].Graph() {
			return nil, fmt.Errorf("run: outputs 0 and %d are of two graphs", i)
		}
		kept[i] = n.Gorgonia()
	}
	s := &Step{outputs: outputs}
	g := outputs[0].Graph()
	err := nodes.Try(func() { s.key = g.NoiseKey().Value().Data().([]int) })
	if err != nil {
		return nil, err
	}
	all := []graph.Option{graph.Keep(kept...), graph.ReuseValues(), graph.InAny(arenas())}
	if s.machine, err = graph.Compile(g.Expr(), append(all, options...)...); err != nil {
		return nil, err
	}
	s.inputs = inputBytes(g)
	return s, nil
}

// inputBytes is the size of the inputs of a graph, without its parameters.
func inputBytes(g *nodes.Graph) (bytes int) {
	size := func(shape []int, dtype tensor.Dtype) int { return ops.Size(shape) * int(dtype.Size()) }
	for _, n := range g.Expr().AllNodes() {
		if n.Op() == nil {
			bytes += size(n.Shape(), n.Dtype())
		}
	}
	for _, p := range g.Parameters() {
		bytes -= size(p.Shape(), g.Dtype())
	}
	return max(bytes, 0)
}

// Memory is about how many bytes the step takes while it does not run: results, and what feeds it.
// What it needs while it runs is its Machine's Memory.
func (s *Step) Memory() int {
	if s == nil {
		return 0
	}
	return s.machine.OwnMemory() + s.inputs
}

// Run computes the outputs from what the inputs hold. Seed and counter make the noise, such as
// dropout, of graphs that have some.
func (s *Step) Run(seed uint64, counter int) error {
	return s.RunRows(seed, counter, 0, 0)
}

// RunRows is Run of a graph whose inputs hold the rows from first on of a batch of so many. The
// noise of a graph with nodes.Options.Rows is then that of these rows of the whole batch; that of
// another graph differs from one part of the batch to the next.
func (s *Step) RunRows(seed uint64, counter, first, of int) error {
	switch {
	case s == nil || s.machine == nil:
		return errEmpty
	case first < 0 || of < 0 || first > of:
		return fmt.Errorf("run: the rows from %d on of a batch of %d: there are none", first, of)
	case len(s.key) == 4:
		s.key[2], s.key[3] = first, of
	case first > 0:
		seed = uint64(rng.New(seed).Named("rows").Numbered(uint64(first)))
	}
	s.key[0], s.key[1] = int(seed), counter
	return s.machine.RunAll()
}

// Output is the value of output i of New, as the last run left it. It holds until the next run.
// Before the first run, and if the output is of integers, it is empty. As with a slice, an i that
// is out of range panics.
func (s *Step) Output(i int) Floats {
	f, err := FloatsOf(s.output(i))
	if err != nil {
		return Floats{}
	}
	return f
}

// output is the value of output i; a step that New has not made has none.
func (s *Step) output(i int) gorgonia.Value {
	if s == nil || s.machine == nil {
		return nil
	}
	return s.outputs[i].Value()
}

// Ints is the value of output i if it is of integers, such as what ArgMax gives; nil if it is not.
func (s *Step) Ints(i int) []int {
	if v, ok := s.output(i).(*tensor.Dense); ok && v.Dtype() == tensor.Int {
		return v.Ints()
	}
	return nil
}

// Machine is the compiled graph, which says what it needs (Memory, Buffers), what was done to it
// (Explain), where its time goes (Profile) and where a NaN came from (Check).
func (s *Step) Machine() *graph.Machine {
	if s == nil {
		return nil
	}
	return s.machine
}

// Close releases the memory of the compiled graph.
func (s *Step) Close() error {
	if s == nil || s.machine == nil {
		return nil
	}
	return s.machine.Close()
}
