package vm

import (
	"fmt"
	"math"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// CrossEntropy is the loss of rows of logits and, where the graph wants it, their gradient: one
// pass over the rows, which takes exponentials once. With a large vocabulary a row is long, the
// logits of a batch are many times the cache, and every further pass would cost as much as this
// one.
type CrossEntropy[F kernels.Float] struct {
	Fn        ops.CrossEntropy
	At        ops.Place
	Logits    *Layout
	Bias      *Layout // added to every row of logits; nil: none
	Ids       *Layout
	Loss      *Layout
	Dy, Grad  *Layout // of the loss, and of the logits: it may lie where they do; nil: not wanted
	N, Width  int
	Split     int
	Steps     Steps
	Overwrite bool // logits are needed no more
}

func (c *CrossEntropy[F]) units() int { return c.Split }

func (c *CrossEntropy[F]) cost() int { return c.N * (c.Width + 20) }

func (c *CrossEntropy[F]) String() string {
	s := fmt.Sprintf("rows %d×%d: %s", c.N, c.Width, c.Fn.Key())
	if c.Bias != nil {
		s += " of logits + bias"
	}
	if c.Grad != nil {
		s += " and gradient"
		if c.Overwrite {
			s += " in place"
		}
	}
	return s
}

func (c *CrossEntropy[F]) run(x *worker[F], lo, hi int) error {
	m := c.N / c.Split
	for i := lo * m; i < hi*m; i++ {
		if err := c.row(x, i); err != nil {
			return failed(err, c.At, c.Steps, c.N, x.segment)
		}
	}
	return nil
}

func (c *CrossEntropy[F]) row(x *worker[F], i int) error {
	id := whole(x, c.Ids).Int[i]
	counts, err := target(c.Fn, id, c.Width, i)
	if err != nil {
		return err
	}
	logits, loss := at(x, c.Logits)[i*c.Width:(i+1)*c.Width], &at(x, c.Loss)[i]
	dst := x.row[:c.Width]
	if c.Grad != nil {
		dst = at(x, c.Grad)[i*c.Width : (i+1)*c.Width]
	}
	if *loss = 0; !counts {
		if c.Grad != nil {
			clear(dst)
		}
		return nil
	}
	if c.Bias != nil {
		kernels.Add(dst, logits, at(x, c.Bias)[:c.Width])
		logits = dst
	}
	l := -(1 - c.Fn.Smoothing) * float64(logits[id])
	if c.Fn.Smoothing > 0 {
		l -= c.Fn.Smoothing * float64(kernels.Sum(logits)) / float64(c.Width)
	}
	top, sum := ops.ExpRow(dst, logits)
	*loss = F(l + float64(top) + math.Log(float64(sum)))
	if c.Grad == nil {
		return nil
	}
	dy := at(x, c.Dy)[i]
	kernels.MulScalar(dst, dst, dy/sum)
	if c.Fn.Smoothing > 0 {
		kernels.AddScalar(dst, dst, -dy*F(c.Fn.Smoothing/float64(c.Width)))
	}
	dst[id] -= dy * F(1-c.Fn.Smoothing)
	return nil
}
