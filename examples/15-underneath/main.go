// 15-underneath is a chapter of the course: what happens between the equations and the numbers.
package main

import (
	"embed"
	"fmt"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/unroll"
)

//go:embed *.go *.md
var files embed.FS

func main() { course.Main(files, drawn, twoWays, explained, passes) }

// oneStep is the graph of one step of an RNN: h' = tanh(x·W + h·U + b).
func oneStep() *nodes.Graph {
	s := nodes.NewStore(nodes.Float64, 1).Root()
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	x, h := g.Input("x", 1, 2), g.Input("h", 1, 3)
	w, u := s.Param("W", nodes.XavierUniform(1), 2, 3), s.Param("U", nodes.Orthogonal(1), 3, 3)
	b := s.Param("b", nodes.Zeros(), 3)
	nodes.Tanh(nodes.Add(nodes.MatMul(x, w), nodes.MatMul(h, u), b))
	return g
}

// drawn draws that graph, and counts the nodes of sequences.
func drawn(p *course.Page) error {
	figure, rows := picture(oneStep())
	figure.Title, figure.Y = "One step of an RNN as a graph", "operations since the inputs"
	figure.Alt = "x and W meet in a product, h and U in another; both and b in sums, and the sum goes through tanh."
	p.Plot(figure)
	p.Table("The same as a table", []string{"node", "operation", "of", "shape"}, rows...)
	counts := plot.Plot{Title: "Nodes of the graph of a training step", X: "steps of the sequence",
		Y:    "nodes",
		LogX: true, LogY: true, Alt: "Expand's graph grows with the steps, Scan's does not."}
	number := map[unroll.Strategy][]int{}
	for _, s := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
		curve := plot.Curve{Name: s.String()}
		for _, T := range []int{1, 4, 16, 64} {
			m, err := build(s, T, 4, 8, nil)
			if err != nil {
				return err
			}
			n := len(m.Loss.Graph().Expr().AllNodes())
			number[s] = append(number[s], n)
			curve.X, curve.Y = append(curve.X, float64(T)), append(curve.Y, float64(n))
		}
		counts.Curves = append(counts.Curves, curve)
	}
	p.Plot(&counts)
	p.Value("scan64", "%d", number[unroll.Scan][3])
	p.Value("expand64", "%d", number[unroll.Expand][3])
	p.Claim("the graph of Scan has as many nodes for 64 steps as for 4",
		number[unroll.Scan][3] == number[unroll.Scan][1])
	p.Claim("that of Expand has more than ten times as many",
		number[unroll.Expand][3] > 10*number[unroll.Expand][1])
	return nil
}

// twoWays runs a training step of an LSTM laid out in two ways on two machines.
func twoWays(p *course.Page) error {
	got, err := course.Once(p, "ways", func() ([]way, error) { return fourWays(p) })
	if err != nil {
		return err
	}
	judge := got[0]
	var rows [][]any
	worst := 0.0
	for _, w := range got {
		rows = append(rows, []any{w.Layout, w.Machine, w.Nodes, course.Digits(w.Compile, 2),
			course.Digits(w.Run, 2),
			fmt.Sprintf("%.1f", judge.Run/w.Run), course.Digits(w.Off, 1)})
		worst = max(worst, w.Off)
	}
	p.Table("An LSTM of 32 units, 8 sequences of 16 steps, double precision: loss and all gradients",
		[]string{"layout", "machine", "nodes", "ms to compile", "ms a run", "times as fast",
			"gradients off"}, rows...)
	p.Value("own", "%.1f", judge.Run/got[1].Run)
	p.Value("compile", "%s", course.Digits(got[1].Compile, 2))
	p.Value("compileScan", "%s", course.Digits(got[3].Compile, 2))
	p.Value("faster", "%.1f", judge.Run/got[3].Run)
	p.Value("off", "%s", course.Digits(worst, 1))
	p.Claim("all four ways give the same gradients to ten digits", worst < 1e-10)
	return nil
}

// explained shows what a training step of a GRU was compiled to.
func explained(p *course.Page) error {
	m, err := build(unroll.Scan, 10, 4, 5, func(s *nodes.Scope) cells.Cell {
		return cells.NewGRU(s, cells.GRUConfig{In: 5, Hidden: 5})
	})
	if err != nil {
		return err
	}
	step, err := m.compile()
	if err != nil {
		return err
	}
	defer step.Close()
	listing := step.Machine().Explain()
	p.Verbatim(strings.TrimSpace(listing))
	p.Claim("there is one loop forward and one back", strings.Count(listing, "loop scan") == 2)
	return nil
}

// passes compiles a training step without each pass of the compiler, and times it.
func passes(p *course.Page) error {
	got, err := course.Once(p, "passes", func() ([]without, error) { return measure(p) })
	if err != nil {
		return err
	}
	figure := plot.Plot{Title: "A training step of an LSTM without each pass",
		Y: "time, with all passes = 1", Width: 760,
		Alt: "Without hoist, fuse or skip the step takes longer; without the other passes about as long."}
	bars := make([]plot.Bars, len(cases))
	var rows [][]any
	for k, c := range cases {
		bars[k].Name = c.Name
		for _, w := range got {
			bars[k].Values = append(bars[k].Values, w.Time[k]/got[0].Time[k])
		}
	}
	for _, w := range got {
		row := []any{w.Pass}
		for k := range cases {
			row = append(row, fmt.Sprintf("%.2f", w.Time[k]/got[0].Time[k]))
		}
		rows = append(rows, append(row, fmt.Sprintf("%.2f",
			float64(w.Memory)/float64(got[0].Memory)), does[graph.Pass(w.Pass)]))
		figure.Groups = append(figure.Groups, w.Pass)
	}
	figure.Bars = bars
	p.Plot(&figure)
	p.Table("Time and memory of a training step, with all passes = 1", []string{"without",
		cases[0].Name, cases[1].Name, "memory", "what the pass does"},
		rows...)
	none := got[len(got)-1]
	for _, w := range got {
		if w.Pass == "hoist" || w.Pass == "fuse" || w.Pass == "skip" {
			p.Value(w.Pass, "%.2f", w.Time[0]/got[0].Time[0])
			p.Value(w.Pass+"Small", "%.2f", w.Time[1]/got[0].Time[1])
		}
	}
	p.Value("none", "%.1f", none.Time[0]/got[0].Time[0])
	p.Value("noneSmall", "%.1f", none.Time[1]/got[0].Time[1])
	p.Claim("every pass is tried", len(got) == len(graph.Passes())+2)
	return nil
}
