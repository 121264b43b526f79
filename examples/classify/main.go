// Classify learns to tell classes of texts or of pictures apart, evaluates what it learned, and
// classifies standard input.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/text"
)

const about = `Learns to classify sequences: texts, word by word, or pictures, pixel by pixel (sequential MNIST).

    go run ./examples/classify train -task text [-data FILE -valid FILE]  -save DIR
    go run ./examples/classify train -task mnist -cell gru -save DIR
    go run ./examples/classify evaluate -model DIR [-data FILE [-labels FILE]]
    go run ./examples/classify classify -model DIR < lines
    go run ./examples/classify flow -draw flow.svg [-models DIR,DIR]   how the gradient travels through sequential MNIST

A file of texts has lines of label TAB text, a file of pictures is IDX. Without files, texts are the turns of the SGD
dialogues, said by the user or by the system, and pictures are MNIST's; both are looked for in the folder that SEQZOO_DATA
names, else in ../shared/data. classify reads a text a line, or the pixels of a picture a line as numbers from 0 to 255, and
answers with a label, a tab and its probability.`

func main() { program().Main() }

func program() cli.Program {
	t := &trainCommand{Training: cli.Training{Epochs: 4, Batch: 32, LR: 0.003, Warmup: 100, Clip: 1,
		Seed: 1}}
	e := &evaluateCommand{}
	w := &flowCommand{}
	var model string
	return cli.Program{Name: "classify", About: about, Commands: []cli.Command{
		{Name: "train", About: "trains a model and evaluates it on validation data",
			Flags: t.register, Check: t.check, Run: t.run},
		{Name: "evaluate", About: "evaluates a model on test data", Flags: e.register,
			Check: e.check, Run: e.run},
		{
			Name: "classify", About: "classifies each line of standard input",
			Flags: func(f *flag.FlagSet) {
				cli.ModelFlag(f, &model, "")
			},
			Check: func() error { return cli.Required("model", model) },
			Run:   func(ctx context.Context, s cli.Std) error { return classify(ctx, s, model) },
		},
		{Name: "flow", About: "draws how the gradient travels back through sequential MNIST",
			Flags: w.register, Check: w.check, Run: w.run},
	}}
}

// trainCommand is the flags of train.
type trainCommand struct {
	cli.Training
	task, train, valid, cell, pool string
	best                           string
	several, balanced              bool
	head                           int
	hidden, layers, step, minCount int
	memory                         int
	dropout                        float64
	oneWay                         bool
	unicode                        text.Form
}

func (t *trainCommand) register(f *flag.FlagSet) {
	f.StringVar(&t.task, "task", "text", "what to classify: text or mnist")
	cli.DataFlag(f, &t.train, "to learn from instead of the SGD dialogues, label TAB text; of "+
		"texts only")
	cli.ValidFlag(f, &t.valid, "of validation data, label TAB text")
	cli.OldNames(f, "train", "data")
	cli.CellFlag(f, &t.cell, "gru", "")
	f.StringVar(&t.pool, "pool", "last", "what is classified: the last output, the mean of all, "+
		"or the max of each unit")
	f.IntVar(&t.head, "head", 0, "width of a hidden layer before the output layer; 0 for none")
	f.BoolVar(&t.several, "several", false,
		"text: a text has any number of labels, separated by commas")
	f.BoolVar(&t.balanced, "balanced", false, "each label counts as much as any other, be it rare")
	f.StringVar(&t.best, "best", "loss",
		"what tells the best weights in validation: loss, accuracy, or f1, the mean of all labels'")
	f.IntVar(&t.hidden, "hidden", 0, "width of the layers (default 64 for text, 128 for mnist)")
	f.IntVar(&t.layers, "layers", 1, "recurrent layers")
	f.IntVar(&t.step, "step", 1,
		"mnist: pixels a step, a divisor of 784: 1 is pixel by pixel, 28 row by row")
	f.IntVar(&t.memory, "memory", 0,
		"`steps` that the gates of a cell are to remember at the start, the option memory of "+
			"-cell, such as gru and lstm have; 0: forget bias 1 for lstm")
	cli.UnicodeFlag(f, &t.unicode)
	cli.MinCountFlag(f, &t.minCount, 2)
	t.dropout = -1 // not given
	f.Func("dropout", "`share` of the inputs and outputs of the layers that is dropped (default "+
		"0.3 for text, 0 "+
		"for mnist)", func(s string) (err error) {
		if t.dropout, err = strconv.ParseFloat(s, 64); err != nil || !(t.dropout >= 0) {
			err = errors.New("want a number from 0 to below 1")
		}
		return err
	})
	f.BoolVar(&t.oneWay, "one-way", false,
		"text: read from left to right only; mnist is read so anyway")
	t.Register(f)
}

func (t *trainCommand) check() error {
	var errs []error
	if t.task != "text" && t.task != "mnist" {
		errs = append(errs, fmt.Errorf("-task is %q; want text or mnist", t.task))
	}
	if t.task == "mnist" && t.train+t.valid != "" {
		errs = append(errs, errors.New("-data and -valid are files of texts, and -task is mnist"))
	}
	if (t.train == "") != (t.valid == "") {
		errs = append(errs, errors.New("-data and -valid go together"))
	}
	if t.task == "mnist" && t.several {
		errs = append(errs, errors.New("-several is for texts, and -task is mnist"))
	}
	if t.best != "loss" && t.best != "accuracy" && t.best != "f1" {
		errs = append(errs, fmt.Errorf("-best is %q; want loss, accuracy or f1", t.best))
	}
	if t.step < 1 || pixels%t.step != 0 {
		errs = append(errs, fmt.Errorf("-step is %d; want a divisor of %d", t.step, pixels))
	}
	mnist := t.task == "mnist"
	if t.hidden == 0 {
		t.hidden = pick(mnist, 128, 64)
	}
	if t.dropout == -1 {
		t.dropout = pick(mnist, 0, 0.3)
	}
	if t.Quick {
		t.Epochs, t.Steps, t.hidden = 1, 30, 16
	}
	return errors.Join(errors.Join(errs...), t.Training.Check(), t.config().Validate())
}

func pick[T any](yes bool, a, b T) T {
	if yes {
		return a
	}
	return b
}

func (t *trainCommand) config() label.ClassifierConfig {
	c := label.ClassifierConfig{
		Config: label.Config{
			Recurrent: cli.Recurrent(cli.WithOption(t.cell, fmt.Sprintf("memory=%d", t.memory),
				t.memory != 0), t.hidden, t.layers, t.dropout),
			IODropout: t.dropout, Head: t.head,
		},
		Pool: label.Pool(t.pool), Several: t.several,
	}
	if t.task == "mnist" {
		c.Features = t.step
	} else {
		c.Bidirectional = !t.oneWay
		c.Text = text.Cut{Spaced: true, Unicode: t.unicode}
	}
	return c
}

func (t *trainCommand) run(ctx context.Context, s cli.Std) error {
	d, err := t.read()
	if err != nil {
		return err
	}
	m, err := label.NewClassifier(t.config(), d.tokens, d.labels, t.Seed)
	if err != nil {
		return err
	}
	train, valid, err := d.examples(m, t.train, t.valid)
	if err != nil {
		return err
	}
	if t.Quick {
		train, valid = train[:min(len(train), 960)], valid[:min(len(valid), 64)]
	}
	fmt.Fprintf(s.Out, "%s: %d to learn from, %d to validate, %d classes, %d parameters\n",
		d.name, len(train), len(valid), d.labels.Len(), m.Params().Count())
	d.baselines(s.Out)
	data := label.Data{Train: train, Valid: valid, Batch: t.Batch, Seed: t.Seed}
	if t.balanced {
		data.ClassWeights = label.Balanced(train, d.labels.Len())
	}
	task, err := m.Task(data)
	at := func(err error) error {
		return cli.AtLines(err, atLine(t.train, d.train), atLine(t.valid, d.valid))
	}
	if err != nil {
		return at(err)
	}
	_, err = t.Fit(ctx, s, cli.Run{
		Model: m, Task: task, Name: t.cell, Unit: d.unit, Monitor: "valid_" + t.best,
		Describe: map[string]string{
			"-unicode": string(t.unicode), "-task": t.task, "-cell": t.cell,
			"-step": fmt.Sprint(t.step), "-dropout": fmt.Sprint(t.dropout), "-pool": t.pool,
			"-memory": fmt.Sprint(t.memory), "-head": fmt.Sprint(t.head),
			"-several": fmt.Sprint(t.several), "-balanced": fmt.Sprint(t.balanced),
			"data": fmt.Sprintf("of %d examples", len(train)),
		},
	})
	if err != nil {
		return at(err)
	}
	return atLine(t.valid, d.valid)(report(ctx, s.Out, m, valid, "validation"))
}

// evaluateCommand is the flags of evaluate.
type evaluateCommand struct{ model, data, labels string }

func (e *evaluateCommand) register(f *flag.FlagSet) {
	cli.ModelFlag(f, &e.model, "")
	cli.DataFlag(f, &e.data, "of label TAB text, instead of the SGD dialogues kept apart;\n"+
		"or of pictures in IDX form, instead of MNIST's test set")
	f.StringVar(&e.labels, "labels", "", "`file` of the labels of pictures, in IDX form")
	cli.OldNames(f, "images", "data")
}

func (e *evaluateCommand) check() error {
	err := cli.Required("model", e.model)
	if e.labels != "" {
		err = errors.Join(err, cli.Required("data", e.data))
	}
	return err
}

func (e *evaluateCommand) run(ctx context.Context, s cli.Std) error {
	m, err := label.LoadClassifier(e.model)
	if err != nil {
		return err
	}
	test, lines, name, err := e.read(m)
	if err != nil {
		return err
	}
	return atLine(e.data, lines)(report(ctx, s.Out, m, test, name))
}

func classify(ctx context.Context, s cli.Std, dir string) error {
	m, err := label.LoadClassifier(dir)
	if err != nil {
		return err
	}
	return cli.Lines(ctx, s.In, s.Messages, func(line string) error {
		var x label.Sequence
		var err error
		if m.Vocabulary() == nil {
			x, err = parsePixels(line)
		} else {
			x, err = m.Encode(words(m.Config().Text.Unicode, line))
		}
		if err != nil {
			return err
		}
		p, err := m.Predict(x)
		if err != nil {
			return err
		}
		if !m.Config().Several {
			_, err = fmt.Fprintf(s.Out, "%s\t%.4f\n", p.Label, p.Prob)
			return err
		}
		var found []string
		for _, id := range p.IDs {
			l, _ := m.Labels().Token(id)
			found = append(found, fmt.Sprintf("%s\t%.4f", l, p.Probs[id]))
		}
		_, err = fmt.Fprintln(s.Out, strings.Join(found, "\t"))
		return err
	})
}
