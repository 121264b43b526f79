package train

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"

	"gorgonia.org/gorgonia"
)

// joint computes the batches of an update in shards, alone or with other processes, and sums their
// gradients up:
//
//	gradient = Σ count·gradient of a shard's mean loss / Σ count
//
// over the shards of all batches of the update: for each shard over the batches in order, and then
// over the shards as shardTree says. So the bits do not depend on who computes which shard.
type joint struct {
	task     Sharded
	shards   int
	world    Processes // nil: this process alone
	fast     bool
	from, to int // the shards of this process
	layout   *layout

	sums    []flat // of own shards over the batches so far, where an update has several
	summed  []bool // which of these have something
	tree    shardTree
	reports []shardReport // of own shards, batch by batch
	has     []byte        // 1 for a parameter with a gradient in this update
	written []bool        // parameters that a shard has a gradient of
	// of the shard computed last, or of the first whose loss is not finite
	latest []gorgonia.ValueGrad
	bad    bool // latest is that

	divided
	lists map[unsafe.Pointer][]gorgonia.ValueGrad // of parameters, by where their gradient is
	list  []gorgonia.ValueGrad                    // room for those that have one
}

// shardReport is what a shard says of a batch.
type shardReport struct {
	loss  float64
	count int
}

// wholeBatches is a task that does not divide its batches, as one of one shard.
type wholeBatches struct{ Task }

func (wholeBatches) Advance() error { return nil }

func (w wholeBatches) Shard(_, _ int, seed uint64, counter int) (Batch, error) {
	return w.Next(seed, counter)
}

// rank is that of this process.
func (j *joint) rank() int {
	if j.world == nil {
		return 0
	}
	return j.world.Rank()
}

// size is the number of processes.
func (j *joint) size() int {
	if j.world == nil {
		return 1
	}
	return j.world.Size()
}

// newJoint is for a task with these parameters.
func newJoint(t Task, params []gorgonia.ValueGrad, c Config) (*joint, error) {
	j := &joint{shards: max(c.Shards, 1), world: c.Processes, fast: c.FastSum}
	s, ok := t.(Sharded)
	switch {
	case !ok && j.shards > 1:
		return nil, fmt.Errorf("train: Shards is %d, and a task of type %T does not divide its "+
			"batches: it has no methods Advance and Shard (see train.Sharded; a task of NewTask has "+
			"them by TaskConfig.Shard); leave Shards at 1", j.shards, t)
	case !ok:
		s = wholeBatches{t}
	}
	j.task = s
	j.from, j.to = ShardRows(j.shards, j.rank(), j.size())
	var err error
	if j.layout, err = newLayout(params); err != nil {
		return nil, err
	}
	j.tree.layout = j.layout
	j.has, j.written = make([]byte, len(params)), make([]bool, len(params))
	j.lists = map[unsafe.Pointer][]gorgonia.ValueGrad{}
	j.sums, j.summed = make([]flat, j.to-j.from), make([]bool, j.to-j.from)
	if j.world != nil {
		j.divided = newDivided(j.world, j.layout, j.shards)
		if j.shards == j.size() && max(c.Accumulate, 1) == 1 && !c.FastSum {
			j.raw, j.rawTouched = make([]vector, len(params)), make([]touched, len(params))
		}
	}
	return j, nil
}

// errStopped says that a context was done between the shards of a batch.
var errStopped = errors.New("stopped")

// batch computes this process's shards of the next batch. Last says that it is the last one of an
// update.
func (j *joint) batch(ctx context.Context, seed uint64, counter int, last bool) error {
	if err := j.task.Advance(); err != nil {
		return err
	}
	for k := j.from; k < j.to; k++ {
		if k > j.from && ctx.Err() != nil {
			return errStopped
		}
		b, err := j.task.Shard(k, j.shards, seed, counter)
		if err != nil {
			return fmt.Errorf("shard %d of %d: %w", k, j.shards, err)
		}
		j.reports = append(j.reports, shardReport{b.Loss, b.Count})
		if !j.bad {
			j.latest, j.bad = b.Grads, b.Loss-b.Loss != 0
		}
		add := j.add
		if j.raw != nil {
			add = j.note
		}
		if err := add(k, b); err != nil {
			return fmt.Errorf("shard %d of %d: %w", k, j.shards, err)
		}
		if last && j.raw == nil {
			j.tree.push(treeNode{index: k, sum: j.sums[k-j.from]})
			j.sums[k-j.from], j.summed[k-j.from] = flat{}, false
		}
	}
	return nil
}

// add adds the gradients of shard k, times its count.
func (j *joint) add(k int, b Batch) error {
	i := k - j.from
	first := !j.summed[i]
	if first {
		j.sums[i], j.summed[i] = j.tree.room(), true
		clear(j.written)
	}
	for n, vg := range b.Grads {
		p, at, err := j.open(n, vg)
		if err != nil {
			return err
		}
		put := j.layout.addScaled
		if first {
			put = j.layout.set
		}
		put(j.sums[i], at, p.grad.flat(), float64(b.Count), p.touchedAnd(b.Count))
		p.consume()
		j.has[at], j.written[at] = 1, true
	}
	for at, s := range j.layout.slots {
		if first && !j.written[at] {
			j.layout.set(j.sums[i], at, s.flat(), 1, touched{})
		}
	}
	return nil
}

// open finds the parameter of gradient n of a list.
func (j *joint) open(n int, vg gorgonia.ValueGrad) (p parameter, at int, err error) {
	if p, err = openValueGrad(n, vg); err != nil {
		return p, 0, err
	}
	at, ok := j.layout.index[p.name]
	if !ok || !j.layout.slots[at].like(p.grad) {
		return p, 0, fmt.Errorf("the gradient of %q, %v, is of no parameter of the task",
			p.name, p.grad)
	}
	return p, at, nil
}

// note notes the gradients of this process's only shard, which are sent from where they are.
func (j *joint) note(_ int, b Batch) error {
	for at := range j.raw {
		j.raw[at], j.rawTouched[at] = vector{}, touched{}
	}
	for n, vg := range b.Grads {
		p, at, err := j.open(n, vg)
		if err != nil {
			return err
		}
		j.raw[at], j.rawTouched[at], j.has[at] = p.grad, p.touchedAnd(b.Count), 1
		if p.owner != ofCaller { // it may be that of others, or be added to by the next run
			j.raw[at] = p.grad.clone()
			p.consume()
		}
	}
	return nil
}

// touchedAnd is what is touched of a gradient, and is not −0 once it is multiplied by a count.
func (p parameter) touchedAnd(count int) touched {
	if count == 0 {
		return nil
	}
	return p.touched
}

// show writes the gradients to where other processes of this host read them, once report has said
// that they are there.
func (j *joint) show() {
	if j.world == nil || j.fast {
		return
	}
	count := 1.0
	if j.raw != nil {
		count = float64(j.reports[0].count) // others are multiplied already
	}
	j.write(&j.tree, count)
}

// arrive returns once the gradients of all processes have come.
func (j *joint) arrive() error {
	if j.world == nil || j.fast {
		return nil
	}
	if err := j.send(&j.tree); err != nil {
		return err
	}
	return j.messages.Wait()
}

// updateReport is what an update has come to, the same in every process.
type updateReport struct {
	batches []Batch // losses and counts of whole batches
	stop    bool    // some process was asked to stop
	lost    int     // a shard whose loss is not finite, or −1
	counts  []int   // of the shards of the last batch
}

// report tells all processes what the shards of all have come to. Stop says that this one was asked
// to stop.
func (j *joint) report(stop bool) (o updateReport, err error) {
	batches := len(j.reports) / (j.to - j.from)
	all := make([][]shardReport, j.shards) // by shard, batch by batch
	read := func(reports []shardReport, from, to int) {
		for i, r := range reports {
			k := from + i%(to-from)
			all[k] = append(all[k], r)
		}
	}
	if j.size() == 1 {
		read(j.reports, j.from, j.to)
		o.stop = stop
	} else if o.stop, err = j.gatherReports(batches, stop, read); err != nil {
		return o, err
	}
	j.reports, o.lost = j.reports[:0], -1
	for n := range batches {
		var m weightedMean
		for k := range j.shards {
			r := all[k][n]
			if r.loss-r.loss != 0 && o.lost < 0 {
				o.lost = k
			}
			m.add(Batch{Loss: r.loss, Count: r.count})
			if n == batches-1 {
				o.counts = append(o.counts, r.count)
			}
		}
		b := Batch{Loss: m.value(), Count: m.count}
		if j.shards == 1 {
			b.Loss = all[0][n].loss // to the bit
		}
		o.batches = append(o.batches, b)
	}
	return o, nil
}

// gatherReports gives read the reports of each process, makes has that of all, and notes what
// others have touched.
func (j *joint) gatherReports(batches int, stop bool,
	read func(reports []shardReport, from, to int)) (stopped bool, err error) {
	send := make([]byte, 0, 1+len(j.has)+16*len(j.reports))
	send = append(send, boolByte(stop))
	send = append(send, j.has...)
	for _, r := range j.reports {
		send = binary.LittleEndian.AppendUint64(send, math.Float64bits(r.loss))
		send = binary.LittleEndian.AppendUint64(send, uint64(r.count))
	}
	if !j.fast {
		send = j.appendTouched(send, &j.tree)
	}
	all, err := gatherBytes(j.world, send)
	if err != nil {
		return false, err
	}
	for r, data := range all {
		from, to := ShardRows(j.shards, r, j.size())
		stopped = stopped || data[0] == 1
		for i, h := range data[1 : 1+len(j.has)] {
			j.has[i] |= h
		}
		data = data[1+len(j.has):]
		reports := make([]shardReport, batches*(to-from))
		for i := range reports {
			reports[i].loss = math.Float64frombits(binary.LittleEndian.Uint64(data))
			reports[i].count = int(binary.LittleEndian.Uint64(data[8:]))
			data = data[16:]
		}
		read(reports, from, to)
		if !j.fast {
			j.readTouched(r, data)
		}
	}
	return stopped, nil
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// sum is the gradient of an update in which so many were counted, in the list of the parameters
// that have one. Alone, or by SumFloat32 and SumFloat64.
func (j *joint) sum(count int) ([]gorgonia.ValueGrad, error) {
	sum := j.tree.root()
	if j.world != nil {
		clear(sum.touched) // others may have touched more
		if err := j.world.SumFloat32(sum.f32); err != nil {
			return nil, err
		}
		if len(sum.f64) > 0 {
			if err := j.world.SumFloat64(sum.f64); err != nil {
				return nil, err
			}
		}
	}
	j.layout.scale(sum, 1/float64(max(count, 1)))
	return j.listed(sum), nil
}

// listed are the parameters that have a gradient, which is x.
func (j *joint) listed(x flat) []gorgonia.ValueGrad {
	at := unsafe.Pointer(unsafe.SliceData(x.f32))
	if len(x.f32) == 0 {
		at = unsafe.Pointer(unsafe.SliceData(x.f64))
	}
	all := j.lists[at]
	if all == nil {
		for i, s := range j.layout.slots {
			grad := s.whole(x)
			g := &gathered{ValueGrad: s.vg, name: s.name, grad: grad.dense(s.shape...)}
			if x.touched != nil {
				g.within = func() touched { return x.touched[i] }
				g.show = func() { x.touched[i], x.shown[i] = nil, true }
			}
			all = append(all, g)
		}
		j.lists[at] = all
	}
	return j.having(all)
}

// having returns the parameters of all that have a gradient in this update.
func (j *joint) having(all []gorgonia.ValueGrad) []gorgonia.ValueGrad {
	j.list = j.list[:0]
	for i, vg := range all {
		if j.has[i] == 1 && vg != nil {
			j.list = append(j.list, vg)
		}
	}
	return j.list
}

// begin makes ready for the next update.
func (j *joint) begin() {
	clear(j.has)
	j.latest, j.bad = nil, false
}
