package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/examples/binaryaddition/adder"
	"github.com/seqzoo/seqzoo/plot"
)

func (s *story) spikes() error {
	s.say("3. Why the loss spikes\n")
	r, err := s.learn(adder.Setting{Activation: cells.Sigmoid, Init: "normal", LR: 0.1}, 1)
	if err != nil {
		return err
	}
	s.byCarry(r.records)
	s.say("Measured on fixed additions the loss spikes as well, by exploding gradients on rare " +
		"additions with a long run of")
	s.say("digits to hand a carry through: go run ./examples/02-initialisation.\n")
	s.say("With ReLU gradients explode more often. Nothing bounds a hidden value, so where W_hh " +
		"makes it grow from step to step,")
	s.say("the gradient grows as well on its way back, and one step of descent throws the " +
		"network far off. Clipping the")
	s.say("norm of the gradient at 1 (Pascanu et al., 2013) takes the leaps away. The largest "+
		"norms, over %d seeds:\n", s.seeds)
	s.say("%-28s %14s %14s %18s %s", "", "median norm", "largest norm", "after it, loss up",
		"norm, logarithmic")
	p := plot.Plot{Title: "Binary addition, seed 1", X: "example", Y: "loss, mean of 20",
		LogY: true}
	var worst *spike
	for _, c := range []adder.Setting{
		{Activation: cells.Sigmoid, Init: "xavier", LR: 0.1},
		{Activation: cells.ReLU, Init: "xavier", LR: 0.1},
		{Activation: cells.ReLU, Init: "he", LR: 0.1},
		{Activation: cells.ReLU, Init: "he", LR: 0.1, Clip: 1},
	} {
		var norms []float64
		var top spike
		var curve []float64
		for seed := range s.seeds {
			r, err := s.learn(c, seed+1)
			if err != nil {
				return err
			}
			if r.failed != nil {
				s.say("%-28s seed %d: %v", c, seed+1, r.failed)
			}
			var own []float64
			for k, e := range r.records {
				own = append(own, e.Norm)
				if k >= 20 && k+20 < len(r.records) && e.Norm > top.norm {
					top = spike{c, seed + 1, k, e.Norm,
						mean(r.records[k+1:k+21]) - mean(r.records[k-20:k])}
				}
			}
			norms = append(norms, own...)
			if seed == 0 {
				curve = own
				xs, ys := smooth(r.losses(), 20)
				p.Curves = append(p.Curves, plot.Curve{Name: c.String(), X: xs, Y: ys})
			}
		}
		slices.Sort(norms)
		s.say("%-28s %14.3g %14.3g %18.3f %s", c, norms[len(norms)/2], top.norm, top.rise,
			plot.Spark(curve, 30, true))
		if c.Clip == 0 && c.Activation == cells.ReLU &&
			(worst == nil || cmp.Compare(top.norm, worst.norm) > 0) {
			worst = &top
		}
	}
	s.say("")
	if err := s.anatomy(worst); err != nil {
		return err
	}
	return s.draw("spikes.svg", &p)
}

// byCarry says the loss by the longest carry of an addition.
func (s *story) byCarry(records []adder.Example) {
	s.say("The loss of single additions, of the first network, jumps up and down all the time. " +
		"Its examples differ: the")
	s.say("longest run of carries in an addition says over how many steps something must be " +
		"remembered. In the middle third")
	s.say("of the training:\n")
	half := records[len(records)/3 : len(records)*2/3] // while it learns
	s.say("%16s %9s %11s %8s", "longest carry", "examples", "mean loss", "wrong")
	for length := range adder.Bits {
		var loss, wrong, n float64
		for _, e := range half {
			if carries(e.A, e.B) == length {
				loss, n = loss+e.Loss, n+1
				if !e.Right() {
					wrong++
				}
			}
		}
		if n > 0 {
			s.say("%10d steps %9.0f %11.4f %7.1f%%", length, n, loss/n, 100*wrong/n)
		}
	}
	s.say("")
}

// spike is the example with the largest gradient of several trainings.
type spike struct {
	adder.Setting
	seed, at   int
	norm, rise float64 // of the gradient; of the mean loss over 20 examples
}

func mean(es []adder.Example) float64 {
	sum := 0.0
	for _, e := range es {
		sum += e.Loss
	}
	return sum / float64(len(es))
}

// anatomy shows what the gradient does on its way back at a spike, and at an ordinary example
// before it.
func (s *story) anatomy(top *spike) error {
	s.say("What happened there: %v, seed %d, example %d. The norm of dL/dh at each digit, the "+
		"lowest first, ten examples", top.Setting, top.seed, top.at+1)
	s.say("before and at the spike:\n")
	n, err := adder.New(top.Setting, uint64(top.seed))
	if err != nil {
		return err
	}
	defer n.Step.Close()
	for k := range top.at + 1 {
		e, err := n.Look()
		if err != nil {
			return err
		}
		if k == top.at-10 || k == top.at {
			flow, err := n.Step.GradientFlow()
			if err != nil {
				return err
			}
			var norms []string
			for _, v := range flow.Layers[0].Norms {
				norms = append(norms, fmt.Sprintf("%8.3g", v))
			}
			s.say("%8d  %s   %3d + %3d", k+1, strings.Join(norms, " "), e.A, e.B)
		}
		if _, err := n.Update(); err != nil {
			return err
		}
	}
	s.say("")
	return nil
}
