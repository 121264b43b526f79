package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/examples/binaryaddition/adder"
	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/plot"
)

func main() {
	cli.Main("binaryaddition", run)
}

// carries is the length of the longest run of carries in a + b.
func carries(a, b int) int {
	longest, now, carry := 0, 0, 0
	for t := range adder.Bits {
		if carry = (a>>t&1 + b>>t&1 + carry) >> 1; carry == 0 {
			now = 0
			continue
		}
		now++
		longest = max(longest, now)
	}
	return longest
}

// trained is a finished training.
type trained struct {
	*adder.Adder
	records []adder.Example
	learned int // examples until 100 additions in a row were right; 0: never
	failed  error
}

func train(n *adder.Adder, examples int) (*trained, error) {
	r := &trained{Adder: n}
	right := 0
	for k := range examples {
		e, err := n.Learn()
		var broken adder.NotFinite
		if errors.As(err, &broken) {
			r.failed = err
			return r, nil
		}
		if err != nil {
			return nil, err
		}
		r.records = append(r.records, e)
		if right++; !e.Right() {
			right = 0
		}
		if right == 100 && r.learned == 0 {
			r.learned = k + 1
		}
	}
	return r, nil
}

func (r *trained) losses() []float64 {
	out := make([]float64, len(r.records))
	for i, e := range r.records {
		out[i] = e.Loss
	}
	return out
}

// last is the mean loss and the share of wrong sums over the last n examples.
func (r *trained) last(n int) (loss, wrong float64) {
	es := r.records[max(0, len(r.records)-n):]
	for _, e := range es {
		loss += e.Loss
		if !e.Right() {
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
		"Trains small networks on adding binary numbers, and shows what first weights and "+
			"activations decide.\n\n"+
			cli.Lesson("02-initialisation"), out); err != nil {
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
func (s *story) learn(c adder.Setting, seed int) (*trained, error) {
	n, err := adder.New(c, uint64(seed))
	if err != nil {
		return nil, err
	}
	defer n.Step.Close()
	return train(n, s.examples)
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
	s.say("It sees two numbers of %d binary digits, one pair of digits a step, the lowest first, "+
		"and gives the digit of", adder.Bits-1)
	s.say("the sum. What it must carry from digit to digit, it has to keep in %d hidden values. "+
		"Weights are drawn from", adder.Hidden)
	s.say("N(0, 1); one addition is one step of gradient descent, with a rate of 0.1.\n")
	r, err := s.learn(adder.Setting{Activation: cells.Sigmoid, Init: "normal", LR: 0.1}, 1)
	if err != nil {
		return err
	}
	s.say("%8s %9s %22s", "example", "loss", "")
	for i := range 6 {
		k := min(i*s.examples/5, len(r.records)-1)
		e := r.records[k]
		mark := "wrong"
		if e.Right() {
			mark = "right"
		}
		s.say("%8d %9.4f   %3d + %3d = %3d %s", k+1, e.Loss, e.A, e.B, e.Answer, mark)
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
	s.say("Xavier draws weights from N(0, 1/fan_in), which keeps the size of what goes forward " +
		"and back where the")
	s.say("activation is about linear; He from N(0, 2/fan_in), since ReLU drops half. Means over "+
		"%d seeds:\n", s.seeds)
	s.say("%-18s %12s %10s %22s %s", "", "last losses", "wrong", "100 right in a row at",
		"loss, logarithmic")
	p := plot.Plot{Title: "Binary addition", X: "example", Y: "loss, mean of 100", LogY: true}
	for _, activation := range []cells.Activation{cells.Sigmoid, cells.Tanh, cells.ReLU} {
		for _, init := range []string{"normal", "xavier", "he"} {
			c := adder.Setting{Activation: activation, Init: init, LR: 0.1}
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
