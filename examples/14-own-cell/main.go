// 14-own-cell is a chapter of the course: from the equations of a cell to one that is compiled,
// checked, timed, and used by models.
package main

import (
	"embed"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/lm"
)

//go:embed *.go *.md
var files embed.FS

func main() { course.Main(files, equations, checked, fused, inModel) }

// Config is the cell as data: its widths, and an option.
type Config struct {
	In, Hidden int
	Start      float64 `json:"start,omitempty"` // bias of the gate: below 0, h changes slowly
}

func init() { cells.Register("mgu", Config{}) }

// Sized is the configuration for the given widths.
func (c Config) Sized(in, hidden int) cells.Config {
	c.In, c.Hidden = in, hidden
	return c
}

// Validate reports what cannot be.
func (c Config) Validate() error {
	if c.In < 1 || c.Hidden < 1 || math.IsNaN(c.Start) || math.IsInf(c.Start, 0) {
		return fmt.Errorf("a cell mgu cannot be %+v", c)
	}
	return nil
}

// New declares the parameters.
func (c Config) New(s *nodes.Scope) cells.Cell {
	gate, rest := nodes.Constant(c.Start), nodes.Zeros()
	return &MGU{c, s.Param("W", nodes.Gates(2, nodes.XavierUniform(1)), c.In, 2*c.Hidden),
		s.Param("U_f", nodes.Orthogonal(1), c.Hidden, c.Hidden),
		s.Param("U_n", nodes.Orthogonal(1), c.Hidden, c.Hidden),
		s.Param("b", nodes.Blocks(gate, rest), 2*c.Hidden)}
}

// MGU is the minimal gated unit (Zhou et al., 2016).
type MGU struct {
	Config
	w, uF, uN, b *nodes.Param
}

// Parts are what goes from step to step.
func (m *MGU) Parts() []cells.Part { return []cells.Part{{Name: "h", Width: m.Hidden}} }

// Step is the equations.
func (m *MGU) Step(x *nodes.Node, s cells.State) cells.State {
	h := s[0]
	a := nodes.Split(nodes.Add(nodes.MatMul(x, m.w), m.b), 2, -1)
	f := nodes.Sigmoid(nodes.Add(a[0], nodes.MatMul(h, m.uF)))
	n := nodes.Tanh(nodes.Add(a[1], nodes.MatMul(nodes.Mul(f, h), m.uN)))
	return cells.State{nodes.Add(nodes.Mul(nodes.OneMinus(f), h), nodes.Mul(f, n))}
}

// equations holds five steps of the cell to the same five in plain loops.
func equations(p *course.Page) error {
	const T, In, H = 5, 2, 3
	got, want, err := besideLoops(T, In, H)
	if err != nil {
		return err
	}
	var rows [][]any
	far := 0.0
	for t := range T {
		row := []any{t + 1}
		for j := range H {
			row = append(row, fmt.Sprintf("%+.6f", got[t*H+j]), fmt.Sprintf("%+.6f", want[t*H+j]))
			far = max(far, math.Abs(got[t*H+j]-want[t*H+j]))
		}
		rows = append(rows, row)
	}
	p.Table("The three numbers of h", []string{"step", "cell", "loops", "cell", "loops", "cell",
		"loops"}, rows...)
	p.Value("loops", "%s", course.Digits(far, 1))
	p.Claim("the cell and the loops agree to twelve digits", far < 1e-12)
	return nil
}

// checked holds the gradients to finite differences, and one way to unroll to the other.
func checked(p *course.Page) error {
	scan, err := gradients(unroll.Scan)
	if err != nil {
		return err
	}
	expand, err := gradients(unroll.Expand)
	if err != nil {
		return err
	}
	var rows [][]any
	worst, apart := 0.0, 0.0
	for i, in := range scan.Report.Inputs {
		d := 0.0
		for j, v := range scan.Grads[i] {
			d = max(d, math.Abs(v-expand.Grads[i][j])/in.Norm)
		}
		worst, apart = max(worst, in.Worst.Error), max(apart, d)
		rows = append(rows, []any{in.Name, fmt.Sprint(in.Shape), in.Checked, course.Digits(in.Norm,
			3),
			course.Digits(in.Worst.Error, 1), course.Digits(d, 1)})
	}
	p.Table("Gradients of seven steps, three sequences at once", []string{"parameter", "shape",
		"elements checked",
		"size", "off finite differences", "Scan off Expand"}, rows...)
	p.Value("worst", "%s", course.Digits(worst, 1))
	p.Value("apart", "%s", course.Digits(apart, 1))
	p.Claim("every gradient is that of finite differences", scan.Report.Err() == nil &&
		expand.Report.Err() == nil)
	p.Claim("Scan and Expand have the same gradients to twelve digits", apart < 1e-12)
	return nil
}

// fused lists what a step of training was compiled to, and times it beside the cells of the
// library.
func fused(p *course.Page) error {
	step, err := training(cellOf("mgu"), 16, 64)
	if err != nil {
		return err
	}
	defer step.Close()
	listing := step.Machine().Explain()
	p.Verbatim(strings.TrimSpace(listing))
	times, err := course.Once(p, "times", func() (map[string][]float64,
		error) {
		return measure(p)
	})
	if err != nil {
		return err
	}
	figure := plot.Plot{Title: "A training step: 16 sequences of 16 steps",
		Y:   "time, the GRU's = 1",
		Alt: "The cell of this chapter takes less time than the GRU; run by its definitions it takes many times as long."}
	var rows [][]any
	for _, v := range contestants {
		row := []any{v.Name, v.Params(64)}
		for _, H := range timedWidths {
			row = append(row, fmt.Sprintf("%.2f", ratio(times, v.Name, H)))
		}
		rows = append(rows, row)
		figure.Groups = append(figure.Groups, v.Name)
	}
	for _, H := range timedWidths {
		bars := plot.Bars{Name: fmt.Sprintf("%d units", H)}
		for _, v := range contestants {
			bars.Values = append(bars.Values, ratio(times, v.Name, H))
		}
		figure.Bars = append(figure.Bars, bars)
	}
	p.Table("Time of a training step beside the GRU's (unfused, plain: mgu without fusing, mgu by its definitions)", []string{"cell", "parameters of 64 units",
		"16 units", "32 units", "64 units"}, rows...)
	p.Plot(&figure)
	p.Value("times64", "%.2f", ratio(times, "mgu", 64))
	p.Value("plain64", "%.1f", ratio(times, "plain", 64)/ratio(times, "mgu", 64))
	p.Value("unfused16", "%.2f", ratio(times, "unfused", 16)/ratio(times, "mgu", 16))
	p.Value("unfused64", "%.2f", ratio(times, "unfused", 64)/ratio(times, "mgu", 64))
	p.Claim("the cell is fused in the loop forward and in the loop backward", strings.Count(listing,
		"fused [") >= 2)
	return nil
}

// specs are the cells that learn to count: the name of one, with an option or without.
var specs = []string{"mgu", "mgu,start=-1", "gru", "lstm"}

// inModel learns to count in words with each cell, and saves and loads the model with the new one.
func inModel(p *course.Page) error {
	const prompt = "sixty-eight,"
	var rows [][]any
	wrote := ""
	for _, spec := range specs {
		var losses []float64
		var first *lm.Model
		for seed := range course.Pick[uint64](p, 1, 2, 5) {
			m, loss, err := counting(p, spec, seed+1)
			if err != nil {
				return err
			}
			losses = append(losses, loss)
			if seed == 0 {
				first = m
			}
		}
		said, err := first.Generate(p.Context(), prompt, lm.GenerateOptions{Max: 56})
		if err != nil {
			return err
		}
		rows = append(rows, []any{spec, first.Params().Count(), fmt.Sprintf("%.3f", mean(losses)),
			fmt.Sprintf("%.3f … %.3f", slices.Min(losses), slices.Max(losses))})
		wrote += fmt.Sprintf("%-13s %s …\n", spec, strings.TrimSpace(said.Text))
		p.Value("loss."+strings.Split(spec, ",")[0]+fmt.Sprint(strings.Count(spec, ",")), "%.3f",
			mean(losses))
		if spec != "mgu,start=-1" {
			continue
		}
		again, config, err := saved(first)
		if err != nil {
			return err
		}
		p.Verbatim(config)
		same, err := again.Generate(p.Context(), prompt, lm.GenerateOptions{Max: 56})
		if err != nil {
			return err
		}
		p.Claim("the model that was loaded goes on with the same letters", slices.Equal(said.Tokens,
			same.Tokens))
	}
	p.Table("", []string{"cell", "parameters", "loss, nats a letter", "over seeds"}, rows...)
	p.Verbatim(wrote)
	return nil
}

// saved saves a model, loads it, and returns what the file says of its cell.
func saved(m *lm.Model) (again *lm.Model, line string, err error) {
	dir, err := os.MkdirTemp("", "own-cell")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir)
	dir = filepath.Join(dir, "model")
	if err := m.Save(dir); err != nil {
		return nil, "", err
	}
	b, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return nil, "", err
	}
	for l := range strings.Lines(string(b)) {
		if strings.Contains(l, `"cell"`) {
			line += "config.json: " + strings.TrimSpace(l)
		}
	}
	again, err = lm.Load(dir)
	return again, line, err
}
