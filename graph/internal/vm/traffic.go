package vm

import (
	"unsafe"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// traffic is the bytes of an instruction's operands and results, each element counted once: what it
// would have to move if nothing were in a cache. 0 if that is not known.
func traffic[F kernels.Float](in Instruction[F]) float64 {
	var z F
	return float64(elements(in)) * float64(unsafe.Sizeof(z))
}

func elements[F kernels.Float](in Instruction[F]) (n int) {
	switch in := in.(type) {
	case *Fused[F]:
		for i := range in.Operands {
			size := 1
			for d, s := range in.Operands[i].Strides {
				if s != 0 {
					size *= in.Dims[d]
				}
			}
			n += size
		}
	case *Sum[F]:
		n = in.Outer * (in.N + 1) * in.Inner
	case *Gemm[F]:
		n = in.Count * (in.M*in.K + in.K*in.N + in.M*in.N)
		if in.Acc {
			n += in.Count * in.M * in.N
		}
	case *Gradients[F]:
		for _, p := range in.Products {
			n += elements[F](p)
		}
	}
	return n
}
