package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"path/filepath"
	"strconv"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// Training is the flags of a training, and what Fit makes of them. Set the defaults before
// Register.
type Training struct {
	Epochs int
	Steps  int // at most; 0: no limit
	Batch  int // examples side by side
	// is added to what -batch says
	BatchMore string
	LR        float64 // highest rate; it falls along a cosine to a hundredth
	Warmup    int     // steps in which the rate rises
	Clip      float64 // norm of the gradient at most; 0: none
	// epochs without a better validation that are borne; 0: all. The best weights are what remains
	Patience  int
	Seed      uint64
	Shards    int // into which a batch is divided; 0: 1
	Save      string
	SaveEvery int
	Events    string // directory for a file of events; "": none
	Quick     bool
}

// Register declares the flags, with the values that t has as defaults.
func (t *Training) Register(f *flag.FlagSet) {
	EpochsFlag(f, &t.Epochs, t.Epochs, "")
	StepsFlag(f, &t.Steps, t.Steps)
	BatchFlag(f, &t.Batch, t.Batch, t.BatchMore)
	RateFlag(f, &t.LR, t.LR, "along a cosine")
	f.IntVar(&t.Warmup, "warmup", t.Warmup, "steps in which the rate rises")
	ClipFlag(f, &t.Clip, t.Clip)
	f.IntVar(&t.Patience, "patience", t.Patience,
		"stop after so many epochs without a better validation; 0 for never")
	SeedFlag(f, &t.Seed, t.Seed, "weights, order and noise")
	f.IntVar(&t.Shards, "shards", max(t.Shards, 1), "parts into which a batch is divided, to be "+
		"computed one after another or, under mpirun, by as many processes at most")
	SaveFlag(f, &t.Save, t.Save)
	SaveEveryFlag(f, &t.SaveEvery, max(t.SaveEvery, 500))
	f.StringVar(&t.Events, "events", t.Events,
		"`directory` for events that TensorBoard draws: tensorboard --logdir")
	QuickFlag(f, &t.Quick)
}

// Check reports every flag that is out of range.
func (t *Training) Check() error {
	var errs []error
	report := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	report(t.Epochs >= 1, "-epochs is %d; want at least 1", t.Epochs)
	report(t.Steps >= 0, "-steps is %d; want at least 1, or 0 for no limit", t.Steps)
	report(t.Batch >= 1 && t.Batch <= 1<<16, "-batch is %d; want 1 … %d", t.Batch, 1<<16)
	report(t.LR > 0 && t.LR <= 1000, "-lr is %g; want more than 0 and at most 1000", t.LR)
	report(t.Warmup >= 0, "-warmup is %d; want 0 or more", t.Warmup)
	report(t.Patience >= 0, "-patience is %d; want at least 1, or 0 for never", t.Patience)
	report(t.Shards >= 0 && t.Shards <= 1<<16, "-shards is %d; want 1 … %d", t.Shards, 1<<16)
	report(t.SaveEvery >= 1, "-save-every is %d; want at least 1", t.SaveEvery)
	return errors.Join(errors.Join(errs...), train.Clip{Norm: t.Clip}.Validate())
}

// Run is a training as Training.Fit is to do it.
type Run struct {
	Model zoo.Model // is saved in -save; nil: whatever was trained is not saved
	Task  train.Task
	Name  string // in the progress, such as "gru"
	Unit  string // of what Task counts, such as "words"
	// settings beyond the flags of Training: what a resumed run must have in common
	Describe map[string]string
	// what Task measures in validation that tells which weights are best; "": the last weights
	// remain
	Monitor string

	Optimizer train.Optimizer // nil: Adam
	Schedule  train.Schedule  // nil: a cosine
	Average   *train.Average  // nil: none
}

// CheckpointsIn is the folder of a model's directory in which checkpoints are.
const CheckpointsIn = "checkpoints"

// Fit trains, with progress, interruption and, given -save, checkpoints from which the same command
// goes on; in the end it saves the model and history.csv.
func (t *Training) Fit(ctx context.Context, s Std, r Run) (result *train.Result, err error) {
	c, err := t.config(s, r)
	if err != nil {
		return nil, err
	}
	if c.Processes, err = Processes(s.Messages); err != nil {
		return nil, err
	}
	first := c.Processes == nil || c.Processes.Rank() == 0
	if n := size(c.Processes); n > max(t.Shards, 1) {
		return nil, Usagef("-shards is %d, and there are %d processes: give -shards %d or more; "+
			"the outcome depends on it, and not on the number of processes", max(t.Shards, 1), n, n)
	}
	if t.Save != "" {
		c.SaveEvery, c.Resume = t.SaveEvery, true
	}
	if t.Save != "" && first {
		c.Checkpoints, err = train.OpenCheckpoints(filepath.Join(t.Save, CheckpointsIn), 0)
		if err != nil {
			return nil, err
		}
		defer c.Checkpoints.Close()
		if steps := c.Checkpoints.Steps(); len(steps) > 0 {
			fmt.Fprintf(s.Messages, "going on from step %d of %s\n", steps[len(steps)-1], t.Save)
		}
	}
	if t.Events != "" && first {
		events, err := train.OpenEvents(t.Events)
		if err != nil {
			return nil, err
		}
		defer events.Close()
		c.OnRow = append(c.OnRow, events.Row)
	}
	release := HoldAfterStep(&c)
	defer release()
	result, err = train.Fit(ctx, r.Task, c)
	switch {
	case errors.Is(err, train.ErrInterrupted) && t.Save == "":
		return result, fmt.Errorf("%w after step %d; nothing is saved without -save", err,
			result.Steps)
	case errors.Is(err, train.ErrInterrupted):
		return result, fmt.Errorf("%w after step %d; the same command goes on from there", err,
			result.Steps)
	case err != nil:
		return result, err
	}
	if result.Stopped != "" {
		fmt.Fprintf(s.Messages, "stopped: %s\n", result.Stopped)
	}
	if t.Save == "" || r.Model == nil || !first {
		return result, nil
	}
	if err := r.Model.Save(t.Save); err != nil {
		return result, err
	}
	if err := WriteFile(filepath.Join(t.Save, "history.csv"),
		result.History.WriteCSV); err != nil {
		return result, err
	}
	fmt.Fprintf(s.Messages, "saved in %s\n", t.Save)
	return result, nil
}

func (t *Training) config(s Std, r Run) (c train.Config, err error) {
	c = train.Config{
		Optimizer: r.Optimizer, Schedule: r.Schedule, Average: r.Average,
		Epochs: t.Epochs, MaxSteps: t.Steps, Seed: t.Seed, Clip: train.Clip{Norm: t.Clip},
		Shards:  t.Shards,
		Monitor: r.Monitor, RestoreBest: r.Monitor != "",
		Progress: train.NewProgress(raw(s.Messages), r.Name, r.Unit),
		Warn:     func(message string) { fmt.Fprintf(s.Messages, "warning: %s\n", message) },
		Describe: map[string]string{
			"-batch": strconv.Itoa(t.Batch), "-lr": fmt.Sprint(t.LR),
			"-warmup": strconv.Itoa(t.Warmup), "-clip": fmt.Sprint(t.Clip),
		},
	}
	for k, v := range r.Describe {
		c.Describe[k] = v
	}
	if c.Optimizer == nil {
		if c.Optimizer, err = train.NewAdam(train.AdamConfig{LR: t.LR}); err != nil {
			return c, err
		}
	}
	if c.Schedule == nil {
		total := t.Epochs * r.Task.Len()
		if t.Steps > 0 {
			total = min(total, t.Steps)
		}
		// the cosine ends there
		c.Describe["-epochs"], c.Describe["-steps"] = strconv.Itoa(t.Epochs), strconv.Itoa(t.Steps)
		c.Schedule, err = train.NewCosine(train.CosineConfig{LR: t.LR, MinLR: t.LR / 100,
			Warmup: min(t.Warmup, total/10), Total: total})
		if err != nil {
			return c, err
		}
	}
	if r.Monitor != "" {
		patience := t.Patience
		if patience == 0 {
			patience = math.MaxInt32 // and not without, which old checkpoints would not go on from
		}
		c.EarlyStop, err = train.NewEarlyStop(train.EarlyStopConfig{Patience: patience})
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// UnicodeFlag registers -unicode, the form that texts are brought to.
func UnicodeFlag(f *flag.FlagSet, to *text.Form) {
	f.Func("unicode", "bring texts to this Unicode `form`, in training and ever after: nfc or nfd "+
		"(é as one character, or as an e and an accent), nfkc or nfkd (half and full width made "+
		"ordinary as well); by default they stay as they are",
		func(s string) error {
			*to = text.Form(s)
			return to.Validate()
		})
}
