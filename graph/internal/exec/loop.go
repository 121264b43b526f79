package exec

import (
	"fmt"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// loop runs its body once for every time. If every instruction of the body works on rows of the batch, so does the
// loop: its units are the rows, and workers need not meet before the end. Otherwise, or where the weights are too
// large for one core's cache, the workers form a team that shares every instruction.
type loop[F kernels.Float] struct {
	name    string
	T       int
	reverse bool
	body    []instr[F]
	rows    int // units; 1 if the body cannot be divided by rows
	team    bool
	meet    barrier
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
	return s
}

// tick sets the clocks for step i.
func (l *loop[F]) tick(x *ctx[F], i int) (t int) {
	if t = i; l.reverse {
		t = l.T - 1 - i
	}
	x.clock = [4]int{0, t, i & 1, (i + 1) & 1}
	return t
}

func (l *loop[F]) run(x *ctx[F], lo, hi int) error {
	defer func() { x.clock = [4]int{} }()
	for i := range l.T {
		t := l.tick(x, i)
		if err := x.p.stopped(); err != nil {
			return err
		}
		for _, in := range l.body {
			a, b := lo, hi
			if l.rows == 1 {
				a, b = 0, in.units()
			}
			if err := in.run(x, a, b); err != nil {
				return ops.AtStep(t, err)
			}
		}
	}
	return nil
}

// together is what one worker of the team does. After an error it still meets the others.
func (l *loop[F]) together(x *ctx[F]) (err error) {
	defer func() { x.clock = [4]int{} }()
	for i := range l.T {
		t := l.tick(x, i)
		if err == nil {
			err = x.p.stopped()
		}
		for _, in := range l.body {
			lo, hi := part(in.units(), x.worker, len(x.p.ctx))
			if lo < hi && err == nil {
				if err = in.run(x, lo, hi); err != nil {
					err = ops.AtStep(t, err)
				}
			}
			l.meet.wait()
		}
	}
	return err
}
