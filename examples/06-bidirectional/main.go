// 06-bidirectional is a chapter of the course: a network that reads both ways, where the future
// matters, and the exercise with its two mistakes.
package main

import (
	"embed"
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/plot"
)

//go:embed *.go *.md
var files embed.FS

func main() { course.Main(files, twoMistakes, sight, proofreading, places, wrongOrder) }

const (
	steps  = 12 // T
	in     = 3  // numbers read at each
	hidden = 8  // H, each way
)

// weights of a network that reads both ways: W [In, H] and U [H, H] for each way, V [2H].
type weights struct{ Wf, Uf, Wb, Ub, V []float64 }

// rnn reads xs [T, In] and returns the hidden values [T, H].
func rnn(xs [][]float64, W, U []float64) (hs [][]float64) {
	before := make([]float64, hidden)
	for _, x := range xs {
		h := make([]float64, hidden)
		for j := range h {
			for i, v := range x {
				h[j] += v * W[i*hidden+j]
			}
			for i, v := range before {
				h[j] += v * U[i*hidden+j]
			}
			h[j] = math.Tanh(h[j])
		}
		hs, before = append(hs, h), h
	}
	return hs
}

func turned(xs [][]float64) [][]float64 {
	xs = slices.Clone(xs)
	slices.Reverse(xs)
	return xs
}

// bidirectional returns an output for each step. The backward network reads the sequence from its
// end, so that its first value belongs to the last step; turnBack brings its values into order.
func (w weights) bidirectional(xs [][]float64, turnBack bool) (ys []float64) {
	forward := rnn(xs, w.Wf, w.Uf)
	backward := rnn(turned(xs), w.Wb, w.Ub)
	if turnBack {
		backward = turned(backward)
	}
	for t := range xs {
		y := 0.0
		for i, h := range slices.Concat(forward[t], backward[t]) {
			y += h * w.V[i]
		}
		ys = append(ys, y)
	}
	return ys
}

// twoMistakes holds both versions against the library.
func twoMistakes(p *course.Page) error {
	w, xs := newWeights(1), sequence(2)
	library, err := w.library(xs)
	if err != nil {
		return err
	}
	right, wrong := w.bidirectional(xs, true), w.bidirectional(xs, false)
	figure := plot.Plot{Title: "The outputs of both versions", X: "step", Y: "output",
		Alt: "The outputs with the backward values turned back lie on those of the library; " +
			"the others do not."}
	for _, of := range []struct {
		name string
		y    []float64
		dots bool
	}{{"library", library, true}, {"turned back", right, false}, {"not turned back", wrong,
		false}} {
		c := plot.Curve{Name: of.name, Y: of.y, Dots: of.dots}
		for t := range of.y {
			c.X = append(c.X, float64(t+1))
		}
		figure.Curves = append(figure.Curves, c)
	}
	p.Table("Difference from the library, over the steps", []string{"backward values", "largest",
		"mean"},
		[]any{"turned back", course.Digits(largest(right, library), 2), course.Digits(mean(right,
			library), 2)},
		[]any{"not turned back", course.Digits(largest(wrong, library), 2),
			course.Digits(mean(wrong, library), 2)})
	p.Plot(&figure)
	p.Value("right", "%s", course.Digits(largest(right, library), 2))
	p.Value("wrong", "%s", course.Digits(largest(wrong, library), 2))
	p.Value("size", "%s", course.Digits(mean(library, make([]float64, steps)), 2))
	p.Claim("turned back, the outputs are the library's to 12 digits behind the point",
		largest(right, library) < 1e-12)
	p.Claim("not turned back, they are not", largest(wrong, library) > 0.01)
	return nil
}

// sees is how much each output [row] changes with each input [column].
func (w weights) sees(xs [][]float64, turnBack bool) (by plot.Matrix) {
	const little = 1e-5
	for range steps {
		by = append(by, make([]float64, steps))
	}
	plain := w.bidirectional(xs, turnBack)
	for s := range xs {
		for i := range in {
			old := xs[s][i]
			xs[s][i] += little
			for t, y := range w.bidirectional(xs, turnBack) {
				by[t][s] += math.Abs(y-plain[t]) / little
			}
			xs[s][i] = old
		}
	}
	return by
}

// sight draws what each output sees.
func sight(p *course.Page) error {
	w, xs := newWeights(1), sequence(2)
	var names []string
	for t := range steps {
		names = append(names, fmt.Sprint(t+1))
	}
	for _, turnBack := range []bool{true, false} {
		by := w.sees(xs, turnBack)
		first, key := 0, "wrong"
		for _, v := range by[0] {
			if v > 0 {
				first++
			}
		}
		m := plot.Map{Title: "What an output sees: not turned back", X: "input at step",
			Y: "output at step", Rows: names, Cols: names,
			Values: by, Low: 0, High: 1, Scale: "change of the output with the input",
			Alt: "The first rows see the first and the last inputs alone: a triangle in the " +
				"middle is empty."}
		if turnBack {
			key = "right"
			m.Title = "What an output sees: turned back"
			m.Alt = "Every output sees all inputs: no cell of the picture is empty."
		}
		p.Map(&m)
		p.Value("first-"+key, "%d", first)
		if turnBack {
			p.Claim("turned back, the first output sees every input", first == steps)
		} else {
			p.Claim("not turned back, the first output sees two inputs, the first and the last",
				first == 2)
		}
	}
	p.Value("steps", "%d", steps)
	return nil
}

// The networks that look for wrong letters.
var readers = []reader{
	{"one way", true, false, false, 1},
	{"one way, wider", true, false, false, 1.5},
	{"from the end alone", false, true, false, 1},
	{"both ways", true, true, false, 1},
	{"both ways, not turned back", true, true, true, 1},
}

// proofreading trains networks to find wrong letters.
func proofreading(p *course.Page) error {
	all, err := course.Once(p, "proofread", func() ([]Proofread, error) { return learnAll(p) })
	if err != nil {
		return err
	}
	var rows [][]any
	figure := plot.Plot{Title: "Wrong letters found", Y: "found, %", YRange: plot.Range{Low: 0,
		High: 100}, X: "",
		Alt: "Reading both ways finds far more of the wrong letters than reading one way."}
	bars := plot.Bars{}
	for _, r := range all[:4] {
		found := sorted(r.Found)
		figure.Groups = append(figure.Groups, r.Name)
		bars.Values = append(bars.Values, 100*found[len(found)/2])
		bars.Low, bars.High = append(bars.Low, 100*found[0]), append(bars.High,
			100*found[len(found)-1])
		rows = append(rows, []any{r.Name, r.Weights, percent(found[len(found)/2]),
			percent(found[0]) + " … " + percent(found[len(found)-1])})
	}
	figure.Bars = []plot.Bars{bars}
	p.Table("Of the letters, as many are marked as are wrong", []string{"reads", "weights", "found",
		"over seeds"}, rows...)
	p.Plot(&figure)
	p.Verbatim(apart(all[0], all[3]))
	p.Value("seeds", "%d", len(all[0].Found))
	for i, key := range []string{"one", "wide", "end", "both"} {
		p.Value(key, "%s", percent(sorted(all[i].Found)[len(all[i].Found)/2]))
	}
	if p.Size != course.Quick {
		p.Claim("with every seed, reading both ways finds more than any network that reads one way",
			slices.Min(all[3].Found) > max(slices.Max(all[0].Found), slices.Max(all[1].Found),
				slices.Max(all[2].Found)))
	}
	return nil
}

// places asks where in a word the wrong letters are that are found.
func places(p *course.Page) error {
	all, err := course.Once(p, "proofread", func() ([]Proofread, error) { return learnAll(p) })
	if err != nil {
		return err
	}
	figure := plot.Plot{Title: "Found, by place in a word of five letters or more", Y: "found, %",
		X:      "letter of the word",
		YRange: plot.Range{Low: 0, High: 100},
		Alt: "Reading from the start finds few wrong first letters, reading from the end few " +
			"wrong last ones; both ways finds more of both."}
	for _, k := range []int{0, 2, 3} {
		bars := plot.Bars{Name: all[k].Name}
		for _, share := range all[k].ByPlace {
			bars.Values = append(bars.Values, 100*share)
		}
		figure.Bars = append(figure.Bars, bars)
	}
	figure.Groups = []string{"first", "second", "third", "last but one", "last"}
	p.Plot(&figure)
	for k, key := range map[int]string{0: "one", 2: "end", 3: "both"} {
		p.Value("first-"+key, "%s", percent(all[k].ByPlace[0]))
		p.Value("last-"+key, "%s", percent(all[k].ByPlace[4]))
	}
	if p.Size != course.Quick {
		p.Claim("a network that reads from the start finds fewer wrong letters at the start of "+
			"a word than at its end",
			all[0].ByPlace[0] < all[0].ByPlace[4])
		p.Claim("both ways, more wrong first letters are found than from the start, and more "+
			"wrong last letters than from the end",
			all[3].ByPlace[0] > all[0].ByPlace[0] && all[3].ByPlace[4] > all[2].ByPlace[4])
	}
	return nil
}

// wrongOrder trains the network whose backward values are not turned back.
func wrongOrder(p *course.Page) error {
	all, err := course.Once(p, "proofread", func() ([]Proofread, error) { return learnAll(p) })
	if err != nil {
		return err
	}
	figure := plot.Plot{Title: "Found, by place in the line", X: "place in the line, letters",
		Y: "found, %", YRange: plot.Range{Low: 40, High: 80},
		Alt: "Both ways lies ten points above one way all along the line; not turned back lies " +
			"on the curve of one way."}
	for _, k := range []int{0, 3, 4} {
		c := plot.Curve{Name: all[k].Name}
		for i, share := range all[k].ByLine {
			c.X, c.Y = append(c.X, (float64(i)+0.5)*width/float64(len(all[k].ByLine))), append(c.Y,
				100*share)
		}
		figure.Curves = append(figure.Curves, c)
	}
	p.Plot(&figure)
	found := sorted(all[4].Found)
	p.Table("", []string{"reads", "found", "over seeds"},
		[]any{all[4].Name, percent(found[len(found)/2]), percent(found[0]) + " … " +
			percent(found[len(found)-1])})
	p.Value("unturned", "%s", percent(found[len(found)/2]))
	if p.Size != course.Quick {
		p.Claim("with every seed, the wrong order finds less than the right one",
			slices.Max(all[4].Found) < slices.Min(all[3].Found))
	}
	return nil
}
