// 05-gru is a chapter of the course: how much faster a GRU is than an LSTM, alone and in a whole
// task, what each learns, and what comes after "some of them looks like".
package main

import (
	"embed"
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/zoo/lm"
)

//go:embed *.go *.md
var files embed.FS

func main() { course.Main(files, equations, alone, withSoftmax, learning, wave, phrases) }

// gru is the cell of this chapter, written out.
type gru struct {
	hidden           int
	wIH, wHH, b, bHN *nodes.Param
}

func newGRU(s *nodes.Scope, in, H int) cells.Cell {
	return &gru{H, s.Param("W_ih", nodes.Gates(3, nodes.XavierUniform(1)), in, 3*H),
		s.Param("W_hh", nodes.Gates(3, nodes.Orthogonal(1)), H, 3*H),
		s.Param("b", nodes.Zeros(), 3*H), s.Param("b_hn", nodes.Zeros(), H)}
}

func (c *gru) Parts() []cells.Part { return []cells.Part{{Name: "h", Width: c.hidden}} }

// Step is the equations of the GRU.
func (c *gru) Step(x *nodes.Node, s cells.State) cells.State {
	h := s[0]
	fromX := nodes.Split(nodes.Add(nodes.MatMul(x, c.wIH), c.b), 3, -1) // for r, z and n
	fromH := nodes.Split(nodes.MatMul(h, c.wHH), 3, -1)
	r := nodes.Sigmoid(nodes.Add(fromX[0], fromH[0]))
	z := nodes.Sigmoid(nodes.Add(fromX[1], fromH[1]))
	n := nodes.Tanh(nodes.Add(fromX[2], nodes.Mul(r, nodes.Add(fromH[2], c.bHN))))
	return cells.State{nodes.Add(nodes.Mul(nodes.OneMinus(z), n), nodes.Mul(z, h))}
}

// The cells that are compared: the library's, by their specs.
var compared = []struct{ Name, Spec string }{
	{"RNN", "rnn"}, {"GRU", "gru"}, {"LSTM", "lstm"}, {"GRU, reset before the product",
		"gru,reset_before"},
}

// equations holds the cell against the library's, and counts the work of all.
func equations(p *course.Page) error {
	apart, err := difference(newGRU)
	if err != nil {
		return err
	}
	p.Claim("the cell written out and the library's differ by less than a millionth", apart < 1e-6)
	const H = 128
	var rows [][]any
	for _, c := range compared[:3] {
		store := nodes.NewStore(nodes.Float32, 1)
		var cell cells.Cell
		if err := nodes.Try(func() { cell = newCell(store.Root(), c.Spec, H, H) }); err != nil {
			return err
		}
		matrices := 0
		for _, q := range store.Params() {
			if len(q.Shape()) == 2 {
				matrices += q.Shape()[0] * q.Shape()[1] / (H * H)
			}
		}
		rows = append(rows, []any{c.Name, len(cell.Parts()), matrices / 2, store.Count(),
			fmt.Sprintf("%.2f", 2*float64(matrices*H*H)/1e6)})
		p.Value("matrices-"+c.Name, "%d", matrices/2)
	}
	p.Table("A layer of 128 units that reads 128 numbers", []string{"cell", "states",
		"matrices for x", "weights", "million operations"}, rows...)
	return nil
}

// alone measures a training step of the layer and nothing else.
func alone(p *course.Page) error {
	times, err := course.Once(p, "alone", func() (map[string][]float64,
		error) {
		return timeLayers(p)
	})
	if err != nil {
		return err
	}
	var rows [][]any
	figure := plot.Plot{Title: "Time of a layer, that of the RNN being 1", X: "units",
		Y:    "times as long as the RNN",
		LogX: true, Levels: []plot.Level{{Name: "matrices of a GRU", Y: 3},
			{Name: "matrices of an LSTM", Y: 4}},
		YRange: plot.Range{Low: 2, High: 4.5},
		Alt:    "With few units the GRU and the LSTM take about equally long; with many the GRU nears three times the RNN's time, the LSTM four."}
	for _, T := range lengths {
		curves := []plot.Curve{{Name: fmt.Sprintf("GRU, %d steps", T)},
			{Name: fmt.Sprintf("LSTM, %d steps", T)}}
		for _, H := range widths(p) {
			ms := times[fmt.Sprint(T, H)]
			row := []any{T, H}
			for _, v := range ms {
				row = append(row, course.Digits(v, 3))
			}
			rows = append(rows, append(row, fmt.Sprintf("%.2f", ms[2]/ms[1])))
			for i := range curves {
				curves[i].X = append(curves[i].X, float64(H))
				curves[i].Y = append(curves[i].Y, ms[i+1]/ms[0])
			}
		}
		figure.Curves = append(figure.Curves, curves...)
	}
	p.Table("Milliseconds for 640 words, forward and back, on one core", []string{"steps",
		"units", "RNN", "GRU", "LSTM", "GRU, before", "LSTM : GRU"}, rows...)
	p.Plot(&figure)
	few, many := times[fmt.Sprint(lengths[0], widths(p)[0])], times[fmt.Sprint(lengths[1],
		widths(p)[3])]
	p.Value("fewUnits", "%d", widths(p)[0])
	p.Value("manyUnits", "%d", widths(p)[3])
	p.Value("few", "%.2f", few[2]/few[1])
	p.Value("many", "%.2f", many[2]/many[1])
	p.Value("manyRNN", "%.1f", many[2]/many[0])
	p.Value("manyGRU", "%.1f", many[1]/many[0])
	if p.Size != course.Quick {
		p.Claim("with many units an LSTM takes at least twice as long as an RNN",
			many[2] > 2*many[0])
	}
	return nil
}

// withSoftmax measures a step of the whole task.
func withSoftmax(p *course.Page) error {
	times, err := course.Once(p, "whole", func() ([]WholeTime, error) { return timeWhole(p) })
	if err != nil {
		return err
	}
	var rows [][]any
	figure := plot.Plot{Title: "What the softmax leaves of the difference", X: "",
		Y: "times as long as the RNN", Groups: []string{"the layer alone"},
		Alt: "Alone, the LSTM takes four times as long as the RNN; the more words, the closer the whole steps come to each other."}
	bars := make([]plot.Bars, 3)
	for i, t := range times {
		rows = append(rows, []any{t.Words, t.Cell, course.Digits(t.Layer, 3),
			fmt.Sprintf("%.2f", t.LayerRatio), course.Digits(t.Total, 3),
			fmt.Sprintf("%.2f", t.Ratio), fmt.Sprintf("%.0f %%", 100*t.Softmax/t.Total)})
		bar := &bars[i%3]
		if i < 3 {
			bar.Name, bar.Values = t.Cell, plot.Values{t.LayerRatio}
		}
		bar.Values = append(bar.Values, t.Ratio)
		if i%3 == 0 {
			figure.Groups = append(figure.Groups, fmt.Sprintf("%d words", t.Words))
		}
	}
	figure.Bars = bars
	p.Table("A step on 640 words with 128 units; ratios to the RNN", []string{"words", "cell",
		"layer, ms", "ratio", "step, ms", "ratio", "softmax"}, rows...)
	p.Plot(&figure)
	last := times[len(times)-1]
	gru := times[len(times)-2]
	p.Value("words", "%d", last.Words)
	p.Value("layer", "%.1f", last.LayerRatio)
	p.Value("whole", "%.2f", last.Ratio)
	p.Value("wholeGRU", "%.2f", last.Total/gru.Total)
	p.Value("layerGRU", "%.2f", last.Layer/gru.Layer)
	p.Value("share", "%.0f %%", 100*last.Softmax/last.Total)
	if p.Size != course.Quick {
		p.Claim("with the most words the softmax takes more than half of the LSTM's step",
			last.Softmax > last.Total/2)
		p.Claim("the LSTM's whole step takes less than twice as long as the RNN's", last.Ratio < 2)
	}
	return nil
}

// phrase is what the models are asked to go on with.
const phrase = "some of them looks like"

// learning trains the three cells on the same words, in several sizes.
func learning(p *course.Page) error {
	all, err := course.Once(p, "learned", func() ([]Learned, error) { return learnAll(p) })
	if err != nil {
		return err
	}
	var rows [][]any
	figure := plot.Plot{Title: "The same words, the same updates", X: "seconds of one core",
		Y:   "loss, nats a word",
		Alt: "Loss over the time of training for RNN, GRU and LSTM of 64 units."}
	for k := 0; k < len(all); k += 3 { // the three cells of a size
		goal := 0.0 // what each has reached in the end
		for _, l := range all[k : k+3] {
			for _, r := range l.Runs {
				goal = max(goal, r.Loss[len(r.Loss)-1])
			}
		}
		for _, l := range all[k : k+3] {
			low, high, updates := math.Inf(1), 0.0, 0.0
			var x []float64
			var losses [][]float64
			for _, r := range l.Runs {
				last := r.Loss[len(r.Loss)-1]
				low, high = min(low, last), max(high, last)
				updates += r.crossing(goal) / float64(len(l.Runs))
				losses = append(losses, r.Loss)
			}
			for _, u := range l.Runs[0].At {
				x = append(x, u*l.Milliseconds/1000)
			}
			if k == 0 {
				figure.AddRuns(l.Cell, x, losses)
			}
			last := fmt.Sprintf("%.2f … %.2f", low, high)
			if len(l.Runs) == 1 {
				last = fmt.Sprintf("%.2f", low)
			}
			rows = append(rows, []any{l.Units, l.Steps, l.Cell, last, fmt.Sprintf("%.2f", goal),
				fmt.Sprintf("%.0f", updates), course.Digits(l.Milliseconds, 3),
				fmt.Sprintf("%.1f", updates*l.Milliseconds/1000)})
			if k == 0 {
				p.Value("loss-"+l.Cell, "%.2f", (low+high)/2)
				p.Value("seconds-"+l.Cell, "%.1f", updates*l.Milliseconds/1000)
				p.Value("updates-"+l.Cell, "%.0f", updates)
			}
		}
	}
	p.Table("The time to a loss that all cells of a size reach", []string{"units", "steps", "cell",
		"last loss", "reached", "updates", "ms each", "seconds"}, rows...)
	p.Plot(&figure)
	p.Value("seeds", "%d", len(all[0].Runs))
	p.Value("updates", "%.0f", slices.Max(all[0].Runs[0].At))
	return nil
}

// wave forecasts a sine with noise.
func wave(p *course.Page) error {
	all, err := course.Once(p, "waves", func() ([]Waved, error) { return learnWaves(p) })
	if err != nil {
		return err
	}
	var rows [][]any
	figure := plot.Plot{Title: "A noisy wave, and how it goes on", X: "step", Y: "value",
		Alt: "Fifty noisy values, then the forecasts of the three cells, which lie close to the wave without noise."}
	seen, truth := waveExample()
	figure.Curves = append(figure.Curves, seen, truth)
	worst := 0.0
	for _, w := range all {
		rows = append(rows, []any{w.Cell, w.Weights, fmt.Sprintf("%.3f … %.3f", w.Low, w.High),
			course.Digits(w.Milliseconds, 3)})
		if w.Forecast != nil {
			c := plot.Curve{Name: w.Cell, Y: w.Forecast}
			for t := range w.Forecast {
				c.X = append(c.X, float64(lookback+t))
			}
			figure.Curves = append(figure.Curves, c)
			worst = max(worst, w.High)
			p.Value("error-"+w.Cell, "%.3f", (w.Low+w.High)/2)
			p.Value("ms-"+w.Cell, "%s", course.Digits(w.Milliseconds, 2))
		} else {
			p.Value("error-period", "%.3f", w.Low)
		}
	}
	p.Value("units", "%d", units)
	p.Table("Error against the wave without noise, over seeds", []string{"forecast by", "weights",
		"error", "ms an update"}, rows...)
	p.Plot(&figure)
	if p.Size != course.Quick {
		p.Claim("every cell comes closer to the wave than the value of one period ago does",
			worst < all[len(all)-1].Low)
	}
	return nil
}

// phrases asks what comes after the phrase: counts, networks that have not learned, and those that
// have.
func phrases(p *course.Page) error {
	c, err := read(p)
	if err != nil {
		return err
	}
	p.Table("By counting: what the text says after the last words of the phrase", []string{"after",
		"seen", "goes on with"},
		c.counts("like"), c.counts("looks like"), c.counts("them looks like"))
	begun, err := course.Once(p, "begun", func() ([]string, error) { return untrained(c) })
	if err != nil {
		return err
	}
	p.Table("A GRU that has learned nothing, by seed", []string{"seed",
		"likeliest word, and its probability"}, numbered(begun)...)
	all, err := course.Once(p, "learned", func() ([]Learned, error) { return learnAll(p) })
	if err != nil {
		return err
	}
	at := append([]float64{0}, all[0].Runs[0].At...)
	ask := func(caption string, of func(t Training) [][]lm.TokenProb) {
		var rows [][]any
		for _, k := range []int{0, 1, 3, len(at) - 1} {
			row := []any{fmt.Sprintf("%.0f", at[k])}
			for _, l := range all[:3] {
				row = append(row, likeliest(of(l.Runs[0])[k]))
			}
			rows = append(rows, row)
		}
		p.Table(caption, []string{"updates", "RNN", "GRU", "LSTM"}, rows...)
	}
	ask("Asked with an empty state", func(t Training) [][]lm.TokenProb { return t.Cold })
	ask("Asked after a hundred words of the plays",
		func(t Training) [][]lm.TokenProb { return t.Warm })
	p.Value("vocabulary", "%d", c.words.Len())
	p.Value("even", "%.2f %%", 100/float64(c.words.Len()))
	p.Value("begun", "%s", begun[0])
	for _, l := range all[:3] {
		p.Value("next-"+l.Cell, "%s", likeliest(l.Runs[0].Warm[len(at)-1][:1]))
		p.Value("cold-"+l.Cell, "%s", likeliest(l.Runs[0].Cold[len(at)-1][:1]))
	}
	p.Value("counted", "%s", c.counts("like")[2])
	return nil
}
