package graph

import (
	"fmt"

	"gorgonia.org/gorgonia"
)

// follow looks at what a program may have changed since the last run, besides values, which are
// read anyway. A range that gorgonia.UnsafeLet gave to a slice, or a constant that was written to,
// is looked up in each run once it was seen to change: only the first change needs the graph to be
// compiled anew.
func (m *Machine) follow() error {
	changed := false
	for _, f := range m.program.fixed {
		if !f.Changed() {
			continue
		}
		if f.Inside {
			return fmt.Errorf("%v in a step of a recurrence was changed after the graph was compiled: "+
				"compile it again", f.Node)
		}
		if m.config.moving == nil {
			m.config.moving = map[*gorgonia.Node]bool{}
		}
		m.config.moving[f.Node] = true
		changed = true
	}
	if changed {
		if err := m.assemble(); err != nil {
			return err
		}
	}
	for _, s := range m.program.moving {
		if err := s.Update(); err != nil {
			return err
		}
	}
	return nil
}
