package ops_test

import (
	"slices"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// array is what the oracles compute with: every element is found by its index, and nothing else.
type array struct {
	shape []int
	v     []float64
}

// each visits the indices of a shape in row-major order.
func each(shape []int, visit func(k int, ix []int)) {
	for k := range ops.Size(shape) {
		ix := make([]int, len(shape))
		for i, rest := len(shape)-1, k; i >= 0; i-- {
			ix[i], rest = rest%shape[i], rest/shape[i]
		}
		visit(k, ix)
	}
}

// generate is the array whose elements are f of their index.
func generate(shape []int, f func(ix []int) float64) array {
	a := array{shape, make([]float64, ops.Size(shape))}
	each(shape, func(k int, ix []int) { a.v[k] = f(ix) })
	return a
}

func (a array) offset(ix []int) int {
	k := 0
	for i, d := range a.shape {
		k = k*d + ix[i]
	}
	return k
}

func (a array) at(ix ...int) float64 { return a.v[a.offset(ix)] }

// repeated is the element that index ix of a larger shape sees when a is broadcast to it.
func (a array) repeated(ix []int) float64 {
	ix = slices.Clone(ix[len(ix)-len(a.shape):])
	for i, d := range a.shape {
		if d == 1 {
			ix[i] = 0
		}
	}
	return a.at(ix...)
}

// together is the shape of arrays broadcast against each other.
func together(as ...array) []int {
	var shape []int
	for _, a := range as {
		for len(shape) < len(a.shape) {
			shape = append([]int{1}, shape...)
		}
		for i := range a.shape {
			k := len(shape) - len(a.shape) + i
			shape[k] = max(shape[k], a.shape[i])
		}
	}
	return shape
}

// with is ix with the element at axis replaced.
func with(ix []int, axis, by int) []int {
	ix = slices.Clone(ix)
	ix[axis] = by
	return ix
}
