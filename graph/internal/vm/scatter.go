package vm

import (
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Scatter is ScatterAdd; its units are columns, so that each sum has one worker.
type Scatter[F kernels.Float] struct {
	Fn             ops.ScatterAdd
	At             ops.Place
	Ids, Rows, Out *Layout
}

const scatterCols = 32

func (s *Scatter[F]) width() int { return s.Out.Shape[1] }

func (s *Scatter[F]) units() int { return (s.width() + scatterCols - 1) / scatterCols }

func (s *Scatter[F]) cost() int { return (ops.Size(s.Rows.Shape) + ops.Size(s.Out.Shape)) / 8 }

func (s *Scatter[F]) String() string { return s.Fn.Key() }

func (s *Scatter[F]) run(x *worker[F], lo, hi int) error {
	ids, src, dst := whole(x, s.Ids).Int, at(x, s.Rows), at(x, s.Out)
	e := s.width()
	from, to := lo*scatterCols, min(hi*scatterCols, e)
	if to-from == e {
		clear(dst[:s.Fn.V*e])
	} else {
		for i := range s.Fn.V {
			clear(dst[i*e+from : i*e+to])
		}
	}
	for i, id := range ids {
		if err := checkID("id", id, s.Fn.V, i); err != nil {
			return ops.Failed(s.At, err)
		}
		switch {
		case id == s.Fn.Padding:
		case e == 1: // single elements, as an ONNX model's Scatter moves
			dst[id] += src[i]
		default:
			y := dst[id*e+from : id*e+to]
			kernels.Add(y, y, src[i*e+from:i*e+to])
		}
	}
	return nil
}
