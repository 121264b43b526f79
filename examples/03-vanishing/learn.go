package main

import (
	"errors"
	"math"
	"math/rand/v2"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

const (
	symbols = 4
	batch   = 32
)

// learner is a network with a kind of first weights.
type learner struct {
	Name, Key, Cell string
	Init            nodes.Init // of W_hh
}

func (n learner) cell(s *nodes.Scope, units int) cells.Cell {
	if n.Cell == "lstm" {
		return cells.NewLSTM(s, cells.LSTMConfig{In: symbols, Hidden: units})
	}
	return cells.NewRNN(s, cells.RNNConfig{In: symbols, Hidden: units, InitHidden: n.Init})
}

// task is a network that reads symbols [T, batch, symbols] and names those at which it is asked.
type task struct {
	T, units int
	// after every step, the symbol of so many steps ago; nil: after the last step, the first
	delays  []int
	step    *train.Step
	x       run.Floats
	targets []int // [delays, T, batch] or [batch]
	random  *rand.Rand
	adam    train.Optimizer
}

func newTask(n learner, T, units int, delays []int, cut int, rate float64, seed uint64) (*task,
	error) {
	k := &task{T: T, units: units, delays: delays, random: rand.New(rand.NewPCG(seed, 7))}
	var loss, x, targets, says *nodes.Node
	err := nodes.Try(func() {
		root := nodes.NewStore(nodes.Float32, seed).Root()
		g := nodes.NewGraph(nodes.Options{Training: true})
		x = g.Input("x", T, batch, symbols)
		r := unroll.Over(n.cell(root.In("layer"), units)).Unroll(x, nil, unroll.Options{Cut: cut})
		if delays == nil {
			targets = g.IntInput("targets", batch)
			out := nodes.NewLinear(root.In("out"), nodes.LinearConfig{In: units, Out: symbols})
			logits := out.Of(r.Final()[0])
			loss, says = nodes.CrossEntropy(logits, targets, nodes.CrossEntropyOptions{}),
				nodes.ArgMax(logits)
			return
		}
		targets = g.IntInput("targets", len(delays)*T, batch)
		out := nodes.NewLinear(root.In("out"), nodes.LinearConfig{In: units,
			Out: len(delays) * symbols})
		logits := nodes.Concat(0, nodes.Split(out.Of(r.Y()), len(delays), -1)...)
		loss, says = nodes.CrossEntropy(logits, targets,
			nodes.CrossEntropyOptions{Ignore: []int{-1}}), nodes.ArgMax(logits)
	})
	if err != nil {
		return nil, err
	}
	var in run.Inputs
	if k.x, k.targets = in.Floats(x), in.Ints(targets); in.Err() != nil {
		return nil, in.Err()
	}
	if k.adam, err = train.NewAdam(train.AdamConfig{LR: rate}); err != nil {
		return nil, err
	}
	k.step, err = train.NewStep(loss, says)
	return k, err
}

// draw makes the next batch.
func (k *task) draw() {
	k.x.Fill(0)
	read := make([]int, k.T*batch)
	for i := range read {
		read[i] = k.random.IntN(symbols)
		k.x.Set(i*symbols+read[i], 1)
	}
	if k.delays == nil {
		copy(k.targets, read[:batch])
		return
	}
	for i, d := range k.delays {
		for t := range k.T {
			for b := range batch {
				target := -1 // nothing was read then
				if t >= d {
					target = read[(t-d)*batch+b]
				}
				k.targets[(i*k.T+t)*batch+b] = target
			}
		}
	}
}

// right is the share of right answers in the last run, for each delay.
func (k *task) right() []float64 {
	groups := max(1, len(k.delays))
	out := make([]float64, groups)
	said := k.step.Ints(0)
	for i := range out {
		n := len(said) / groups
		asked := 0.0
		for at := i * n; at < (i+1)*n; at++ {
			if k.targets[at] >= 0 {
				asked++
				if said[at] == k.targets[at] {
					out[i]++
				}
			}
		}
		out[i] /= asked
	}
	return out
}

// train takes n steps; the answers that count are those of the last twenty.
func (k *task) train(p *course.Page, n int) (right []float64, err error) {
	last := min(20, n)
	right = make([]float64, max(1, len(k.delays)))
	for i := range n {
		k.draw()
		if _, err := k.step.Run(0, i); err != nil {
			return nil, err
		}
		if i >= n-last {
			for d, share := range k.right() {
				right[d] += share / float64(last)
			}
		}
		if _, err := (train.Clip{Norm: 1}).Apply(k.step.Grads()); err != nil {
			return nil, err
		}
		if err := k.adam.Step(k.step.Grads()); err != nil {
			return nil, err
		}
		if p.Context().Err() != nil {
			return nil, p.Context().Err()
		}
	}
	return right, nil
}

// Outcome is what a network with one seed came to.
type Outcome struct{ Gradient, Right float64 }

// learnAll trains every network with several seeds.
func learnAll(p *course.Page) (map[string][]Outcome, error) {
	out := map[string][]Outcome{}
	T, updates := course.Pick(p, 10, 40, 40), course.Pick(p, 30, 1500, 4000)
	for _, n := range learners {
		for seed := range course.Pick(p, 2, 8, 20) {
			k, err := newTask(n, T, hidden, nil, 0, 0.003, uint64(seed+1))
			if err != nil {
				return nil, err
			}
			o, err := k.outcome(p, updates)
			if err := errors.Join(err, k.step.Close()); err != nil {
				return nil, err
			}
			out[n.Name] = append(out[n.Name], o)
			p.Progress("%s, seed %d: %.0f %%", n.Name, seed+1, 100*o.Right)
		}
	}
	return out, nil
}

func (k *task) outcome(p *course.Page, updates int) (o Outcome, err error) {
	k.draw()
	if _, err = k.step.Run(0, 0); err != nil {
		return o, err
	}
	report, err := k.step.GradientFlow()
	if err != nil {
		return o, err
	}
	for _, l := range report.Layers { // of an LSTM, what takes the way through c counts
		o.Gradient = max(o.Gradient, l.Norms[0])
	}
	right, err := k.train(p, updates)
	if err != nil {
		return o, err
	}
	o.Right = right[0]
	return o, nil
}

// The cuts that are compared, 0 for none, and the delays with which symbols are asked for.
var (
	firstCuts = []int{5, 10, 0}
	delayCuts = []int{2, 4, 8, 0}
	delays    = []int{1, 2, 4, 6, 8, 12}
)

// Cuts are shares of right answers.
type Cuts struct {
	First   [][]float64 // of the first symbol, by cut and seed
	Delayed [][]float64 // by cut and delay
}

// learnCuts trains LSTMs whose gradient is cut off every so many steps.
func learnCuts(p *course.Page) (out Cuts, err error) {
	lstm := learner{"LSTM", "lstm", "lstm", nodes.Init{}}
	share := func(T, units int, delays []int, cut int, rate float64, seed uint64,
		updates int) ([]float64, error) {
		k, err := newTask(lstm, T, units, delays, cut, rate, seed)
		if err != nil {
			return nil, err
		}
		right, err := k.train(p, updates)
		p.Progress("cut %d", cut)
		return right, errors.Join(err, k.step.Close())
	}
	for _, cut := range firstCuts {
		var bySeed []float64
		for seed := range course.Pick(p, 1, 5, 20) {
			right, err := share(20, hidden, nil, cut, 0.003, uint64(seed+1), course.Pick(p, 10,
				1500, 1500))
			if err != nil {
				return out, err
			}
			bySeed = append(bySeed, right[0])
		}
		out.First = append(out.First, bySeed)
	}
	for _, cut := range delayCuts {
		right, err := share(48, course.Pick(p, 8, 24, 24), delays, cut, 0.01, 1, course.Pick(p, 5,
			500, 500))
		if err != nil {
			return out, err
		}
		out.Delayed = append(out.Delayed, right)
	}
	return out, nil
}

// Cost is what a way to train on a long sequence needs.
type Cost struct {
	Name                    string
	Back                    int
	Megabytes, Milliseconds float64
}

// measureCosts builds a training step of an LSTM over a long sequence in several ways.
func measureCosts(p *course.Page) (out []Cost, err error) {
	T := course.Pick(p, 100, 1000, 1000)
	for _, way := range []struct {
		name              string
		T, cut, recompute int
	}{{"the whole sequence", T, 0, 0}, {"the whole sequence, every √T-th state kept", T, 0,
		unroll.SqrtT},
		{"the whole sequence, the gradient cut every 50 steps", T, 50, 0}, {"windows of 50 steps",
			50, 0, 0}} {
		var loss, x *nodes.Node
		if err := nodes.Try(func() {
			g := nodes.NewGraph(nodes.Options{Training: true})
			x = g.IntInput("x", way.T, 8)
			root := nodes.NewStore(nodes.Float32, 1).Root()
			table := root.Param("E", nodes.Normal(0, 1), symbols, 64)
			cell := cells.NewLSTM(root.In("layer"), cells.LSTMConfig{In: 64, Hidden: 64})
			r := unroll.Over(cell).Unroll(nodes.Embedding(table, x, -1), nil,
				unroll.Options{Cut: way.cut, Recompute: way.recompute})
			loss = nodes.Mean(nodes.Square(r.Y()))
		}); err != nil {
			return nil, err
		}
		step, err := train.NewStep(loss)
		if err != nil {
			return nil, err
		}
		var in run.Inputs
		in.Ints(x)
		if err := in.Err(); err != nil {
			return nil, errors.Join(err, step.Close())
		}
		c := Cost{Name: way.name, Back: way.T, Milliseconds: math.Inf(1)}
		if way.cut > 0 {
			c.Back = way.cut
		}
		if _, err := step.Run(0, 0); err != nil {
			return nil, errors.Join(err, step.Close())
		}
		for range course.Pick(p, 1, 5, 20) {
			profile, err := step.Machine().Profile(2)
			if err != nil {
				return nil, errors.Join(err, step.Close())
			}
			ms := float64(profile.Total.Microseconds()) / 1000 * float64(T/way.T)
			c.Milliseconds = min(c.Milliseconds, ms)
		}
		c.Megabytes = float64(step.Machine().Memory()) / 1e6
		out = append(out, c)
		if err := step.Close(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
