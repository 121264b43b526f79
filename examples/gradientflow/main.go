package main

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/plot"
	compiled "github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

func main() {
	cli.Main("gradientflow", run)
}

const (
	symbols = 4
	hidden  = 32
	batch   = 32
)

type network struct {
	name string
	cell func(s *nodes.Scope) cells.Cell
}

// networks are the cells to compare.
var networks = []network{
	{"RNN", rnn(nodes.Normal(0, 0.5/5.66))},
	{"RNN, large weights", rnn(nodes.Normal(0, 3/5.66))},
	{"RNN, orthogonal", rnn(nodes.Orthogonal(1))},
	{"GRU", func(s *nodes.Scope) cells.Cell {
		return cells.NewGRU(s, cells.GRUConfig{In: symbols, Hidden: hidden})
	}},
	{"GRU, biased to keep", func(s *nodes.Scope) cells.Cell {
		// h' = (1 − z)∘n + z∘h: σ(2) of h stays
		keep := nodes.Blocks(nodes.Zeros(), nodes.Constant(2), nodes.Zeros())
		return cells.NewGRU(s, cells.GRUConfig{In: symbols, Hidden: hidden, InitBias: keep})
	}},
	{"LSTM", func(s *nodes.Scope) cells.Cell {
		return cells.NewLSTM(s, cells.LSTMConfig{In: symbols, Hidden: hidden})
	}},
}

// rnn is a plain network with the given initial W_hh. With N(0, (g/√H)²) a step multiplies a small
// state by about g.
func rnn(init nodes.Init) func(s *nodes.Scope) cells.Cell {
	return func(s *nodes.Scope) cells.Cell {
		return cells.NewRNN(s, cells.RNNConfig{In: symbols, Hidden: hidden, InitHidden: init})
	}
}

// task is to say, after the last of T random symbols, which was the first.
type task struct {
	T       int
	step    *train.Step
	x       compiled.Floats // [T, B, symbols], one-hot
	targets []int           // [B]
	random  *rand.Rand
	adam    train.Optimizer
}

func newTask(cell func(*nodes.Scope) cells.Cell, T int, seed uint64) (*task, error) {
	k := &task{T: T, random: rand.New(rand.NewPCG(seed, 7))}
	var loss, x, targets, right *nodes.Node
	err := nodes.Try(func() {
		root := nodes.NewStore(nodes.Float32, seed).Root()
		g := nodes.NewGraph(nodes.Options{Training: true})
		x, targets = g.Input("x", T, batch, symbols), g.IntInput("targets", batch)
		h := unroll.Over(cell(root.In("layer"))).Unroll(x, nil, unroll.Options{}).Final()[0]
		logits := nodes.Add(nodes.MatMul(h, root.Param("W_out", nodes.XavierUniform(1), hidden,
			symbols)), root.Param("b_out", nodes.Zeros(), symbols))
		loss = nodes.CrossEntropy(logits, targets, nodes.CrossEntropyOptions{})
		right = nodes.ArgMax(logits)
	})
	if err != nil {
		return nil, err
	}
	var in compiled.Inputs
	if k.x, k.targets = in.Floats(x), in.Ints(targets); in.Err() != nil {
		return nil, in.Err()
	}
	if k.adam, err = train.NewAdam(train.AdamConfig{LR: 0.003}); err != nil {
		return nil, err
	}
	k.step, err = train.NewStep(loss, right)
	return k, err
}

// draw makes the next batch.
func (k *task) draw() {
	k.x.Fill(0)
	for t := range k.T {
		for b := range batch {
			s := k.random.IntN(symbols)
			k.x.Set((t*batch+b)*symbols+s, 1)
			if t == 0 {
				k.targets[b] = s
			}
		}
	}
}

// accuracy is the share of right answers in the last run.
func (k *task) accuracy() float64 {
	right := 0
	for b, y := range k.step.Ints(0) {
		if y == k.targets[b] {
			right++
		}
	}
	return float64(right) / batch
}

// train takes n steps and gives the loss of each; the accuracy is that of the last twenty.
func (k *task) train(n int) (losses []float64, accuracy float64, err error) {
	last := min(20, n)
	for i := range n {
		k.draw()
		loss, err := k.step.Run(0, i)
		if err != nil {
			return nil, 0, err
		}
		if i >= n-last {
			accuracy += k.accuracy() / float64(last)
		}
		losses = append(losses, loss)
		if _, err := (train.Clip{Norm: 1}).Apply(k.step.Grads()); err != nil {
			return nil, 0, err
		}
		if err := k.adam.Step(k.step.Grads()); err != nil {
			return nil, 0, err
		}
	}
	return losses, accuracy, nil
}

// flow measures the gradient on a fresh batch.
func (k *task) flow() (*graph.FlowReport, error) {
	k.draw()
	if _, err := k.step.Run(0, 0); err != nil {
		return nil, err
	}
	return k.step.GradientFlow()
}

// settings are the command line.
type settings struct {
	quick         bool
	dir, cell     string
	length, steps int
	seed          uint64
}

func parse(args []string, out io.Writer) (s settings, err error) {
	f := flag.NewFlagSet("gradientflow", flag.ContinueOnError)
	cli.QuickFlag(f, &s.quick)
	cli.DrawFlag(f, &s.dir, "", "the figures into this `folder`")
	cli.SeedFlag(f, &s.seed, 1, "weights and data")
	f.IntVar(&s.length, "length", 40,
		"length of the sequences: how long the first symbol must be remembered")
	f.IntVar(&s.steps, "steps", 1500, "steps of training")
	f.StringVar(&s.cell, "cell", "",
		"`spec` of one more cell to compare, such as slstm or gru,memory=40\n"+cli.CellsHelp())
	cli.OldNames(f, "svg", "draw", "t", "length")
	const about = "Shows how gradients vanish and explode in recurrent networks, and what mends it."
	if err := cli.Parse(f, args, about+"\n\n"+cli.Lesson("03-vanishing"), out); err != nil {
		return s, err
	}
	if s.quick {
		s.steps, s.length = 20, 12
	}
	if s.length < 2 || s.length > 10000 || s.steps < 1 || f.NArg() > 0 {
		return s, cli.Usagef("want 2 to 10000 for -length, at least 1 of -steps, and nothing else")
	}
	return s, nil
}

// networks are those that are compared: our own and that of -cell.
func (s settings) networks() ([]network, error) {
	all := slices.Clone(networks)
	if s.cell == "" {
		return all, nil
	}
	cfg, err := cells.Parse(s.cell)
	if err == nil {
		cfg = cfg.Sized(symbols, hidden)
		err = cfg.Validate()
	}
	if err != nil {
		return nil, cli.Usagef("-cell: %w", err)
	}
	return append(all, network{s.cell, cfg.New}), nil
}

func run(args []string, out io.Writer) error {
	s, err := parse(args, out)
	if err != nil {
		return err
	}
	y := story{out: out, dir: s.dir}
	y.say("Of %d random symbols, which was the first? After the last one the network must say. "+
		"What it gets wrong has to", s.length)
	y.say("travel back over all steps to where the symbol was seen: dL/dh_t = dL/dh_{t+1} · " +
		"∂h_{t+1}/∂h_t, again and again.")
	y.say("If the factor is mostly below 1, nothing arrives, and if it is above 1, it explodes.\n")
	if y.networks, err = s.networks(); err != nil {
		return err
	}
	for _, n := range y.networks {
		t, err := newTask(n.cell, s.length, s.seed)
		if err != nil {
			return err
		}
		defer t.step.Close()
		y.tasks = append(y.tasks, t)
	}
	if err := y.table("Before training", "before.svg"); err != nil {
		return err
	}
	if err := y.train(s.steps); err != nil {
		return err
	}
	if err := y.table("After training", "after.svg"); err != nil {
		return err
	}
	r, err := y.tasks[len(y.tasks)-1].flow()
	if err != nil {
		return err
	}
	y.say("The whole report of the %s, with the gradients in its parameters:\n\n%v",
		y.networks[len(y.networks)-1].name, r)
	return nil
}

// story is what is told, and about which networks.
type story struct {
	out      io.Writer
	dir      string // of figures; "": none are drawn
	networks []network
	tasks    []*task // one for each network
}

func (y *story) say(format string, args ...any) { fmt.Fprintf(y.out, format+"\n", args...) }

func (y *story) draw(name string, p *plot.Plot) error {
	if y.dir == "" {
		return nil
	}
	if err := os.MkdirAll(y.dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(y.dir, name)
	y.say("(drawn in %s)\n", path)
	return cli.WriteFile(path, p.WriteSVG)
}

// table says how the gradient travels through each network, and draws it.
func (y *story) table(title, file string) error {
	y.say("%s: ‖dL/dh_t‖, over all sequences and units of a batch\n", title)
	y.say("%-20s %12s %12s %12s %14s   %s", "", "first step", "middle", "last step",
		"factor a step", "first … last, logarithmic")
	p := &plot.Plot{Title: title, X: "step", Y: "‖dL/dh‖", LogY: true}
	for i, n := range y.networks {
		r, err := y.tasks[i].flow()
		if err != nil {
			return err
		}
		for _, l := range r.Layers {
			if l.Part == "h" {
				y.say("%-20s %12.3g %12.3g %12.3g %14.3f   %s", n.name, l.Norms[0],
					l.Norms[len(l.Norms)/2], l.Norms[len(l.Norms)-1], l.Decay(),
					plot.Spark(l.Norms, 40, true))
			}
			c := plot.Curve{Name: n.name + ", " + l.Part, Y: l.Norms}
			for t := range l.Norms {
				c.X = append(c.X, float64(t))
			}
			p.Curves = append(p.Curves, c)
		}
	}
	y.say("")
	return y.draw(file, p)
}

// train trains the networks, says what they learned, and draws their losses.
func (y *story) train(steps int) error {
	y.say("Training, %d steps of %d sequences with Adam, the gradient's norm clipped at 1; "+
		"guessing is right in %.0f %%:\n", steps, batch, 100.0/symbols)
	y.say("%-20s %12s %12s   %s", "", "last loss", "right", "loss")
	p := &plot.Plot{Title: "Remembering the first symbol", X: "step of training",
		Y: "loss, mean of 20"}
	for i, n := range y.networks {
		losses, accuracy, err := y.tasks[i].train(steps)
		if err != nil {
			return err
		}
		y.say("%-20s %12.4f %10.1f %%   %s", n.name, losses[len(losses)-1], 100*accuracy,
			plot.Spark(losses, 40, false))
		c := plot.Curve{Name: n.name}
		for at := 0; at+20 <= len(losses); at += 20 {
			sum := 0.0
			for _, v := range losses[at : at+20] {
				sum += v
			}
			c.X, c.Y = append(c.X, float64(at+20)), append(c.Y, sum/20)
		}
		p.Curves = append(p.Curves, c)
	}
	y.say("")
	return y.draw("loss.svg", p)
}
