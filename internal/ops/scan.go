package ops

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	G "gorgonia.org/gorgonia"
)

// Step is one step of a recurrence, traced into a graph of its own.
type Step struct {
	// The inputs of the step, as nodes of its graph: what it takes at each time from sequences, the
	// state, and what does not change with time.
	Seqs, States, Consts []*G.Node
	// Next is the state after the step; Ys are outputs beside it.
	Next, Ys []*G.Node
	// Raw is the state as the cell left it, part by part, before a mask: what the gradient flow is
	// measured at. It may be empty.
	Raw   []*G.Node
	Parts []string // their names
	// Mask is the index in Seqs of a [B, 1] sequence of 0 and 1 that keeps the state and zeroes the
	// outputs of the rows where it is 0, or −1. The step's graph does that itself; this tells an
	// engine that such rows need no work.
	Mask int

	id    int64
	slots []*G.Node // distinct nodes among Next and Ys: what a scan stores
	fwd   sync.Pool // of *Program

	once  sync.Once // the gradients are traced when they are first needed
	err   error
	cots  []*G.Node // inputs: dL/d(slot)
	grads []*G.Node // dL/d(input); nil is 0
	flows []*G.Node // dL/d(Raw); nil is 0
	bwd   sync.Pool
}

var stepIDs atomic.Int64

// NewStep finishes a step whose fields are set.
func NewStep(s *Step) *Step {
	s.id = stepIDs.Add(1)
	for _, n := range slices.Concat(s.Next, s.Ys) {
		if !slices.Contains(s.slots, n) {
			s.slots = append(s.slots, n)
		}
	}
	return s
}

// Inputs are Seqs, States and Consts in one list.
func (s *Step) Inputs() []*G.Node { return slices.Concat(s.Seqs, s.States, s.Consts) }

// Slots are the nodes that a scan stores for every step: the distinct ones of Next and Ys.
func (s *Step) Slots() []*G.Node { return s.slots }

// Backward returns the cotangent inputs, one a slot, and the gradients of Inputs, nil where they
// are 0. Their nodes are added to the step's graph by the first call.
func (s *Step) Backward() (cots, grads []*G.Node, err error) {
	s.once.Do(func() {
		defer Catch(&s.err)
		for i, n := range s.slots {
			t := TypeOf(n)
			s.cots = append(s.cots, Input(n.Graph(), fmt.Sprintf("cotangent %d", i), t))
		}
		ins := s.Inputs()
		var wrt []*G.Node
		for _, n := range ins {
			if TypeOf(n).IsFloat() {
				wrt = append(wrt, n)
			}
		}
		ds, err := Gradients(s.slots, s.cots, slices.Concat(wrt, s.Raw))
		if err != nil {
			s.err = err
			return
		}
		if s.err = s.leavesState(); s.err != nil {
			return
		}
		s.flows = ds[len(wrt):]
		s.grads = make([]*G.Node, len(ins))
		for i, n := range ins {
			if k := slices.Index(wrt, n); k >= 0 {
				s.grads[i] = ds[k]
			}
		}
	})
	return s.cots, s.grads, s.err
}

// leavesState is an error if an operation of the step leaves something in itself for its
// derivative: all steps run forward before one runs backward, so there would be what the last one
// has left.
func (s *Step) leavesState() error {
	before, err := Before(s.slots[0].Graph())
	if err != nil {
		return err
	}
	for n, earlier := range before {
		return fmt.Errorf("%v keeps in itself what its derivative %v needs: it cannot be in a "+
			"step of a recurrence that is "+
			"differentiated; unroll it with unroll.Expand", earlier[0], n)
	}
	return nil
}

// Input makes a named input node without a value.
func Input(g *G.ExprGraph, name string, t Type) *G.Node {
	if len(t.Shape) == 0 {
		return G.NewScalar(g, t.Dtype, G.WithName(name))
	}
	return G.NewTensor(g, t.Dtype, len(t.Shape), G.WithShape(t.Shape...), G.WithName(name))
}

// step runs one time of a recurrence.
func (p *Program) step(w *Watch, t int, backward bool) error {
	defer w.at(t, backward)()
	p.watch = w
	defer func() { p.watch = nil }()
	return p.Run()
}

// Flows are the gradients of Raw, once Backward has been called.
func (s *Step) Flows() []*G.Node { return s.flows }

func pooled(pool *sync.Pool, outs []*G.Node) (*Program, error) {
	if p, ok := pool.Get().(*Program); ok {
		return p, nil
	}
	return NewProgram(outs)
}

// Scan runs a step along axis 0 of its sequences. Its operands are the sequences [T, ...], the
// initial state and the constants; its value packs, slot by slot, what every step stored, [T, ...]
// each, in one vector. View cuts it.
type Scan struct {
	Step *Step
	T    int
	// from the last time to the first; what a time stores stands at that time all the same
	Reverse bool
	// Segment, if not 0, asks an engine to keep for the backward pass only the state before every
	// Segment-th step, and to run the steps between again. It changes no value.
	Segment int
}

func (s Scan) Key() string {
	return fmt.Sprintf("scan{%d %d %t %d}", s.Step.id, s.T, s.Reverse, s.Segment)
}

// operandTypes are the types of the operands of a Scan: of the step's inputs, the sequences with a
// time axis.
func (s Scan) operandTypes() []Type {
	var ts []Type
	for i, n := range s.Step.Inputs() {
		t := TypeOf(n)
		if i < len(s.Step.Seqs) {
			t.Shape = append([]int{s.T}, t.Shape...)
		}
		ts = append(ts, t)
	}
	return ts
}

func (s Scan) Infer(in []Type) (Type, error) {
	want := s.operandTypes()
	if len(in) < len(want) {
		return Type{}, fmt.Errorf("%d operands, want %d", len(in), len(want))
	}
	for i, t := range want {
		if t.Dtype != in[i].Dtype || !slices.Equal(t.Shape, in[i].Shape) {
			return Type{}, fmt.Errorf("operand %d is %v, the step was traced for %v", i, in[i], t)
		}
	}
	n := 0
	for _, o := range s.Step.slots {
		n += TypeOf(o).Size()
	}
	return Type{TypeOf(s.Step.slots[0]).Dtype, []int{n * s.T}}, nil
}

// slotAt is the offset of a slot in the packed vector, and the size of one time of it.
func (s Scan) slotAt(slot int) (at, size int) {
	for _, o := range s.Step.slots[:slot] {
		at += s.T * TypeOf(o).Size()
	}
	return at, TypeOf(s.Step.slots[slot]).Size()
}

// View cuts all steps, or with t ≥ 0 one step, of an inner output out of the packed vector.
func (s Scan) View(packed, inner *G.Node, t int) *G.Node {
	slot := slices.Index(s.Step.slots, inner)
	at, n := s.slotAt(slot)
	if t >= 0 {
		return reshape(slice(packed, 0, at+t*n, at+(t+1)*n), inner.Shape())
	}
	return reshape(slice(packed, 0, at, at+s.T*n), append([]int{s.T}, inner.Shape()...))
}

// times yields 0 … T−1 in the order in which the scan visits them.
func (s Scan) times(visit func(t, before int) error) error {
	for i := range s.T {
		t, before := i, i-1
		if s.Reverse {
			t, before = s.T-1-i, s.T-i
		}
		if i == 0 {
			before = -1
		}
		if err := visit(t, before); err != nil {
			return AtStep(t, err)
		}
	}
	return nil
}

func (s Scan) Eval(in []Tensor, out Tensor) error { return s.eval(in, out, nil) }

func (s Scan) eval(in []Tensor, out Tensor, w *Watch) error {
	st := s.Step
	p, err := pooled(&st.fwd, st.slots)
	if err != nil {
		return err
	}
	defer st.fwd.Put(p)
	return s.times(func(t, before int) error {
		s.load(p, in, out, t, before)
		if err := p.step(w, t, false); err != nil {
			return err
		}
		for i, o := range st.slots {
			at, n := s.slotAt(i)
			out.Part(at+t*n, o.Shape()).CopyFrom(p.At(p.Index(o)))
		}
		return nil
	})
}

// load sets the inputs of the step at time t, whose state is the initial one if before is −1, else
// what packed holds of that time.
func (s Scan) load(p *Program, in []Tensor, packed Tensor, t, before int) {
	st := s.Step
	for i, n := range st.Inputs() {
		v := in[i]
		switch {
		case i < len(st.Seqs):
			shape := n.Shape()
			v = v.Part(t*Size(shape), shape)
		case i < len(st.Seqs)+len(st.States) && before >= 0:
			next := st.Next[i-len(st.Seqs)]
			at, size := s.slotAt(slices.Index(st.slots, next))
			v = packed.Part(at+before*size, next.Shape())
		}
		p.Set(p.Index(n), v)
	}
}

func (s Scan) Diff(in []*G.Node, y, dy *G.Node, need []bool) []*G.Node {
	_, grads, err := s.Step.Backward()
	if err != nil {
		Failf("Scan", "gradient of the step: %w", err)
	}
	want := slices.Clone(need)
	for i, g := range grads {
		// A state's gradient is carried along even where nobody asks for it, and may come from the
		// step before.
		isState := i >= len(s.Step.Seqs) && i < len(s.Step.Seqs)+len(s.Step.States)
		want[i] = want[i] && (g != nil || isState)
	}
	ds := make([]*G.Node, len(in))
	if !slices.Contains(want, true) {
		return ds
	}
	back := ScanGrad{s, fmt.Sprint(want), want}
	packed := Apply(back, slices.Concat(in, []*G.Node{y, dy})...)
	at := 0
	for i, n := range in {
		if want[i] {
			size := TypeOf(n).Size()
			ds[i] = reshape(slice(packed, 0, at, at+size), n.Shape())
			at += size
		}
	}
	return ds
}

// ScanGrad is the backward pass of a scan: its operands are those of the scan, the scan's value and
// its cotangent; its value packs the gradients of the operands in Want.
type ScanGrad struct {
	Scan
	key  string
	Want []bool
}

func (s ScanGrad) Key() string { return fmt.Sprintf("scangrad{%s %s}", s.Scan.Key(), s.key) }

func (s ScanGrad) Infer(in []Type) (Type, error) {
	packed, err := s.Scan.Infer(in)
	n := 0
	for i, w := range s.Want {
		if w {
			n += in[i].Size()
		}
	}
	return Type{packed.Dtype, []int{n}}, err
}

func (s ScanGrad) Eval(in []Tensor, out Tensor) error { return s.eval(in, out, nil) }

func (s ScanGrad) eval(in []Tensor, out Tensor, w *Watch) error {
	return s.backwards(in, out, w, nil)
}

// backwards goes back through all steps. If visit is set, it sees the step's values at each.
func (s ScanGrad) backwards(in []Tensor, out Tensor, w *Watch,
	visit func(t int, p *Program)) error {
	st := s.Step
	cots, grads, err := st.Backward()
	if err != nil {
		return err
	}
	var outs []*G.Node
	for _, g := range slices.Concat(grads, st.flows) {
		if g != nil && !slices.Contains(outs, g) {
			outs = append(outs, g)
		}
	}
	p, err := pooled(&st.bwd, outs)
	if err != nil {
		return err
	}
	defer st.bwd.Put(p)

	inputs := st.Inputs()
	packed, dpacked := in[len(inputs)], in[len(inputs)+1]
	acc := s.accumulators(in, out)
	slotCots := make([]Tensor, len(st.slots))
	for i, o := range st.slots {
		slotCots[i] = NewTensor(TypeOf(o))
	}
	backwards := s.Scan
	backwards.Reverse = !s.Reverse
	return backwards.times(func(t, _ int) error {
		before := t - 1
		if s.Reverse {
			before = t + 1
		}
		if before == s.T {
			before = -1
		}
		s.load(p, in, packed, t, before)
		for i, o := range st.slots {
			at, n := s.slotAt(i)
			slotCots[i].CopyFrom(dpacked.Part(at+t*n, o.Shape()))
		}
		for i, n := range st.Next { // what the step after sent back
			add(slotCots[slices.Index(st.slots, n)], acc[len(st.Seqs)+i])
		}
		for i, c := range cots {
			p.Set(p.Index(c), slotCots[i])
		}
		if err := p.step(w, t, true); err != nil {
			return err
		}
		if visit != nil {
			visit(t, p)
		}
		s.accumulate(acc, grads, t, p)
		return nil
	})
}

// accumulators is the memory in which the gradient of each input gathers, within out for what is
// wanted: a whole sequence, the state of the step at hand, or a constant. Out is set to 0.
func (s ScanGrad) accumulators(in []Tensor, out Tensor) []Tensor {
	st := s.Step
	inputs := st.Inputs()
	acc := make([]Tensor, len(inputs))
	at := 0
	out.Zero()
	for i := range inputs {
		isState := i >= len(st.Seqs) && i < len(st.Seqs)+len(st.States)
		switch {
		case s.Want[i]:
			acc[i] = out.Part(at, in[i].Shape)
			at += Size(in[i].Shape)
		case isState:
			acc[i] = NewTensor(TypeOf(inputs[i]))
		}
	}
	return acc
}

// accumulate adds the gradients of a step's inputs, which p has computed, to acc. The gradient of a
// state replaces that of the step after.
func (s ScanGrad) accumulate(acc []Tensor, grads []*G.Node, t int, p *Program) {
	st := s.Step
	inputs := st.Inputs()
	for i, g := range grads {
		to := acc[i]
		if to.Shape == nil && to.F32 == nil && to.F64 == nil {
			continue
		}
		switch {
		case i < len(st.Seqs):
			shape := inputs[i].Shape()
			to = to.Part(t*Size(shape), shape)
		case i < len(st.Seqs)+len(st.States):
			to.Zero()
		}
		if g != nil {
			add(to, p.At(p.Index(g)))
		}
	}
}

func add(to, d Tensor) {
	for i, v := range d.F32 {
		to.F32[i] += v
	}
	for i, v := range d.F64 {
		to.F64[i] += v
	}
}

func (s ScanGrad) Diff([]*G.Node, *G.Node, *G.Node, []bool) []*G.Node {
	Failf("Scan",
		"its gradient has no derivative of its own; unroll with Expand where a second derivative "+
			"is needed")
	return nil
}
