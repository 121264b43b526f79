package shared

import (
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/nodes"
)

// DtypeOf is the type of a model's numbers.
func DtypeOf(float64s bool) tensor.Dtype {
	if float64s {
		return nodes.Float64
	}
	return nodes.Float32
}
