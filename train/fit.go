package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/nodes"
)

// Task is what Fit trains: a model with its data.
type Task interface {
	// Params are the parameters of the model.
	Params() []*nodes.Param
	// Len is the number of batches in an epoch.
	Len() int
	// Next computes loss and gradients of the next batch; after Len of them the next epoch begins. All noise is drawn
	// from seed and counter.
	Next(seed uint64, counter int) (Batch, error)
	// Validate measures the model on data kept apart. It leaves the course of the training as it is. Without such
	// data it returns nothing.
	Validate(ctx context.Context) (map[string]float64, error)
	// Save adds the position in the data, and whatever state goes from batch to batch, to a checkpoint; Load takes it
	// back.
	Save(c *Checkpoint)
	Load(c *Checkpoint) error
}

// Batch is the outcome of one batch.
type Batch struct {
	Loss  float64 // mean over what was counted
	Count int     // tokens, sequences or examples
	Grads []gorgonia.ValueGrad
}

// Config says how Fit trains.
type Config struct {
	Optimizer  Optimizer  // required
	Epochs     int        // required
	MaxSteps   int        // stop after as many updates; 0: no limit
	Seed       uint64     // of all noise
	Clip       Clip       // zero: none
	Schedule   Schedule   // nil: the optimizer's own rate throughout
	Accumulate int        // batches to an update; 0 means 1
	Average    *Average   // if set, validation and the final weights are averaged ones
	EarlyStop  *EarlyStop // if set, stops on Monitor
	Monitor    string     // metric of Validate that is observed by schedule and early stop, smaller is better; "" means "valid_loss"

	Checkpoints *Checkpoints      // where to save; nil: nowhere
	SaveEvery   int               // updates between saves; 0: at the end of each epoch
	Resume      bool              // go on from the latest checkpoint, if there is one
	Describe    map[string]string // goes into each checkpoint; Resume refuses one that says otherwise

	RecordEvery int       // updates between rows of the history; 0 means 50
	Progress    *Progress // nil: silent
	AfterStep   func(step int) error
}

// Result is how a training ended.
type Result struct {
	Steps, Epochs int // done
	History       *History
	Stopped       string // why it ended early, or ""
}

// ErrInterrupted says that the context was cancelled. The state was saved if there was anywhere to save it.
var ErrInterrupted = errors.New("interrupted")

// Fit trains a task. Its history has the columns loss (mean since the row before), lr, grad_norm (before clipping), and
// what Validate measures at the end of each epoch.
//
// A cancelled context ends it after the batch at hand, with a checkpoint and ErrInterrupted. A training that was resumed
// gives the same numbers, to the bit, as one that was never interrupted.
func Fit(ctx context.Context, t Task, c Config) (*Result, error) {
	f, err := newFit(t, c)
	if err != nil {
		return nil, err
	}
	defer c.Progress.finish()
	if err := f.resume(); err != nil {
		return nil, err
	}
	err = f.run(ctx)
	return &Result{Steps: f.step, Epochs: f.epoch, History: &f.history, Stopped: f.stopped}, err
}

// fit is the state of a training between two batches.
type fit struct {
	Config
	task    Task
	values  []gorgonia.ValueGrad // parameters without gradients, for Average
	acc     *Accumulator
	history History
	stopped string

	step, epoch int
	batches     int // run so far: the counter of the noise
	inEpoch     int // batches of this epoch
	saveDue     bool
	sum         recordSums
}

// recordSums gathers a row of the history.
type recordSums struct {
	loss, norm float64
	count      int // weight of loss
	updates    int
}

func newFit(t Task, c Config) (*fit, error) {
	if c.Accumulate == 0 {
		c.Accumulate = 1
	}
	if c.RecordEvery == 0 {
		c.RecordEvery = 50
	}
	if c.Monitor == "" {
		c.Monitor = "valid_loss"
	}
	check := checks{config: "Config"}
	check.field(c.Optimizer != nil, "Optimizer", c.Optimizer, "set")
	check.field(c.Epochs > 0, "Epochs", c.Epochs, "at least 1")
	check.field(c.MaxSteps >= 0, "MaxSteps", c.MaxSteps, "0 (no limit) or more")
	check.field(c.Accumulate > 0, "Accumulate", c.Accumulate, "at least 1")
	check.field(c.SaveEvery >= 0, "SaveEvery", c.SaveEvery, "0 (each epoch) or more")
	check.field(c.RecordEvery > 0, "RecordEvery", c.RecordEvery, "at least 1")
	if err := errors.Join(check.err(), c.Clip.Validate()); err != nil {
		return nil, err
	}
	f := &fit{Config: c, task: t}
	for _, p := range t.Params() {
		f.values = append(f.values, weight{p})
	}
	if c.Accumulate > 1 {
		var err error
		if f.acc, err = NewAccumulator(AccumulatorConfig{Batches: c.Accumulate}); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// weight is a parameter without gradient.
type weight struct{ *nodes.Param }

func (w weight) Value() gorgonia.Value { return w.Param.Value() }
func (w weight) Grad() (gorgonia.Value, error) {
	return nil, fmt.Errorf("%s has no gradient here", w.Name())
}

func (f *fit) run(ctx context.Context) error {
	f.Progress.start(f.task.Len(), f.Epochs, f.batches)
	for f.epoch < f.Epochs && f.stopped == "" {
		if ctx.Err() != nil && !f.between() {
			return errors.Join(ErrInterrupted, f.save())
		}
		if f.inEpoch == f.task.Len() {
			if err := f.endEpoch(ctx); err != nil {
				return err
			}
			continue
		}
		b, err := f.task.Next(f.Seed, f.batches)
		if err != nil {
			return fmt.Errorf("train: step %d: %w", f.step, err)
		}
		f.batches++
		f.inEpoch++
		if err := f.update(b); err != nil {
			return err
		}
	}
	if f.Average != nil && !f.Average.Swapped() {
		return f.Average.Swap(f.values)
	}
	return nil
}

// between reports whether batches are gathered for an update that is still to come.
func (f *fit) between() bool { return f.acc != nil && f.batches%f.Accumulate != 0 }

// update takes one batch in, and steps if it completes an update.
func (f *fit) update(b Batch) error {
	if math.IsNaN(b.Loss) || math.IsInf(b.Loss, 0) {
		return fmt.Errorf("train: step %d: the loss is %v: the training has diverged; try a smaller learning rate or clipping", f.step, b.Loss)
	}
	grads := b.Grads
	f.sum.loss += b.Loss * float64(b.Count)
	f.sum.count += b.Count
	f.Progress.batch(f.epoch, b)
	if f.acc != nil {
		full, err := f.acc.Add(grads)
		if err != nil || !full {
			return err
		}
		grads = f.acc.Take()
	}
	norm, err := f.Clip.Apply(grads)
	if err != nil {
		return fmt.Errorf("train: step %d: %w", f.step, err)
	}
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		return fmt.Errorf("train: step %d: the norm of the gradient is %v: the training has diverged; try a smaller learning rate", f.step, norm)
	}
	if f.Schedule != nil {
		f.Optimizer.SetLR(f.Schedule.LR(f.step))
	}
	if err := f.Optimizer.Step(grads); err != nil {
		return fmt.Errorf("train: step %d: %w", f.step, err)
	}
	if f.Average != nil {
		if err := f.Average.Update(f.values); err != nil {
			return fmt.Errorf("train: step %d: %w", f.step, err)
		}
	}
	f.step++
	f.sum.norm += norm
	f.sum.updates++
	if f.sum.updates == f.RecordEvery {
		if err := f.record(nil); err != nil {
			return err
		}
	}
	if f.MaxSteps > 0 && f.step >= f.MaxSteps {
		f.stopped = fmt.Sprintf("after MaxSteps = %d", f.MaxSteps)
	}
	if f.SaveEvery > 0 && f.step%f.SaveEvery == 0 || f.stopped != "" || f.saveDue {
		if err := f.save(); err != nil {
			return err
		}
	}
	if f.AfterStep != nil {
		return f.AfterStep(f.step)
	}
	return nil
}

// record adds a row of what was gathered since the last, and of metrics.
func (f *fit) record(metrics map[string]float64) error {
	row := map[string]float64{}
	for name, v := range metrics {
		row[name] = v
	}
	if f.sum.updates > 0 {
		row["loss"] = f.sum.loss / float64(max(f.sum.count, 1))
		row["grad_norm"] = f.sum.norm / float64(f.sum.updates)
		row["lr"] = f.Optimizer.LR()
		f.sum = recordSums{}
	}
	if len(row) == 0 {
		return nil
	}
	return f.history.Add(f.step, f.epoch, row)
}

func (f *fit) endEpoch(ctx context.Context) error {
	if f.Average != nil && f.step > 0 {
		if err := f.Average.Swap(f.values); err != nil {
			return err
		}
	}
	metrics, err := f.task.Validate(ctx)
	if f.Average != nil && f.step > 0 {
		err = errors.Join(err, f.Average.Swap(f.values))
	}
	if err != nil {
		if ctx.Err() != nil { // what is resumed begins with this validation
			return errors.Join(ErrInterrupted, f.save())
		}
		return fmt.Errorf("train: validation after epoch %d: %w", f.epoch+1, err)
	}
	if err := f.record(metrics); err != nil {
		return err
	}
	f.epoch++
	f.inEpoch = 0
	f.Progress.epoch(f.epoch, metrics)
	if m, ok := metrics[f.Monitor]; ok {
		if f.Schedule != nil {
			f.Schedule.Observe(m)
		}
		if f.EarlyStop != nil {
			if f.EarlyStop.Observe(m) {
				best, at := f.EarlyStop.Best()
				f.stopped = fmt.Sprintf("early: %s was best, %.4g, after epoch %d", f.Monitor, best, at+1)
			}
			if _, at := f.EarlyStop.Best(); at == f.epoch-1 && f.Checkpoints != nil {
				if err := f.Checkpoints.SaveBest(f.checkpoint()); err != nil {
					return err
				}
			}
		}
	}
	return f.save()
}

// checkpoint is everything that the rest of the training depends on.
func (f *fit) checkpoint() *Checkpoint {
	c := &Checkpoint{
		Step:   f.step,
		Params: map[string]*tensor.Dense{},
		States: map[string]State{"optimizer": f.Optimizer.State()},
		Counters: map[string]uint64{
			"seed": f.Seed, "epoch": uint64(f.epoch), "batches": uint64(f.batches), "in_epoch": uint64(f.inEpoch),
			"sum_loss": math.Float64bits(f.sum.loss), "sum_norm": math.Float64bits(f.sum.norm),
			"sum_count": uint64(f.sum.count), "sum_updates": uint64(f.sum.updates),
		},
		Text:    map[string]string{"stopped": f.stopped},
		Tensors: map[string]*tensor.Dense{},
	}
	for _, p := range f.task.Params() {
		c.Params[p.Name()] = p.Value()
	}
	for name, s := range f.states() {
		c.States[name] = s.State()
	}
	for name, v := range f.Describe {
		c.Text["describe/"+name] = v
	}
	var csv bytes.Buffer
	if err := f.history.WriteCSV(&csv); err == nil { // a bytes.Buffer does not fail
		c.Text["history"] = csv.String()
	}
	f.task.Save(c)
	return c
}

type stateful interface {
	State() State
	Restore(State) error
}

// states are the optional parts that have a state.
func (f *fit) states() map[string]stateful {
	m := map[string]stateful{}
	if f.Schedule != nil {
		m["schedule"] = f.Schedule
	}
	if f.Average != nil {
		m["average"] = f.Average
	}
	if f.EarlyStop != nil {
		m["early_stop"] = f.EarlyStop
	}
	return m
}

// save writes a checkpoint, or has one written after the next update if batches are gathered for it.
func (f *fit) save() error {
	f.saveDue = f.between()
	if f.Checkpoints == nil || f.saveDue {
		return nil
	}
	return f.Checkpoints.Save(f.checkpoint())
}

// resume goes on from the latest checkpoint.
func (f *fit) resume() error {
	if f.Checkpoints == nil {
		return nil
	}
	c, err := f.Checkpoints.Latest()
	if errors.Is(err, ErrNoCheckpoint) {
		return nil
	}
	if err != nil {
		return err
	}
	if !f.Resume {
		return fmt.Errorf("train: there is a checkpoint of step %d already; resume from it, or use another directory", c.Step)
	}
	for name, want := range f.Describe {
		if got, ok := c.Text["describe/"+name]; ok && got != want {
			return fmt.Errorf("train: the checkpoint was made with %s %s, this run has %s; resume with the settings of the run that was interrupted", name, got, want)
		}
	}
	if got := c.Counters["seed"]; got != f.Seed {
		return fmt.Errorf("train: the checkpoint was made with seed %d, this run has %d", got, f.Seed)
	}
	params := map[string]*tensor.Dense{}
	for _, p := range f.task.Params() {
		params[p.Name()] = p.Value()
	}
	if err := c.Apply(params); err != nil {
		return err
	}
	if err := f.Optimizer.Restore(c.States["optimizer"]); err != nil {
		return err
	}
	for name, s := range f.states() {
		if err := s.Restore(c.States[name]); err != nil {
			return fmt.Errorf("train: the checkpoint has no fitting %s: %w", name, err)
		}
	}
	if err := f.history.ReadCSV(strings.NewReader(c.Text["history"])); err != nil {
		return err
	}
	f.step, f.epoch, f.batches = c.Step, int(c.Counters["epoch"]), int(c.Counters["batches"])
	f.inEpoch = int(c.Counters["in_epoch"])
	f.sum = recordSums{
		loss: math.Float64frombits(c.Counters["sum_loss"]), norm: math.Float64frombits(c.Counters["sum_norm"]),
		count: int(c.Counters["sum_count"]), updates: int(c.Counters["sum_updates"]),
	}
	if f.stopped = c.Text["stopped"]; strings.HasPrefix(f.stopped, "after MaxSteps") && f.step < f.MaxSteps {
		f.stopped = ""
	}
	return f.task.Load(c)
}
