// 04-lstm is a chapter of the course: what the carousel of an LSTM keeps, what its gates do at each
// word, and whether peepholes help.
package main

import (
	"embed"
	"fmt"
	"math"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/plot"
)

//go:embed *.go *.md
var files embed.FS

func main() { course.Main(files, carousel, gates, peepholes) }

// carousel follows a gradient from the last step of a sequence to the first.
func carousel(p *course.Page) error {
	const T, H = 100, 32
	figure := plot.Plot{Title: "What comes back from step 100", X: "step",
		Y: "size of the gradient", LogY: true, YRange: plot.Range{Low: 1e-15, High: 10},
		Alt: "Going back from step 100, the gradient of the RNN vanishes first, then that of " +
			"the LSTM with bias 0; with bias 3 a part arrives."}
	first := map[string]float64{}
	for _, c := range []struct {
		name string
		cell func(s *nodes.Scope) cells.Cell
	}{
		{"RNN", func(s *nodes.Scope) cells.Cell {
			return cells.NewRNN(s, cells.RNNConfig{In: 1, Hidden: H, Uniform: true})
		}},
		{"LSTM, bias 0", forgetting(H, 0)},
		{"LSTM, bias 1", forgetting(H, 1)},
		{"LSTM, bias 3", forgetting(H, 3)},
		{"LSTM, bias 5", forgetting(H, 5)},
	} {
		sizes, err := comingBack(c.cell, T)
		if err != nil {
			return err
		}
		curve := plot.Curve{Name: c.name}
		for t, size := range sizes {
			if size < figure.YRange.Low {
				size = math.NaN() // below the picture
			}
			curve.X, curve.Y = append(curve.X, float64(t+1)), append(curve.Y, size)
		}
		figure.Curves = append(figure.Curves, curve)
		first[c.name] = sizes[0] / sizes[T-1]
	}
	p.Plot(&figure)
	p.Value("rnn", "%s", course.Digits(first["RNN"], 1))
	p.Value("bias1", "%s", course.Digits(first["LSTM, bias 1"], 1))
	p.Value("bias5", "%.0f %%", 100*first["LSTM, bias 5"])
	p.Claim("with a forget bias of 5, more than a tenth arrives at step 1",
		first["LSTM, bias 5"] > 0.1)
	p.Claim("of the RNN less than a millionth arrives", first["RNN"] < 1e-6)
	return nil
}

// forgetting is an LSTM whose forget gates begin at σ(bias), with other weights so small that
// little goes through the gates.
func forgetting(hidden int, bias float64) func(s *nodes.Scope) cells.Cell {
	zeros, small := nodes.Zeros(), nodes.Uniform(-0.01, 0.01)
	return func(s *nodes.Scope) cells.Cell {
		return cells.NewLSTM(s, cells.LSTMConfig{In: 1, Hidden: hidden, InitInput: small,
			InitHidden: small, InitBias: nodes.Blocks(zeros, nodes.Constant(bias), zeros, zeros)})
	}
}

// LSTM is the cell of this chapter, written anew so that its gates can be seen: they are parts of
// its state. A peephole is added to what the gates see.
type LSTM struct {
	Config
	wIH, wHH, b *nodes.Param
	peep        map[string]*nodes.Param
}

// Parts are what is handed on, h and c, and what is only shown.
func (l *LSTM) Parts() []cells.Part {
	var parts []cells.Part
	for _, name := range []string{"h", "c", "kept", "written"} {
		parts = append(parts, cells.Part{Name: name, Width: l.Hidden})
	}
	return parts
}

// Step is the equations of the LSTM.
func (l *LSTM) Step(x *nodes.Node, s cells.State) cells.State {
	h, c := s[0], s[1]
	a := nodes.Split(nodes.Add(nodes.MatMul(x, l.wIH), nodes.MatMul(h, l.wHH), l.b), 4, -1)
	i := nodes.Sigmoid(l.seeing("i", a[0], c))
	f := nodes.Sigmoid(l.seeing("f", a[1], c))
	written := nodes.Mul(i, nodes.Tanh(a[2]))
	c = nodes.Add(nodes.Mul(f, c), written)
	o := nodes.Sigmoid(l.seeing("o", a[3], c))
	return cells.State{nodes.Mul(o, nodes.Tanh(c)), c, f, nodes.Abs(written)}
}

// seeing is what goes into a gate, with what its peephole sees of c.
func (l *LSTM) seeing(gate string, a, c *nodes.Node) *nodes.Node {
	w := l.peep[gate]
	switch {
	case w == nil:
		return a
	case l.Peephole == "diagonal":
		return nodes.Add(a, nodes.Mul(c, w))
	case l.Bounded:
		one, zero := c.Graph().Const(1, l.Hidden), c.Graph().Const(0, l.Hidden)
		c = nodes.LayerNorm(c, one, zero, 0)
	}
	return nodes.Add(a, nodes.MatMul(c, w))
}

// gates trains the cell to tell whether a review is kind, and shows its gates at every word.
func gates(p *course.Page) error {
	learned, err := course.Once(p, "reviews", func() (reviews, error) { return learnReviews(p) })
	if err != nil {
		return err
	}
	var rows [][]any
	for t, word := range shown {
		rows = append(rows, []any{word, meaning[word], fmt.Sprintf("%.2f", learned.Kept[t]),
			fmt.Sprintf("%.2f", learned.Written[t]), fmt.Sprintf("%+.2f", learned.Says[t])})
	}
	p.Table("One review, word by word (means over the units)",
		[]string{"word", "meaning", "kept (forget gate)", "written (input gate × candidate)",
			"verdict so far"}, rows...)
	p.Value("right", "%.1f %%", 100*learned.Right)
	p.Value("veryKept", "%.2f", learned.At["very"].Kept)
	p.Value("veryWritten", "%.2f", learned.At["very"].Written)
	p.Value("judgementWritten", "%.2f", learned.At["judgement"].Written)
	p.Value("judgementKept", "%.2f", learned.At["judgement"].Kept)
	p.Value("othersKept", "%.2f", learned.At["others"].Kept)
	p.Value("times", "%.1f", learned.At["judgement"].Written/learned.At["very"].Written)
	if p.Size != course.Quick {
		p.Claim("99 % of new reviews are judged rightly", learned.Right > 0.99)
		p.Claim("a word that judges is written at least one and a half times as strongly as とても",
			learned.At["judgement"].Written > 1.5*learned.At["very"].Written)
		p.Claim("at とても more than half of the state is kept", learned.At["very"].Kept > 0.5)
		p.Claim("on average, more is kept at words that do not matter than at those that judge",
			min(learned.At["very"].Kept, learned.At["others"].Kept) > learned.At["judgement"].Kept)
	}
	return nil
}

// variants are the peepholes that are compared, as specs of a cell.
var variants = []struct{ Name, Key, Spec string }{
	{"none", "none", "seen"},
	{"diagonal", "diagonal", "seen,peephole=diagonal"},
	{"full matrices", "full", "seen,peephole=full"},
	{"full, for the output gate alone", "output", "seen,peephole=full,gates=o"},
	{"full, seeing the state normalised", "bounded", "seen,peephole=full,bounded"},
	{"none, as many weights as full", "wider", "seen,hidden=76"},
}

// peepholes trains a language model of characters with each kind.
func peepholes(p *course.Page) error {
	runs, err := course.Once(p, "peepholes", func() (map[string][]float64, error) {
		return learnShakespeare(p)
	})
	if err != nil {
		return err
	}
	var rows [][]any
	mean := map[string]float64{}
	figure := plot.Plot{Title: "LSTM with peepholes, characters of Shakespeare",
		Y: "loss on new text, nats a character",
		Alt: "Full peepholes are far worse than none; normalised or for the output gate alone " +
			"they are better."}
	bars := plot.Bars{}
	for _, v := range variants {
		low, high := runs[v.Name][0], runs[v.Name][0]
		for _, x := range runs[v.Name] {
			low, high = min(low, x), max(high, x)
			mean[v.Name] += x / float64(len(runs[v.Name]))
		}
		rows = append(rows, []any{v.Name, fmt.Sprintf("%.3f", mean[v.Name]),
			fmt.Sprintf("%.3f … %.3f", low, high)})
		p.Value(v.Key, "%.2f", mean[v.Name])
		figure.Groups = append(figure.Groups, v.Name)
		bars.Values = append(bars.Values, mean[v.Name])
		bars.Low, bars.High = append(bars.Low, low), append(bars.High, high)
	}
	figure.Bars = append(figure.Bars, bars)
	p.Table("", []string{"peepholes", "loss", "over seeds"}, rows...)
	p.Plot(&figure)
	if p.Size != course.Quick {
		p.Claim("full peepholes that see c itself are worse than none",
			mean["full matrices"] > mean["none"]+0.1)
		p.Claim("full peepholes that see c normalised are better than none",
			mean["full, seeing the state normalised"] < mean["none"])
		p.Claim("diagonal peepholes are better than none", mean["diagonal"] < mean["none"])
	}
	return nil
}
