// Package threads stands in for the processes of an MPI job in tests: goroutines of one process
// that exchange data through shared memory. Its Process has the methods of train.Processes.
package threads

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"
)

// ErrAborted is what every method returns once a process has aborted.
var ErrAborted = errors.New("aborted")

// job is what all processes share.
type job struct {
	size    int
	mu      sync.Mutex
	cond    *sync.Cond
	waiting int
	round   int
	posted  []any
	reason  error
	sent    map[address][]*letter // and not yet received
}

// address says who sends to whom, and by which tag.
type address struct{ from, to, tag int }

type letter struct {
	data []byte
	read bool
}

// Process is one of a job.
type Process struct {
	*job
	rank     int
	Step     int // as At noted it
	letters  []*letter
	expected []expected
}

// expected is data that is to be received.
type expected struct {
	address
	data []byte
}

// Messages is a Process that sends and receives single messages as well: a train.Messages.
type Messages struct{ *Process }

// Send begins to send data, which Wait finishes.
func (m Messages) Send(to, tag int, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	l, a := &letter{data: data}, address{m.rank, to, tag}
	m.sent[a] = append(m.sent[a], l)
	m.letters = append(m.letters, l)
	m.cond.Broadcast()
	return nil
}

// Receive begins to receive, which Wait finishes.
func (m Messages) Receive(from, tag int, data []byte) error {
	m.expected = append(m.expected, expected{address{from, m.rank, tag}, data})
	return nil
}

// Wait returns once all is sent and received.
func (m Messages) Wait() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.expected {
		for len(m.sent[e.address]) == 0 && m.reason == nil {
			m.cond.Wait()
		}
		if m.reason != nil {
			return m.reason
		}
		l := m.sent[e.address][0]
		m.sent[e.address] = m.sent[e.address][1:]
		if len(l.data) != len(e.data) {
			return fmt.Errorf("process %d sends %d bytes to %d, which receives %d", e.from,
				len(l.data), e.to, len(e.data))
		}
		copy(e.data, l.data)
		l.read = true
		m.cond.Broadcast()
	}
	for _, l := range m.letters {
		for !l.read && m.reason == nil {
			m.cond.Wait()
		}
		if !l.read {
			return m.reason
		}
	}
	m.expected, m.letters = m.expected[:0], m.letters[:0]
	return nil
}

// Run runs f in as many processes, and returns the error of each.
func Run(size int, f func(p *Process) error) []error {
	j := &job{size: size, posted: make([]any, size), sent: map[address][]*letter{}}
	j.cond = sync.NewCond(&j.mu)
	errs := make([]error, size)
	var wg sync.WaitGroup
	for r := range size {
		wg.Go(func() {
			p := &Process{job: j, rank: r}
			if errs[r] = f(p); errs[r] != nil {
				p.Abort(errs[r]) // the others would wait for ever
			}
		})
	}
	wg.Wait()
	return errs
}

func (p *Process) Rank() int { return p.rank }
func (p *Process) Size() int { return p.size }
func (p *Process) At(int)    {}

// Abort makes every wait end.
func (p *Process) Abort(reason error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason == nil {
		p.reason = fmt.Errorf("%w by process %d: %w", ErrAborted, p.rank, reason)
	}
	p.cond.Broadcast()
}

// Barrier waits for all.
func (p *Process) Barrier() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	round := p.round
	if p.waiting++; p.waiting == p.size {
		p.waiting, p.round = 0, round+1
		p.cond.Broadcast()
	}
	for p.round == round && p.reason == nil {
		p.cond.Wait()
	}
	if p.round == round {
		return p.reason
	}
	return nil
}

// post shows v to all, and calls read once all have done so; v may change again afterwards.
func (p *Process) post(v any, read func(posted []any)) error {
	p.posted[p.rank] = v
	if err := p.Barrier(); err != nil {
		return err
	}
	read(p.posted)
	return p.Barrier()
}

type parts struct {
	data   []byte
	counts []int
}

// AllToAll sends a part to each.
func (p *Process) AllToAll(send []byte, sendCounts []int, recv []byte, recvCounts []int) error {
	var wrong error
	err := p.post(parts{send, sendCounts}, func(posted []any) {
		for r, v := range posted {
			from := v.(parts)
			at := 0
			for _, n := range from.counts[:p.rank] {
				at += n
			}
			n := from.counts[p.rank]
			if n != recvCounts[r] {
				wrong = fmt.Errorf("process %d sends %d bytes to %d, which receives %d",
					r, n, p.rank, recvCounts[r])
				return
			}
			copy(recv[:n], from.data[at:])
			recv = recv[n:]
		}
	})
	return errors.Join(err, wrong)
}

// AllGather gives all to all.
func (p *Process) AllGather(send, recv []byte, counts []int) error {
	if len(send) != counts[p.rank] {
		return fmt.Errorf("process %d sends %d bytes and counts %d", p.rank, len(send),
			counts[p.rank])
	}
	return p.post(send, func(posted []any) {
		for r, v := range posted {
			if r != p.rank || len(recv) > 0 && len(send) > 0 && &recv[0] != &send[0] {
				copy(recv[:counts[r]], v.([]byte))
			}
			recv = recv[counts[r]:]
		}
	})
}

// SumFloat32 is the sum in the order of the processes.
func (p *Process) SumFloat32(x []float32) error { return sum(p, x) }

// SumFloat64 is the sum in the order of the processes.
func (p *Process) SumFloat64(x []float64) error { return sum(p, x) }

func sum[F float32 | float64](p *Process, x []F) error {
	total := make([]F, len(x))
	err := p.post(x, func(posted []any) {
		for _, v := range posted {
			for i, y := range v.([]F) {
				total[i] += y
			}
		}
	})
	copy(x, total)
	return err
}

// Broadcast gives all what root has.
func (p *Process) Broadcast(data []byte, root int) error {
	return p.post(data, func(posted []any) {
		if p.rank != root {
			copy(data, posted[root].([]byte))
		}
	})
}

// Neighbours is a Messages that reads the memory of those processes that Near says it does; of all,
// if that is nil.
type Neighbours struct {
	Messages
	Near func(other int) bool
}

// Windows gives everybody memory of its own that those near read.
func (n Neighbours) Windows(bytes int) ([][]byte, error) {
	own := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(make([]float64, (bytes+7)/8)))),
		bytes)
	all := make([][]byte, n.size)
	err := n.post(own, func(posted []any) {
		for r, v := range posted {
			if n.Near == nil || r == n.rank || n.Near(r) {
				all[r] = v.([]byte)
			}
		}
	})
	return all, err
}
