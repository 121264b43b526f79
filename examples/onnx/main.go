// Onnx looks into ONNX models, writes models of the zoo as such, runs them on files of numbers,
// compares what they give with what another runtime gave, and measures how long they take.
package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/zoo"
	_ "github.com/seqzoo/seqzoo/zoo/all"
)

const about = `Works with ONNX models, which PyTorch, Keras and others write, and other runtimes read.

    go run ./examples/onnx inspect -onnx m.onnx
    go run ./examples/onnx export -model DIR -write m.onnx [-layout step]
    go run ./examples/onnx import -onnx m.onnx -write again.onnx
    go run ./examples/onnx run -onnx m.onnx -data in.json [-write out.json]
    go run ./examples/onnx compare -onnx m.onnx -data in.json -valid out.json [-tolerance 1e-5]
    go run ./examples/onnx benchmark -onnx m.onnx -sizes time=50,batch=1

Numbers are JSON, {"name": {"type": "float", "dims": [2, 3], "data": [1, 2, 3, 4, 5, 6]}}, or, of a model with one input, a
CSV: a matrix, whose shape gets axes of size 1 in front where the input has more. The directory of export is one that a
program of the zoo has saved.`

func main() { program().Main() }

type command struct {
	onnx, model, data, want, write, layout, sizes string
	opset, runs                                   int
	scans, quick                                  bool
	tolerance                                     float64
}

func (c *command) onnxFlag(f *flag.FlagSet) {
	f.StringVar(&c.onnx, "onnx", "", "`path` of the ONNX model")
}

func (c *command) dataFlags(f *flag.FlagSet) {
	c.onnxFlag(f)
	cli.DataFlag(f, &c.data, "of the inputs, JSON or CSV")
}

func (c *command) benchmarkFlags(f *flag.FlagSet) {
	c.onnxFlag(f)
	f.StringVar(&c.sizes, "sizes", "", "sizes that the model leaves open, such as "+
		"time=50,batch=1; default 1 each")
	f.IntVar(&c.runs, "runs", 100, "how many runs")
	cli.QuickFlag(f, &c.quick)
}

func (c *command) exportFlags(f *flag.FlagSet) {
	cli.ModelFlag(f, &c.model, "")
	f.StringVar(&c.write, "write", "", "`path` of the ONNX model that is written")
	f.StringVar(&c.layout, "layout", "", "which of the model's graphs; default the first")
	f.IntVar(&c.opset, "opset", 17, "version of ONNX's operators, 16 to 22")
	f.BoolVar(&c.scans, "scans", false, "write RNN, LSTM and GRU as Scan too")
}

func program() cli.Program {
	c := &command{}
	need := func(flags ...string) func() error {
		return func() error {
			values := map[string]string{"onnx": c.onnx, "model": c.model, "data": c.data,
				"valid": c.want, "write": c.write}
			var pairs []string
			for _, f := range flags {
				pairs = append(pairs, f, values[f])
			}
			return cli.Required(pairs...)
		}
	}
	return cli.Program{Name: "onnx", About: about, Commands: []cli.Command{
		{Name: "inspect", About: "tells of inputs, outputs, operators, parameters and metadata",
			Flags: c.onnxFlag, Check: need("onnx"), Run: c.inspect},
		{Name: "export", About: "writes a model of the zoo", Run: c.export, Flags: c.exportFlags,
			Check: need("model", "write")},
		{Name: "import", About: "reads a model and writes it again, with its parameters",
			Flags: func(f *flag.FlagSet) {
				c.onnxFlag(f)
				f.StringVar(&c.write, "write", "", "`path` of the ONNX model that is written")
			}, Check: need("onnx", "write"), Run: c.again},
		{Name: "run", About: "runs a model on numbers", Run: c.run,
			Flags: func(f *flag.FlagSet) {
				c.dataFlags(f)
				f.StringVar(&c.write, "write", "", "`path` of the outputs; default standard output")
			}, Check: need("onnx", "data")},
		{Name: "compare", About: "compares outputs with those of another runtime", Run: c.compare,
			Flags: func(f *flag.FlagSet) {
				c.dataFlags(f)
				cli.ValidFlag(f, &c.want, "of the outputs that are wanted, JSON")
				f.Float64Var(&c.tolerance, "tolerance", 1e-5, "greatest difference, "+
					"relative above 1")
			}, Check: need("onnx", "data", "valid")},
		{Name: "benchmark", About: "measures how long a run takes", Run: c.benchmark,
			Flags: c.benchmarkFlags,
			Check: func() error {
				if c.runs < 1 {
					return cli.Usagef("-runs is %d, want 1 or more", c.runs)
				}
				return need("onnx")()
			}},
	}}
}

func (c *command) inspect(_ context.Context, s cli.Std) error {
	m, err := onnx.Import(c.onnx)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "operator set %d, written by %s\n", m.Opset(), m.Producer())
	for _, in := range m.Inputs() {
		fmt.Fprintln(s.Out, "input    ", in)
	}
	for _, out := range m.Outputs() {
		fmt.Fprintln(s.Out, "output   ", out)
	}
	for in, out := range m.Carried() {
		fmt.Fprintf(s.Out, "carries   %s goes on as %s\n", out, in)
	}
	fmt.Fprintf(s.Out, "%d parameters in %d tensors\n", m.Params().Count(), len(m.Params().Params()))
	for _, p := range m.Params().Params() {
		fmt.Fprintln(s.Out, "parameter", p.Name(), p.Shape())
	}
	for op, n := range m.Operators() {
		fmt.Fprintf(s.Out, "operator  %s %d times\n", op, n)
	}
	for key, text := range m.Metadata() {
		fmt.Fprintf(s.Out, "metadata  %s, %d bytes\n", key, len(text))
	}
	return nil
}

func (c *command) export(_ context.Context, s cli.Std) error {
	m, err := zoo.Load(c.model)
	if err != nil {
		return err
	}
	o := onnx.ExportOptions{Layout: c.layout, Opset: c.opset, Scans: c.scans}
	if err := onnx.Export(m, c.write, o); err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "%s is written to %s\n", m.Architecture(), c.write)
	return nil
}

func (c *command) again(_ context.Context, s cli.Std) error {
	m, err := onnx.Import(c.onnx)
	if err != nil {
		return err
	}
	if err := m.Save(c.write); err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "%d parameters are written to %s\n", m.Params().Count(), c.write)
	return nil
}

func (c *command) outputs() (*onnx.Model, onnx.Values, error) {
	m, err := onnx.Import(c.onnx)
	if err != nil {
		return nil, nil, err
	}
	in, err := readValues(c.data, m)
	if err != nil {
		return nil, nil, err
	}
	out, err := m.Run(in)
	return m, out, err
}

func (c *command) run(_ context.Context, s cli.Std) error {
	_, out, err := c.outputs()
	if err != nil {
		return err
	}
	if c.write == "" {
		return writeValues(s.Out, out)
	}
	return saveValues(c.write, out)
}

func (c *command) compare(_ context.Context, s cli.Std) error {
	_, out, err := c.outputs()
	if err != nil {
		return err
	}
	want, err := readJSON(c.want)
	if err != nil {
		return err
	}
	for name, w := range want {
		got, ok := out[name]
		if !ok {
			return fmt.Errorf("%s: the model has no output %q", c.want, name)
		}
		if got.Len() != w.Len() {
			return fmt.Errorf("output %q is %v, want %v", name, got, w)
		}
		worst, at := 0.0, 0
		ws := w.Float64s()
		for i, g := range got.Float64s() {
			if d := math.Abs(g-ws[i]) / math.Max(1, math.Abs(ws[i])); d > worst || d != d {
				worst, at = d, i
			}
		}
		fmt.Fprintf(s.Out, "%s: greatest difference %.3g, at element %d of %d\n", name, worst, at, w.Len())
		if !(worst <= c.tolerance) {
			return fmt.Errorf("output %q differs by %g at element %d, more than %g", name, worst, at,
				c.tolerance)
		}
	}
	return nil
}

func (c *command) benchmark(ctx context.Context, s cli.Std) error {
	m, err := onnx.Import(c.onnx)
	if err != nil {
		return err
	}
	if c.quick {
		c.runs = 3
	}
	sizes, err := parseSizes(c.sizes)
	if err != nil {
		return err
	}
	in := onnx.Values{}
	for _, info := range m.Inputs() {
		in[info.Name] = sample(info, sizes)
	}
	if _, err := m.Run(in); err != nil {
		return err
	}
	best, began := time.Duration(math.MaxInt64), time.Now()
	for range c.runs {
		if err := ctx.Err(); err != nil {
			return err
		}
		from := time.Now()
		if _, err := m.Run(in); err != nil {
			return err
		}
		best = min(best, time.Since(from))
	}
	fmt.Fprintf(s.Out, "%d runs: %v at best, %v on average\n", c.runs, best,
		time.Since(began)/time.Duration(c.runs))
	return nil
}

// sample is an input of small numbers; lengths are those of the axis of time.
func sample(info onnx.Info, sizes map[string]int) onnx.Tensor {
	n := 1
	var shape []int
	for _, d := range info.Shape {
		size := d.Size
		if size < 0 {
			size = max(1, sizes[d.Name])
		}
		shape, n = append(shape, size), n*size
	}
	numbers := make([]float64, n)
	for i := range numbers {
		if numbers[i] = float64(i%7)/7 - 0.5; strings.Contains(info.Name, "length") {
			numbers[i] = float64(max(1, sizes["time"]))
		}
	}
	return onnx.Of(info.Type, numbers, shape...)
}
