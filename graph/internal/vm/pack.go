package vm

import (
	"fmt"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Pack lays out a B that is multiplied by at every step of a loop.
type Pack[F kernels.Float] struct {
	B      Matrix
	Trans  bool
	K, N   int
	Buf    int
	Target int
}

func (p *Pack[F]) units() int { return max(1, min(64, p.N/48)) }

func (p *Pack[F]) cost() int { return p.K * p.N / 2 }

func (p *Pack[F]) String() string { return fmt.Sprintf("pack %d×%d", p.K, p.N) }

// begin is called before run, by one worker.
func (p *Pack[F]) begin(x *worker[F]) {
	t := &x.p.packs[p.Target]
	t.Use(x.p.bufs[p.Buf])
	t.Layout(p.K, p.N)
}

func (p *Pack[F]) run(x *worker[F], lo, hi int) error {
	t, b, of := &x.p.packs[p.Target], at(x, p.B.Layout), p.units()
	for u := lo; u < hi; u++ {
		t.PackPart(u, of, p.Trans, b, p.B.Ld)
	}
	return nil
}
