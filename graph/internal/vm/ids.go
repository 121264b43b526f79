package vm

import (
	"fmt"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// Steps are the steps of the loop, or of its segment, that an instruction was taken out of; 0 if it
// was in none.
type Steps struct{ N, First int }

// failed says where an error happened: in a step of the loop that n rows were taken out of, as if
// it had happened there, or in the operation itself.
func failed(err error, at ops.Place, s Steps, n, segment int) error {
	if bad, ok := err.(*badID); ok && s.N > 0 {
		each := n / s.N
		step := bad.at / each
		bad.at %= each
		return ops.AtStep(s.First+segment*s.N+step, ops.Failed(at, err))
	}
	return ops.Failed(at, err)
}

// target checks a target; counts is false for one that is ignored.
func target(c ops.CrossEntropy, id, v, at int) (counts bool, err error) {
	for _, n := range c.Ignore {
		if n == id {
			return false, nil
		}
	}
	return true, checkID("target", id, v, at)
}

func checkID(what string, id, n, at int) error {
	if id < 0 || id >= n {
		return &badID{what, id, n, at}
	}
	return nil
}

// badID is an id outside of its table.
type badID struct {
	what      string
	id, n, at int
}

func (e *badID) Error() string {
	return fmt.Sprintf("%s %d at position %d is outside 0 … %d", e.what, e.id, e.at, e.n-1)
}
