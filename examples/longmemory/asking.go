package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
)

// asking is the flags of a command that trains an answerer, and what its question is made of.
type asking struct {
	cli.Training
	cell                  string
	hidden, layers, epoch int
	length, testLength    int
	enough                float64
	dropout, average      float64
	start                 string
	least                 func() int                               // steps of a sequence
	questions             func() (learn, test question, err error) // after the flags are read
	more                  func(f *flag.FlagSet)
	quick                 func()
}

func newAsking(length, testLength int) *asking {
	return &asking{length: length, testLength: testLength, hidden: 64, layers: 1,
		least:    func() int { return 2 },
		Training: cli.Training{Epochs: 20, Batch: 32, LR: 0.003, Warmup: 50, Clip: 1, Seed: 1},
		more:     func(*flag.FlagSet) {}, quick: func() {}}
}

func (a *asking) register(f *flag.FlagSet) {
	cli.CellFlag(f, &a.cell, "gru", "")
	f.IntVar(&a.hidden, "hidden", a.hidden, "width of a layer")
	f.IntVar(&a.layers, "layers", a.layers, "recurrent layers")
	if a.length > 0 {
		f.IntVar(&a.length, "length", a.length, "steps of a sequence in training")
		f.IntVar(&a.testLength, "test-length", a.testLength,
			"steps of the longer sequences that are tried in the end")
	}
	f.IntVar(&a.epoch, "epoch-batches", 100, "batches to an epoch, after which it is measured")
	f.Float64Var(&a.enough, "enough", 1,
		"stop when this share of sequences has no wrong answer; more than 1 for never")
	f.Float64Var(&a.dropout, "dropout", a.dropout,
		"`share` of what the last layer says that is left out in training")
	f.Float64Var(&a.average, "average", a.average,
		"share of its past that an average of the weights "+
			"keeps at each update, such as 0.999; it is what is measured; 0 for none")
	f.StringVar(&a.start, "start", a.start, "begin with the last weights in this `directory`, the "+
		"-save of a run with the same cells")
	a.more(f)
	a.Register(f)
}

func (a *asking) recurrent() zoo.Recurrent {
	return cli.Recurrent(a.cell, a.hidden, a.layers, 0)
}

func (a *asking) check() error {
	if a.Quick {
		a.hidden, a.epoch, a.Epochs, a.Steps = 8, 10, 2, 20
		if a.length > 0 {
			a.length, a.testLength = 12, 16
		}
		a.quick()
	}
	var errs []error
	for _, n := range []struct {
		flag         string
		value, least int
	}{{"length", a.length, a.least()}, {"test-length", a.testLength, a.least()},
		{"epoch-batches", a.epoch, 1}} {
		if a.length == 0 && n.flag != "epoch-batches" {
			continue
		}
		if n.value < n.least || n.value > 1<<16 {
			errs = append(errs, fmt.Errorf("-%s is %d; want %d … %d", n.flag, n.value, n.least,
				1<<16))
		}
	}
	return errors.Join(errors.Join(errs...), cli.AtLeast("enough", a.enough, 0),
		a.checkShares(), a.Training.Check(), a.recurrent().Validate())
}

// checkShares reports a share of -dropout or -average that is not in [0, 1).
func (a *asking) checkShares() error {
	var errs []error
	for flag, share := range map[string]float64{"dropout": a.dropout, "average": a.average} {
		if !(share >= 0 && share < 1) {
			errs = append(errs, fmt.Errorf("-%s is %g; want at least 0 and less than 1", flag,
				share))
		}
	}
	return errors.Join(errs...)
}

// prepared is the answerer of a question with the weights that it begins with, and the average that
// is to be made of them, nil for none.
func (a *asking) prepared(q question) (m *answerer, average *train.Average, err error) {
	if m, err = newAnswerer(q, a.recurrent(), a.Seed); err != nil {
		return nil, nil, err
	}
	m.dropout = a.dropout
	if a.start != "" {
		if err := m.start(a.start); err != nil {
			return nil, nil, err
		}
	}
	if a.average > 0 {
		average, err = train.NewAverage(train.AverageConfig{Decay: a.average})
	}
	return m, average, err
}

// describe is what a run that goes on must have in common with the one before. What is off is not
// named, so that checkpoints from before there was such a flag go on.
func (a *asking) describe(question string) map[string]string {
	d := map[string]string{"task": fmt.Sprintf("%s, %d steps, %+v", question, a.length,
		a.recurrent())}
	if a.dropout > 0 {
		d["-dropout"] = fmt.Sprint(a.dropout)
	}
	if a.start != "" {
		d["-start"] = a.start
	}
	return d
}

func (a *asking) run(ctx context.Context, s cli.Std) error {
	learn, test, err := a.questions()
	if err != nil {
		return err
	}
	m, average, err := a.prepared(learn)
	if err != nil {
		return err
	}
	task, err := m.task(a.length, a.Batch, a.epoch, a.Seed)
	if err != nil {
		return err
	}
	task.validated = func(_, whole float64) error {
		if whole >= a.enough {
			return errEnough
		}
		return nil
	}
	fmt.Fprintf(s.Out,
		"%s, %d steps, %s of %d, %d numbers to learn; by chance %.1f %% of the answers\n",
		learn.name, a.length,
		a.cell, a.hidden, m.store.Count(), 100/float64(learn.classes))
	_, err = a.Fit(ctx, s, cli.Run{
		Task: task, Name: a.cell, Unit: "sequences", Average: average,
		Describe: a.describe(learn.name),
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	m.question = test
	n, which := testAnswers, "new sequences"
	if test.size > 0 {
		n, which = 0, fmt.Sprintf("all %d new sequences", test.size)
	}
	for _, T := range []int{a.length, a.testLength} {
		accuracy, whole, err := m.measure(ctx, T, n, rng.New(a.Seed).Named("test"))
		if err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "%s of %4d steps: %.2f %% of the answers right, "+
			"%.2f %% of the sequences without a wrong one\n",
			which, T, 100*accuracy, 100*whole)
		if a.testLength == a.length {
			break
		}
	}
	return nil
}

// testAnswers is how many new sequences a model is measured on in the end, unless they are a set,
// which is then read whole.
const testAnswers = 1024

// fixed are the questions of a task that is tested as it is learned.
func fixed(make func() question) func() (learn, test question, err error) {
	return func() (question, question, error) { q := make(); return q, q, nil }
}

func parityCommand() *asking {
	a := newAsking(40, 256)
	a.questions = fixed(parity)
	return a
}

func recallCommand() *asking {
	a, pairs, keys, values := newAsking(64, 128), 4, 32, 32
	a.layers = 2
	a.more = func(f *flag.FlagSet) {
		f.IntVar(&pairs, "pairs", pairs, "keys with their values in a sequence")
		f.IntVar(&keys, "keys", keys, "different keys")
		f.IntVar(&values, "values", values, "different values")
	}
	a.quick = func() { pairs = 2 }
	a.least = func() int { return 3 * max(pairs, 1) }
	a.questions = func() (learn, test question, err error) {
		if pairs < 1 || keys < pairs || keys > 1<<16 || values < 2 || values > 1<<16 {
			return learn, test, fmt.Errorf("-pairs is %d, -keys %d and -values %d; want 1 pair or "+
				"more, as many keys at least, and 2 values or more", pairs, keys, values)
		}
		q := recall(pairs, keys, values)
		return q, q, nil
	}
	return a
}

func timingCommand() *asking {
	a, interval := newAsking(200, 400), 20
	a.hidden, a.Batch = 8, 1
	a.more = func(f *flag.FlagSet) {
		f.IntVar(&interval, "interval", interval, "steps from one spike to the next")
	}
	a.quick = func() { interval = 4 }
	a.questions = func() (learn, test question, err error) {
		if interval < 2 || interval > 1<<16 {
			return learn, test, fmt.Errorf("-interval is %d; want 2 … %d", interval, 1<<16)
		}
		return timing(interval), timing(interval), nil
	}
	return a
}

func pixelsCommand() *asking {
	a := newAsking(0, 0)
	a.hidden, a.epoch, a.Batch = 128, 500, 128
	var data, labels, valid, validLabels string
	var permute bool
	a.more = func(f *flag.FlagSet) {
		f.StringVar(&data, "data", "",
			"file of pictures in MNIST's format to learn from, instead of MNIST's own")
		f.StringVar(&labels, "labels", "", "`file` of their labels")
		f.StringVar(&valid, "valid", "", "file of pictures to be tested on")
		f.StringVar(&validLabels, "valid-labels", "", "`file` of their labels")
		f.BoolVar(&permute, "permute", false, "read the pixels in an order that is shuffled once")
	}
	a.questions = func() (learn, test question, err error) {
		var files [4]string
		for i, given := range []string{data, labels, valid, validLabels} {
			name := []string{"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
				"t10k-images-idx3-ubyte.gz",
				"t10k-labels-idx1-ubyte.gz"}[i]
			if files[i], err = cli.File(given, "mnist/"+name,
				"give a file by -data, -labels, -valid and -valid-labels"); err != nil {
				return learn, test, err
			}
		}
		learnSet, err := readPixels(files[0], files[1])
		if err != nil {
			return learn, test, err
		}
		testSet, err := readPixels(files[2], files[3])
		if err != nil {
			return learn, test, err
		}
		if learnSet.Len() == 0 || testSet.Len() == 0 || learnSet.Rows != testSet.Rows ||
			learnSet.Cols != testSet.Cols {
			return learn, test, errors.New("the pictures to learn from and those to be tested on " +
				"are not of one size, or there are none")
		}
		a.length = learnSet.Rows * learnSet.Cols
		a.testLength = a.length
		order := make([]int, a.length)
		for i := range order {
			order[i] = i
		}
		if permute {
			r := rng.Stream{Key: rng.New(a.Seed).Named("order of the pixels")}
			order = r.Perm(make([]int, a.length))
		}
		return pixels(learnSet, order), pixels(testSet, order), nil
	}
	return a
}
