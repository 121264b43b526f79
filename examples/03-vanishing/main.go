// 03-vanishing is a chapter of the course: gradients that vanish and explode on their way back
// through time, and what clipping and truncation do about it.
package main

import (
	"embed"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/plot"
)

//go:embed *.go *.md
var files embed.FS

func main() { course.Main(files, flow, luck, cliff, missing, lost, saved) }

const (
	hidden = 32 // H
	steps  = 60 // T
)

// network is h_t = f(h_{t-1} W + x_t), where the noise x_t goes into each unit alone.
type network struct {
	Name, Key string
	ReLU      bool
	Gain      float64 // W is drawn from N(0, (Gain/√H)²)
}

var networks = []network{
	{"tanh, 0.5", "T05", false, 0.5}, {"tanh, 1", "T1", false, 1}, {"tanh, 3", "T3", false, 3},
	{"ReLU, 1", "R1", true, 1}, {"ReLU, √2", "Rr", true, math.Sqrt2}, {"ReLU, 2", "R2", true, 2},
}

// back is the size of ∂L/∂h_t where ∂L/∂h_T has size 1, by the distance T − t.
func (n network) back(seed uint64) (sizes []float64) {
	r := random(seed)
	W := draw(r, hidden*hidden, n.Gain/math.Sqrt(hidden))
	h := make([]float64, hidden)
	var slopes [steps][hidden]float64
	for t := range steps { // there
		next := draw(r, hidden, 0.3) // x_t
		for j := range hidden {
			for i := range hidden {
				next[j] += h[i] * W[i*hidden+j]
			}
			next[j], slopes[t][j] = n.activate(next[j])
		}
		h = next
	}
	g := draw(r, hidden, 1/math.Sqrt(hidden))
	start := norm(g)
	for t := steps - 1; t >= 0; t-- { // and back
		sizes = append(sizes, norm(g)/start)
		before := make([]float64, hidden)
		for j := range hidden {
			for i := range hidden {
				before[i] += g[j] * slopes[t][j] * W[i*hidden+j]
			}
		}
		g = before
	}
	return sizes
}

func (n network) activate(v float64) (h, slope float64) {
	if n.ReLU {
		if v > 0 {
			return v, 1
		}
		return 0, 0
	}
	h = math.Tanh(v)
	return h, 1 - h*h
}

// flow follows the gradient back through networks with first weights.
func flow(p *course.Page) error {
	figure := plot.Plot{Title: "The gradient on its way back", X: "steps back",
		Y: "size of the gradient", LogY: true,
		Alt: "On a logarithmic axis the gradients are nearly straight lines: some fall to a billionth and less within 60 steps, one grows above a million."}
	var rows [][]any
	var distance []float64
	for t := range steps {
		distance = append(distance, float64(t))
	}
	for _, n := range networks {
		var all [][]float64
		var last, factors []float64
		for seed := range course.Pick(p, 5, 20, 100) {
			sizes := n.back(uint64(seed + 1))
			all, last = append(all, sizes), append(last, sizes[steps-1])
			factors = append(factors, math.Pow(sizes[steps-1], 1/float64(steps-1)))
		}
		slices.Sort(last)
		slices.Sort(factors)
		figure.AddRuns(n.Name, distance, all)
		middle := len(last) / 2
		rows = append(rows, []any{n.Name, fmt.Sprintf("%.2f", factors[middle]),
			course.Digits(last[0], 2) + " … " + course.Digits(last[len(last)-1], 2)})
		p.Value("factor-"+n.Key, "%.2f", factors[middle])
	}
	p.Table("", []string{"network", "factor a step", "after 59 steps, over seeds"}, rows...)
	p.Plot(&figure)
	return nil
}

// learners are those that must remember the first of 40 symbols.
var learners = []learner{
	{"RNN, scale 0.5", "half", "rnn", nodes.Normal(0, 0.5/math.Sqrt(hidden))},
	{"RNN, scale 3", "three", "rnn", nodes.Normal(0, 3/math.Sqrt(hidden))},
	{"RNN, orthogonal", "orthogonal", "rnn", nodes.Orthogonal(1)},
	{"LSTM", "lstm", "lstm", nodes.Init{}},
}

// luck trains each of them with several seeds.
func luck(p *course.Page) error {
	all, err := course.Once(p, "learned", func() (map[string][]Outcome,
		error) {
		return learnAll(p)
	})
	if err != nil {
		return err
	}
	figure := plot.Plot{Title: "Remembering the first of 40 symbols",
		X: "gradient at the first step, before training",
		Y: "right answers after training, %", LogX: true, YRange: plot.Range{Low: 0, High: 100},
		Levels: []plot.Level{{Name: "guessing", Y: 25}},
		Alt:    "Each dot is a network: those whose gradient vanishes guess, the others are spread from guessing to 100 %."}
	var rows [][]any
	for _, n := range learners {
		dots := plot.Curve{Name: n.Name, Dots: true}
		var right []string
		least, most := 100.0, 0.0
		for _, o := range all[n.Name] {
			dots.X, dots.Y = append(dots.X, o.Gradient), append(dots.Y, 100*o.Right)
			right = append(right, fmt.Sprintf("%.0f", 100*o.Right))
			least, most = min(least, 100*o.Right), max(most, 100*o.Right)
		}
		figure.Curves = append(figure.Curves, dots)
		rows = append(rows, []any{n.Name, course.Digits(slices.Min(dots.X), 2) + " … " +
			course.Digits(slices.Max(dots.X), 2),
			strings.Join(right, ", ")})
		p.Value("least-"+n.Key, "%.0f %%", least)
		p.Value("most-"+n.Key, "%.0f %%", most)
		if p.Size != course.Quick && n.Name == learners[0].Name {
			p.Claim("a network whose gradient has vanished does no better than guessing", most < 35)
		}
	}
	p.Value("learners", "%d", len(all[learners[0].Name]))
	p.Table("", []string{"network", "gradient at the first step", "right answers by seed, %"},
		rows...)
	p.Plot(&figure)
	return nil
}

// one is a network of one unit with one weight: x_t = w σ(x_{t-1}) − 3.
type one struct{ w float64 }

// loss is how far the last of its steps is from where it should be, and the derivative by w.
func (n one) loss() (loss, slope float64) {
	x, dx := 0.3, 0.0
	for range 15 {
		s := 1 / (1 + math.Exp(-x))
		x, dx = n.w*s-3, s+n.w*s*(1-s)*dx
	}
	return (x - goal) * (x - goal), 2 * (x - goal) * dx
}

const goal = 2.3 // where x should be in the end

// descend takes 60 steps down the gradient; one along a gradient longer than clip is shortened.
func descend(from, clip float64) (w, loss []float64, steepest float64) {
	const rate = 0.05
	n := one{from}
	for range 60 {
		l, slope := n.loss()
		w, loss, steepest = append(w, n.w), append(loss, l), max(steepest, math.Abs(slope))
		n.w -= rate * max(-clip, min(clip, slope))
	}
	return w, loss, steepest
}

// cliff walks down a loss that has a cliff, from a thousand places, with and without clipping.
func cliff(p *course.Page) error {
	const starts = 1000
	plateau, _ := one{5}.loss()
	thrown, worst, highest, highestClipped, steepest := 0, 0.0, 0.0, 0.0, 0.0
	for i := range starts {
		from := 5 + 0.5*float64(i)/starts
		_, free, steep := descend(from, math.Inf(1))
		_, clipped, _ := descend(from, 5)
		if slices.Max(free) > 2*plateau {
			thrown++
		}
		if h := slices.Max(free); h > highest {
			worst, highest = from, h
		}
		highestClipped, steepest = max(highestClipped, slices.Max(clipped)), max(steepest, steep)
	}
	ground := plot.Curve{Name: "loss"}
	for w := 4.8; w < 7; w += 0.01 {
		l, _ := one{w}.loss()
		ground.X, ground.Y = append(ground.X, w), append(ground.Y, l)
	}
	hill := plot.Plot{Title: "A cliff in the loss", X: "weight w", Y: "loss",
		Curves: []plot.Curve{ground},
		Alt:    "The loss is a high plateau on the left and a valley on the right, with a cliff between; the clipped steps lead over the edge into the valley."}
	walk := plot.Plot{Title: "The walk that is thrown farthest", X: "update", Y: "loss", LogY: true,
		YRange: plot.Range{Low: 0.01, High: 10000},
		Alt:    "Without clipping the loss jumps up by orders of magnitude at the cliff and takes long to come back; clipped, it falls."}
	for _, of := range []struct {
		name string
		clip float64
	}{{"clipped at 5", 5}, {"not clipped", math.Inf(1)}} {
		w, loss, _ := descend(worst, of.clip)
		steps, dots := plot.Curve{Name: of.name}, plot.Curve{Name: of.name, Dots: true}
		for i, v := range w {
			if v < 7 {
				dots.X, dots.Y = append(dots.X, v), append(dots.Y, loss[i])
			}
			if loss[i] < 0.01 {
				break
			}
			steps.X, steps.Y = append(steps.X, float64(i)), append(steps.Y, loss[i])
		}
		hill.Curves, walk.Curves = append(hill.Curves, dots), append(walk.Curves, steps)
		p.Value("updates-"+of.name[:3], "%d", len(steps.X))
	}
	p.Plot(&hill)
	p.Plot(&walk)
	p.Value("starts", "%d", starts)
	p.Value("thrown", "%d", thrown)
	p.Value("steepest", "%s", course.Digits(steepest, 2))
	p.Value("highest", "%s", course.Digits(highest, 2))
	p.Value("plateau", "%s", course.Digits(plateau, 2))
	p.Claim("more than one walk in ten is thrown back above twice the plateau without clipping",
		10*thrown > starts)
	p.Claim("with clipping none ever gets above the plateau", highestClipped <= plateau)
	return nil
}

// byDistance is the gradient ∂L/∂W of a loss at every step, taken apart by the distance that it
// has come.
func (n network) byDistance(seed uint64) (parts [][]float64) {
	r := random(seed)
	W := draw(r, hidden*hidden, n.Gain/math.Sqrt(hidden))
	h := make([][]float64, steps+1) // h[0] = 0 is that before the first step
	h[0] = make([]float64, hidden)
	slopes := make([][]float64, steps+1)
	for t := 1; t <= steps; t++ {
		h[t], slopes[t] = draw(r, hidden, 0.3), make([]float64, hidden)
		for j := range hidden {
			for i := range hidden {
				h[t][j] += h[t-1][i] * W[i*hidden+j]
			}
			h[t][j], slopes[t][j] = n.activate(h[t][j])
		}
		parts = append(parts, make([]float64, hidden*hidden))
	}
	for from := 1; from <= steps; from++ {
		g := draw(r, hidden, 1) // ∂L/∂h of the loss at this step
		for t := from; t >= 1; t-- {
			before := make([]float64, hidden)
			for j := range hidden {
				for i := range hidden {
					parts[from-t][i*hidden+j] += g[j] * slopes[t][j] * h[t-1][i]
					before[i] += g[j] * slopes[t][j] * W[i*hidden+j]
				}
			}
			g = before
		}
	}
	return parts
}

// missing truncates: what comes from further back than k2 steps is left out.
func missing(p *course.Page) error {
	figure := plot.Plot{Title: "What truncation leaves out",
		X: "steps that the gradient goes back, k₂", Y: "missing share of the gradient",
		LogY: true, YRange: plot.Range{Low: 1e-6, High: 1},
		Alt: "Where the gradient vanishes, a few steps have nearly all of it; where it explodes, nearly all is missing until the last steps."}
	seeds := course.Pick(p, 3, 10, 50)
	for _, n := range networks[:3] {
		var x []float64
		runs := make([][]float64, seeds)
		for seed := range seeds {
			parts := n.byDistance(uint64(seed + 1))
			all := make([]float64, hidden*hidden)
			for _, part := range parts {
				for i, v := range part {
					all[i] += v
				}
			}
			left := slices.Clone(all)
			x = x[:0]
			for k, part := range parts[:steps-1] {
				for i, v := range part {
					left[i] -= v
				}
				x, runs[seed] = append(x, float64(k+1)), append(runs[seed],
					max(norm(left)/norm(all), 1e-12))
			}
		}
		figure.AddRuns(n.Name, x, runs)
		at10 := make([]float64, seeds)
		for seed := range seeds {
			at10[seed] = runs[seed][9]
		}
		slices.Sort(at10)
		p.Value("missing-"+n.Key, "%s %%", course.Digits(100*at10[seeds/2], 2))
	}
	p.Plot(&figure)
	return nil
}

// lost trains networks whose gradient is cut off every k steps.
func lost(p *course.Page) error {
	c, err := course.Once(p, "cuts", func() (Cuts, error) { return learnCuts(p) })
	if err != nil {
		return err
	}
	var rows [][]any
	for i, cut := range firstCuts {
		name := fmt.Sprintf("every %d steps", cut)
		if cut == 0 {
			name = "never"
		}
		var right []string
		for _, share := range c.First[i] {
			right = append(right, fmt.Sprintf("%.0f", 100*share))
		}
		rows = append(rows, []any{name, strings.Join(right, ", ")})
	}
	p.Table("Which was the first of 20 symbols? An LSTM", []string{"gradient cut",
		"right answers by seed, %"}, rows...)
	m := plot.Map{Title: "What was read some steps ago?", X: "steps ago", Y: "gradient cut",
		Values: c.Delayed, Low: 0, High: 1, Scale: "share of right answers", Numbers: true,
		Cell: 48,
		Alt:  "With a cut every two steps nearly all of the last four symbols are right, and most of those eight steps ago; without a cut some more."}
	for _, d := range delays {
		m.Cols = append(m.Cols, fmt.Sprint(d))
	}
	for _, cut := range delayCuts {
		m.Rows = append(m.Rows, map[bool]string{true: "never", false: fmt.Sprintf("every %d",
			cut)}[cut == 0])
	}
	p.Map(&m)
	cut, whole := c.First[:len(firstCuts)-1], c.First[len(firstCuts)-1]
	p.Value("cutBest", "%.0f %%", 100*slices.Max(slices.Concat(cut...)))
	p.Value("wholeWorst", "%.0f %%", 100*slices.Min(whole))
	p.Value("delayCut", "%.0f %%", 100*c.Delayed[0][2])
	p.Value("delayWhole", "%.0f %%", 100*c.Delayed[len(delayCuts)-1][2])
	if p.Size != course.Quick {
		p.Claim("with every seed, cutting keeps the LSTM from learning what it learns without a cut",
			slices.Max(slices.Concat(cut...)) < slices.Min(whole)-0.2)
		p.Claim("cut every two steps, most of what was read four steps ago is right nevertheless",
			c.Delayed[0][2] > 0.5)
	}
	return nil
}

// saved compares what a training step over a long sequence needs.
func saved(p *course.Page) error {
	costs, err := course.Once(p, "costs", func() ([]Cost, error) { return measureCosts(p) })
	if err != nil {
		return err
	}
	var rows [][]any
	for _, c := range costs {
		rows = append(rows, []any{c.Name, c.Back, fmt.Sprintf("%.1f", c.Megabytes),
			course.Digits(c.Milliseconds, 3)})
	}
	p.Table("An LSTM of 64 units, 8 sequences of 1,000 steps", []string{"way", "steps back",
		"memory, MB", "milliseconds"}, rows...)
	for i, key := range []string{"whole", "kept", "cut", "window"} {
		p.Value("mb-"+key, "%.1f", costs[i].Megabytes)
		p.Value("ms-"+key, "%s", course.Digits(costs[i].Milliseconds, 2))
	}
	if p.Size == course.Quick {
		return nil
	}
	p.Claim("windows take less than a fifth of the whole sequence's memory",
		5*costs[3].Megabytes < costs[0].Megabytes)
	return nil
}
