package graph

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/seqzoo/seqzoo/internal/interrupt"
)

// RunContext is RunAll, ended early when ctx is done: between instructions, and in a recurrence
// between steps. What the results then hold is undefined until a later run has ended well. The
// error wraps the context's cause.
func (m *Machine) RunContext(ctx context.Context) error {
	if err := interrupt.Cause(ctx); err != nil {
		return fmt.Errorf("graph: %w", err)
	}
	if m.usable() != nil || ctx.Done() == nil {
		return m.RunAll()
	}
	if err := m.follow(); err != nil { // first, since it may make another program
		return fmt.Errorf("graph: %w", err)
	}
	var stop atomic.Bool
	m.program.StopAt(&stop)
	defer m.program.StopAt(nil)
	defer context.AfterFunc(ctx, func() { stop.Store(true) })()
	err := m.RunAll()
	if err != nil && stop.Load() {
		return fmt.Errorf("graph: %w", context.Cause(ctx))
	}
	return err
}
