package train

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/sysmem"
	"github.com/seqzoo/seqzoo/nodes"
)

// Step is a graph with a loss, compiled: what a task runs for each batch.
type Step struct {
	loss    *nodes.Node
	machine *graph.Machine
	key     []int // the noise key's value
	grads   []gorgonia.ValueGrad
	flow    *graph.GradientFlow // made by the first GradientFlow
	flows   *graph.Machine
	found   error // what the last run, if its loss was not finite, has to blame for it
}

// gradient is a parameter and its gradient, for a solver.
type gradient struct {
	step  *Step
	param *nodes.Param
	grad  *nodes.Node
}

func (g gradient) Name() string                  { return g.param.Name() }
func (g gradient) Value() gorgonia.Value         { return g.param.Value() }
func (g gradient) Grad() (gorgonia.Value, error) { return g.grad.Value(), nil }

// NewStep compiles loss, a scalar, and the nodes to keep, whose values can be read after each run. In a graph for
// training it adds the gradients of every parameter the graph uses. The error is ErrMemory if the values would not fit.
func NewStep(loss *nodes.Node, keep ...*nodes.Node) (s *Step, err error) {
	if loss == nil || loss.Graph() == nil {
		return nil, errors.New("train: NewStep: the loss is nil")
	}
	for i, n := range keep {
		if n == nil || n.Graph() == nil {
			return nil, fmt.Errorf("train: NewStep: node %d of those to keep is nil", i)
		}
	}
	g := loss.Graph()
	s = &Step{loss: loss}
	kept := []*gorgonia.Node{loss.Gorgonia()}
	err = nodes.Try(func() {
		s.key = g.NoiseKey().Value().Data().([]int)
		if !g.Training() {
			return
		}
		params := g.Parameters()
		wrt := make([]nodes.Operand, len(params))
		for i, p := range params {
			wrt[i] = p
		}
		seen := map[*gorgonia.Node]bool{}
		for _, n := range keep {
			seen[n.Gorgonia()] = true
		}
		for i, d := range g.Gradients(loss, wrt...) {
			for seen[d.Gorgonia()] { // clipping and solvers write to gradients: each needs its own
				d = nodes.Scale(d, 1)
			}
			seen[d.Gorgonia()] = true
			s.grads = append(s.grads, gradient{s, params[i], d})
			kept = append(kept, d.Gorgonia())
		}
	})
	if err != nil {
		return nil, err
	}
	for _, n := range keep {
		kept = append(kept, n.Gorgonia())
	}
	o := []graph.Option{graph.Keep(kept...), graph.ReuseValues(), graph.MemoryLimit(sysmem.Available())}
	if s.machine, err = graph.Compile(g.Expr(), o...); err != nil {
		return nil, err
	}
	return s, nil
}

// ErrMemory is the error of NewStep for a graph whose values need more memory than there is: the system would kill the process
// as soon as they were written.
var ErrMemory = graph.ErrMemory

// Run computes the loss, the gradients and the kept nodes from the values bound to the inputs. Seed and counter make
// the noise. If the loss is not finite, Check will say where that came from.
func (s *Step) Run(seed uint64, counter int) (loss float64, err error) {
	s.key[0], s.key[1] = int(seed), counter
	s.found = nil
	if err := s.machine.RunAll(); err != nil {
		return 0, err
	}
	switch v := s.loss.Value().Data().(type) {
	case float32:
		loss = float64(v)
	case float64:
		loss = v
	default:
		return 0, fmt.Errorf("train: the loss is %v: want a scalar", s.loss.Value())
	}
	if loss-loss != 0 {
		s.found = s.machine.Check() // now, while the inputs are what they were
	}
	return loss, nil
}

// Check names the first value of the last run that is not finite: a *graph.NotFinite, or nil if there is none. It takes
// as long as many runs do. If the loss was finite, the inputs must still be what they were.
func (s *Step) Check() error {
	if s.found != nil {
		return s.found
	}
	return s.machine.Check()
}

// blame names the first value that is not finite in the step that gradients come from, in words that follow a colon;
// it is empty if they come from elsewhere, or nothing is found.
func blame(grads []gorgonia.ValueGrad) string {
	if len(grads) == 0 {
		return ""
	}
	var found *graph.NotFinite
	if g, ok := grads[0].(gradient); ok && errors.As(g.step.Check(), &found) {
		return found.Error() + "; "
	}
	return ""
}

// Grads are the parameters with their gradients, for an Optimizer. They are written anew by every Run.
func (s *Step) Grads() []gorgonia.ValueGrad { return s.grads }

// Close releases the memory of the compiled graph.
func (s *Step) Close() error {
	if s.flows != nil {
		s.flows.Close()
	}
	return s.machine.Close()
}

// Feed makes a tensor the value of an input, and returns it: writing to its elements feeds the runs to come.
func Feed(input *nodes.Node) (*tensor.Dense, error) {
	if input == nil || input.Graph() == nil {
		return nil, errors.New("train: Feed: the input is nil")
	}
	v := tensor.New(tensor.Of(input.Dtype()), tensor.WithShape(input.Shape()...))
	return v, gorgonia.Let(input.Gorgonia(), v)
}

// GradientFlow runs the graph once more on the values of the last Run, and measures the gradients in the states of its
// recurrent layers, step by step, and in its parameters. It compiles a machine of its own for that; Run is as fast as
// without. A graph for evaluation has no gradients to measure.
func (s *Step) GradientFlow() (*graph.FlowReport, error) {
	if len(s.grads) == 0 {
		return nil, errors.New("train: GradientFlow: the graph has no gradients: build it with Training set")
	}
	if s.flow == nil {
		g := s.loss.Graph().Expr()
		flow, err := graph.NewGradientFlow(g)
		if err != nil {
			return nil, err
		}
		keep := flow.Nodes()
		for _, v := range s.grads {
			keep = append(keep, v.(gradient).grad.Gorgonia())
		}
		m, err := graph.Compile(g, graph.Keep(keep...), graph.ReuseValues())
		if err != nil {
			return nil, err
		}
		s.flow, s.flows = flow, m
	}
	if err := s.flows.RunAll(); err != nil {
		return nil, err
	}
	r, err := s.flow.Report()
	if err != nil {
		return nil, err
	}
	for _, v := range s.grads {
		if err := r.Param(v.(gradient).Name(), v); err != nil {
			return nil, err
		}
	}
	return r, nil
}
