package train

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// checkpoint is everything that the rest of the training depends on. None is made between the
// batches of an update.
func (f *fit) checkpoint() *Checkpoint {
	c := newCheckpoint()
	c.Step, c.Params = f.step, f.params()
	c.Counters = map[string]uint64{
		"epoch": uint64(f.epoch), "batches": uint64(f.batches),
		"sum_loss": math.Float64bits(f.sum.loss.sum), "sum_norm": math.Float64bits(f.sum.norm),
		"sum_count": uint64(f.sum.loss.count), "sum_updates": uint64(f.sum.updates),
		"epoch_loss": math.Float64bits(f.mean.sum), "epoch_count": uint64(f.mean.count),
		"best": math.Float64bits(f.best.value), "best_epoch": uint64(f.best.epoch),
		"best_step": uint64(f.best.step),
	}
	for name, s := range f.states() {
		c.States[name] = s.State()
	}
	if f.optimizerState != nil {
		c.States[optimizerState] = *f.optimizerState
	}
	for name, v := range f.settings() {
		c.Text[settingPrefix+name] = v
	}
	var csv bytes.Buffer
	f.history.WriteCSV(&csv) // a bytes.Buffer does not fail
	c.Text["history"] = csv.String()
	c.Text[instructionsText] = kernels.Instructions()
	c.Text[monitorText] = f.monitor()
	f.task.Save(c)
	return c
}

func (f *fit) params() map[string]*tensor.Dense {
	m := map[string]*tensor.Dense{}
	for _, p := range f.task.Params() {
		m[p.Name()] = p.Value()
	}
	return m
}

type stateful interface {
	State() State
	Restore(State) error
}

// states are the parts of the configuration that have a state.
func (f *fit) states() map[string]stateful {
	m := map[string]stateful{optimizerState: f.Optimizer}
	if f.Schedule != nil {
		m["schedule"] = f.Schedule
	}
	if f.Average != nil {
		m["average"] = f.Average
	}
	if f.EarlyStop != nil {
		m["early stop"] = f.EarlyStop
	}
	return m
}

// settingPrefix begins the names of settings among a checkpoint's texts.
const settingPrefix = "setting/"

// instructionsText is the name of the checkpoint's text that says which instructions its numbers
// were computed with.
const instructionsText = "instructions"

// monitorText is the name of the checkpoint's text that says what its best is the best of.
const monitorText = "monitor"

func (f *fit) monitor() string {
	return fmt.Sprintf("%s, %s is better", f.Monitor, f.Goal)
}

// settings are what a run must have in common with the one that it goes on from, apart from states
// and parameters.
func (f *fit) settings() map[string]string {
	m := maps.Clone(f.Describe)
	if m == nil {
		m = map[string]string{}
	}
	m["seed"] = strconv.FormatUint(f.Seed, 10)
	if frozen := f.frozen(); frozen != "" {
		m["frozen"] = frozen
	}
	if f.Shards > 1 {
		m["shards"] = strconv.Itoa(f.Shards)
	}
	m["batches to an update"], m["batches to an epoch"] = strconv.Itoa(f.Accumulate),
		strconv.Itoa(f.len)
	return m
}

// frozen names the parameters that are frozen.
func (f *fit) frozen() string {
	var names []string
	for _, p := range f.task.Params() {
		if p.Frozen() {
			names = append(names, p.Name())
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func (f *fit) save() error {
	if f.together() && f.saves {
		if err := f.collect(); err != nil {
			return err
		}
	}
	if f.Checkpoints == nil {
		return nil
	}
	return f.Checkpoints.Save(f.checkpoint())
}

// resume goes on from the latest checkpoint, if there is one. The first of several processes reads
// and checks it.
func (f *fit) resume() error {
	var c *Checkpoint
	var err error
	if f.first() {
		if c, err = f.resumable(); err != nil {
			return err
		}
	}
	if c, err = f.shareCheckpoint(c); err != nil {
		return err
	}
	if c != nil {
		return f.restore(c)
	}
	if f.dividesUpdates() { // of an optimizer that has been used before
		if err := f.divideState(f.Optimizer.State()); err != nil {
			return err
		}
	}
	return f.checkFresh()
}

// resumable is the latest checkpoint, nil if there is none. It is an error if the training is not
// to go on from it.
func (f *fit) resumable() (*Checkpoint, error) {
	if f.Checkpoints == nil {
		return nil, nil
	}
	if steps := f.Checkpoints.steps; len(steps) > 0 && !f.Resume {
		return nil, errorOf(ErrCheckpoint,
			"train: %s holds a checkpoint of step %d already; resume from it, or use another "+
				"directory",
			f.Checkpoints.dir, steps[len(steps)-1])
	}
	c, err := f.Checkpoints.latest(func(o *outline) error {
		if err := f.checkSettings(o.Checkpoint); err != nil {
			return errorOf(ErrOtherSettings,
				"train: the checkpoint of step %d in %s was made %w; resume with the settings of "+
					"the run that made it",
				o.Step, f.Checkpoints.dir, err)
		}
		// it tells more than that the configuration differs
		if err := f.fits(o); err != nil {
			return err
		}
		return f.checkData(o.Checkpoint)
	})
	if errors.Is(err, ErrNoCheckpoint) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if was, is := c.Text[instructionsText], kernels.Instructions(); was != "" && was != is {
		f.warn("the checkpoint of step %d in %s was made with the instructions %s, and this "+
			"machine goes on with %s: "+
			"the outcome is not, to the bit, that of a training on one of them", c.Step,
			f.Checkpoints.dir, was, is)
	}
	return c, nil
}

// manyNumbers is how many numbers of a tensor are read before anything is known of it.
const manyNumbers = 1 << 24

// fits compares the shapes in a checkpoint's file with those of the training, before its values
// are read: all weights; what an optimizer and the like keep for a parameter; and what the task
// saved, if it is large. What is left to Restore and Load is small.
func (f *fit) fits(o *outline) error {
	params := f.params()
	if _, err := matchWeights(params, o.params); err != nil {
		return err
	}
	now := newCheckpoint()
	f.task.Save(now)
	for name, s := range o.others {
		size := 1
		for _, d := range s.v.shape {
			size *= d // the file has as many
		}
		if size <= manyNumbers {
			continue
		}
		of, want := "what the task has now", now.Tensors[strings.TrimPrefix(name, tensorPrefix)]
		if strings.HasPrefix(name, statePrefix) {
			of, want = "the parameter", params[parameterIn(name, params)]
		}
		to, err := vectorOfTensor(want)
		if err == nil && to.len() == size {
			continue
		}
		is := "there is none"
		if err == nil {
			is = to.String()
		}
		return errorOf(ErrOtherModel,
			"train: the checkpoint of step %d in %s is of another model: %.64q is %v; %s: %s", o.Step,
			f.Checkpoints.dir, name, s.v, of, is)
	}
	return nil
}

// parameterIn is the longest name of a parameter that is a part of a path.
func parameterIn(path string, params map[string]*tensor.Dense) (longest string) {
	for name := range params {
		if strings.Contains(path, "/"+name+"/") && len(name) > len(longest) {
			longest = name
		}
	}
	return longest
}

// checkData is an error if the data of the task are not those that c was made with, as far as both
// have digests. It warns of what could not be compared.
func (f *fit) checkData(c *Checkpoint) error {
	now := newCheckpoint()
	f.task.Save(now)
	was, is := c.digests(), now.digests()
	var differ, unknown []string
	for part := range union(was, is) {
		switch {
		case was[part] == "":
			unknown = append(unknown, part)
		case was[part] != is[part]:
			differ = append(differ, part)
		}
	}
	slices.Sort(differ)
	slices.Sort(unknown)
	if differ != nil {
		return errorOf(ErrOtherData,
			"train: the checkpoint of step %d in %s was made with other data, and is left as it "+
				"is: what differs is the %s. "+
				"Resume with the data of the run that made it, or train in another directory",
			c.Step, f.Checkpoints.dir, strings.Join(differ, ", the "))
	}
	if unknown != nil {
		f.Warn(fmt.Sprintf("the checkpoint of step %d in %s is of an older version and does not "+
			"tell with which data it was made: "+
			"nobody has checked that it is with the same %s. If it was with others, stop and "+
			"train in another directory",
			c.Step, f.Checkpoints.dir, strings.Join(unknown, ", ")))
	} else if len(is) == 0 {
		f.Warn(fmt.Sprintf("the task gives no digest of its data (see "+
			"train.Checkpoint.SetDigest): "+
			"nobody has checked that the checkpoint of step %d in %s was made with the same",
			c.Step, f.Checkpoints.dir))
	}
	return nil
}

// newCheckpoint has room for what a Task saves.
func newCheckpoint() *Checkpoint {
	return &Checkpoint{
		States: map[string]State{}, Counters: map[string]uint64{}, Text: map[string]string{},
		Tensors: map[string]*tensor.Dense{},
	}
}

// checkSettings is an error if the run that made c differs from this one in its settings. It names
// them all.
func (f *fit) checkSettings(c *Checkpoint) error {
	was, is := map[string]string{}, f.settings()
	for name, v := range c.Text {
		if name, ok := strings.CutPrefix(name, settingPrefix); ok {
			was[name] = v
		}
	}
	var differ []string
	for name := range union(was, is) {
		if was[name] != is[name] {
			differ = append(differ, fmt.Sprintf("with %s %q, not %q", name, was[name], is[name]))
		}
	}
	if was, is := c.Text[monitorText], f.monitor(); f.monitored && was != "" && was != is {
		differ = append(differ, fmt.Sprintf("with monitor %q, not %q", was, is))
	}
	states := f.states()
	for name := range states {
		if _, ok := c.States[name]; !ok {
			differ = append(differ, "without "+name)
		}
	}
	for name := range c.States {
		if states[name] == nil {
			differ = append(differ, fmt.Sprintf("with %s, not without", name))
		}
	}
	if differ == nil {
		return nil
	}
	slices.Sort(differ)
	return errors.New(strings.Join(differ, "; "))
}

// union holds the keys of both maps.
func union(a, b map[string]string) map[string]string {
	u := maps.Clone(a)
	maps.Copy(u, b)
	return u
}

// restore makes the state of c that of the training.
func (f *fit) restore(c *Checkpoint) error {
	epoch, batches := c.Counters["epoch"], c.Counters["batches"]
	if n := uint64(f.len); batches > math.MaxInt || epoch > batches/n || batches-epoch*n > n {
		return fmt.Errorf("train: the checkpoint of step %d comes after %d batches, in epoch %d, "+
			"and an epoch has %d batches: "+
			"its numbers do not agree", c.Step, batches, epoch+1, f.len)
	}
	if err := c.Apply(f.params()); err != nil {
		return err
	}
	for name, s := range f.states() {
		restore := s.Restore
		if name == optimizerState && f.dividesUpdates() {
			restore = f.divideState
		}
		if err := restore(c.States[name]); err != nil {
			return fmt.Errorf("%w (%s of the checkpoint of step %d)", err, name, c.Step)
		}
	}
	if f.Average != nil && f.Average.Swapped() { // it is the best one, whose weights are averages
		if err := f.Average.Swap(f.values); err != nil {
			return err
		}
	}
	if err := f.history.ReadCSV(strings.NewReader(c.Text["history"])); err != nil {
		return err
	}
	f.step, f.epoch, f.batches = c.Step, int(epoch), int(batches)
	mean := func(name string) weightedMean {
		return weightedMean{math.Float64frombits(c.Counters[name+"_loss"]),
			int(c.Counters[name+"_count"])}
	}
	f.sum = recordSums{mean("sum"), math.Float64frombits(c.Counters["sum_norm"]),
		int(c.Counters["sum_updates"])}
	f.mean = mean("epoch")
	if err := f.recallBest(c); err != nil {
		return err
	}
	return f.task.Load(c)
}

// recallBest takes the best validation from a checkpoint. One of an older version has it in the
// early stop or not at all.
func (f *fit) recallBest(c *Checkpoint) error {
	if at := c.Counters["best_epoch"]; at > 0 && at <= uint64(f.epoch) &&
		c.Text[monitorText] == f.monitor() {
		f.best.value = math.Float64frombits(c.Counters["best"])
		f.best.epoch, f.best.step = int(at), int(min(c.Counters["best_step"], uint64(f.step)))
	} else if f.EarlyStop != nil {
		if value, at := f.EarlyStop.Best(); at > 0 {
			f.best.value, f.best.epoch = value, at
		}
	}
	if f.best.epoch == 0 || !f.keepsBest() {
		return nil
	}
	lost, err := f.bestLost()
	if lost {
		f.warn("the weights of the best validation, that of epoch %d, were not kept before step "+
			"%d; the best is sought from there",
			f.best.epoch, c.Step)
		f.best = best{value: f.Goal.worst()}
	}
	return err
}

// bestLost reports whether the file of the best validation is not there.
func (f *fit) bestLost() (bool, error) {
	lost := []byte{0}
	if f.Checkpoints != nil {
		_, err := os.Stat(f.Checkpoints.bestPath())
		lost[0] = boolByte(errors.Is(err, fs.ErrNotExist))
	}
	if f.together() {
		if err := f.Processes.Broadcast(lost, 0); err != nil {
			return false, f.lost(err)
		}
	}
	return lost[0] == 1, nil
}
