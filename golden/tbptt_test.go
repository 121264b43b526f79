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

// runTruncated runs the family tbptt.
func runTruncated(r *goldenRun) {
	c := r.config
	B, T, Out := c.whole("B"), c.whole("T"), c.whole("Out")
	window := unroll.Window{Stride: c.whole("k1"), Length: c.whole("k2")}
	update := c.word("update", "none", "sgd") == "sgd"
	lr := c.number("lr")
	reduce := map[string]func(nodes.Operand, ...int) *nodes.Node{"sum": nodes.Sum,
		"mean": nodes.Mean}[c.word("reduction", "sum", "mean")]
	given := c.word("initial_state", "given", "zero") == "given"
	s := newStack(r, c, nil)
	x, target := r.raw("x", T, B, s.in), r.raw("target", T, B, Out)
	if update {
		r.trajectory()
	}
	w, b := r.affine("out", s.Width(), Out)

	state, err := run.NewState(s.Parts(), B, r.dtype)
	require.NoError(r, err)
	windows := train.NewTruncated(state, func(shape train.WindowShape) (*train.WindowGraph, error) {
		g := r.start(nodes.Options{Training: true})
		x, target := g.Input("x", shape.T, B, s.in), g.Input("target", shape.T-shape.Scored, B, Out)
		var start cells.State
		wrt := []nodes.Operand{x}
		for i, p := range s.Parts() {
			start = append(start, g.Input(fmt.Sprintf("state %d", i), B, p.Width))
			wrt = append(wrt, start[i])
		}
		result := s.Unroll(x, start, unroll.Options{Strategy: r.strategy})
		y := nodes.Add(nodes.MatMul(nodes.Slice(result.Y(), 0, shape.Scored, shape.T), w), b)
		loss := reduce(nodes.Scale(nodes.Square(nodes.Sub(y, target)), 0.5))
		return &train.WindowGraph{
			Loss: loss, Start: start, Recurrence: result,
			Inputs: []*nodes.Node{x, target},
			Keep:   append([]*nodes.Node{y}, g.Gradients(loss, wrt...)...),
		}, nil
	})
	defer windows.Close()

	spans, err := window.Plan(T)
	require.NoError(r, err)
	shapes := train.Shapes(spans)
	grads := map[string]array{"x": {Shape: []int{T, B, s.in}, Data: make([]float64, len(x))}}
	if given {
		for i, name := range s.states {
			shape := []int{s.cells, B, s.Parts()[i].Width}
			values := r.raw(name+"0", shape...)
			grads[name+"0"] = array{Shape: shape, Data: make([]float64, len(values))}
			for k := range s.cells {
				fill(state.Tensors()[k*len(s.states)+i], block(values, k, s.cells))
			}
		}
	}

	model := newTheirs(r)
	sgd, err := train.NewSGD(train.SGDConfig{LR: lr})
	require.NoError(r, err)
	sums, got := map[*nodes.Param][]float64{}, map[string][]float64{}
	total := 0.0
	for n, span := range spans {
		win, err := windows.Window(shapes[n])
		require.NoError(r, err)
		fill(win.Inputs[0], x[span.Start*B*s.in:span.End*B*s.in])
		fill(win.Inputs[1], target[span.Scored*B*Out:span.End*B*Out])
		r.load(model.values())
		loss, err := windows.Run(win, 0, 0)
		require.NoError(r, err)

		total += loss
		for name, v := range map[string]float64{
			"window_losses": loss, "window_start": float64(span.Start),
			"window_scored": float64(span.Scored), "window_end": float64(span.End),
		} {
			got[name] = append(got[name], v)
		}
		got["y"] = append(got["y"], win.Step.Output(0).Float64s()...)
		ours := r.gradients(win.Step)
		for p, d := range ours {
			sums[p] = plus(sums[p], d)
		}
		copy(grads["x"].Data[span.Start*B*s.in:],
			plus(grads["x"].Data[span.Start*B*s.in:span.End*B*s.in], win.Step.Output(1).Float64s()))
		if given && span.Start == 0 {
			for j := range s.Parts() {
				to := block(grads[s.states[j%len(s.states)]+"0"].Data, j/len(s.states), s.cells)
				copy(to, plus(to, win.Step.Output(2+j).Float64s()))
			}
		}
		if update {
			model.step(sgd, r.gather(ours))
		}
	}

	for j, v := range state.Tensors() {
		name := s.states[j%len(s.states)] + "_n"
		got[name] = append(got[name], testkit.Floats(v)...)
	}
	outputs := map[string]array{
		"y": {Shape: []int{T, B, Out}, Data: got["y"]},
	}
	for _, name := range []string{"window_losses", "window_start", "window_scored", "window_end"} {
		outputs[name] = vector(got[name])
	}
	for i, name := range s.states {
		outputs[name+"_n"] = array{Shape: []int{s.cells, B, s.Parts()[i].Width},
			Data: got[name+"_n"]}
	}
	if update {
		for name, v := range model.values() {
			outputs["final."+name] = v
		}
		grads = nil
	} else {
		for name, v := range r.gather(sums) {
			grads[name] = v
		}
	}
	r.compareAll("output", r.Outputs, outputs)
	r.compareLoss(total)
	r.compareAll("gradient", r.Grads, grads)
}

// block is number k of n equal blocks.
func block(data []float64, k, n int) []float64 {
	return data[k*len(data)/n : (k+1)*len(data)/n]
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
