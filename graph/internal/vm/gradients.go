package vm

import (
	"strings"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Gradients is one or several products Aᵀ·B with one tall B, and the sum of B's rows: what the
// gradients of the weights and biases of a recurrence are. B, which holds the gates' gradients of
// all steps, is too large for the cache; it goes through it once, for all of them.
type Gradients[F kernels.Float] struct {
	Products []*Gemm[F]
	Sums     []*Sum[F]
	K, N     int

	// [T, rows of a step, 1]: where it is 0, so are the rows of B, which are left out; nil: none
	Mask *Layout
	Buf  *Layout // [workers, each], to pack in
	Each int
}

const gradientCols = 64 // columns of a unit

func (g *Gradients[F]) units() int { return (g.N + gradientCols - 1) / gradientCols }

func (g *Gradients[F]) cost() int {
	c := 0
	for _, p := range g.Products {
		c += p.cost()
	}
	return c
}

func (g *Gradients[F]) String() string {
	var parts []string
	for _, p := range g.Products {
		parts = append(parts, p.String())
	}
	for _, s := range g.Sums {
		parts = append(parts, s.String())
	}
	return "together: " + strings.Join(parts, ", ")
}

func (g *Gradients[F]) run(x *worker[F], lo, hi int) error {
	from, to := lo*gradientCols, min(hi*gradientCols, g.N)
	lefts := x.lefts[:0]
	for _, p := range g.Products {
		lefts = append(lefts, kernels.Left[F]{M: p.M, A: at(x, p.A.Layout), LDA: p.A.Ld,
			C: at(x, p.C.Layout)[from:], LDC: p.C.Ld})
	}
	for _, s := range g.Sums {
		lefts = append(lefts, kernels.Left[F]{M: 1, C: at(x, s.Out)[from:], LDC: g.N})
	}
	var runs []kernels.Run
	if g.Mask != nil {
		runs = g.counting(x)
	}
	b := g.Products[0].B
	kernels.GemmMulti(lefts, to-from, g.K, at(x, b.Layout)[from:], b.Ld, false, runs,
		at(x, g.Buf)[x.number*g.Each:][:g.Each])
	return nil
}

// counting are the rows of B that count, step by step.
func (g *Gradients[F]) counting(x *worker[F]) []kernels.Run {
	mask := at(x, g.Mask)
	steps, batch := g.Mask.Shape[0], g.Mask.Shape[1]
	runs := x.runs[:0]
	for t := range steps {
		lo, hi := counting(mask[t*g.Mask.Strides[0]:], batch, g.Mask.Strides[1])
		runs = append(runs, kernels.Run{From: t*batch + lo, To: t*batch + max(lo, hi)})
	}
	return runs
}
