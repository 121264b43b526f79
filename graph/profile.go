package graph

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Profile runs the machine n times on one worker with a clock around every instruction, and lists the shortest time of
// each, its share of the whole, and the rate of matrix products. An instruction in a loop is listed with its shortest
// step times the number of steps.
func (m *Machine) Profile(n int) (string, error) {
	if m.closed {
		return "", errors.New("graph: the machine is closed")
	}
	ts, err := m.program.Profile(max(n, 1))
	if err != nil {
		return "", fmt.Errorf("graph: %w", err)
	}
	var total time.Duration
	for _, t := range ts {
		if t.Depth == 0 {
			total += t.Time
		}
	}
	var b strings.Builder
	for _, t := range ts {
		fmt.Fprintf(&b, "%10.1f µs %5.1f %%  ", float64(t.Time.Nanoseconds())/1e3, 100*float64(t.Time)/float64(max(total, 1)))
		if t.Gflops > 0 {
			fmt.Fprintf(&b, "%6.1f GFLOP/s  ", t.Gflops)
		} else {
			b.WriteString(strings.Repeat(" ", 16))
		}
		b.WriteString(strings.Repeat("    ", t.Depth) + t.What + "\n")
	}
	fmt.Fprintf(&b, "%10.1f µs in all\n", float64(total.Nanoseconds())/1e3)
	return b.String(), nil
}
