package shared

import (
	"slices"

	"github.com/seqzoo/seqzoo/nodes"
	"gorgonia.org/tensor"
)

// floats is the value of a node, which may be written anew by the next run.
func Floats(n *nodes.Node) []float64 { return FloatsOf(n.Value().(*tensor.Dense)) }

// kept copies the elements of a node that was kept.
func Kept(n *nodes.Node) []float64 { return slices.Clone(FloatsOf(n.Value().(*tensor.Dense))) }

// copyFloats writes numbers to a tensor, from its element at on.
func CopyFloats(to *tensor.Dense, at int, values []float64) {
	switch d := to.Data().(type) {
	case []float32:
		for i, v := range values {
			d[at+i] = float32(v)
		}
	case []float64:
		copy(d[at:], values)
	}
}

// floatsOf is the elements of a tensor; of one of float64, its own.
func FloatsOf(v *tensor.Dense) []float64 {
	if d, ok := v.Data().([]float64); ok {
		return d
	}
	d := v.Float32s()
	out := make([]float64, len(d))
	for i, x := range d {
		out[i] = float64(x)
	}
	return out
}

func DtypeOf(float64s bool) tensor.Dtype {
	if float64s {
		return nodes.Float64
	}
	return nodes.Float32
}

// fillDense makes every element x.
func FillDense(v *tensor.Dense, x float64) {
	switch d := v.Data().(type) {
	case []float32:
		for i := range d {
			d[i] = float32(x)
		}
	case []float64:
		for i := range d {
			d[i] = x
		}
	}
}
