package train

import (
	"cmp"
	"slices"
)

// Messages are Processes that move data between two of them while this one goes on. Fit uses them
// if its Processes have these methods, and AllToAll if not.
type Messages interface {
	Processes
	// Send begins to send data to another process, and Receive to receive what that one sends by
	// the same tag, 0 … 16383, of as many bytes: the first that was sent comes to the first that
	// waits for it. Both return at once. Until Wait has returned the data must not be written, or
	// read.
	Send(to, tag int, data []byte) error
	Receive(from, tag int, data []byte) error
	// Wait returns once all is sent and received that this process has begun.
	Wait() error
}

// mostTags is the number of tags.
const mostTags = 1 << 14

// messagesOf are the messages of processes, by whatever they have.
func messagesOf(p Processes) Messages {
	if m, ok := p.(Messages); ok {
		return m
	}
	return &packed{Processes: p}
}

// packed keeps messages until Wait, when every process sends what it has by one AllToAll.
type packed struct {
	Processes
	sends, receives []posted
}

type posted struct {
	peer, tag int
	data      []byte
}

func (p *packed) Send(to, tag int, data []byte) error {
	p.sends = append(p.sends, posted{to, tag, data})
	return nil
}

func (p *packed) Receive(from, tag int, data []byte) error {
	p.receives = append(p.receives, posted{from, tag, data})
	return nil
}

func (p *packed) Wait() error {
	sends, sent := inOrder(p.sends, p.Size())
	receives, received := inOrder(p.receives, p.Size())
	var send []byte
	total := 0
	for _, m := range sends {
		send = append(send, m.data...)
	}
	for _, n := range received {
		total += n
	}
	recv := make([]byte, total)
	p.sends, p.receives = p.sends[:0], p.receives[:0]
	if err := p.AllToAll(send, sent, recv, received); err != nil {
		return err
	}
	for _, m := range receives {
		recv = recv[copy(m.data, recv):]
	}
	return nil
}

// inOrder sorts messages as both sides have them, and counts the bytes of each process.
func inOrder(list []posted, size int) ([]posted, []int) {
	slices.SortStableFunc(list, func(a, b posted) int {
		return cmp.Or(cmp.Compare(a.peer, b.peer), cmp.Compare(a.tag, b.tag))
	})
	bytes := make([]int, size)
	for _, m := range list {
		bytes[m.peer] += len(m.data)
	}
	return list, bytes
}
