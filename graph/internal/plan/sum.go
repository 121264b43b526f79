package plan

import (
	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// axes are those of a sum once neighbours are joined, if it is over one axis then: the operand is
// [outer, n, inner] and the result [outer, inner].
type axes struct{ outer, n, inner int }

// newAxes are the axes of a sum of an operand of shape in; false if it is over several.
func newAxes(in []int, fn ops.SumTo) (a axes, ok bool) {
	a = axes{1, 1, 1}
	// axes that are not added up; those of size 1 belong to either side
	skip, stage := len(in)-len(fn.Shape), 0
	for i, d := range in {
		kept := i >= skip && fn.Shape[i-skip] == d
		switch {
		case d == 1:
		case kept && stage == 0:
			a.outer *= d
		case !kept && stage <= 1:
			stage = 1
			a.n *= d
		case kept:
			stage = 2
			a.inner *= d
		default:
			return a, false
		}
	}
	return a, true
}

// emitSum compiles a sum over one axis.
func (k *block[F]) emitSum(v *ir.Value, fn ops.SumTo) bool {
	a, ok := newAxes(v.Args[0].Shape, fn)
	if !ok {
		return false
	}
	s := &vm.Sum[F]{Outer: a.outer, N: a.n, Inner: a.inner}
	s.In = k.layout(v.Args[0])
	as := s.In.Reshape([]int{s.Outer, s.N, s.Inner})
	if as == nil || s.Inner > 1 && as.Strides[2] != 1 || s.Inner == 1 && s.N > 1 &&
		as.Strides[1] != 1 {
		s.In = k.compact(s.In, v.Args[0].Type)
		as = s.In.Reshape([]int{s.Outer, s.N, s.Inner})
	}
	s.Stride = as.Strides[:2]
	s.Out = k.target(v)
	k.layouts[v] = s.Out
	if k.batch > 0 {
		s.Split = k.batch
	} else if s.Inner == 1 {
		s.Split = s.Outer
	} else {
		s.Split = s.Outer * ((s.Inner + vm.SumCols - 1) / vm.SumCols)
	}
	s.ByBatch = k.batch > 0
	k.add(s, s.In, s.Out)
	return true
}
