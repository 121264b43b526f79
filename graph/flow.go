package graph

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// GradientFlow shows how the gradient travels through the recurrences of a graph: whether it
// vanishes or explodes on its way back through the steps (Hochreiter, 1991; Bengio et al., 1994).
//
//	grads := g.Gradients(loss, weights)          // first
//	flow, err := graph.NewGradientFlow(g.Expr()) // adds its nodes to the graph
//	machine, err := graph.Compile(g.Expr(), graph.Keep(flow.Nodes()...))
//	err = machine.RunAll()
//	report, err := flow.Report()
//
// Without it a run computes nothing for it. In a task of package train, Step.GradientFlow does all
// that.
type GradientFlow struct{ flows []ops.Flow }

// NewGradientFlow finds the layers of a graph, unrolled by Scan or by Expand, through which
// gradients were taken with the methods of nodes.Graph, and adds to it the gradients in their
// states.
func NewGradientFlow(g *gorgonia.ExprGraph) (*GradientFlow, error) {
	if g == nil {
		return nil, errors.New("graph.NewGradientFlow: the graph is nil")
	}
	flows, err := ops.Flows(g)
	if err != nil {
		return nil, fmt.Errorf("graph.NewGradientFlow: %w", err)
	}
	return &GradientFlow{flows}, nil
}

// Nodes are the nodes that a machine must be told to Keep, or to compute Also.
func (f *GradientFlow) Nodes() []*gorgonia.Node {
	var ns []*gorgonia.Node
	for _, l := range f.flows {
		for _, n := range l.Nodes {
			if n != nil {
				ns = append(ns, n)
			}
		}
	}
	return ns
}

// FlowReport is how large gradients were in one run.
type FlowReport struct {
	Layers []LayerFlow
	Params []ParamFlow // what Param was given; see train.Step.GradientFlow
}

// LayerFlow is the gradient in one part of the state of a recurrent layer.
type LayerFlow struct {
	Path string // scope of the layer, such as "encoder/l0"
	Part string // part of the state, such as "h"
	// Norms are ‖dL/ds_t‖, the square root of the sum of squares over [B, width], at every time,
	// where s_t is the state as step t left it. All that depends on it counts: what the step puts
	// out, and every later step. For sequences that have ended by then it is 0.
	Norms []float64
}

// ParamFlow is the gradient in one parameter.
type ParamFlow struct {
	Name   string
	Norm   float64 // ‖dL/dW‖
	Weight float64 // ‖W‖
}

// Report measures what the last run of a machine left in Nodes.
func (f *GradientFlow) Report() (*FlowReport, error) {
	r := &FlowReport{}
	for _, l := range f.flows {
		layer := LayerFlow{Path: l.Path, Part: l.Part}
		for _, n := range l.Nodes {
			if n == nil {
				layer.Norms = append(layer.Norms, 0)
				continue
			}
			t, err := ops.TensorOf(n.Value())
			if err != nil {
				return nil,
					fmt.Errorf("graph: gradient flow of %s: %w: has the machine that keeps it run?",
						l.Path, err)
			}
			steps := 1
			if len(l.Nodes) == 1 && isFlow(n) {
				steps = t.Shape[0]
			}
			size := ops.Size(t.Shape) / steps
			for s := range steps {
				layer.Norms = append(layer.Norms, norm(t, s*size, (s+1)*size))
			}
		}
		r.Layers = append(r.Layers, layer)
	}
	return r, nil
}

func isFlow(n *gorgonia.Node) bool {
	op, ok := n.Op().(*ops.Op)
	if !ok {
		return false
	}
	_, ok = op.Fn.(ops.ScanFlow)
	return ok
}

// norm is the square root of the sum of squares of elements [from, to).
func norm(t ops.Tensor, from, to int) float64 {
	s := 0.0
	if t.F32 != nil {
		for _, v := range t.F32[from:to] {
			s += float64(v) * float64(v)
		}
	} else if t.F64 != nil {
		for _, v := range t.F64[from:to] {
			s += v * v
		}
	}
	return math.Sqrt(s)
}

// Param adds the gradient in a parameter to the report.
func (r *FlowReport) Param(name string, p gorgonia.ValueGrad) error {
	if p == nil {
		return fmt.Errorf("graph: gradient flow of %s: the parameter is nil", name)
	}
	w, err := ops.TensorOf(p.Value())
	if err != nil {
		return fmt.Errorf("graph: gradient flow of %s: %w", name, err)
	}
	g, err := p.Grad()
	if err != nil {
		return fmt.Errorf("graph: gradient flow of %s: %w", name, err)
	}
	d, err := ops.TensorOf(g)
	if err != nil {
		return fmt.Errorf("graph: gradient flow of %s: its gradient: %w", name, err)
	}
	r.Params = append(r.Params, ParamFlow{name, norm(d, 0, ops.Size(d.Shape)),
		norm(w, 0, ops.Size(w.Shape))})
	return nil
}

// Name is "encoder/l0 h".
func (l LayerFlow) Name() string { return strings.TrimSpace(l.Path + " " + l.Part) }

// Decay is the factor by which the norm changes in the backward pass over one step, on average:
// below 1 it vanishes, above it explodes. It is NaN if the norm is 0 at the first or the last time.
func (l LayerFlow) Decay() float64 {
	n := len(l.Norms) - 1
	if n < 1 || l.Norms[0] == 0 || l.Norms[n] == 0 {
		return math.NaN()
	}
	return math.Pow(l.Norms[0]/l.Norms[n], 1/float64(n))
}

// String is a table: for each layer the norm at the first, middle and last step, then the
// parameters.
func (r *FlowReport) String() string {
	var b strings.Builder
	for i, l := range r.Layers {
		if i == 0 {
			fmt.Fprintf(&b, "%-24s %12s %12s %12s %10s\n", "‖dL/dstate‖", "first step", "middle",
				"last step", "each step")
		}
		n := len(l.Norms)
		fmt.Fprintf(&b, "%-24s %12.4g %12.4g %12.4g %10.4g\n", l.Name(), l.Norms[0], l.Norms[n/2],
			l.Norms[n-1], l.Decay())
	}
	for i, p := range r.Params {
		if i == 0 {
			fmt.Fprintf(&b, "%-24s %12s %12s %12s\n", "parameter", "‖dL/dW‖", "‖W‖", "ratio")
		}
		fmt.Fprintf(&b, "%-24s %12.4g %12.4g %12.4g\n", p.Name, p.Norm, p.Weight, p.Norm/p.Weight)
	}
	return b.String()
}
