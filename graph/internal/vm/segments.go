package vm

import (
	"fmt"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Segments runs its body, which may have loops in it, once for every segment of a recurrence. Its
// instructions are shared one by one, as those outside of loops are.
type Segments[F kernels.Float] struct {
	Name    string
	N       int
	Reverse bool
	Body    []Instruction[F]
}

func (s *Segments[F]) units() int { return 1 }

func (s *Segments[F]) cost() int {
	n := 0
	for _, in := range s.Body {
		n += in.cost()
	}
	return n * s.N
}

func (s *Segments[F]) String() string { return fmt.Sprintf("%s, %d times", s.Name, s.N) }

// index is the segment that is visited after i others.
func (s *Segments[F]) index(i int) int {
	if s.Reverse {
		return s.N - 1 - i
	}
	return i
}

// each runs the body for all segments, on all workers.
func (s *Segments[F]) each(p *program[F]) error {
	defer p.enterSegment(0)
	for i := range s.N {
		p.enterSegment(s.index(i))
		for _, in := range s.Body {
			if err := p.stopped(); err != nil {
				return err
			}
			if err := p.do(in); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *program[F]) enterSegment(i int) {
	for _, x := range p.workers {
		x.segment = i
	}
}

// run is for instr: segments are run by the program, which shares what is in them.
func (s *Segments[F]) run(x *worker[F], _, _ int) error { return s.each(x.p) }
