// 01-rnn-bptt is a chapter of the course: a recurrent network and its gradients, three ways.
package main

import (
	"embed"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

//go:embed *.go *.md
var files embed.FS

func main() { course.Main(files, forward, backward, threeWays, noWayBack) }

// A network reads the digits of two numbers, the lowest first, and gives those of their sum.
const (
	steps  = 8  // T: digits of a number
	in     = 2  // a digit of each number
	hidden = 16 // H
)

// weights are W_in [2, H], W [H, H] and W_out [H], row by row.
type weights struct{ In, W, Out []float64 }

func newWeights(seed uint64) weights {
	r := rand.New(rand.NewPCG(seed, 1))
	draw := func(n int) []float64 {
		w := make([]float64, n)
		for i := range w {
			w[i] = r.NormFloat64()
		}
		return w
	}
	return weights{draw(in * hidden), draw(hidden * hidden), draw(hidden)}
}

// digits are those of 77 and 51, and of their sum 128, in which a carry runs from end to end.
func digits() (x [steps][in]float64, d [steps]float64) {
	a, b := 77, 51
	for t := range steps {
		x[t] = [in]float64{float64(a >> t & 1), float64(b >> t & 1)}
		d[t] = float64((a + b) >> t & 1)
	}
	return x, d
}

func sigmoid(v float64) float64 { return 1 / (1 + math.Exp(-v)) }

// pass is what a run of the network leaves: hidden values [T, H] and answers [T].
type pass struct {
	h    [steps][hidden]float64
	y    [steps]float64
	loss float64 // ½ Σ (y − d)²
}

func (w weights) run() (p pass) {
	x, d := digits()
	var h [hidden]float64
	for t := range steps {
		var next [hidden]float64
		out := 0.0
		for j := range hidden {
			sum := 0.0
			for i := range in {
				sum += x[t][i] * w.In[i*hidden+j]
			}
			for i := range hidden {
				sum += h[i] * w.W[i*hidden+j]
			}
			next[j] = sigmoid(sum)
			out += next[j] * w.Out[j]
		}
		h, p.h[t], p.y[t] = next, next, sigmoid(out)
		p.loss += (p.y[t] - d[t]) * (p.y[t] - d[t]) / 2
	}
	return p
}

// forward runs the network by plain loops.
func forward(p *course.Page) error {
	x, d := digits()
	r := newWeights(1).run()
	var rows [][]any
	wrong := 0
	for t := range steps {
		rows = append(rows, []any{t, x[t][0], x[t][1], d[t], course.Digits(r.y[t], 3)})
		if math.Round(r.y[t]) != d[t] {
			wrong++
		}
	}
	p.Table("77 + 51 = 128, before any training",
		[]string{"step", "first number", "second number", "digit of the sum", "answer"}, rows...)
	p.Value("wrong", "%d", wrong)
	p.Value("loss", "%.3f", r.loss)
	return nil
}

// grad are the gradients by the formulas, and ‖∂L/∂h‖ at each step. The way back ends after depth
// steps; depth T is all of it.
func (w weights) grad(depth int) (g weights, flow [steps]float64) {
	x, d := digits()
	p := w.run()
	g = weights{make([]float64, len(w.In)), make([]float64, len(w.W)), make([]float64, len(w.Out))}
	for from := steps - 1; from >= 0; from-- { // the error of each step goes its own way back
		var back [hidden]float64 // ∂L/∂h
		out := (p.y[from] - d[from]) * p.y[from] * (1 - p.y[from])
		for j := range hidden {
			g.Out[j] += out * p.h[from][j] // h of this step, and of no other
			back[j] = out * w.Out[j]
		}
		for t := from; t >= max(0, from-depth+1); t-- {
			back = w.step(&g, x[t], p.h, t, back)
		}
	}
	var later [hidden]float64
	for t := steps - 1; t >= 0; t-- {
		out := (p.y[t] - d[t]) * p.y[t] * (1 - p.y[t])
		for j := range hidden {
			later[j] += out * w.Out[j]
		}
		flow[t] = norm(later[:])
		later = w.step(&weights{}, x[t], p.h, t, later)
	}
	return g, flow
}

// step takes ∂L/∂h from step t to the one before, and adds to g what step t contributes.
func (w weights) step(g *weights, x [in]float64, h [steps][hidden]float64, t int,
	back [hidden]float64) (before [hidden]float64) {
	for j := range hidden {
		delta := back[j] * h[t][j] * (1 - h[t][j]) // ∂L/∂s, where h = σ(s)
		for i := range x {
			if g.In != nil {
				g.In[i*hidden+j] += delta * x[i]
			}
		}
		for i := range hidden {
			before[i] += delta * w.W[i*hidden+j]
			if g.W != nil && t > 0 {
				g.W[i*hidden+j] += delta * h[t-1][i]
			}
		}
	}
	return before
}

func norm(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x * x
	}
	return math.Sqrt(s)
}

// backward goes back through time by the formulas.
func backward(p *course.Page) error {
	g, flow := newWeights(1).grad(steps)
	p.Table("", []string{"gradient", "norm"},
		[]any{"∂L/∂W_in", course.Digits(norm(g.In), 4)},
		[]any{"∂L/∂W", course.Digits(norm(g.W), 4)},
		[]any{"∂L/∂W_out", course.Digits(norm(g.Out), 4)})
	figure := plot.Plot{Title: "What comes back through time", X: "step", Y: "‖∂L/∂hₜ‖",
		Alt: "The norm of the gradient in the hidden values at each of the eight steps."}
	c := plot.Curve{Y: flow[:]}
	for t := range steps {
		c.X = append(c.X, float64(t))
	}
	figure.Curves = append(figure.Curves, c)
	p.Plot(&figure)
	return nil
}

// symbolic is the same network in the library: a cell, unrolled and differentiated.
func symbolic(w weights) (loss float64, g weights, err error) {
	store := nodes.NewStore(nodes.Float64, 1)
	var x, d, l *nodes.Node
	err = nodes.Try(func() {
		cell := cells.NewRNN(store.Root().In("rnn"), cells.RNNConfig{In: in, Hidden: hidden,
			Activation: cells.Sigmoid, NoBias: true})
		out := store.Root().Param("W_out", nodes.Normal(0, 1), hidden, 1)
		graph := nodes.NewGraph(nodes.Options{Training: true, Dtype: nodes.Float64})
		x, d = graph.Input("x", steps, 1, in), graph.Input("d", steps, 1, 1)
		h := unroll.Over(cell).Unroll(x, nil, unroll.Options{}).Y()
		y := nodes.Sigmoid(nodes.MatMul(h, out))
		l = nodes.Scale(nodes.Sum(nodes.Square(nodes.Sub(y, d))), 0.5)
	})
	if err != nil {
		return 0, g, err
	}
	var inputs run.Inputs
	xs, ds := inputs.Floats(x), inputs.Floats(d)
	step, err := train.NewStep(l)
	if err = errors.Join(err, inputs.Err()); err != nil {
		return 0, g, err
	}
	defer step.Close()
	digitsX, digitsD := digits()
	for t := range steps {
		xs.Put64(t*in, digitsX[t][:])
		ds.Set(t, digitsD[t])
	}
	for name, values := range map[string][]float64{"rnn/W_ih": w.In, "rnn/W_hh": w.W, "W_out": w.Out} {
		param, _ := store.Get(name)
		copy(param.Value().Float64s(), values)
	}
	loss, err = step.Run(0, 0)
	if err != nil {
		return 0, g, err
	}
	for _, p := range step.Grads() {
		grad, err := p.Grad()
		if err != nil {
			return 0, g, err
		}
		values := slices.Clone(grad.Data().([]float64))
		switch p.(interface{ Name() string }).Name() {
		case "rnn/W_ih":
			g.In = values
		case "rnn/W_hh":
			g.W = values
		default:
			g.Out = values
		}
	}
	return loss, g, nil
}

// numeric are the gradients by central differences: two runs of the network for each weight.
func (w weights) numeric() (g weights) {
	const by = 1e-5
	each := func(v []float64) []float64 {
		out := make([]float64, len(v))
		for i, old := range v {
			v[i] = old + by
			above := w.run().loss
			v[i] = old - by
			out[i] = (above - w.run().loss) / (2 * by)
			v[i] = old
		}
		return out
	}
	return weights{each(w.In), each(w.W), each(w.Out)}
}

// threeWays compares the formulas with the library and with differences.
func threeWays(p *course.Page) error {
	w := newWeights(1)
	_, auto, err := symbolic(w)
	if err != nil {
		return err
	}
	hand, _ := w.grad(steps)
	differences := w.numeric()
	largest := func(a, b []float64) float64 {
		most := 0.0
		for i := range a {
			most = max(most, math.Abs(a[i]-b[i]))
		}
		return most
	}
	var rows [][]any
	var apart, rough float64
	for i, name := range []string{"∂L/∂W_in", "∂L/∂W", "∂L/∂W_out"} {
		of := func(g weights) []float64 { return [][]float64{g.In, g.W, g.Out}[i] }
		a, b := largest(of(hand), of(auto)), largest(of(hand), of(differences))
		apart, rough = max(apart, a), max(rough, b)
		rows = append(rows, []any{name, len(of(hand)), course.Digits(a, 2), course.Digits(b, 2)})
	}
	p.Table("largest difference from the formulas",
		[]string{"gradient", "numbers", "by autodiff", "by differences"}, rows...)
	p.Value("autodiff", "%s", course.Digits(apart, 2))
	p.Value("differences", "%s", course.Digits(rough, 2))
	p.Value("runs", "%d", 2*(len(w.In)+len(w.W)+len(w.Out)))
	p.Claim("the formulas and autodiff agree to 12 digits behind the point", apart < 1e-12)
	p.Claim("differences agree with both to 8 digits behind the point", rough < 1e-8)
	return nil
}

// noWayBack ends the way back after fewer and fewer steps.
func noWayBack(p *course.Page) error {
	w := newWeights(1)
	whole, _ := w.grad(steps)
	share := func(part, all []float64) float64 {
		d := make([]float64, len(all))
		for i := range d {
			d[i] = part[i] - all[i]
		}
		return norm(d) / norm(all)
	}
	figure := plot.Plot{Title: "What is missing if the way back is cut off",
		X: "steps that the gradient goes back", Y: "missing part of the gradient",
		Alt: "The missing share of the gradients of W_in and W falls with the steps; that of W_out is 0 from the first."}
	curves := map[string]*plot.Curve{}
	for _, name := range []string{"W_in", "W", "W_out"} {
		curves[name] = &plot.Curve{Name: name}
	}
	var rows [][]any
	missing := map[string][]float64{}
	for depth := 1; depth <= steps; depth++ {
		g, _ := w.grad(depth)
		row := []any{depth}
		for name, v := range map[string]float64{"W_in": share(g.In, whole.In), "W": share(g.W, whole.W),
			"W_out": share(g.Out, whole.Out)} {
			missing[name] = append(missing[name], v)
			curves[name].X = append(curves[name].X, float64(depth))
			curves[name].Y = append(curves[name].Y, v)
		}
		for _, name := range []string{"W_in", "W", "W_out"} {
			row = append(row, fmt.Sprintf("%.1f %%", 100*missing[name][depth-1]))
		}
		rows = append(rows, row)
	}
	for _, name := range []string{"W_in", "W", "W_out"} {
		figure.Curves = append(figure.Curves, *curves[name])
	}
	p.Table("", []string{"steps back", "W_in", "W", "W_out"}, rows...)
	p.Plot(&figure)
	p.Value("cutIn", "%.0f %%", 100*missing["W_in"][0])
	p.Value("cutW", "%.0f %%", 100*missing["W"][0])
	p.Claim("cut off after one step, nothing of the gradient of W_out is missing", missing["W_out"][0] == 0)
	p.Claim("cut off after one step, a part of the gradients of W_in and W is missing",
		missing["W_in"][0] > 0.01 && missing["W"][0] > 0.01)
	return nil
}
