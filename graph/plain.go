package graph

import (
	"errors"
	"sync/atomic"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// plain runs a graph by the plain definition of every operation: slow, and what the engine is
// tested against.
type plain struct {
	program *ops.Program
	index   []int
	out     []ops.Tensor
	stop    *atomic.Bool // or nil
}

func newPlain(keep []*gorgonia.Node) (*plain, error) {
	p, err := ops.NewProgram(keep)
	if err != nil {
		return nil, err
	}
	m := &plain{program: p}
	for _, n := range keep {
		m.index = append(m.index, p.Index(n))
		m.out = append(m.out, ops.NewTensor(ops.TypeOf(n)))
	}
	return m, nil
}

// Run computes every node by its definition, and copies the results. It stops between runs only.
func (m *plain) Run() error {
	if m.stop != nil && m.stop.Load() {
		return errors.New("stopped")
	}
	if err := m.program.Run(); err != nil {
		return err
	}
	for i, k := range m.index {
		m.out[i].CopyFrom(m.program.At(k))
	}
	return nil
}

// Result is the copy of result i.
func (m *plain) Result(i int) ops.Tensor { return m.out[i] }

// StopAt has a run that begins after stop has become true end with an error.
func (m *plain) StopAt(stop *atomic.Bool) { m.stop = stop }

// Nothing is planned, so that there is nothing to count, to list or to give back.

// Memory is 0.
func (m *plain) Memory() int { return 0 }

// Own is 0.
func (m *plain) Own() int { return 0 }

// Flop is 0.
func (m *plain) Flop() float64 { return 0 }

// Listing is empty.
func (m *plain) Listing() []string { return nil }

// Buffers are none.
func (m *plain) Buffers() []vm.Part { return nil }

// Plan is empty.
func (m *plain) Plan() []vm.Planned { return nil }

// Close has nothing to give back.
func (m *plain) Close() {}

// Profile is an error: a plain machine has no instructions.
func (m *plain) Profile(int) ([]vm.Timing, error) {
	return nil, errors.New("a plain machine has no instructions to time")
}
