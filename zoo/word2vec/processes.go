package word2vec

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"math/bits"
	"slices"
	"strings"
	"unsafe"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Processes are the processes of a training, this one among them, such as package train/mpi makes
// of an MPI job; train.Processes have these methods. Every process calls them in the same order.
type Processes interface {
	Rank() int // of this process, 0 … Size−1
	Size() int
	// AllGather gives everybody what each process sends: counts[r] bytes of process r come to recv,
	// in the order of r.
	AllGather(send, recv []byte, counts []int) error
	// Broadcast replaces data, of as many bytes everywhere, by that of process root.
	Broadcast(data []byte, root int) error
	// At notes where this process is, for a message about one that is lost.
	At(chunk int)
	// Abort ends all processes, for a reason that it writes first. It need not return.
	Abort(reason error)
}

// crew is the processes of a training and what is theirs. Each does the tasks of its range of
// blocks: the word vectors of a block (for CBOW, the examples of a part) meet the output vectors of
// one block a turn. Every process reads the whole chunk, so all know which rows are changed by
// whom, and send each other the numbers alone.
type crew struct {
	Processes
	from, to int   // tasks of this process
	meet     int   // turns in which a process's output blocks are met by no other
	last     int   // group of turns, from which outputs are not yet exchanged; −1: none are
	owner    []int // of each task

	stamp   uint32
	stamps  []uint32   // by output: when it was noted last
	changed [][]uint32 // outputs since the last exchange, by process
	stop    bool       // this process is asked to stop
	stopped bool       // some process is

	send, recv []float32
	counts     []int
}

// newCrew is nil for one process.
func newCrew(p Processes, outputs int) *crew {
	if p == nil || p.Size() == 1 {
		return nil
	}
	size := p.Size()
	c := &crew{Processes: p, last: -1, meet: 1, stamp: 1, stamps: make([]uint32, outputs),
		changed: make([][]uint32, size), counts: make([]int, size), owner: make([]int, blocks)}
	for r := range size {
		for b := blocks * r / size; b < blocks*(r+1)/size; b++ {
			c.owner[b] = r
		}
	}
	c.from, c.to = blocks*p.Rank()/size, blocks*(p.Rank()+1)/size
	if bits.OnesCount(uint(size)) == 1 {
		c.meet = blocks / size
	}
	return c
}

// join makes sure that all processes are about to do the same, and gives all the weights of the
// first, and the place where it stands.
func (m *Model) join(p Processes, text uint64, o TrainOptions) error {
	h := func(v any) uint64 {
		f := fnv.New64a()
		fmt.Fprint(f, v)
		return f.Sum64()
	}
	words := fnv.New64a()
	for i := range m.vocabulary.Len() {
		w, _ := m.vocabulary.Token(i)
		fmt.Fprintln(words, w, m.vocabulary.Count(i))
	}
	items := []string{"configuration", "text", "vocabulary", "instructions of the processor", "option Loss"}
	mine := []uint64{h(m.cfg), text, words.Sum64(), h(kernels.Instructions()), h(o.Loss)}
	all, counts := make([]uint64, len(mine)*p.Size()), make([]int, p.Size())
	for r := range counts {
		counts[r] = 8 * len(mine)
	}
	if err := p.AllGather(bytesOf(mine), bytesOf(all), counts); err != nil {
		return lost(p, err)
	}
	for r := range p.Size() {
		var differ []string
		for i, item := range items {
			if all[r*len(items)+i] != all[i] {
				differ = append(differ, item)
			}
		}
		if differ != nil {
			return fmt.Errorf("process %d differs from process 0 in the %s", r, strings.Join(differ, ", the "))
		}
	}
	place := []uint64{uint64(m.epoch), uint64(m.sentence), m.digest}
	for _, data := range [][]byte{bytesOf(place), bytesOf(m.in), bytesOf(m.out)} {
		if err := p.Broadcast(data, 0); err != nil {
			return lost(p, err)
		}
	}
	m.epoch, m.sentence, m.digest = int(place[0]), int(place[1]), place[2]
	return nil
}

// ownError is an error of this process that the others do not have, which would wait for it.
type ownError struct{ error }

func (e ownError) Unwrap() error { return e.error }

// own is an error of a callback, which is that of one process.
func (t *trainer) own(err error) error {
	if t.crew == nil {
		return err
	}
	return ownError{err}
}

func lost(p Processes, err error) error {
	return ownError{fmt.Errorf("process %d of %d: %w", p.Rank(), p.Size(), err)}
}

// note notes the outputs that the tasks of all processes change in some turns.
func (t *trainer) note(turns []int) {
	c := t.crew
	for task := range blocks {
		r := c.owner[task]
		for _, turn := range turns {
			out := task ^ turn
			if t.cfg.Model == CBOW {
				c.changed[r] = c.noteSteps(c.changed[r], t.parts[task].steps[out])
				continue
			}
			for i := range t.parts {
				c.changed[r] = c.noteSteps(c.changed[r], t.parts[i].steps[task*blocks+out])
			}
		}
	}
}

func (c *crew) noteSteps(to []uint32, steps []step) []uint32 {
	for _, s := range steps {
		if o := s.out >> 1; c.stamps[o] != c.stamp {
			c.stamps[o] = c.stamp
			to = append(to, o)
		}
	}
	return to
}

// exchange gives all processes the outputs that each has changed, and tells whether one is to stop.
func (t *trainer) exchange() error {
	c, dim := t.crew, t.cfg.Dim
	c.send = append(c.send[:0], 0)
	if c.stop {
		c.send[0] = 1
	}
	for _, o := range c.changed[c.Rank()] {
		c.send = append(c.send, row(t.out, o, dim)...)
	}
	if err := c.gather(func(r int) int { return 1 + dim*len(c.changed[r]) }); err != nil {
		return err
	}
	recv := c.recv
	for r, changed := range c.changed {
		c.stopped = c.stopped || recv[0] == 1
		recv = recv[1:]
		for _, o := range changed {
			if r != c.Rank() {
				copy(row(t.out, o, dim), recv)
			}
			recv = recv[dim:]
		}
		c.changed[r] = changed[:0]
	}
	c.last = -1
	if c.stamp++; c.stamp == 0 {
		clear(c.stamps)
		c.stamp = 1
	}
	return nil
}

// gather gathers what each process has in send, of so many numbers, in recv.
func (c *crew) gather(numbers func(rank int) int) error {
	total := 0
	for r := range c.counts {
		c.counts[r] = 4 * numbers(r)
		total += numbers(r)
	}
	c.recv = slices.Grow(c.recv[:0], total)[:total]
	if err := c.AllGather(bytesOf(c.send), bytesOf(c.recv), c.counts); err != nil {
		return lost(c, err)
	}
	return nil
}

// learnTogether is phase 2 of this process's tasks, in which outputs change hands between groups of
// turns.
func (t *trainer) learnTogether(learn func(worker, task, out int)) error {
	c := t.crew
	for turns := range slices.Chunk(turnsOf(t.chunks), c.meet) {
		if group := turns[0] / c.meet; group != c.last {
			if c.last >= 0 {
				if err := t.exchange(); err != nil {
					return err
				}
			}
			c.last = group
		}
		t.note(turns)
		alone := 1
		if n := c.Size() * t.team.n; bits.OnesCount(uint(n)) == 1 && n <= blocks {
			alone = blocks / n
		}
		t.learnTurns(turns, alone, c.from, c.to, learn)
	}
	return nil
}

// spreadTogether is phase 3 of CBOW: every process gets the gradients of all examples, and adds
// them to the vectors of the neighbours.
func (t *trainer) spreadTogether() error {
	c := t.crew
	c.send = c.send[:0]
	for i := c.from; i < c.to; i++ {
		c.send = append(c.send, t.parts[i].gradient...)
	}
	if err := c.gather(func(r int) (n int) {
		for i := range t.parts {
			if c.owner[i] == r {
				n += len(t.parts[i].gradient)
			}
		}
		return n
	}); err != nil {
		return err
	}
	recv := c.recv
	for i := range t.parts {
		recv = recv[copy(t.parts[i].gradient, recv):]
	}
	t.team.share(0, blocks, inTurn(t.spread))
	return nil
}

// settle gives all processes all weights, between two chunks.
func (t *trainer) settle() error {
	c, dim := t.crew, t.cfg.Dim
	if c == nil {
		return nil
	}
	if err := t.exchange(); err != nil || t.cfg.Model == CBOW || t.readers != nil {
		return err // all have the same word vectors
	}
	rowsOf := func(block int) int { return (t.vocabulary.Len() - block + blocks - 1) / blocks }
	c.send = c.send[:0]
	for b := c.from; b < c.to; b++ {
		for i := range rowsOf(b) {
			c.send = append(c.send, row(t.in, uint32(i*blocks+b), dim)...)
		}
	}
	if err := c.gather(func(r int) (n int) {
		for b := range blocks {
			if c.owner[b] == r {
				n += dim * rowsOf(b)
			}
		}
		return n
	}); err != nil {
		return err
	}
	recv := c.recv
	for b := range blocks { // in the order of their owners
		for i := range rowsOf(b) {
			recv = recv[copy(row(t.in, uint32(i*blocks+b), dim), recv):]
		}
	}
	return nil
}

// gatherLosses gives all processes the losses of all tasks.
func (t *trainer) gatherLosses() error {
	if t.crew == nil || t.losses == nil || t.readers != nil {
		return nil
	}
	c := t.crew
	var mine, all [2 * blocks]uint64
	counts := make([]int, c.Size())
	for i, l := range t.losses.tasks {
		mine[2*i], mine[2*i+1] = math.Float64bits(l.sum), uint64(l.examples)
		counts[c.owner[i]] += 16
	}
	if err := c.AllGather(bytesOf(mine[2*c.from:2*c.to]), bytesOf(all[:]), counts); err != nil {
		return lost(c, err)
	}
	for i := range t.losses.tasks {
		t.losses.tasks[i] = loss{math.Float64frombits(all[2*i]), int(all[2*i+1])}
	}
	return nil
}

// errOther is the error of a process that stops since another one was asked to.
var errOther = fmt.Errorf("another process was asked to stop: %w", context.Canceled)

// agree reports whether all processes are to stop, before a chunk.
func (t *trainer) agree(err error) (stop bool, _ error) {
	c := t.crew
	if c == nil {
		return err != nil, nil
	}
	c.At(t.chunks)
	c.stop = c.stop || err != nil
	if t.readers != nil { // nothing is exchanged otherwise
		if err := t.exchange(); err != nil {
			return false, err
		}
	}
	return c.stopped, nil
}

// bytesOf is the memory of numbers.
func bytesOf[T float32 | uint64](x []T) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(x[0])))
}
