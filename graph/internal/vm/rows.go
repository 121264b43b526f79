package vm

import (
	"fmt"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Rows is an operation on each row of contiguous operands.
type Rows[F kernels.Float] struct {
	Fn       ops.Fn
	At       ops.Place
	In       []*Layout
	Out      *Layout
	N, Width int
	Split    int
	Steps    Steps
	Each     func(x *worker[F], r *Rows[F], lo, hi int) error
	Row      func(dst, x, scratch []F) // of eachRow
}

func (r *Rows[F]) units() int { return r.Split }

func (r *Rows[F]) cost() int { return r.N * (r.Width + 20) }

func (r *Rows[F]) String() string { return fmt.Sprintf("rows %d×%d: %s", r.N, r.Width, r.Fn.Key()) }

func (r *Rows[F]) run(x *worker[F], lo, hi int) error {
	m := r.N / r.Split
	err := r.Each(x, r, lo*m, hi*m)
	if err == nil {
		return nil
	}
	return failed(err, r.At, r.Steps, r.N, x.segment)
}

// EachRow computes a row-wise operation.
func EachRow[F kernels.Float](x *worker[F], r *Rows[F], lo, hi int) error {
	src, dst, scratch := at(x, r.In[0]), at(x, r.Out), x.row[:r.Width]
	for i := lo; i < hi; i++ {
		r.Row(dst[i*r.Width:(i+1)*r.Width], src[i*r.Width:(i+1)*r.Width], scratch)
	}
	return nil
}

func CrossEntropyGradRow[F kernels.Float](x *worker[F], r *Rows[F], lo, hi int) error {
	c := r.Fn.(ops.CrossEntropyGrad).CrossEntropy
	logits, dy, dst, ids := at(x, r.In[0]), at(x, r.In[2]), at(x, r.Out), whole(x, r.In[1]).Int
	for i := lo; i < hi; i++ {
		row := dst[i*r.Width : (i+1)*r.Width]
		counts, err := target(c, ids[i], r.Width, i)
		if err != nil {
			return err
		}
		if !counts {
			clear(row)
			continue
		}
		_, sum := ops.ExpRow(row, logits[i*r.Width:(i+1)*r.Width])
		kernels.MulScalar(row, row, dy[i]/sum)
		if c.Smoothing > 0 {
			kernels.AddScalar(row, row, -dy[i]*F(c.Smoothing/float64(r.Width)))
		}
		row[ids[i]] -= dy[i] * F(1-c.Smoothing)
	}
	return nil
}

func GatherRow[F kernels.Float](x *worker[F], r *Rows[F], lo, hi int) error {
	table, dst, ids := at(x, r.In[0]), at(x, r.Out), whole(x, r.In[1]).Int
	v := r.In[0].Shape[0]
	for i := lo; i < hi; i++ {
		if err := checkID("id", ids[i], v, i); err != nil {
			return err
		}
		copy(dst[i*r.Width:(i+1)*r.Width], table[ids[i]*r.Width:(ids[i]+1)*r.Width])
	}
	return nil
}
