package exec

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// byRow reports whether an operation that is neither element-wise, a product nor a view has an instruction whose units
// are the rows of its first axis.
func (k *block[F]) byRow(v *ir.Value) bool {
	switch fn := v.Fn.(type) {
	case ops.RowWise:
		return len(v.Shape) > 1
	case ops.SumTo:
		in := v.Args[0].Shape
		n := len(in)
		return n > 1 && len(fn.Shape) == n && slices.Equal(fn.Shape[:n-1], in[:n-1])
	}
	return false
}

// emitRows compiles the operations that work row by row, or column by column; false if v is none.
func (k *block[F]) emitRows(v *ir.Value) bool {
	switch fn := v.Fn.(type) {
	case ops.CrossEntropy:
		k.emitCrossEntropy(v, fn)
		return true
	case ops.CrossEntropyGrad:
		if u := k.lossOf[v]; u != nil {
			k.emit(u)
		}
		if k.layouts[v] != nil {
			return true
		}
	}
	r := &rows[F]{fn: v.Fn, at: v.At, steps: stepsOf(v)}
	width := func(v *ir.Value) int { return v.Shape[len(v.Shape)-1] }
	switch fn := v.Fn.(type) {
	case ops.RowWise:
		r.each, r.row = eachRow[F], ops.RowFunc[F](fn.Rows())
		k.row = max(k.row, width(v))
	case ops.CrossEntropyGrad:
		r.each = crossEntropyGradRow[F]
	case ops.Gather:
		r.each = gatherRow[F]
	case ops.ScatterAdd:
		in := []*layout{k.dense(v.Args[0]), k.dense(v.Args[1])}
		out := k.target(v)
		k.layouts[v] = out
		k.add(&scatter[F]{fn: fn, at: v.At, ids: in[0], rows: in[1], out: out}, in[0], in[1], out)
		return true
	case ops.SumTo:
		return k.emitSum(v, fn)
	default:
		return false
	}
	for _, a := range v.Args {
		r.in = append(r.in, k.dense(a))
	}
	r.out = k.target(v)
	r.width = width(v)
	r.n = v.Size() / r.width
	r.split = r.n
	if k.batch > 0 {
		r.split = k.batch
	}
	k.layouts[v] = r.out
	k.add(r, append(slices.Clone(r.in), r.out)...)
	return true
}

// rows is an operation on each row of contiguous operands.
type rows[F kernels.Float] struct {
	fn       ops.Fn
	at       ops.Place
	in       []*layout
	out      *layout
	n, width int
	split    int
	steps    steps
	each     func(x *worker[F], r *rows[F], lo, hi int) error
	row      func(dst, x, scratch []F) // of eachRow
}

func (r *rows[F]) units() int     { return r.split }
func (r *rows[F]) cost() int      { return r.n * (r.width + 20) }
func (r *rows[F]) String() string { return fmt.Sprintf("rows %d×%d: %s", r.n, r.width, r.fn.Key()) }

func (r *rows[F]) run(x *worker[F], lo, hi int) error {
	m := r.n / r.split
	err := r.each(x, r, lo*m, hi*m)
	if err == nil {
		return nil
	}
	return failed(err, r.at, r.steps, r.n, x.segment)
}

// steps are those of the loop that an instruction was taken out of, or of one of its segments; 0 if there is none.
type steps struct{ n, first int }

func stepsOf(v *ir.Value) steps { return steps{v.Steps, v.First} }

// failed says where an error happened: in a step of the loop that n rows were taken out of, as if it had happened
// there, or in the operation itself.
func failed(err error, at ops.Place, s steps, n, segment int) error {
	if bad, ok := err.(*badID); ok && s.n > 0 {
		each := n / s.n
		step := bad.at / each
		bad.at %= each
		return ops.AtStep(s.first+segment*s.n+step, ops.Failed(at, err))
	}
	return ops.Failed(at, err)
}

// eachRow computes a row-wise operation.
func eachRow[F kernels.Float](x *worker[F], r *rows[F], lo, hi int) error {
	src, dst, scratch := at(x, r.in[0]), at(x, r.out), x.row[:r.width]
	for i := lo; i < hi; i++ {
		r.row(dst[i*r.width:(i+1)*r.width], src[i*r.width:(i+1)*r.width], scratch)
	}
	return nil
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

func crossEntropyGradRow[F kernels.Float](x *worker[F], r *rows[F], lo, hi int) error {
	c := r.fn.(ops.CrossEntropyGrad).CrossEntropy
	logits, dy, dst, ids := at(x, r.in[0]), at(x, r.in[2]), at(x, r.out), whole(x, r.in[1]).Int
	for i := lo; i < hi; i++ {
		row := dst[i*r.width : (i+1)*r.width]
		counts, err := target(c, ids[i], r.width, i)
		if err != nil {
			return err
		}
		if !counts {
			clear(row)
			continue
		}
		_, sum := ops.ExpRow(row, logits[i*r.width:(i+1)*r.width])
		kernels.MulScalar(row, row, dy[i]/sum)
		if c.Smoothing > 0 {
			kernels.AddScalar(row, row, -dy[i]*F(c.Smoothing/float64(r.width)))
		}
		row[ids[i]] -= dy[i] * F(1-c.Smoothing)
	}
	return nil
}

func gatherRow[F kernels.Float](x *worker[F], r *rows[F], lo, hi int) error {
	table, dst, ids := at(x, r.in[0]), at(x, r.out), whole(x, r.in[1]).Int
	v := r.in[0].shape[0]
	for i := lo; i < hi; i++ {
		if err := checkID("id", ids[i], v, i); err != nil {
			return err
		}
		copy(dst[i*r.width:(i+1)*r.width], table[ids[i]*r.width:(ids[i]+1)*r.width])
	}
	return nil
}

// scatter is ScatterAdd; its units are columns, so that each sum has one worker.
type scatter[F kernels.Float] struct {
	fn             ops.ScatterAdd
	at             ops.Place
	ids, rows, out *layout
}

const scatterCols = 32

func (s *scatter[F]) width() int     { return s.out.shape[1] }
func (s *scatter[F]) units() int     { return (s.width() + scatterCols - 1) / scatterCols }
func (s *scatter[F]) cost() int      { return (ops.Size(s.rows.shape) + ops.Size(s.out.shape)) / 8 }
func (s *scatter[F]) String() string { return s.fn.Key() }

func (s *scatter[F]) run(x *worker[F], lo, hi int) error {
	ids, src, dst := whole(x, s.ids).Int, at(x, s.rows), at(x, s.out)
	e := s.width()
	from, to := lo*scatterCols, min(hi*scatterCols, e)
	for i := range s.fn.V {
		clear(dst[i*e+from : i*e+to])
	}
	for i, id := range ids {
		if err := checkID("id", id, s.fn.V, i); err != nil {
			return ops.Failed(s.at, err)
		}
		if id != s.fn.Padding {
			y := dst[id*e+from : id*e+to]
			kernels.Add(y, y, src[i*e+from:i*e+to])
		}
	}
	return nil
}

// foreign runs an op of somebody else's through its Do method.
type foreign[F kernels.Float] struct {
	op  ir.Doer
	in  []*layout
	out *layout
}

func (f *foreign[F]) units() int     { return 1 }
func (f *foreign[F]) cost() int      { return 0 }
func (f *foreign[F]) String() string { return "foreign " + f.op.String() }

func (f *foreign[F]) run(x *worker[F], _, _ int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v: %v", f.op, r)
		}
	}()
	args := make([]G.Value, len(f.in))
	for i, l := range f.in {
		args[i] = whole(x, l).Value()
	}
	v, err := f.op.Do(args...)
	if err != nil {
		return fmt.Errorf("%v: %w", f.op, err)
	}
	t, err := ops.TensorOf(v)
	if err != nil {
		return fmt.Errorf("%v: %w", f.op, err)
	}
	out := whole(x, f.out)
	if t.Dtype() != out.Dtype() || ops.Size(t.Shape) != ops.Size(out.Shape) {
		return fmt.Errorf("%v: gave %v %s, want %v %s", f.op, t.Dtype(), ops.ShapeString(t.Shape), out.Dtype(), ops.ShapeString(out.Shape))
	}
	out.CopyFrom(t)
	return nil
}

// copyInts copies integers from one place to another of the same shape; without a source it writes 0.
type copyInts[F kernels.Float] struct{ to, from *layout }

func (c *copyInts[F]) units() int     { return 1 }
func (c *copyInts[F]) cost() int      { return 2 * ops.Size(c.to.shape) }
func (c *copyInts[F]) String() string { return fmt.Sprintf("copy ints %v", c.to.shape) }

func (c *copyInts[F]) run(x *worker[F], _, _ int) error {
	for i := range ops.Size(c.to.shape) {
		to := &x.p.ints[c.to.buf][place(c.to, x.clock, x.segment, i)]
		if *to = 0; c.from != nil {
			*to = x.p.ints[c.from.buf][place(c.from, x.clock, x.segment, i)]
		}
	}
	return nil
}

// place is the index of the i-th element of l in its buffer.
func place(l *layout, clock [4]int, segment, i int) int {
	at := l.first(clock, segment)
	for d := len(l.shape) - 1; d >= 0; d-- {
		at += i % l.shape[d] * l.strides[d]
		i /= l.shape[d]
	}
	return at
}
