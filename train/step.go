package train

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
)

// Step is a compiled graph with a loss: what a task runs for each batch. Its outputs are the nodes
// to keep, as NewStep was given them.
type Step struct {
	*run.Step
	loss   *nodes.Node
	kept   int // outputs before the loss
	grads  []gorgonia.ValueGrad
	frozen []*nodes.Param      // when the step was compiled, so that they have no gradient
	flow   *graph.GradientFlow // made by the first GradientFlow
	flows  *graph.Machine
	found  error // what the last run, if its loss was not finite, has to blame for it
}

// gradient is a parameter and its gradient, for a solver.
type gradient struct {
	step  *Step
	param *nodes.Param
	grad  *nodes.Node
	rows  *lookups // nil: all of them
}

func (g gradient) Name() string           { return g.param.Name() }
func (g gradient) Value() gorgonia.Value  { return g.param.Value() }
func (g gradient) inside() gorgonia.Value { return g.grad.Value() }

func (g gradient) Grad() (gorgonia.Value, error) {
	if g.rows != nil {
		g.rows.shown, g.rows.found = true, nil
	}
	return g.grad.Value(), nil
}

func (g gradient) touched() touched {
	if g.rows == nil {
		return nil
	}
	return g.rows.found
}

// NewStep compiles loss, a scalar, and the nodes to keep, whose values can be read after each run:
// Output(i) is that of node i. In a graph for training it adds the gradients of every parameter
// that the graph uses and that is not frozen (see nodes.Param). The error is ErrMemory if the
// values would not fit.
func NewStep(loss *nodes.Node, keep ...*nodes.Node) (s *Step, err error) {
	return NewStepWith(StepConfig{}, loss, keep...)
}

// StepConfig configures [NewStepWith]. The zero value is what NewStep does.
type StepConfig struct {
	// parameters whose gradients are computed; nil: all that the graph uses and that are not
	// frozen. With one loss for each of two networks, each step takes those of its own
	Wrt     []*nodes.Param
	Options []graph.Option // of graph.Compile
}

// NewStepWith is NewStep with a configuration.
func NewStepWith(c StepConfig, loss *nodes.Node, keep ...*nodes.Node) (s *Step, err error) {
	if loss == nil || loss.Graph() == nil {
		return nil, errors.New("train: NewStep: the loss is nil")
	}
	if len(loss.Shape()) != 0 || loss.Dtype() == tensor.Int {
		return nil, fmt.Errorf("train: NewStep: the loss is %v of %v, want a scalar of floats",
			loss.Shape(), loss.Dtype())
	}
	for i, n := range keep {
		if n == nil || n.Graph() == nil {
			return nil, fmt.Errorf("train: NewStep: node %d of those to keep is nil", i)
		}
	}
	s = &Step{loss: loss, kept: len(keep)}
	outputs := append(slices.Clone(keep), loss)
	if loss.Graph().Training() {
		params, err := s.trained(c.Wrt)
		if err != nil {
			return nil, err
		}
		grads, err := s.gradients(params, keep)
		if err != nil {
			return nil, err
		}
		outputs = append(outputs, grads...)
	} else if c.Wrt != nil {
		return nil, errors.New("train: NewStep: Wrt asks for gradients, and the graph has none: " +
			"build it with Training set")
	}
	s.Step, err = run.New(outputs, c.Options...)
	return s, err
}

// trained are the parameters whose gradients the step computes.
func (s *Step) trained(wrt []*nodes.Param) (params []*nodes.Param, err error) {
	used := s.loss.Graph().Parameters()
	if wrt == nil {
		for _, p := range used {
			if p.Frozen() {
				s.frozen = append(s.frozen, p)
			} else {
				params = append(params, p)
			}
		}
		return params, nil
	}
	for i, p := range wrt {
		switch {
		case p == nil:
			return nil, fmt.Errorf("train: NewStep: parameter %d of Wrt is nil", i)
		case !slices.Contains(used, p):
			return nil, fmt.Errorf("train: NewStep: Wrt has %s, which the graph does not use", p.Name())
		case slices.Contains(wrt[:i], p):
			return nil, fmt.Errorf("train: NewStep: Wrt has %s twice", p.Name())
		case p.Frozen():
			return nil, fmt.Errorf("train: NewStep: Wrt has %s, which is frozen", p.Name())
		}
	}
	return wrt, nil
}

// gradients adds the gradients of the parameters to the graph.
func (s *Step) gradients(params []*nodes.Param, keep []*nodes.Node) (grads []*nodes.Node, err error) {
	if len(params) == 0 {
		return nil, nil
	}
	g := s.loss.Graph()
	wrt := make([]nodes.Operand, len(params))
	for i, p := range params {
		wrt[i] = p
	}
	seen := map[*gorgonia.Node]bool{}
	for _, n := range keep {
		seen[n.Gorgonia()] = true
	}
	err = nodes.Try(func() {
		for i, d := range g.Gradients(s.loss, wrt...) {
			for seen[d.Gorgonia()] { // clipping and solvers write to gradients: each needs its own
				d = nodes.Scale(d, 1)
			}
			seen[d.Gorgonia()] = true
			s.grads = append(s.grads, gradient{s, params[i], d, lookupsOf(d.Gorgonia())})
			grads = append(grads, d)
		}
	})
	return grads, err
}

// ErrMemory is the error of NewStep for a graph whose values need more memory than there is: the
// system would kill the process as soon as they were written.
var ErrMemory = run.ErrMemory

// Run computes the loss, the gradients and the kept nodes from the values bound to the inputs. Seed
// and counter make the noise. If the loss is not finite, Check will say where that came from.
func (s *Step) Run(seed uint64, counter int) (loss float64, err error) {
	return s.RunRows(seed, counter, 0, 0)
}

// RunRows is Run of a graph whose inputs hold the rows from first on of a batch of so many, as
// run.Step.RunRows says.
func (s *Step) RunRows(seed uint64, counter, first, of int) (loss float64, err error) {
	if s == nil || s.Step == nil {
		return 0, errors.New("train: the step is nil, or an empty value: NewStep makes one")
	}
	s.found = nil
	for _, p := range s.frozen {
		if !p.Frozen() {
			return 0, fmt.Errorf("train: %s is no longer frozen, and was when the step was "+
				"compiled, without its gradient: make the task, or the step, anew",
				p.Name())
		}
	}
	if err := s.Step.RunRows(seed, counter, first, of); err != nil {
		return 0, err
	}
	for _, v := range s.grads {
		if rows := v.(gradient).rows; rows != nil {
			rows.update()
		}
	}
	loss = s.Output(s.kept).At(0)
	if loss-loss != 0 {
		s.found = s.Machine().Check() // now, while the inputs are what they were
	}
	return loss, nil
}

// Check names the first value of the last run that is not finite: a *graph.NotFinite, or nil if
// there is none. It takes as long as many runs do. If the loss was finite, the inputs must still be
// what they were.
func (s *Step) Check() error {
	if s.found != nil {
		return s.found
	}
	return s.Machine().Check()
}

// blame names the first value that is not finite in the step that gradients come from, in words
// that follow a colon; it is empty if they come from elsewhere, or nothing is found.
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

// Grads are the parameters with their gradients, for an Optimizer, without those that have been
// frozen since the step was compiled. They are written anew by every Run.
func (s *Step) Grads() []gorgonia.ValueGrad {
	frozen := func(v gorgonia.ValueGrad) bool { return v.(gradient).param.Frozen() }
	if !slices.ContainsFunc(s.grads, frozen) {
		return s.grads
	}
	return slices.DeleteFunc(slices.Clone(s.grads), frozen)
}

// Grad is the gradient of the parameter of that name after the last Run. The error names a
// parameter that the step computes no gradient of.
func (s *Step) Grad(name string) (run.Floats, error) {
	for _, v := range s.grads {
		if g := v.(gradient); g.Name() == name {
			value, _ := g.Grad()
			return run.FloatsOf(value)
		}
	}
	names := make([]string, len(s.grads))
	for i, v := range s.grads {
		names[i] = v.(gradient).Name()
	}
	return run.Floats{}, fmt.Errorf("train: the step has no gradient of %q; it has those of %s", name,
		cmp.Or(strings.Join(names, ", "), "nothing"))
}

// Close releases the memory of the compiled graph.
func (s *Step) Close() error {
	if s.flows != nil {
		s.flows.Close()
	}
	return s.Step.Close()
}

// GradientFlow runs the graph once more on the values of the last Run, and measures the gradients
// in the states of its recurrent layers, step by step, and in its parameters. It compiles a machine
// of its own for that; Run is as fast as without. A graph for evaluation has no gradients to
// measure.
func (s *Step) GradientFlow() (*graph.FlowReport, error) {
	if len(s.grads) == 0 {
		return nil, errors.New("train: GradientFlow: the graph has no gradients: build it with " +
			"Training set")
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
		m, err := graph.Compile(g,
			graph.Keep(keep...), graph.ReuseValues())
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
