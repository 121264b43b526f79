package train

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"gorgonia.org/gorgonia"
)

// Config says how Fit trains. The zero value of an optional field is its default.
type Config struct {
	Optimizer Optimizer // required
	Epochs    int       // required
	MaxSteps  int       // stop after as many updates, those before a resume included; 0: no limit
	Seed      uint64    // of all noise
	Clip      Clip      // zero: none
	Schedule  Schedule  // nil: the optimizer's own rate throughout
	// batches to an update; 0 means 1. The last update of an epoch may have fewer. The gradient of
	// an update is that of the mean loss over all that its batches count
	Accumulate int
	// parts into which each batch is divided; 0 means 1. They are computed one after another, in
	// less memory, or shared out among Processes. More than 1 needs a Sharded task. The outcome
	// depends on it, in the last bits of each sum
	Shards int
	// the processes that train together, each with the same task and configuration, as its own;
	// nil: this one alone. Their number is at most Shards, and the outcome does not depend on it,
	// to the bit. The first alone calls back, prints and saves: the others need no Checkpoints
	Processes Processes
	// sum gradients up by the Processes' own method, which may be faster; the outcome then depends
	// on the number of processes, in the last bits
	FastSum bool
	// if set, what is validated, what is best and what remains in the end are averaged weights
	Average   *Average
	EarlyStop *EarlyStop // if set, stops on Monitor
	// metric of Validate that tells the best weights, and that schedule and early stop observe;
	// "loss" is the mean loss of the epoch, "" means valid_loss
	Monitor string
	// whether a smaller or a larger Monitor is better; "" means what its name says (see GoalOf). It
	// is an error if something goes by Monitor and the name tells nothing
	Goal Goal
	// in the end the weights are those of the best validation; otherwise they are the last ones
	RestoreBest bool

	// where to save; nil: nowhere. With EarlyStop or RestoreBest the best is saved too
	Checkpoints *Checkpoints
	SaveEvery   int  // updates between saves; 0: at the end of each epoch only
	Resume      bool // go on from the latest checkpoint, if there is one
	// settings that go into each checkpoint; Resume refuses one with others
	Describe map[string]string

	RecordEvery int       // updates between rows of the history; 0 means 50
	Progress    *Progress // nil: silent
	// is told what is likely a mistake, before the training; nil: Progress shows it, and Result has
	// it among its Warnings
	Warn func(message string)
	// is called after each update, and ends the training by an error
	AfterStep func(step int) error
	// are called, one after another, with each row of the history, and end the training by an
	// error. ErrStop, of these and of AfterStep, ends it as if it were done
	OnRow []func(Row) error
}

// Result is how a training ended.
type Result struct {
	Steps, Epochs int // done, those before a resume included
	History       *History
	Stopped       string // why it ended before all epochs were done, or ""
	Best          Best   // validation
	// what may make the outcome another than expected; Progress has shown it too
	Warnings []string
}

// Fit trains a task. Its history has the columns loss (mean since the row before), lr, grad_norm
// (mean, before clipping), and what Validate measures at the end of each epoch.
//
// A cancelled context ends it after the update at hand, with a checkpoint and ErrInterrupted, or
// the error of that save. Of an update of several batches or shards the one at hand is the last
// that is computed, unless several processes train together, and what was gathered is dropped: the
// checkpoint is that of the update before. A training that was resumed, with the same task and
// configuration and by the same program on a machine with the same instruction set, gives the same
// numbers, to the bit, as one that was never interrupted. On another instruction set (AVX-512 or
// AVX2, amd64 or arm64) sums are rounded in another order; it goes on, and warns. Epochs and
// MaxSteps may be raised to go on from where a training ended.
//
// A metric of Validate that is not finite is recorded and named by Progress, and is never the best.
// If Monitor was not finite after any epoch, the training ends with an error once all is done and
// saved.
//
// It is an error if the directory of Checkpoints holds one and Resume is not set, if that one was
// made with other data (see Task.Save) or settings, which changes nothing, if a save fails (what
// was saved before stays), and if the loss or the gradient is no longer finite. That error names
// the operation, its scope and the time step in which the first NaN or infinity came up, if the
// gradients are those of a Step. After an error the weights are those of the last update.
func Fit(ctx context.Context, t Task, c Config) (*Result, error) {
	if ctx == nil {
		return nil, errors.New("train: Fit: the context is nil; context.Background() is one that " +
			"never ends")
	}
	f, err := newFit(t, c)
	if err != nil {
		return nil, err
	}
	r, err := f.train(ctx)
	f.abort(err)
	return r, err
}

// train is Fit of a configuration that has been checked.
func (f *fit) train(ctx context.Context) (*Result, error) {
	if err := f.join(); err != nil {
		return nil, err
	}
	defer f.Progress.finish()
	for _, message := range Warnings(f.task) {
		f.Warn(message)
	}
	if f.SaveEvery > 0 && f.Checkpoints == nil && f.Processes == nil {
		f.Warn(fmt.Sprintf("SaveEvery is %d, and there are no Checkpoints to save to: it "+
			"does nothing", f.SaveEvery))
	}
	if err := f.resume(); err != nil {
		return nil, err
	}
	err := f.run(ctx)
	if err == nil || errors.Is(err, ErrInterrupted) {
		if e := f.undivide(); e != nil {
			err = errors.Join(err, e)
		}
	}
	if err == nil {
		err = f.neverFinite()
	}
	r := &Result{Steps: f.step, Epochs: f.epoch, History: &f.history, Stopped: f.stopped()}
	if f.best.epoch > 0 {
		r.Best = Best{Metric: f.Monitor, Value: f.best.value, Epoch: f.best.epoch,
			Step: f.best.step}
	}
	if err == nil && f.RestoreBest {
		err = f.restoreBest()
	}
	r.Warnings = f.warnings
	return r, err
}

// fit is the state of a training between two batches.
type fit struct {
	Config
	task      Task
	len       int                  // batches in an epoch
	monitored bool                 // somebody goes by Monitor: Validate must measure it
	values    []gorgonia.ValueGrad // parameters without gradients, for Average
	joint     *joint               // nil: a batch at a time, as a whole

	step    int // updates done
	epoch   int // epochs done, validation included
	batches int // done: the counter of the noise
	history History
	sum     recordSums
	mean    weightedMean // loss of the epoch at hand
	best    best
	asked   bool // by ErrStop, to end
	begun   mark // where the update at hand began

	// Of several processes: all are to stop; the first one saves, and has callbacks; an error is
	// that of all; the optimizer's state is this one.
	stop, saves, callbacks, agreed bool
	optimizerState                 *State

	warnings []string
}

// weightedMean gathers the mean of batches that count differently.
type weightedMean struct {
	sum   float64
	count int
}

func (m *weightedMean) add(b Batch) {
	m.sum += b.Loss * float64(b.Count)
	m.count += b.Count
}

func (m *weightedMean) value() float64 { return m.sum / float64(max(m.count, 1)) }

// recordSums gathers a row of the history.
type recordSums struct {
	loss    weightedMean
	norm    float64
	updates int
}

func newFit(t Task, c Config) (*fit, error) {
	if t == nil {
		return nil, errors.New("train: Fit: the task is nil")
	}
	_, plateau := c.Schedule.(*plateau)
	f := &fit{Config: c, task: t, len: t.Len(), monitored: c.Monitor != "" || c.EarlyStop != nil ||
		c.RestoreBest || plateau}
	if f.Accumulate == 0 {
		f.Accumulate = 1
	}
	if f.RecordEvery == 0 {
		f.RecordEvery = 50
	}
	if f.Monitor == "" {
		f.Monitor = "valid_loss"
	}
	if f.Warn == nil {
		f.Warn = func(message string) { f.warn("%s", message) }
	}
	check := checks{config: "Config"}
	check.field(c.Optimizer != nil, "Optimizer", c.Optimizer, "set")
	check.field(c.Epochs > 0, "Epochs", c.Epochs, "at least 1")
	check.field(c.MaxSteps >= 0, "MaxSteps", c.MaxSteps, "0 (no limit) or more")
	check.field(f.Accumulate > 0, "Accumulate", c.Accumulate, "at least 1")
	check.field(c.Shards >= 0, "Shards", c.Shards, "0 (one) or more")
	check.field(c.SaveEvery >= 0, "SaveEvery", c.SaveEvery, "0 (each epoch) or more")
	check.field(f.RecordEvery > 0, "RecordEvery", c.RecordEvery, "at least 1")
	if c.Checkpoints == nil && c.Processes == nil { // of several, the first alone has them
		check.field(!c.Resume, "Resume", c.Resume,
			"false without Checkpoints, from which it would go on")
	}
	check.field(!c.FastSum || c.Processes != nil, "FastSum", c.FastSum,
		"false without Processes, whose way of summing it is")
	check.field(c.Goal.known(), "Goal", c.Goal, goalsWanted)
	if err := errors.Join(check.err(), c.Clip.Validate()); err != nil {
		return nil, err
	}
	if err := f.aimAll(); err != nil {
		return nil, err
	}
	if f.len < 1 {
		return nil, fmt.Errorf("train: Fit: an epoch of the task has %d batches; it must have at "+
			"least 1", f.len)
	}
	trained := false
	for _, p := range t.Params() {
		f.values = append(f.values, weight{p})
		trained = trained || !p.Frozen()
	}
	if !trained && f.values != nil {
		return nil, errors.New("train: Fit: every parameter of the task is frozen, so that there " +
			"is nothing to train")
	}
	return f, f.setJoint()
}

// warn notes something that is no error.
func (f *fit) warn(format string, args ...any) {
	w := fmt.Sprintf(format, args...)
	f.warnings = append(f.warnings, w)
	f.Progress.warn(w)
}

// inEpoch is the number of batches done of the epoch at hand.
func (f *fit) inEpoch() int { return f.batches - f.epoch*f.len }

// between reports whether batches are gathered for an update that is still to come. No checkpoint
// is made then.
func (f *fit) between() bool {
	n := f.inEpoch()
	return n%f.Accumulate != 0 && n < f.len
}

// stopped says why the training ends, or "".
func (f *fit) stopped() string {
	if f.EarlyStop != nil && f.EarlyStop.Stopped() {
		return fmt.Sprintf("%s was best, %.4g, after epoch %d of %d", f.Monitor, f.best.value,
			f.best.epoch, f.epoch)
	}
	if f.asked {
		return "a callback asked for it"
	}
	if f.MaxSteps > 0 && f.step >= f.MaxSteps {
		return fmt.Sprintf("%d steps were the limit", f.MaxSteps)
	}
	return ""
}

func (f *fit) run(ctx context.Context) error {
	f.Progress.start(f.total(), f.len, f.batches)
	for f.epoch < f.Epochs && f.stopped() == "" {
		if f.between() {
			if f.begun.task != nil && ctx.Err() != nil {
				return f.abandon(ctx)
			}
		} else if f.stop || ctx.Err() != nil && !f.together() {
			return f.interrupted(ctx)
		} else if f.inEpoch() == f.len {
			if err := f.endEpoch(ctx); err != nil {
				return err
			}
			continue
		}
		if err := f.batch(ctx); err != nil {
			return err
		}
	}
	if f.asked && !f.between() { // a checkpoint of the end, as MaxSteps leaves one
		if err := f.save(); err != nil {
			return err
		}
	}
	if f.Average != nil && !f.Average.Swapped() {
		return f.Average.Swap(f.values)
	}
	return nil
}

// total is the number of batches of the whole training.
func (f *fit) total() int {
	if f.MaxSteps == 0 {
		return f.Epochs * f.len
	}
	perEpoch := (f.len + f.Accumulate - 1) / f.Accumulate // updates
	epochs, rest := f.MaxSteps/perEpoch, f.MaxSteps%perEpoch
	return min(f.Epochs*f.len, epochs*f.len+rest*f.Accumulate)
}

// interrupted saves and returns ErrInterrupted, or why it could not save.
func (f *fit) interrupted(ctx context.Context) error {
	if err := f.save(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w: %w", ErrInterrupted, err)
	}
	return ErrInterrupted
}

// heed is the error of a callback, or nil if all that it asks for is to stop.
func (f *fit) heed(err error) error {
	if errors.Is(err, ErrStop) {
		f.asked = true
		return nil
	}
	return err
}

// record adds a row to the history: what was measured since the last row, and metrics.
func (f *fit) record(metrics map[string]float64) error {
	row := maps.Clone(metrics)
	if row == nil {
		row = map[string]float64{}
	}
	if f.sum.updates > 0 {
		row["loss"] = f.sum.loss.value()
		row["grad_norm"] = f.sum.norm / float64(f.sum.updates)
		row["lr"] = f.Optimizer.LR()
		f.sum = recordSums{}
	}
	if len(row) == 0 {
		return nil
	}
	if err := f.history.Add(f.step, f.epoch, row); err != nil {
		return err
	}
	for _, tell := range f.OnRow {
		if tell == nil {
			continue
		}
		if err := f.heed(tell(Row{f.step, f.epoch, maps.Clone(row)})); err != nil {
			return err
		}
	}
	return nil
}

// endEpoch validates and saves. A validation that was interrupted is done again, from its start,
// after a resume.
func (f *fit) endEpoch(ctx context.Context) error {
	var metrics map[string]float64
	err := f.averaged(func() (err error) {
		metrics, err = f.task.Validate(f.validating(ctx))
		return err
	})
	if err != nil {
		if ctx.Err() != nil && !f.together() {
			return f.interrupted(ctx)
		}
		return fmt.Errorf("train: validation after epoch %d: %w", f.epoch+1, err)
	}
	if err := f.record(metrics); err != nil {
		return err
	}
	f.epoch++
	loss := f.mean.value()
	f.Progress.epoch(f.epoch, loss, metrics)
	f.mean = weightedMean{}
	if err := f.observe(metrics, loss); err != nil {
		return err
	}
	if err := f.agreeToStop(); err != nil {
		return err
	}
	return f.save()
}
