// 02-initialisation is a chapter of the course: how weights begin, and why the loss of a network
// that has nearly learned to add jumps up again.
package main

import (
	"embed"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/plot"
)

//go:embed *.go *.md
var files embed.FS

func main() { course.Main(files, beginnings, spikes, culprits, carries, clipped) }

// networks is how many are trained in each setting.
func networks(p *course.Page) int { return course.Pick(p, 2, 10, 40) }

// runs are the trainings of one setting, with several seeds, two at a time.
func runs(p *course.Page, s setting) ([]training, error) {
	return course.Once(p, fmt.Sprintf("%s %s %g", s.Activation, s.Init, s.Clip), func() ([]training,
		error) {
		out := make([]training, networks(p))
		updates := course.Pick(p, 1000, 10000, 20000)
		var working sync.WaitGroup
		for half := range 2 {
			working.Go(func() {
				for i := half; i < len(out) && p.Context().Err() == nil; i += 2 {
					out[i] = s.train(uint64(i+1), updates, -1)
				}
			})
		}
		working.Wait()
		p.Progress("%s, %s", s.Activation, s.Init)
		return out, p.Context().Err()
	})
}

// the beginnings that the chapter compares
var inits = []string{"N(0, 1)", "Xavier", "He"}

// beginnings compares activations and first weights.
func beginnings(p *course.Page) error {
	figure := plot.Plot{Title: "Learning to add", X: "additions", Y: "loss on 200 fixed sums",
		LogY: true,
		Alt:  "Loss over the additions for five ways to begin: tanh falls first, the sigmoids later; the range of ReLU stays wide."}
	var rows [][]any
	for _, activation := range []string{"sigmoid", "tanh", "ReLU"} {
		for _, init := range inits {
			s := setting{activation, init, 0}
			trainings, err := runs(p, s)
			if err != nil {
				return err
			}
			var x []float64
			var losses [][]float64
			var last []float64
			right, norm := 0, 0.0
			for _, k := range trainings {
				x = x[:0]
				var loss []float64
				for i := 4; i < len(k.Loss); i += 5 { // every 100 additions
					x, loss = append(x, float64((i+1)*every)), append(loss, k.Loss[i])
				}
				losses, last = append(losses, loss), append(last, k.Loss[len(k.Loss)-1])
				if k.Wrong == 0 {
					right++
				}
				norm = max(norm, slices.Max(k.Norm))
			}
			slices.Sort(last)
			rows = append(rows, []any{activation, init, course.Digits(last[len(last)/2], 2),
				course.Digits(slices.Max(last), 2),
				fmt.Sprintf("%d/%d", right, len(trainings)), course.Digits(norm, 2)})
			p.Value(activation+"-"+init[:1], "%s", course.Digits(last[len(last)/2], 2))
			if activation == "sigmoid" || init == "He" {
				figure.AddRuns(activation+", "+init, x, losses)
			}
		}
	}
	p.Value("networks", "%d", networks(p))
	p.Table("", []string{"activation", "weights", "loss, median", "loss, highest",
		"networks without a mistake", "largest gradient"}, rows...)
	p.Plot(&figure)
	return nil
}

// spikes looks at one network, and counts the spikes of all.
func spikes(p *course.Page) error {
	var rows [][]any
	for _, init := range inits {
		trainings, err := runs(p, setting{"sigmoid", init, 0})
		if err != nil {
			return err
		}
		count, with, first := 0, 0, math.MaxInt
		for _, k := range trainings {
			at := k.spikes()
			count += len(at)
			if len(at) > 0 {
				with++
				first = min(first, (at[0]+1)*every)
			}
		}
		earliest := any("–")
		if count > 0 {
			earliest = first
		}
		rows = append(rows, []any{init, count, with, earliest})
		p.Value("spikes-"+init[:1], "%d", count)
		p.Value("first-"+init[:1], "%v", earliest)
	}
	trainings, err := runs(p, setting{"sigmoid", inits[0], 0})
	if err != nil {
		return err
	}
	show := 0
	for i, k := range trainings {
		if len(k.spikes()) > len(trainings[show].spikes()) {
			show = i
		}
	}
	figure := plot.Plot{Title: "One network: a sigmoid, weights from N(0, 1)", X: "additions",
		Y: "loss on 200 fixed sums", LogY: true,
		Alt: "The loss falls to a few hundredths and jumps up again several times on the way."}
	c := plot.Curve{Name: "loss"}
	marks := plot.Curve{Name: "spike", Dots: true}
	k := trainings[show]
	for i, loss := range k.Loss {
		c.X, c.Y = append(c.X, float64((i+1)*every)), append(c.Y, loss)
		if slices.Contains(k.spikes(), i) {
			marks.X, marks.Y = append(marks.X, c.X[i]), append(marks.Y, loss)
		}
	}
	figure.Curves = []plot.Curve{c, marks}
	p.Table("", []string{"weights", "spikes", "networks with spikes", "earliest at addition"},
		rows...)
	p.Plot(&figure)
	return nil
}

// culprits finds the addition behind each spike, and trains again without it.
func culprits(p *course.Page) error {
	total, far, short, gone := 0, 0, 0, 0
	low, high := math.Inf(1), 0.0
	for _, init := range inits {
		s := setting{"sigmoid", init, 0}
		trainings, err := runs(p, s)
		if err != nil {
			return err
		}
		for seed, k := range trainings {
			for _, i := range k.spikes() {
				worst := i * every // of the updates between the two measurements
				for u := i * every; u < (i+1)*every; u++ {
					if k.Norm[u] > k.Norm[worst] {
						worst = u
					}
				}
				a, b := int(k.A[worst]), int(k.B[worst])
				total++
				low, high = min(low, k.Norm[worst]), max(high, k.Norm[worst])
				if handed(a, b) >= 4 {
					far++
				}
				if carried(a, b) < 4 {
					short++
				}
				again := s.train(uint64(seed+1), (i+1)*every, worst)
				if !slices.Contains(again.spikes(), i) {
					gone++
				}
				p.Progress("%d spikes", total)
			}
		}
	}
	p.Table("", []string{"of the spikes", "number"}, []any{"all, with the three beginnings", total},
		[]any{"the carry, or that there is none, is handed on over 4 digits or more", far},
		[]any{"of all: the carry itself goes over 3 digits at most", short},
		[]any{"do not happen if that one addition is left out", gone})
	p.Value("total", "%d", total)
	p.Value("far", "%d", far)
	p.Value("short", "%d", short)
	p.Value("gone", "%d", gone)
	p.Value("low", "%s", course.Digits(low, 2))
	p.Value("high", "%s", course.Digits(high, 2))
	if p.Size != course.Quick {
		p.Claim("most spikes come from a single addition: without it they do not happen",
			4*gone > 3*total)
		p.Claim("nearly all come from an addition in which something is handed on over 4 digits or more", 10*far > 8*total)
	}
	return nil
}

// carries shows how the gradient depends on how far something must be handed on.
func carries(p *course.Page) error {
	figure := plot.Plot{Title: "Gradient by the length of the way",
		X:   "digits over which a carry, or none, is handed on",
		Y:   "norm of the gradient, mean",
		Alt: "The mean norm of the gradient grows with the digits, from 0.2 to above 1."}
	for _, init := range []string{"N(0, 1)", "He"} {
		trainings, err := runs(p, setting{"sigmoid", init, 0})
		if err != nil {
			return err
		}
		var sum, n [digits]float64
		for _, k := range trainings {
			for u := len(k.Norm) / 4; u < len(k.Norm); u++ { // once it has begun to learn
				long := handed(int(k.A[u]), int(k.B[u]))
				sum[long], n[long] = sum[long]+k.Norm[u], n[long]+1
			}
		}
		bars := plot.Bars{Name: init}
		figure.Groups = nil
		for long := 1; long < digits; long++ {
			figure.Groups = append(figure.Groups, fmt.Sprint(long))
			bars.Values = append(bars.Values, sum[long]/n[long])
		}
		figure.Bars = append(figure.Bars, bars)
		p.Value("short-"+init[:1], "%.2f", sum[1]/n[1])
		p.Value("long-"+init[:1], "%.2f", sum[7]/n[7])
		p.Value("rare-"+init[:1], "%.1f %%", 100*n[7]/(n[0]+n[1]+n[2]+n[3]+n[4]+n[5]+n[6]+n[7]))
		p.Claim("the gradient of "+init+" is larger over 7 digits than over 1",
			sum[7]/n[7] > sum[1]/n[1])
	}
	p.Plot(&figure)
	return nil
}

// clipped trains the same networks with the norm of the gradient limited to 1.
func clipped(p *course.Page) error {
	figure := plot.Plot{Title: "The same network, with and without clipping", X: "additions",
		Y: "loss on 200 fixed sums", LogY: true,
		Alt: "With the gradient's norm clipped at 1 the loss falls without the spikes."}
	before, after := 0, 0
	for _, init := range []string{"N(0, 1)", "He"} {
		free, err := runs(p, setting{"sigmoid", init, 0})
		if err != nil {
			return err
		}
		held, err := runs(p, setting{"sigmoid", init, 1})
		if err != nil {
			return err
		}
		counts := [2]int{}
		show := 0
		for i := range free {
			counts[0] += len(free[i].spikes())
			counts[1] += len(held[i].spikes())
			if len(free[i].spikes()) > len(free[show].spikes()) {
				show = i
			}
		}
		before, after = before+counts[0], after+counts[1]
		p.Value("clipped-"+init[:1], "%d", counts[1])
		if init != "N(0, 1)" {
			continue
		}
		for _, of := range []struct {
			name string
			k    training
		}{{"not clipped", free[show]}, {"clipped at 1", held[show]}} {
			c := plot.Curve{Name: of.name}
			for i, loss := range of.k.Loss {
				c.X, c.Y = append(c.X, float64((i+1)*every)), append(c.Y, loss)
			}
			figure.Curves = append(figure.Curves, c)
		}
	}
	p.Plot(&figure)
	if p.Size != course.Quick {
		p.Claim("clipping leaves less than a quarter of the spikes", 4*after < before)
	}
	return nil
}
