package golden_test

import (
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

// truncated is a case of the family tbptt while it runs.
type truncated struct {
	*goldenRun
	*stack
	B, T, Out int
	update    bool                                           // the weights change after each window
	given     bool                                           // the first state is an input with a gradient
	reduce    func(x nodes.Operand, axes ...int) *nodes.Node // of the loss
	x, target []float64                                      // [T, B, In], [T, B, Out]
	w, b      *nodes.Param

	state *run.State
	sums  map[*nodes.Param][]float64 // gradients of the parameters over all windows
	grads map[string]array           // of the inputs, likewise
	got   map[string][]float64       // outputs, window after window
	total float64                    // loss
}

// runTruncated runs the family tbptt.
func runTruncated(r *goldenRun) {
	c := r.config
	window := unroll.Window{Stride: c.whole("k1"), Length: c.whole("k2")}
	lr := c.number("lr")
	t := &truncated{goldenRun: r, B: c.whole("B"), T: c.whole("T"), Out: c.whole("Out"),
		update: c.word("update", "none", "sgd") == "sgd",
		given:  c.word("initial_state", "given", "zero") == "given",
		reduce: map[string]func(nodes.Operand, ...int) *nodes.Node{"sum": nodes.Sum,
			"mean": nodes.Mean}[c.word("reduction", "sum", "mean")],
		stack: newStack(r, c, nil),
		sums:  map[*nodes.Param][]float64{}, got: map[string][]float64{}}
	t.x, t.target = r.raw("x", t.T, t.B, t.in), r.raw("target", t.T, t.B, t.Out)
	if t.update {
		r.trajectory()
	}
	t.w, t.b = r.affine("out", t.Width(), t.Out)
	t.begin()

	windows := train.NewTruncated(t.state, t.graph)
	defer windows.Close()
	spans, err := window.Plan(t.T)
	require.NoError(r, err)
	shapes := train.Shapes(spans)
	model := newTheirs(r)
	sgd, err := train.NewSGD(train.SGDConfig{LR: lr})
	require.NoError(r, err)
	for n, span := range spans {
		r.load(model.values())
		ours := t.window(windows, shapes[n], span)
		if t.update {
			model.step(sgd, r.gather(ours))
		}
	}
	t.compare(model)
}

// begin makes the state before the first step, and room for the gradients of the inputs.
func (t *truncated) begin() {
	var err error
	t.state, err = run.NewState(t.Parts(), t.B, t.dtype)
	require.NoError(t, err)
	t.grads = map[string]array{"x": {Shape: []int{t.T, t.B, t.in},
		Data: make([]float64, len(t.x))}}
	if !t.given {
		return
	}
	for _, name := range t.states {
		shape := t.shape(name, t.B)
		t.grads[name+"0"] = array{Shape: shape, Data: make([]float64, size(shape))}
	}
	for i, at := range t.slots {
		values := t.raw(at.name+"0", t.shape(at.name, t.B)...)
		fill(t.state.Tensors()[i], t.part(i, values, t.B))
	}
}

// graph is the graph of a window. It keeps y, and the gradients of x and of the state.
func (t *truncated) graph(shape train.WindowShape) (*train.WindowGraph, error) {
	g := t.start(nodes.Options{Training: true})
	x := g.Input("x", shape.T, t.B, t.in)
	target := g.Input("target", shape.T-shape.Scored, t.B, t.Out)
	var start cells.State
	wrt := []nodes.Operand{x}
	for i, p := range t.Parts() {
		start = append(start, g.Input(fmt.Sprintf("state %d", i), t.B, p.Width))
		wrt = append(wrt, start[i])
	}
	result := t.Unroll(x, start, unroll.Options{Strategy: t.strategy})
	y := nodes.Add(nodes.MatMul(nodes.Slice(result.Y(), 0, shape.Scored, shape.T), t.w), t.b)
	loss := t.reduce(nodes.Scale(nodes.Square(nodes.Sub(y, target)), 0.5))
	return &train.WindowGraph{
		Loss: loss, Start: start, Recurrence: result, Inputs: []*nodes.Node{x, target},
		Keep: append([]*nodes.Node{y}, g.Gradients(loss, wrt...)...),
	}, nil
}

// window runs one window, keeps what it gives, and returns the gradients of the parameters.
func (t *truncated) window(windows *train.Truncated, shape train.WindowShape,
	span unroll.Span) map[*nodes.Param][]float64 {
	win, err := windows.Window(shape)
	require.NoError(t, err)
	from, to := span.Start*t.B*t.in, span.End*t.B*t.in
	win.Inputs[0].Floats().Put64(0, t.x[from:to])
	win.Inputs[1].Floats().Put64(0, t.target[span.Scored*t.B*t.Out:span.End*t.B*t.Out])
	loss, err := windows.Run(win, 0, 0)
	require.NoError(t, err)

	t.total += loss
	for name, v := range map[string]float64{
		"window_losses": loss, "window_start": float64(span.Start),
		"window_scored": float64(span.Scored), "window_end": float64(span.End),
	} {
		t.got[name] = append(t.got[name], v)
	}
	t.got["y"] = append(t.got["y"], win.Step.Output(0).Float64s()...)
	ours := t.gradients(win.Step)
	for p, d := range ours {
		t.sums[p] = plus(t.sums[p], d)
	}
	dx := t.grads["x"].Data[from:to]
	copy(dx, plus(dx, win.Step.Output(1).Float64s()))
	if t.given && span.Start == 0 {
		for j := range t.Parts() {
			of, width := win.Step.Output(2+j).Float64s(), t.slots[j].width
			t.stack.each(j, t.grads[t.slots[j].name+"0"].Data, t.B, func(b int, to []float64) {
				copy(to, plus(to, of[b*width:][:width]))
			})
		}
	}
	return ours
}

// compare holds what all windows gave to the case.
func (t *truncated) compare(model theirs) {
	outputs := map[string]array{"y": {Shape: []int{t.T, t.B, t.Out}, Data: t.got["y"]}}
	for _, name := range []string{"window_losses", "window_start", "window_scored", "window_end"} {
		outputs[name] = vector(t.got[name])
	}
	for _, name := range t.states {
		shape := t.shape(name, t.B)
		outputs[name+"_n"] = array{Shape: shape, Data: make([]float64, size(shape))}
	}
	for j, v := range t.state.Tensors() {
		of, width := testkit.Floats(v), t.slots[j].width
		t.stack.each(j, outputs[t.slots[j].name+"_n"].Data, t.B, func(b int, to []float64) {
			copy(to, of[b*width:])
		})
	}
	if t.update {
		for name, v := range model.values() {
			outputs["final."+name] = v
		}
		t.grads = nil
	} else {
		for name, v := range t.gather(t.sums) {
			t.grads[name] = v
		}
	}
	t.compareAll("output", t.Outputs, outputs)
	t.compareLoss(t.total)
	t.compareAll("gradient", t.Grads, t.grads)
}

// plus is a + b; a nil a is zeros.
func plus(a, b []float64) []float64 {
	sum := slices.Clone(b)
	for i, v := range a {
		sum[i] += v
	}
	return sum
}

func vector(data []float64) array { return array{Shape: []int{len(data)}, Data: data} }

// affine declares the parameters of an affine map that PyTorch calls <name>.weight and <name>.bias.
func (r *goldenRun) affine(name string, in, out int) (w, b *nodes.Param) {
	s := r.store.Root().In("%s", name)
	w, b = s.Param("W", nodes.Zeros(), in, out), s.Param("b", nodes.Zeros(), out)
	r.place(name+".weight", all(w))
	r.place(name+".bias", all(b))
	return w, b
}

// gradients are those of a step's last run.
func (r *goldenRun) gradients(s *train.Step) map[*nodes.Param][]float64 {
	grads := map[*nodes.Param][]float64{}
	for _, vg := range s.Grads() {
		p, ok := r.store.Get(vg.(gorgonia.Namer).Name())
		require.True(r, ok)
		d, err := vg.Grad()
		require.NoError(r, err)
		grads[p] = testkit.Floats(d)
	}
	require.Len(r, grads, len(r.store.Params()), "parameters that the graph uses")
	return grads
}

// theirs are the parameters as PyTorch has them, for an optimiser: it trains two biases where the
// library has one, and so moves their sum twice as far.
type theirs struct {
	r      *goldenRun
	params []gorgonia.ValueGrad
}

// theirParam is a gorgonia.ValueGrad.
type theirParam struct {
	name        string
	value, grad *tensor.Dense
}

func (p theirParam) Name() string                  { return p.name }
func (p theirParam) Value() gorgonia.Value         { return p.value }
func (p theirParam) Grad() (gorgonia.Value, error) { return p.grad, nil }

func newTheirs(r *goldenRun) theirs {
	t := theirs{r: r}
	for name, v := range r.Params {
		p := theirParam{name, tensor.New(tensor.Of(r.dtype), tensor.WithShape(v.Shape...)),
			tensor.New(tensor.Of(r.dtype), tensor.WithShape(v.Shape...))}
		fill(p.value, v.Data)
		t.params = append(t.params, p)
	}
	return t
}

// values are the parameters as they stand.
func (t theirs) values() map[string]array {
	values := map[string]array{}
	for _, vg := range t.params {
		p := vg.(theirParam)
		values[p.name] = array{Shape: p.value.Shape(), Data: testkit.Floats(p.value)}
	}
	return values
}

// set sets the gradients.
func (t theirs) set(grads map[string]array) {
	for _, vg := range t.params {
		p := vg.(theirParam)
		require.Contains(t.r, grads, p.name)
		fill(p.grad, grads[p.name].Data)
	}
}

// step sets the gradients and takes a step.
func (t theirs) step(o train.Optimizer, grads map[string]array) {
	t.set(grads)
	require.NoError(t.r, o.Step(t.params))
}
