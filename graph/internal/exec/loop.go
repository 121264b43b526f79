package exec

import (
	"fmt"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// loop runs its body once for every time. If every instruction of the body works on rows of the
// batch, so does the loop: its units are the rows, and workers need not meet before the end.
// Otherwise, or where the weights are too large for one core's cache, the workers form a team that
// shares every instruction.
type loop[F kernels.Float] struct {
	name    string
	T       int
	reverse bool
	body    []instr[F]
	rows    int // units; 1 if the body cannot be divided by rows
	team    bool
	mask    *layout    // of one time: rows where it is 0 may be skipped; nil: none
	skipped []instr[F] // what is done in their place
	meet    barrier
	first   int // the time at which it begins in the recurrence that it is a part of
	segment int // how much later it begins with each segment
}

func (l *loop[F]) units() int { return l.rows }

func (l *loop[F]) cost() int {
	n := 0
	for _, in := range l.body {
		n += in.cost()
	}
	return n * l.T
}

func (l *loop[F]) String() string {
	s := fmt.Sprintf("loop %s, %d times", l.name, l.T)
	switch {
	case l.team:
		s += ", shared by operation"
	case l.rows > 1:
		s += fmt.Sprintf(", shared by %d rows", l.rows)
	}
	if l.mask != nil {
		s += ", without the rows that have ended"
	}
	return s
}

// tick sets the clocks for step i.
func (l *loop[F]) tick(x *worker[F], i int) (t int) {
	if t = i; l.reverse {
		t = l.T - 1 - i
	}
	x.clock = [4]int{0, t, i & 1, (i + 1) & 1}
	return t
}

func (l *loop[F]) run(x *worker[F], lo, hi int) error {
	defer func() { x.clock = [4]int{} }()
	for i := range l.T {
		t := l.tick(x, i)
		if err := x.p.stopped(); err != nil {
			return err
		}
		if err := l.step(x, lo, hi); err != nil {
			return ops.AtStep(l.first+x.segment*l.segment+t, err)
		}
	}
	return nil
}

// step runs the body on the rows lo ≤ i < hi.
func (l *loop[F]) step(x *worker[F], lo, hi int) error {
	all := func(body []instr[F], lo, hi int) error {
		for _, in := range body {
			if l.rows == 1 {
				lo, hi = 0, in.units()
			}
			if lo >= hi {
				continue
			}
			if err := in.run(x, lo, hi); err != nil {
				return err
			}
		}
		return nil
	}
	if l.mask == nil {
		return all(l.body, lo, hi)
	}
	// All workers use one range of rows, so forward and backward leave out the same rows.
	from, to := counting(at(x, l.mask), l.rows, l.mask.strides[0])
	from, to = min(max(from, lo), hi), max(min(to, hi), lo)
	if from > to {
		from = to
	}
	if err := all(l.body, from, to); err != nil {
		return err
	}
	if err := all(l.skipped, lo, from); err != nil {
		return err
	}
	return all(l.skipped, to, hi)
}

// together is what one worker of the team does. After an error it still meets the others.
func (l *loop[F]) together(x *worker[F]) (err error) {
	defer func() { x.clock = [4]int{} }()
	for i := range l.T {
		t := l.tick(x, i)
		if err == nil {
			err = x.p.stopped()
		}
		for _, in := range l.body {
			lo, hi := part(in.units(), x.number, len(x.p.workers))
			if lo < hi && err == nil {
				if err = in.run(x, lo, hi); err != nil {
					err = ops.AtStep(l.first+x.segment*l.segment+t, err)
				}
			}
			l.meet.wait()
		}
	}
	return err
}
