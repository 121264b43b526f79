package native

import (
	"reflect"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// windowOf reads what gorgonia.Conv2d slides, from the fields of its im2colOp, to places [H, W].
func windowOf(v reflect.Value, places []int) ops.Window {
	get := func(names ...string) (out []int) {
		for _, name := range names {
			f := v.FieldByName(name)
			if f.Kind() != reflect.Int {
				fail("not an operation of Gorgonia v0.9.18: it has no field %s", name)
			}
			out = append(out, int(f.Int()))
		}
		return out
	}
	pad := get("padH", "padW")
	return ops.Window{Kernel: get("h", "w"), Stride: get("strideH", "strideW"),
		Dilation: get("dilationH", "dilationW"), Before: pad, Behind: pad, Out: places}
}

func unfold(b *builder) int {
	if len(b.out.Shape) != 4 {
		fail("the node is %v", b.out)
	}
	return b.apply(ops.Unfold{Window: windowOf(b.fields, b.out.Shape[1:3])}, 0)
}

func fold(b *builder) int {
	if len(b.shape(0)) != 4 {
		fail("its operand is %v", b.types[0])
	}
	w := windowOf(b.fields.FieldByName("im2colOp"), b.shape(0)[1:3])
	return b.apply(ops.Fold{Window: w, Shape: b.out.Shape}, 0)
}

// poolOf reads the window of a maxPoolOp. With four paddings, the first places see as much around
// as Gorgonia's second and fourth say, as it runs.
func poolOf(v reflect.Value, places []int) ops.Window {
	get := func(name string) int {
		f := v.FieldByName(name)
		if f.Kind() != reflect.Int {
			fail("not an operation of Gorgonia v0.9.18: it has no field %s", name)
		}
		return int(f.Int())
	}
	north, west := get("padNorth"), get("padWest")
	south, east := get("padSouth"), get("padEast")
	w := ops.Window{Kernel: []int{get("h"), get("w")}, Dilation: []int{1, 1},
		Stride: []int{get("strideH"), get("strideW")}, Before: []int{north, west},
		Behind: []int{south, east}, Out: places}
	if explicit := v.FieldByName("explicitPadding"); explicit.Kind() == reflect.Bool &&
		explicit.Bool() {
		w.Before, w.Behind = []int{south, east}, []int{north, west}
	}
	for i, k := range w.Kernel {
		// A window that sees nothing has a value of Gorgonia's own.
		if w.Before[i] >= k || w.Behind[i] >= k {
			fail("it has windows outside of its input")
		}
	}
	return w
}

func maxPool(b *builder) int {
	return b.apply(ops.MaxPool{Window: poolOf(b.fields, b.out.Shape[2:])}, 0)
}

// maxPoolGradient has the operands x, the result and the gradient of the result.
func maxPoolGradient(b *builder) int {
	w := poolOf(b.fields.FieldByName("maxPoolOp"), b.shape(2)[2:])
	return b.apply(ops.MaxPoolGrad{Window: w}, 0, 2)
}
