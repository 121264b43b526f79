// Longmemory shows what a recurrent network remembers: numbers over hundreds of steps, and symbols
// for as long as the gradient goes back.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
)

const about = `Tasks that need memory and little else, for any cell.

    go run ./examples/longmemory adding -length 600 -cell gru
    go run ./examples/longmemory copy -lag 20 -k1 7 -k2 7,14,20,21,22,28

adding: two of 600 numbers are marked, and the network says their sum after the last (Hochreiter and Schmidhuber, 1997). Saying
1 every time is off by 0.167 in the mean square.

copy: symbols are shown, and asked for again later (Hochreiter and Schmidhuber, 1997; Arjovsky et al., 2016), in a stream that is
learned by truncated backpropagation through time: every k1 steps through the last k2. From a symbol to its recall it is -lag
steps, which is more than k1. It can be learned where k2 exceeds the lag, and not where it does not.

    go run ./examples/longmemory parity -cell slstm
    go run ./examples/longmemory recall -cell gateddelta -pairs 8
    go run ./examples/longmemory timing -cell lstm,peephole=diagonal -interval 20
    go run ./examples/longmemory pixels -cell lem -permute

parity: is the number of ones so far odd? recall: which value stood at this key? timing: a spike every so many steps, with nothing
to count by but the state. pixels: which digit is it, read one pixel a step?`

func main() { program().Main() }

func program() cli.Program {
	a := &addingCommand{Training: cli.Training{Epochs: 20, Batch: 50, LR: 0.003, Warmup: 50,
		Clip: 1, Seed: 1}}
	c := &copyCommand{Training: cli.Training{Epochs: 1, Batch: 32, LR: 0.01, Warmup: 50, Clip: 1,
		Seed: 1}}
	return cli.Program{Name: "longmemory", About: about, Lesson: "03-vanishing",
		Commands: []cli.Command{
			{Name: "adding", About: "learns the sum of two marked numbers among many",
				Flags: a.register, Check: a.check, Run: a.run},
			{Name: "copy", About: "learns to recall symbols, with truncations of several lengths",
				Flags: c.register, Check: c.check, Run: c.run},
			command("parity", "learns whether the number of ones so far is odd", parityCommand()),
			command("recall",
				"learns to say the values of keys that were shown (associative recall)",
				recallCommand()),
			command("timing", "learns to give a spike every so many steps", timingCommand()),
			command("pixels",
				"learns digits whose pixels it reads one after another (sequential MNIST)",
				pixelsCommand()),
		}}
}

func command(name, about string, a *asking) cli.Command {
	return cli.Command{Name: name, About: about, Flags: a.register, Check: a.check, Run: a.run}
}

// addingCommand is the flags of adding.
type addingCommand struct {
	cli.Training
	cell                  string
	hidden, length, epoch int
	memory                int
	enough                float64
}

func (a *addingCommand) register(f *flag.FlagSet) {
	cli.CellFlag(f, &a.cell, "gru", "")
	f.IntVar(&a.hidden, "hidden", 64, "width of the layer")
	f.IntVar(&a.length, "length", 600, "numbers in a sequence")
	f.IntVar(&a.memory, "memory", 0,
		"`steps` that the gates of a cell are to remember at the start, the option memory of "+
			"-cell, such as gru and lstm have; 0: forget bias 1 for lstm")
	f.IntVar(&a.epoch, "epoch-batches", 200, "batches to an epoch, after which it is measured")
	cli.OldNames(f, "epoch", "epoch-batches")
	f.Float64Var(&a.enough, "enough", 1e-4, "stop at this mean squared error; 0 for never")
	a.Register(f)
}

func (a *addingCommand) check() error {
	if a.Quick {
		a.length, a.hidden, a.epoch, a.Epochs, a.Steps = 10, 8, 20, 2, 40
	}
	var errs []error
	for _, n := range []struct {
		flag         string
		value, least int
	}{{"length", a.length, 2}, {"epoch-batches", a.epoch, 1}} {
		if n.value < n.least || n.value > 1<<16 {
			errs = append(errs, fmt.Errorf("-%s is %d; want %d … %d", n.flag, n.value, n.least,
				1<<16))
		}
	}
	return errors.Join(errors.Join(errs...), cli.AtLeast("enough", a.enough, 0),
		a.Training.Check(), a.recurrent().Validate())
}

func (a *addingCommand) recurrent() zoo.Recurrent {
	return zoo.Recurrent{Cell: cli.WithOption(a.cell, fmt.Sprintf("memory=%d", a.memory),
		a.memory != 0), Hidden: a.hidden}
}

// errEnough ends a training that is good enough.
var errEnough = errors.New("good enough")

func (a *addingCommand) run(ctx context.Context, s cli.Std) error {
	m, err := newAdder(a.recurrent(), a.Seed)
	if err != nil {
		return err
	}
	task, err := m.task(a.length, a.Batch, a.epoch, a.Seed)
	if err != nil {
		return err
	}
	task.validated = func(mse float64) error {
		if mse <= a.enough {
			return errEnough
		}
		return nil
	}
	fmt.Fprintf(s.Out, "adding problem, %d steps, %s of %d; always 1 is off by 0.1667\n", a.length,
		a.cell, a.hidden)
	_, err = a.Fit(ctx, s, cli.Run{
		Task: task, Name: a.cell, Unit: "sequences",
		Describe: map[string]string{"task": fmt.Sprintf("adding, %d steps, %+v", a.length,
			a.recurrent())},
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	test, err := m.test(ctx, a.length, a.Seed)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Out, "mean squared error on %d new sequences: %.3g\n", testSequences,
		test)
	return err
}

// copyCommand is the flags of copy.
type copyCommand struct {
	cli.Training
	cell, k2s             string
	hidden, lag, k1, show int
	symbols, updates      int
	lengths               []int
}

func (c *copyCommand) register(f *flag.FlagSet) {
	cli.CellFlag(f, &c.cell, "gru", "")
	f.IntVar(&c.hidden, "hidden", 64, "width of the layer")
	f.IntVar(&c.lag, "lag", 20, "steps from a symbol to its recall")
	f.IntVar(&c.show, "show", 1, "symbols that are shown at a time, less than -lag")
	f.IntVar(&c.symbols, "symbols", 8, "different symbols")
	f.IntVar(&c.k1, "k1", 7, "steps between two updates")
	f.StringVar(&c.k2s, "k2", "7,14,20,21,22,28",
		"comma-separated `lengths` that the gradient goes back, at least -k1 each")
	f.IntVar(&c.updates, "updates", 10000, "updates for each length")
	c.Register(f)
}

func (c *copyCommand) check() error {
	if c.Quick {
		c.k2s, c.updates, c.hidden = "7,28", 40, 8
	}
	var errs []error
	c.lengths = nil
	for _, field := range strings.Split(c.k2s, ",") {
		k2, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || k2 < c.k1 || k2 > 1<<12 {
			errs = append(errs,
				fmt.Errorf("-k2 has %q; want whole numbers of at least -k1, which is %d", field,
					c.k1))
		}
		c.lengths = append(c.lengths, k2)
	}
	for _, n := range []struct {
		flag                string
		value, least, limit int
	}{{"lag", c.lag, 2, 1 << 12}, {"show", c.show, 1, c.lag - 1},
		{"symbols", c.symbols, 2, 1 << 10}, {"k1", c.k1, 1, 1 << 12},
		{"updates", c.updates, 1, 1 << 20}} {
		if n.value < n.least || n.value > n.limit {
			errs = append(errs, fmt.Errorf("-%s is %d; want %d … %d", n.flag, n.value, n.least,
				n.limit))
		}
	}
	if c.Save != "" {
		errs = append(errs,
			errors.New("-save is for one model, and copy trains one for each length"))
	}
	return errors.Join(errors.Join(errs...), c.Training.Check(), c.config().Validate())
}

func (c *copyCommand) config() lm.Config {
	return lm.Config{Recurrent: zoo.Recurrent{Cell: c.cell, Hidden: c.hidden}, Embed: 16}
}

func (c *copyCommand) run(ctx context.Context, s cli.Std) error {
	fmt.Fprintf(s.Out,
		"copy memory: %d of %d symbols, recalled %d steps later; %s of %d, an update every "+
			"%d steps\n", c.show, c.symbols, c.lag, c.cell, c.hidden, c.k1)
	fmt.Fprintf(s.Out, "%8s %22s %20s\n", "k2", "symbols recalled, %",
		fmt.Sprintf("(chance %.1f %%)", 100/float64(c.symbols)))
	for _, k2 := range c.lengths {
		accuracy, err := c.learn(ctx, s, k2)
		if err != nil {
			return fmt.Errorf("k2 = %d: %w", k2, err)
		}
		verdict := ""
		if k2 > c.lag {
			verdict = "k2 exceeds the lag"
		}
		fmt.Fprintf(s.Out, "%8d %22.2f %20s\n", k2, 100*accuracy, verdict)
	}
	return nil
}

// learn trains a model whose gradient goes back k2 steps, and measures what it recalls.
func (c *copyCommand) learn(ctx context.Context, s cli.Std, k2 int) (float64, error) {
	stream, err := newEpisodes(c.lag, c.show, c.symbols)
	if err != nil {
		return 0, err
	}
	m, err := lm.New(c.config(), stream.vocabulary, c.Seed)
	if err != nil {
		return 0, err
	}
	ids := stream.draw(c.Batch*(c.updates*c.k1+1)/stream.period()+1, c.Seed)
	task, err := m.Task(lm.Data{Train: ids, Batch: c.Batch,
		Window: unroll.Window{Stride: c.k1, Length: k2}})
	if err != nil {
		return 0, err
	}
	training := c.Training
	training.Steps = c.updates
	if _, err := training.Fit(ctx, s, cli.Run{Task: task, Name: fmt.Sprintf("k2 = %d", k2),
		Unit: "tokens"}); err != nil {
		return 0, err
	}
	return stream.recalled(m, 200, c.Seed+1)
}

var _ train.Task = (*addingTask)(nil)
