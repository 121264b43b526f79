package exec

import (
	"unsafe"

	"gorgonia.org/tensor"
)

func (b *builder[F]) elementSize() int {
	var z F
	return int(unsafe.Sizeof(z))
}

func (b *builder[F]) floatType() tensor.Dtype {
	if b.elementSize() == 8 {
		return tensor.Float64
	}
	return tensor.Float32
}
