package plan

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/ops"
)

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
	r := &vm.Rows[F]{Fn: v.Fn, At: v.At, Steps: stepsOf(v)}
	width := func(v *ir.Value) int { return v.Shape[len(v.Shape)-1] }
	switch fn := v.Fn.(type) {
	case ops.RowWise:
		r.Each, r.Row = vm.EachRow[F], ops.RowFunc[F](fn.Rows())
		k.code.Scratch.Row = max(k.code.Scratch.Row, width(v))
	case ops.CrossEntropyGrad:
		r.Each = vm.CrossEntropyGradRow[F]
	case ops.Gather:
		r.Each = vm.GatherRow[F]
	case ops.ScatterAdd:
		in := []*vm.Layout{k.dense(v.Args[0]), k.dense(v.Args[1])}
		out := k.target(v)
		k.layouts[v] = out
		k.add(&vm.Scatter[F]{Fn: fn, At: v.At, Ids: in[0], Rows: in[1], Out: out}, in[0], in[1],
			out)
		return true
	case ops.SumTo:
		return k.emitSum(v, fn)
	default:
		return false
	}
	for _, a := range v.Args {
		r.In = append(r.In, k.dense(a))
	}
	r.Out = k.target(v)
	r.Width = width(v)
	r.N = v.Size() / r.Width
	r.Split = r.N
	if k.batch > 0 {
		r.Split = k.batch
	}
	k.layouts[v] = r.Out
	k.add(r, append(slices.Clone(r.In), r.Out)...)
	return true
}

func stepsOf(v *ir.Value) vm.Steps { return vm.Steps{N: v.Steps, First: v.First} }
