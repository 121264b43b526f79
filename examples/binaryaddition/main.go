package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/plot"
	compiled "github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

func main() {
	cli.Main("binaryaddition", run)
}

// setting is how a network is made and trained.
type setting struct {
	activation cells.Activation
	init       string // normal, xavier or he
	lr         float64
	clip       float64 // of the norm of the gradient; 0: none
}

func (s setting) String() string {
	out := fmt.Sprintf("%s, %s", s.activation, s.init)
	if s.clip > 0 {
		out += fmt.Sprintf(", clipped at %g", s.clip)
	}
	return out
}

const (
	bits   = 8
	hidden = 16
)

// inits draw a weight [fan_in, fan_out] with these standard deviations.
var inits = map[string]func(fanIn int) nodes.Init{
	"normal": func(int) nodes.Init { return nodes.Normal(0, 1) },
	"xavier": func(in int) nodes.Init { return nodes.Normal(0, 1/math.Sqrt(float64(in))) },
	"he":     func(in int) nodes.Init { return nodes.Normal(0, math.Sqrt(2/float64(in))) },
}

// adder is a network with everything that a step of its training needs:
//
//	h_t = act(x_t·W_ih + h_{t−1}·W_hh), y_t = σ(h_t·W_out), x_t the two digits, the least significant first
//
// with the loss ½Σ(y_t − d_t)² of one addition.
type adder struct {
	setting
	step   *train.Step
	sgd    train.Optimizer
	x, d   compiled.Floats // digits
	random *rand.Rand
	a, b   int
}

func newAdder(s setting, seed uint64) (*adder, error) {
	n := &adder{setting: s, random: rand.New(rand.NewPCG(seed, 1))}
	var err error
	if n.sgd, err = train.NewSGD(train.SGDConfig{LR: s.lr}); err != nil {
		return nil, err
	}
	var loss, x, d, y *nodes.Node
	err = nodes.Try(func() {
		root := nodes.NewStore(nodes.Float32, seed).Root()
		init := inits[s.init]
		cell := cells.NewRNN(root.In("rnn"), cells.RNNConfig{
			In: 2, Hidden: hidden, Activation: s.activation, NoBias: true, InitInput: init(2),
			InitHidden: init(hidden),
		})
		out := root.Param("W_out", init(hidden), hidden, 1)
		g := nodes.NewGraph(nodes.Options{Training: true})
		x, d = g.Input("x", bits, 1, 2), g.Input("d", bits, 1, 1)
		h := unroll.Over(cell).Unroll(x, nil, unroll.Options{}).Y()
		y = nodes.Sigmoid(nodes.MatMul(h, out))
		loss = nodes.Scale(nodes.Sum(nodes.Square(nodes.Sub(y, d))), 0.5)
	})
	if err != nil {
		return nil, err
	}
	var in compiled.Inputs
	if n.x, n.d = in.Floats(x), in.Floats(d); in.Err() != nil {
		return nil, in.Err()
	}
	n.step, err = train.NewStep(loss, y)
	return n, err
}

// draw makes the next addition.
func (n *adder) draw() {
	n.a, n.b = n.random.IntN(1<<(bits-1)), n.random.IntN(1<<(bits-1))
	for t := range bits {
		n.x.Set(2*t, float64(n.a>>t&1))
		n.x.Set(2*t+1, float64(n.b>>t&1))
		n.d.Set(t, float64((n.a+n.b)>>t&1))
	}
}

// answer is the sum that the network gives, each digit rounded.
func (n *adder) answer() int {
	sum := 0
	for t, y := range n.step.Output(0).Float64s() {
		if y > 0.5 {
			sum |= 1 << t
		}
	}
	return sum
}

// carries is the length of the longest run of carries in a + b.
func carries(a, b int) int {
	longest, now, carry := 0, 0, 0
	for t := range bits {
		if carry = (a>>t&1 + b>>t&1 + carry) >> 1; carry == 0 {
			now = 0
			continue
		}
		now++
		longest = max(longest, now)
	}
	return longest
}

// record is what is kept of every example.
type record struct {
	a, b, answer int
	loss, norm   float64 // norm of the gradient, before clipping
}

// trained is a finished training.
type trained struct {
	*adder
	records []record
	learned int // examples until 100 additions in a row were right; 0: never
	failed  error
}

func (n *adder) train(examples int) (*trained, error) {
	r := &trained{adder: n}
	right := 0
	for k := range examples {
		n.draw()
		loss, err := n.step.Run(0, k)
		if err != nil {
			return nil, err
		}
		norm, err := train.Clip{Norm: n.clip}.Apply(n.step.Grads())
		if err != nil {
			return nil, err
		}
		if norm-norm != 0 || loss-loss != 0 {
			r.failed = n.step.Check()
			return r, nil
		}
		rec := record{a: n.a, b: n.b, answer: n.answer(), loss: loss, norm: norm}
		r.records = append(r.records, rec)
		if right++; rec.answer != n.a+n.b {
			right = 0
		}
		if right == 100 && r.learned == 0 {
			r.learned = k + 1
		}
		if err := n.sgd.Step(n.step.Grads()); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *trained) losses() []float64 {
	out := make([]float64, len(r.records))
	for i, e := range r.records {
		out[i] = e.loss
	}
	return out
}

// last is the mean loss and the share of wrong sums over the last n examples.
func (r *trained) last(n int) (loss, wrong float64) {
	es := r.records[max(0, len(r.records)-n):]
	for _, e := range es {
		loss += e.loss
		if e.answer != e.a+e.b {
			wrong++
		}
	}
	return loss / float64(len(es)), wrong / float64(len(es))
}

func run(args []string, out io.Writer) error {
	f := flag.NewFlagSet("binaryaddition", flag.ContinueOnError)
	var quick bool
	var dir string
	cli.QuickFlag(f, &quick)
	cli.DrawFlag(f, &dir, "", "the figures into this `folder`")
	cli.OldNames(f, "svg", "draw")
	examples := f.Int("examples", 10000, "additions that a network is trained on, one at a time")
	seeds := f.Int("seeds", 3, "networks of each kind")
	if err := cli.Parse(f, args,
		"Trains small networks on adding binary numbers, and shows what first weights and activations decide.", out); err != nil {
		return err
	}
	if quick {
		*examples, *seeds = 300, 1
	}
	if *examples < 200 || *seeds < 1 || f.NArg() > 0 {
		return cli.Usagef("want at least 200 -examples, 1 of -seeds, and nothing else")
	}
	s := story{out: out, dir: dir, examples: *examples, seeds: *seeds}
	for _, chapter := range []func() error{s.adding, s.initialising, s.spikes} {
		if err := chapter(); err != nil {
			return err
		}
	}
	return nil
}

type story struct {
	out             io.Writer
	dir             string
	examples, seeds int
}

func (s *story) say(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// learn trains one network.
func (s *story) learn(c setting, seed int) (*trained, error) {
	n, err := newAdder(c, uint64(seed))
	if err != nil {
		return nil, err
	}
	defer n.step.Close()
	return n.train(s.examples)
}

func (s *story) draw(name string, p *plot.Plot) error {
	if s.dir == "" {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(s.dir, name)
	s.say("(drawn in %s)\n", path)
	return cli.WriteFile(path, p.WriteSVG)
}

// smooth is the mean of every n examples, with the number of the last.
func smooth(y []float64, n int) (xs, ys []float64) {
	for i := 0; i+n <= len(y); i += n {
		sum := 0.0
		for _, v := range y[i : i+n] {
			sum += v
		}
		xs, ys = append(xs, float64(i+n)), append(ys, sum/float64(n))
	}
	return xs, ys
}

func (s *story) adding() error {
	s.say("1. A network learns to add\n")
	s.say("It sees two numbers of %d binary digits, one pair of digits a step, the lowest first, and gives the digit of", bits-1)
	s.say("the sum. What it must carry from digit to digit, it has to keep in %d hidden values. Weights are drawn from", hidden)
	s.say("N(0, 1); one addition is one step of gradient descent, with a rate of 0.1.\n")
	r, err := s.learn(setting{cells.Sigmoid, "normal", 0.1, 0}, 1)
	if err != nil {
		return err
	}
	s.say("%8s %9s %22s", "example", "loss", "")
	for i := range 6 {
		k := min(i*s.examples/5, len(r.records)-1)
		e := r.records[k]
		mark := "wrong"
		if e.answer == e.a+e.b {
			mark = "right"
		}
		s.say("%8d %9.4f   %3d + %3d = %3d %s", k+1, e.loss, e.a, e.b, e.answer, mark)
	}
	s.say("\nloss  %s", plot.Spark(r.losses(), 70, false))
	if r.learned > 0 {
		s.say("After %d additions it had 100 in a row right.\n", r.learned)
	} else {
		s.say("It never had 100 in a row right.\n")
	}
	return nil
}

func (s *story) initialising() error {
	s.say("2. How one begins decides how it goes\n")
	s.say("Xavier draws weights from N(0, 1/fan_in), which keeps the size of what goes forward and back where the")
	s.say("activation is about linear; He from N(0, 2/fan_in), since ReLU drops half. Means over %d seeds:\n", s.seeds)
	s.say("%-18s %12s %10s %22s %s", "", "last losses", "wrong", "100 right in a row at",
		"loss, logarithmic")
	p := plot.Plot{Title: "Binary addition", X: "example", Y: "loss, mean of 100", LogY: true}
	for _, activation := range []cells.Activation{cells.Sigmoid, cells.Tanh, cells.ReLU} {
		for _, init := range []string{"normal", "xavier", "he"} {
			c := setting{activation, init, 0.1, 0}
			var loss, wrong float64
			var learned []string
			var curve []float64
			broken := 0
			for seed := range s.seeds {
				r, err := s.learn(c, seed+1)
				if err != nil {
					return err
				}
				if r.failed != nil {
					broken++
					continue
				}
				l, w := r.last(500)
				loss, wrong = loss+l, wrong+w
				at := "never"
				if r.learned > 0 {
					at = fmt.Sprint(r.learned)
				}
				learned = append(learned, at)
				xs, ys := smooth(r.losses(), 100)
				if init != "normal" || activation == cells.Sigmoid {
					p.Curves = append(p.Curves, plot.Curve{Name: c.String(),
						Label: fmt.Sprintf("%v, seed %d", c, seed+1), X: xs, Y: ys})
				}
				curve = ys
			}
			n := float64(s.seeds - broken)
			if n == 0 {
				s.say("%-18s not finite in any run", c)
				continue
			}
			extra := ""
			if broken > 0 {
				extra = fmt.Sprintf("  (%d of %d runs broke off: not finite)", broken, s.seeds)
			}
			s.say("%-18s %12.4f %9.1f%% %22s %s%s", c, loss/n, 100*wrong/n,
				strings.Join(learned, " "), plot.Spark(curve, 30, true), extra)
		}
	}
	s.say(`
Some networks are never wrong and yet stay at a loss of about 0.04. There are no biases: while both numbers begin with
0, tanh and ReLU keep h at 0, and y is σ(0) = ½ whatever was learned, which costs ½·(½)² a digit. The chance of such a
digit is ¼ for the first, ¼² for the second, and so on: Σ ⅛·¼ᵏ = 0.0417. A sigmoid unit gives ½ for 0, a bias of sorts.
`)
	return s.draw("initialisation.svg", &p)
}
