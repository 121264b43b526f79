package vm

import (
	"fmt"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Evaluate runs an operation by its plain definition, on contiguous operands.
type Evaluate[F kernels.Float] struct {
	Fn  ops.Operation
	At  ops.Place
	In  []*Layout
	Out *Layout
	// Parts is how many parts the work of an ops.Parted falls into.
	Parts int
}

func (e *Evaluate[F]) units() int { return max(e.Parts, 1) }

func (e *Evaluate[F]) cost() int {
	if e.Parts > 1 { // a convolution, or something like it
		return 16 * ops.Size(e.Out.Shape)
	}
	return 2 * ops.Size(e.Out.Shape)
}

func (e *Evaluate[F]) String() string { return "eval " + e.Fn.Key() }

func (e *Evaluate[F]) run(x *worker[F], from, to int) error {
	in := x.tensor[:0]
	for _, l := range e.In {
		in = append(in, whole(x, l))
	}
	x.tensor = in
	var err error
	if p, ok := e.Fn.(ops.Parted); ok {
		err = p.EvalParts(in, whole(x, e.Out), from, to)
	} else {
		err = e.Fn.Eval(in, whole(x, e.Out))
	}
	if err != nil {
		return ops.Failed(e.At, err)
	}
	return nil
}

// doer computes a value from values, as Gorgonia's ops do.
type doer interface {
	Do(...G.Value) (G.Value, error)
	String() string
}

// Foreign runs an op of somebody else's through its Do method.
type Foreign[F kernels.Float] struct {
	Op  doer
	In  []*Layout
	Out *Layout
}

func (f *Foreign[F]) units() int { return 1 }

func (f *Foreign[F]) cost() int { return 0 }

func (f *Foreign[F]) String() string { return "foreign " + f.Op.String() }

func (f *Foreign[F]) run(x *worker[F], _, _ int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v: %v", f.Op, r)
		}
	}()
	args := make([]G.Value, len(f.In))
	for i, l := range f.In {
		args[i] = whole(x, l).Value()
	}
	v, err := f.Op.Do(args...)
	if err != nil {
		return fmt.Errorf("%v: %w", f.Op, err)
	}
	t, err := ops.TensorOf(v)
	if err != nil {
		return fmt.Errorf("%v: %w", f.Op, err)
	}
	out := whole(x, f.Out)
	if t.Dtype() != out.Dtype() || ops.Size(t.Shape) != ops.Size(out.Shape) {
		return fmt.Errorf("%v: gave %v %s, want %v %s", f.Op, t.Dtype(), ops.ShapeString(t.Shape),
			out.Dtype(), ops.ShapeString(out.Shape))
	}
	out.CopyFrom(t)
	return nil
}
