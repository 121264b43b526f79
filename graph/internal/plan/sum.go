package plan

import (
	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// emitSum compiles a sum over axes that, once neighbours are joined, are one axis: in is [outer, n,
// inner] and the result [outer, inner].
func (k *block[F]) emitSum(v *ir.Value, fn ops.SumTo) bool {
	in := v.Args[0].Shape
	// axes that are not added up; those of size 1 belong to either side
	kept := make([]bool, len(in))
	skip := len(in) - len(fn.Shape)
	for i := range in {
		kept[i] = i >= skip && fn.Shape[i-skip] == in[i]
	}
	s := &vm.Sum[F]{Outer: 1, N: 1, Inner: 1}
	stage := 0
	for i, d := range in {
		switch {
		case d == 1:
		case kept[i] && stage == 0:
			s.Outer *= d
		case !kept[i] && stage <= 1:
			stage = 1
			s.N *= d
		case kept[i]:
			stage = 2
			s.Inner *= d
		default:
			return false
		}
	}
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
