package ops

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
)

// ScanFlow is the gradient of the loss in one part of the state, as every step of a scan left it,
// through everything that follows: [T, ...]. Its operands are those of the ScanGrad beside it.
type ScanFlow struct {
	Scan
	Part int
}

func (s ScanFlow) Key() string { return fmt.Sprintf("scanflow{%s %d}", s.Scan.Key(), s.Part) }

func (s ScanFlow) Infer(in []Type) (Type, error) {
	if _, err := s.Scan.Infer(in); err != nil {
		return Type{}, err
	}
	if s.Part < 0 || s.Part >= len(s.Step.Raw) {
		return Type{}, fmt.Errorf("the step has no part %d", s.Part)
	}
	t := TypeOf(s.Step.Raw[s.Part])
	t.Shape = append([]int{s.T}, t.Shape...)
	return t, nil
}

func (s ScanFlow) Eval(in []Tensor, out Tensor) error { return s.eval(in, out, nil) }

func (s ScanFlow) eval(in []Tensor, out Tensor, w *Watch) error {
	back := ScanGrad{Scan: s.Scan, Want: make([]bool, len(s.Step.Inputs()))}
	none := NewTensor(Type{out.Dtype(), []int{0}})
	out.Zero()
	return back.backwards(in, none, w, func(t int, p *Program) {
		if f := s.Step.flows[s.Part]; f != nil {
			out.Part(t*Size(out.Shape[1:]), out.Shape[1:]).CopyFrom(p.At(p.Index(f)))
		}
	})
}

func (s ScanFlow) Diff([]*G.Node, *G.Node, *G.Node, []bool) []*G.Node {
	Failf("GradientFlow", "it has no derivative")
	return nil
}

// Recurrence is a layer whose steps are laid out as nodes.
type Recurrence struct {
	Path string
	Part string
	T    int
}

// State marks the node of a part of such a layer's state, as a step left it.
type State struct {
	Of   *Recurrence
	Time int
	Grad *G.Node // set by Gradients; nil is 0
}

// MarkState marks a node as a state. An input, or a node of somebody else's, stays as it is.
func MarkState(n *G.Node, of *Recurrence, t int) {
	if op, ok := n.Op().(*Op); ok && op.State == nil {
		op.State = &State{Of: of, Time: t}
	}
}

// Flow is where the gradient of the loss in one part of a layer's state is to be had.
type Flow struct {
	Path, Part string
	Nodes      []*G.Node // one [T, ...], or one a time, nil for 0
}

// Flows finds the gradients in the states of all recurrences of g through which a gradient was
// taken, and adds what it takes to have them.
func Flows(g *G.ExprGraph) (flows []Flow, err error) {
	defer Catch(&err)
	children, err := Children(g)
	if err != nil {
		return nil, err
	}
	expanded := map[*Recurrence]int{}
	for _, n := range slices.Clone(g.AllNodes()) {
		op, ok := n.Op().(*Op)
		if !ok {
			continue
		}
		if st := op.State; st != nil {
			i, ok := expanded[st.Of]
			if !ok {
				i = len(flows)
				expanded[st.Of] = i
				flows = append(flows, Flow{st.Of.Path, st.Of.Part, make([]*G.Node, st.Of.T)})
			}
			flows[i].Nodes[st.Time] = st.Grad
		}
		back, ok := op.Fn.(ScanGrad)
		if !ok {
			continue
		}
		scan := children[n][len(children[n])-2]
		for k, part := range back.Step.Parts {
			first := len(g.AllNodes())
			f := Apply(ScanFlow{back.Scan, k}, children[n]...)
			Mark(g, first, Place{Path: PlaceOf(scan).Path, Name: "GradientFlow"})
			flows = append(flows, Flow{PlaceOf(scan).Path, part, []*G.Node{f}})
		}
	}
	return slices.DeleteFunc(flows, func(f Flow) bool { // nothing was differentiated
		return !slices.ContainsFunc(f.Nodes, func(n *G.Node) bool { return n != nil })
	}), nil
}
