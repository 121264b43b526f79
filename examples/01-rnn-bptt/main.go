// 01-rnn-bptt is a chapter of the course: a recurrent network and its gradients, three ways.
package main

import (
	"embed"
	"fmt"
	"math"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/plot"
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

// delta is δ^out: the derivative of the loss by what goes into the sigmoid of answer t.
func (p pass) delta(t int) float64 {
	_, d := digits()
	return (p.y[t] - d[t]) * p.y[t] * (1 - p.y[t])
}

// grad are the gradients by the formulas. The error of each step goes back over depth steps at
// most; depth T is all of them.
func (w weights) grad(depth int) weights {
	p, g := w.run(), zeros()
	for from := range steps {
		var back [hidden]float64 // ∂L/∂h
		out := p.delta(from)
		for j := range hidden {
			g.Out[j] += out * p.h[from][j] // h of this step, and of no other
			back[j] = out * w.Out[j]
		}
		for t := from; t >= 0 && t > from-depth; t-- {
			back = w.step(g, p, t, back)
		}
	}
	return g
}

// step adds to g what step t contributes, and takes ∂L/∂h from it to the step before.
func (w weights) step(g weights, p pass, t int, back [hidden]float64) (before [hidden]float64) {
	x, _ := digits()
	var last [hidden]float64 // h before the first step is 0
	if t > 0 {
		last = p.h[t-1]
	}
	for j := range hidden {
		delta := back[j] * p.h[t][j] * (1 - p.h[t][j])
		for i := range in {
			g.In[i*hidden+j] += x[t][i] * delta
		}
		for i := range hidden {
			g.W[i*hidden+j] += last[i] * delta
			before[i] += delta * w.W[i*hidden+j]
		}
	}
	return before
}

// flow is ‖∂L/∂h‖ at each step, the errors of all later steps included.
func (w weights) flow() (norms plot.Values) {
	p, back := w.run(), [hidden]float64{}
	norms = make(plot.Values, steps)
	for t := steps - 1; t >= 0; t-- {
		out := p.delta(t)
		for j := range hidden {
			back[j] += out * w.Out[j]
		}
		norms[t] = norm(back[:])
		back = w.step(zeros(), p, t, back)
	}
	return norms
}

// backward goes back through time by the formulas.
func backward(p *course.Page) error {
	w := newWeights(1)
	g := w.grad(steps)
	p.Table("", []string{"gradient", "norm"},
		[]any{"∂L/∂W_in", course.Digits(norm(g.In), 4)},
		[]any{"∂L/∂W", course.Digits(norm(g.W), 4)},
		[]any{"∂L/∂W_out", course.Digits(norm(g.Out), 4)})
	figure := plot.Plot{Title: "What comes back through time", X: "step", Y: "‖∂L/∂hₜ‖",
		Alt: "The norm of the gradient in the hidden values at each of the eight steps."}
	c := plot.Curve{Y: w.flow()}
	for t := range steps {
		c.X = append(c.X, float64(t))
	}
	figure.Curves = append(figure.Curves, c)
	p.Plot(&figure)
	return nil
}

// equations is the same network in the library: a cell, unrolled. It derives the gradients itself.
func equations(store *nodes.Store) (x, d, loss *nodes.Node, err error) {
	err = nodes.Try(func() {
		cell := cells.NewRNN(store.Root().In("rnn"), cells.RNNConfig{In: in, Hidden: hidden,
			Activation: cells.Sigmoid, NoBias: true})
		out := store.Root().Param("W_out", nodes.Normal(0, 1), hidden, 1)
		graph := nodes.NewGraph(nodes.Options{Training: true, Dtype: nodes.Float64})
		x, d = graph.Input("x", steps, 1, in), graph.Input("d", steps, 1, 1)
		h := unroll.Over(cell).Unroll(x, nil, unroll.Options{}).Y()
		y := nodes.Sigmoid(nodes.MatMul(h, out))
		loss = nodes.Scale(nodes.Sum(nodes.Square(nodes.Sub(y, d))), 0.5)
	})
	return x, d, loss, err
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
	auto, err := automatic(w)
	if err != nil {
		return err
	}
	hand := w.grad(steps)
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
	whole := w.grad(steps)
	figure := plot.Plot{Title: "What is missing if the way back is cut off",
		X: "steps that the gradient goes back", Y: "missing part of the gradient",
		Alt:    "The missing share of the gradients of W_in and W falls with the steps; that of W_out is 0 from the first.",
		Curves: []plot.Curve{{Name: "W_in"}, {Name: "W"}, {Name: "W_out"}}}
	var rows [][]any
	for depth := 1; depth <= steps; depth++ {
		g := w.grad(depth)
		row := []any{depth}
		for i, share := range []float64{missing(g.In, whole.In), missing(g.W, whole.W),
			missing(g.Out, whole.Out)} {
			c := &figure.Curves[i]
			c.X, c.Y = append(c.X, float64(depth)), append(c.Y, share)
			row = append(row, fmt.Sprintf("%.1f %%", 100*share))
		}
		rows = append(rows, row)
	}
	p.Table("", []string{"steps back", "W_in", "W", "W_out"}, rows...)
	p.Plot(&figure)
	cutIn, cutW, cutOut := figure.Curves[0].Y[0], figure.Curves[1].Y[0], figure.Curves[2].Y[0]
	p.Value("cutIn", "%.0f %%", 100*cutIn)
	p.Value("cutW", "%.0f %%", 100*cutW)
	p.Claim("cut off after one step, nothing of the gradient of W_out is missing", cutOut == 0)
	p.Claim("cut off after one step, a part of the gradients of W_in and W is missing",
		cutIn > 0.01 && cutW > 0.01)
	return nil
}

// missing is the part of a gradient that another lacks: the norm of their difference.
func missing(part, all []float64) float64 {
	d := make([]float64, len(all))
	for i := range d {
		d[i] = part[i] - all[i]
	}
	return norm(d) / norm(all)
}
