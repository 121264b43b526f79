package train

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// gradients are the gradients of one update, as a list or divided among processes.
type gradients interface {
	clip(Clip) (norm float64, err error)
	step(Optimizer) error
}

type listed []gorgonia.ValueGrad

func (l listed) clip(c Clip) (float64, error) { return c.Apply(l) }
func (l listed) step(o Optimizer) error       { return o.Step(l) }

// segments are gradients of which each process has a part.
type segments struct{ j *joint }

func (s segments) clip(c Clip) (float64, error) { return s.j.divided.clip(c) }
func (s segments) step(o Optimizer) error       { return s.j.divided.step(o, s.j.having) }

// elementwise is an optimizer whose update of a number depends on that of no other, so that a part
// of a parameter can be updated by itself.
type elementwise interface{ elementwise() bool }

func (o *optimizer) elementwise() bool { return true }

func (g *grouped) elementwise() bool {
	for _, m := range g.members {
		if e, ok := m.Optimizer.(elementwise); !ok || !e.elementwise() {
			return false
		}
	}
	return true
}

// together reports whether other processes train too.
func (f *fit) together() bool { return f.Processes != nil }

// first reports whether this is the process that prints and writes.
func (f *fit) first() bool { return f.Processes == nil || f.Processes.Rank() == 0 }

// setJoint has the batches computed in shards, if there is anything to sum up.
func (f *fit) setJoint() error {
	if f.Processes != nil && f.Processes.Size() == 1 {
		f.Processes = nil
	}
	if f.together() && f.Processes.Size() > max(f.Shards, 1) {
		return fmt.Errorf("train: %d processes and %d shards: a process computes at least one "+
			"shard, so Shards must be %d or more; the outcome depends on that setting, and not on "+
			"the number of processes",
			f.Processes.Size(), max(f.Shards, 1), f.Processes.Size())
	}
	if f.Shards <= 1 && f.Accumulate == 1 {
		return nil
	}
	var err error
	f.joint, err = newJoint(f.task, f.values, f.Config)
	return err
}

// jointBatch computes the next batch in shards, and updates if it completes an update.
func (f *fit) jointBatch(ctx context.Context) error {
	last := (f.inEpoch()+1)%f.Accumulate == 0 || f.inEpoch()+1 >= f.len
	if f.together() {
		f.Processes.At(f.step)
	}
	f.beginUpdate(ctx)
	if err := f.joint.batch(f.stopping(ctx), f.Seed, f.batches, last); err != nil {
		if errors.Is(err, errStopped) {
			return f.abandon(ctx)
		}
		return fmt.Errorf("train: step %d: %w", f.step, err)
	}
	f.batches++
	if !last {
		return nil
	}
	defer f.joint.begin()
	f.joint.show()
	o, err := f.joint.report(ctx.Err() != nil)
	if err != nil {
		return f.lost(err)
	}
	f.stop = o.stop && f.together()
	if err := f.joint.arrive(); err != nil {
		return f.lost(err)
	}
	if o.lost >= 0 {
		return f.notFinite(o)
	}
	for _, b := range o.batches {
		f.took(b)
	}
	g, err := f.summed(o)
	if err != nil {
		return f.lost(err)
	}
	return f.apply(g, f.joint.latest)
}

// summed is the gradient of an update.
func (f *fit) summed(o updateReport) (gradients, error) {
	j, count := f.joint, 0
	for _, b := range o.batches {
		count += b.Count
	}
	if j.world == nil || f.FastSum {
		list, err := j.sum(count)
		return listed(list), err
	}
	if j.raw == nil {
		o.counts = nil // the nodes are multiplied by them
	}
	j.reduce(&j.tree, o.counts, 1/float64(max(count, 1)))
	if f.dividesUpdates() {
		return segments{j}, nil
	}
	if j.divided.whole.f32 == nil && j.divided.whole.f64 == nil {
		j.divided.whole = j.layout.all.zeros()
	}
	err := j.gather(j.divided.whole)
	return listed(j.listed(j.divided.whole)), err
}

// dividesUpdates reports whether each process updates a part of the parameters.
func (f *fit) dividesUpdates() bool {
	e, ok := f.Optimizer.(elementwise)
	return f.together() && !f.FastSum && ok && e.elementwise()
}

// validating is the context of a validation, which several processes share out, and either end or
// do not.
func (f *fit) validating(ctx context.Context) context.Context {
	if f.together() {
		ctx = context.WithoutCancel(ctx)
	}
	return context.WithValue(ctx, sharingKey{}, sharing{f.Processes, f.Shards})
}

// lost is an error of an exchange.
func (f *fit) lost(err error) error {
	return errorOf(ErrProcesses, "train: step %d: process %d of %d: %w", f.step, f.Processes.Rank(),
		f.Processes.Size(), err)
}

// notFinite is the error of an update of which a shard's loss is not finite. All processes return
// it.
func (f *fit) notFinite(o updateReport) error {
	j, where, why := f.joint, "", ""
	if j.bad {
		why = blame(j.latest)
	}
	if j.shards > 1 {
		where = fmt.Sprintf(" in shard %d of %d", o.lost, j.shards)
	}
	if f.together() {
		f.agreed = true
		owner := 0
		for r := range f.Processes.Size() {
			from, to := ShardRows(j.shards, r, f.Processes.Size())
			if from <= o.lost && o.lost < to {
				owner = r
			}
		}
		text := make([]byte, 512)
		copy(text, why)
		if err := f.Processes.Broadcast(text, owner); err != nil {
			return f.lost(err)
		}
		why = strings.TrimRight(strings.ToValidUTF8(string(text), ""), "\x00")
	}
	return errorOf(ErrNotFinite, "train: step %d: the loss%s is not finite: %s%s", f.step, where,
		why, divergedAdvice)
}

// agreeToStop tells all processes what the callbacks of the first one have asked for.
func (f *fit) agreeToStop() error {
	if !f.together() || !f.callbacks {
		return nil
	}
	asked := []byte{boolByte(f.asked)}
	if err := f.Processes.Broadcast(asked, 0); err != nil {
		return f.lost(err)
	}
	f.asked = asked[0] == 1
	return nil
}

// join makes sure that all processes are about to do the same, and has the first alone print, write
// and call back.
func (f *fit) join() error {
	if !f.together() {
		return nil
	}
	f.Processes.At(f.step)
	flags := []byte{boolByte(f.Checkpoints != nil),
		boolByte(len(f.OnRow) > 0 || f.AfterStep != nil)}
	if !f.first() {
		f.Progress, f.Checkpoints, f.OnRow, f.AfterStep = nil, nil, nil, nil
		f.Warn = func(string) {}
	}
	if err := f.Processes.Broadcast(flags, 0); err != nil {
		return f.lost(err)
	}
	f.saves, f.callbacks = flags[0] == 1, flags[1] == 1
	mine, err := f.identity()
	if err != nil {
		return err
	}
	all, err := gatherBytes(f.Processes, mine)
	if err != nil {
		return f.lost(err)
	}
	f.agreed = true // all find the same
	err = compareIdentities(all)
	f.agreed = err != nil
	if n, size := f.Shards, f.Processes.Size(); err == nil && n%size != 0 {
		f.Warn(fmt.Sprintf("%d shards are shared out unevenly among %d processes: some compute "+
			"%d and others, which then wait, %d; a multiple of %d would be even", n, size,
			(n+size-1)/size,
			n/size, size))
	}
	if err != nil || f.FastSum {
		return err
	}
	return f.joint.prepare()
}

// identity is what must be the same in all processes, by name, and host, which need not.
func (f *fit) identity() ([]byte, error) {
	is := map[string]string{
		"Go version":                     runtime.Version(),
		"architecture":                   runtime.GOARCH,
		"instructions of the processor":  kernels.Instructions(),
		"version of the program":         version(),
		"program":                        program(),
		"optimizer":                      f.Optimizer.State().Kind,
		"number of epochs":               fmt.Sprint(f.Epochs),
		"limit of steps":                 fmt.Sprint(f.MaxSteps),
		"steps between saves":            fmt.Sprint(f.SaveEvery),
		"steps between rows":             fmt.Sprint(f.RecordEvery),
		"monitor":                        fmt.Sprint(f.monitor()),
		"best restored":                  fmt.Sprint(f.RestoreBest),
		"clipping":                       fmt.Sprint(f.Clip),
		"number of shards":               fmt.Sprint(f.Shards),
		"way of summing":                 fmt.Sprint("fast: ", f.FastSum),
		"schedule, averages, early stop": fmt.Sprint(slices.Sorted(maps.Keys(f.states()))),
	}
	weights, err := DigestOf(digestible(f.params()))
	if err != nil {
		return nil, err
	}
	is["weights"] = weights
	for name, v := range f.settings() {
		is["setting "+name] = v
	}
	for name, s := range f.states() {
		state := s.State()
		if is["state of the "+name], err = DigestOf(state.Kind, state.Step, state.Scalars,
			digestible(state.Tensors)); err != nil {
			return nil, err
		}
	}
	c := newCheckpoint()
	f.task.Save(c)
	for part, digest := range c.digests() {
		is[part] = digest
	}
	host, _ := os.Hostname()
	return json.Marshal(map[string]any{"host": host, "is": is})
}

// version is that of the program, as far as it was built to know.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	v := info.Main.Path + " " + info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" || s.Key == "vcs.modified" {
			v += " " + s.Value
		}
	}
	return v
}

// program is a digest of the file that runs, which says more than a version does of one that was
// built from changed sources; "" if it cannot be read.
var program = sync.OnceValue(func() string {
	f, err := os.Open("/proc/self/exe") // which is that file though another has taken its name
	if err != nil {
		name, err := os.Executable()
		if err != nil {
			return ""
		}
		if f, err = os.Open(name); err != nil {
			return ""
		}
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return fmt.Sprintf("with digest %x", h.Sum(nil)[:8])
})

// compareIdentities names what differs from the first process.
func compareIdentities(all [][]byte) error {
	type identity struct {
		Host string            `json:"host"`
		Is   map[string]string `json:"is"`
	}
	ids := make([]identity, len(all))
	for r, data := range all {
		if err := json.Unmarshal(data, &ids[r]); err != nil {
			return errorOf(ErrProcesses,
				"train: process %d is of another version of the library: %w", r, err)
		}
	}
	var differ []string
	for r, id := range ids {
		var names []string
		for name := range union(ids[0].Is, id.Is) {
			if was, is := ids[0].Is[name], id.Is[name]; was != is {
				names = append(names,
					fmt.Sprintf("the %s (%.80q here, %.80q in process 0)", name, is, was))
			}
		}
		if names != nil {
			slices.Sort(names)
			differ = append(differ, fmt.Sprintf("process %d on %s differs in %s", r, id.Host,
				strings.Join(names, ", ")))
		}
	}
	if differ == nil {
		return nil
	}
	const most = 5
	if n := len(differ); n > most {
		differ = append(differ[:most], fmt.Sprintf("and %d more", n-most))
	}
	return errorOf(ErrProcesses, "train: the processes are not about to train the same: %s",
		strings.Join(differ, "; "))
}

// gatherBytes gives everybody what each process has.
func gatherBytes(p Processes, mine []byte) ([][]byte, error) {
	size := p.Size()
	lengths, eights := make([]uint64, size), make([]int, size)
	for r := range eights {
		eights[r] = 8
	}
	own := bytesOf64([]uint64{uint64(len(mine))})
	if err := p.AllGather(own, bytesOf64(lengths), eights); err != nil {
		return nil, err
	}
	counts, total := make([]int, size), 0
	for r, n := range lengths {
		if n > math.MaxInt32 {
			return nil, fmt.Errorf("process %d has %d bytes to tell", r, n)
		}
		counts[r] = int(n)
		total += int(n)
	}
	data := make([]byte, total)
	if err := p.AllGather(mine, data, counts); err != nil {
		return nil, err
	}
	all := make([][]byte, size)
	for r, n := range counts {
		all[r], data = data[:n], data[n:]
	}
	return all, nil
}

// abort ends the other processes too, after an error that they do not have.
func (f *fit) abort(err error) {
	if err != nil && f.together() && !f.agreed && !errors.Is(err, ErrInterrupted) {
		f.Processes.Abort(err)
	}
}
