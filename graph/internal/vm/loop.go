package vm

import (
	"fmt"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/workers"
)

// Loop runs its body once for every time. If every instruction of the body works on rows of the
// batch, so does the loop: its units are the rows, and workers need not meet before the end.
// Otherwise, or where the weights are too large for one core's cache, the workers form a team that
// shares every instruction.
type Loop[F kernels.Float] struct {
	Name    string
	T       int
	Reverse bool
	Body    []Instruction[F]
	Rows    int // units; 1 if the body cannot be divided by rows
	Team    bool
	Mask    *Layout          // of one time: rows where it is 0 may be skipped; nil: none
	Skipped []Instruction[F] // what is done in their place
	meet    workers.Barrier
	First   int  // the time at which it begins in the recurrence that it is a part of
	Segment int  // how much later it begins with each segment
	Columns bool // the units are columns of a single row
	script  bool // the steps are run by the kernels, where these can
}

func (l *Loop[F]) units() int { return l.Rows }

func (l *Loop[F]) cost() int {
	n := 0
	for _, in := range l.Body {
		n += in.cost()
	}
	return n * l.T
}

func (l *Loop[F]) String() string {
	s := fmt.Sprintf("loop %s, %d times", l.Name, l.T)
	switch {
	case l.Team:
		s += ", shared by operation"
	case l.Columns:
		s += ", shared by columns"
	case l.Rows > 1:
		s += fmt.Sprintf(", shared by %d rows", l.Rows)
	}
	if l.Mask != nil {
		s += ", without the rows that have ended"
	}
	return s
}

// tick sets the clocks for step i.
func (l *Loop[F]) tick(x *worker[F], i int) (t int) {
	if t = i; l.Reverse {
		t = l.T - 1 - i
	}
	x.clock = [4]int{0, t, i & 1, (i + 1) & 1}
	return t
}

func (l *Loop[F]) run(x *worker[F], lo, hi int) error {
	defer func() { x.clock = [4]int{} }()
	if l.scripted() {
		return l.runScript(x, lo, hi)
	}
	for i := range l.T {
		t := l.tick(x, i)
		if err := x.p.stopped(); err != nil {
			return err
		}
		if err := l.step(x, lo, hi); err != nil {
			return ops.AtStep(l.First+x.segment*l.Segment+t, err)
		}
	}
	return nil
}

// step runs the body on the rows lo ≤ i < hi.
func (l *Loop[F]) step(x *worker[F], lo, hi int) error {
	all := func(body []Instruction[F], lo, hi int) error {
		for _, in := range body {
			if l.Rows == 1 {
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
	if l.Mask == nil {
		return all(l.Body, lo, hi)
	}
	// All workers use one range of rows, so forward and backward leave out the same rows.
	from, to := counting(at(x, l.Mask), l.Rows, l.Mask.Strides[0])
	from, to = min(max(from, lo), hi), max(min(to, hi), lo)
	if from > to {
		from = to
	}
	if err := all(l.Body, from, to); err != nil {
		return err
	}
	if err := all(l.Skipped, lo, from); err != nil {
		return err
	}
	return all(l.Skipped, to, hi)
}

// together runs one worker of the team. After an error it still meets the other workers.
func (l *Loop[F]) together(x *worker[F]) (err error) {
	defer func() { x.clock = [4]int{} }()
	for i := range l.T {
		t := l.tick(x, i)
		if err == nil {
			err = x.p.stopped()
		}
		for _, in := range l.Body {
			lo, hi := part(in.units(), x.number, len(x.p.workers))
			if lo < hi && err == nil {
				if err = in.run(x, lo, hi); err != nil {
					err = ops.AtStep(l.First+x.segment*l.Segment+t, err)
				}
			}
			l.meet.Wait(len(x.p.workers))
		}
	}
	return err
}

// counting is the first row and the one past the last of n for which a mask of one time is not 0.
func counting[F ~float32 | ~float64](mask []F, n, stride int) (from, to int) {
	for from < n && mask[from*stride] == 0 {
		from++
	}
	for to = n; to > from && mask[(to-1)*stride] == 0; to-- {
	}
	return from, to
}
