package vm

import (
	"fmt"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// CopyInts copies integers from one place to another of the same shape; without a source it writes
// 0.
type CopyInts[F kernels.Float] struct{ To, From *Layout }

func (c *CopyInts[F]) units() int { return 1 }

func (c *CopyInts[F]) cost() int { return 2 * ops.Size(c.To.Shape) }

func (c *CopyInts[F]) String() string { return fmt.Sprintf("copy ints %v", c.To.Shape) }

func (c *CopyInts[F]) run(x *worker[F], _, _ int) error {
	for i := range ops.Size(c.To.Shape) {
		to := &x.p.ints[c.To.Buf][place(c.To, x.clock, x.segment, i)]
		if *to = 0; c.From != nil {
			*to = x.p.ints[c.From.Buf][place(c.From, x.clock, x.segment, i)]
		}
	}
	return nil
}

// place is the index of the i-th element of l in its buffer.
func place(l *Layout, clock [4]int, segment, i int) int {
	at := l.first(clock, segment)
	for d := len(l.Shape) - 1; d >= 0; d-- {
		at += i % l.Shape[d] * l.Strides[d]
		i /= l.Shape[d]
	}
	return at
}
