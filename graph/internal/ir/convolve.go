package ir

import (
	"slices"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// unreshaped is what v is a reshape of, or v.
func unreshaped(v *Value) *Value {
	if _, ok := v.Fn.(ops.Reshape); ok {
		return v.Args[0]
	}
	return v
}

// channelsLast is the [N, C, ...] whose axis of channels v moved behind the others, for a window
// along axes of its own; nil if v is no such thing.
func channelsLast(v *Value, w ops.Window) *Value {
	v = unreshaped(v)
	t, ok := v.Fn.(ops.Transpose)
	if !ok || len(t.Perm) != len(w.Out)+2 || !slices.Equal(t.Perm, lastToSecond(len(t.Perm), true)) {
		return nil
	}
	if !slices.Equal(v.Args[0].Shape[2:], w.Out) {
		return nil
	}
	return v.Args[0]
}

// lastToSecond is the order of axes that makes the last one the second, or back.
func lastToSecond(n int, back bool) []int {
	perm := []int{0}
	if !back {
		perm = append(perm, n-1)
	}
	for i := 1; i < n-1; i++ {
		if back {
			perm = append(perm, i+1)
		} else {
			perm = append(perm, i)
		}
	}
	if back {
		perm = append(perm, 1)
	}
	return perm
}

// unfolded is the Unfold that v is a matrix of; nil if it is none.
func unfolded(v *Value) (*Value, ops.Unfold) {
	v = unreshaped(v)
	u, ok := v.Fn.(ops.Unfold)
	if !ok {
		return nil, u
	}
	return v, u
}

// convolution is the product of unfolded places [N·P, Z] with weights [M, Z], whose channels x
// moves to the second axis, as one operation: it unfolds one image at a time, and nothing is moved.
func (r *Region) convolution(fn ops.Transpose, x *Value) *Value {
	if !slices.Equal(fn.Perm, lastToSecond(len(fn.Perm), false)) {
		return nil
	}
	y := unreshaped(x)
	m, ok := y.Fn.(ops.MatMul)
	if !ok || m.TransA || !m.TransB || len(y.Args[0].Shape) != 2 {
		return nil
	}
	u, window := unfolded(y.Args[0])
	if u == nil || len(u.Shape) != len(x.Shape) ||
		!slices.Equal(x.Shape[:len(x.Shape)-1], u.Shape[:len(u.Shape)-1]) {
		return nil
	}
	image := u.Args[0]
	return r.Apply(ops.Conv{Window: window.Window, Groups: 1}, image,
		r.weights(y.Args[1], image.Shape[1], window.Window))
}

// weights is a matrix [M, Z] as weights [M, C, kernel...].
func (r *Region) weights(w *Value, channels int, window ops.Window) *Value {
	shape := slices.Concat([]int{w.Shape[0], channels}, window.Kernel)
	return r.Apply(ops.Reshape{Shape: shape}, w)
}

// foldedProduct is the gradient of a convolution's operand: what is folded is the product of the
// gradient's places [N·P, M] with weights [M, Z].
func (r *Region) foldedProduct(fn ops.Fold, x *Value) *Value {
	y := unreshaped(x)
	m, ok := y.Fn.(ops.MatMul)
	if !ok || m.TransA || m.TransB || len(y.Args[0].Shape) != 2 {
		return nil
	}
	dy := channelsLast(y.Args[0], fn.Window)
	if dy == nil || dy.Shape[1] != y.Args[1].Shape[0] || dy.Shape[0] != fn.Shape[0] {
		return nil
	}
	return r.Apply(ops.ConvX{Conv: ops.Conv{Window: fn.Window, Groups: 1}, Shape: fn.Shape},
		r.weights(y.Args[1], fn.Shape[1], fn.Window), dy)
}

// unfoldedProduct is the gradient of a convolution's weights: the product of the gradient's places,
// transposed, with unfolded places.
func (r *Region) unfoldedProduct(fn ops.MatMul, a, b *Value) *Value {
	if !fn.TransA || fn.TransB || len(a.Shape) != 2 {
		return nil
	}
	u, window := unfolded(b)
	if u == nil {
		return nil
	}
	dy := channelsLast(a, window.Window)
	image := u.Args[0]
	if dy == nil || dy.Shape[1] != a.Shape[1] || dy.Shape[0] != image.Shape[0] {
		return nil
	}
	shape := slices.Concat([]int{dy.Shape[1], image.Shape[1]}, window.Kernel)
	dw := r.Apply(ops.ConvW{Conv: ops.Conv{Window: window.Window, Groups: 1}, Shape: shape}, image,
		dy)
	return r.Apply(ops.Reshape{Shape: []int{a.Shape[1], b.Shape[1]}}, dw)
}
