package onnx_test

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
)

// integers are a tensor of 1, 2, 3, ….
func integers(t host.Type, shape ...int) *host.Tensor {
	x := host.New(t, shape...)
	for i := range x.I {
		x.I[i] = int64(i) + 1
	}
	return x
}

// runSingle runs a model of one operator, on operand 0.
func runSingle(t *testing.T, op string, version int64, attrs map[string]any, result onnx.Type,
	rank int, operands ...*host.Tensor) (onnx.Tensor, error) {
	t.Helper()
	file, in := single(t, op, version, attrs, result, rank, operands...)
	m, err := onnx.Import(file)
	if err != nil {
		return onnx.Tensor{}, err
	}
	out, err := m.Run(in)
	return out["y"], err
}

// Images of integers are cropped too, and what lies outside gets the fill.
func TestResizeCropsIntegers(t *testing.T) {
	got, err := runSingle(t, "Resize", 13, map[string]any{"extrapolation_value": 9.0,
		"coordinate_transformation_mode": "tf_crop_and_resize"}, onnx.Int32, 1,
		integers(host.Int32, 3), numbers(0, 2), nil, host.Ints(5))
	require.NoError(t, err)
	require.Equal(t, []float64{1, 2, 3, 9, 9}, got.Float64s())
}

// Regions may lie anywhere, however far away.
func TestResizeCropsFarAway(t *testing.T) {
	for _, mode := range []string{"nearest", "linear", "cubic"} {
		got, err := runSingle(t, "Resize", 13,
			map[string]any{"extrapolation_value": 9.0, "mode": mode,
				"coordinate_transformation_mode": "tf_crop_and_resize"}, onnx.Float32, 1,
			numbers(1, 2, 3), numbers(-1e30, 1e38), nil, host.Ints(4))
		require.NoError(t, err)
		require.Equal(t, []float64{9, 9, 9, 9}, got.Float64s(), mode)
	}
}

// Rows of a and columns of b may have scales of their own.
func TestQLinearMatMulScales(t *testing.T) {
	zero := number(host.Int8, 0)
	multiply := func(a, b, as, bs, zero *host.Tensor) ([]float64, error) {
		got, err := runSingle(t, "QLinearMatMul", 10, nil, onnx.Type(zero.Type),
			max(0, len(a.Shape)+len(b.Shape)-2), a, as, zero, b, bs, zero, number(host.Float32, 1),
			zero)
		return got.Float64s(), err
	}
	a, b := integers(host.Int8, 2, 2), integers(host.Int8, 2, 3) // the product is 9 12 15, 19 26 33
	for _, c := range []struct {
		as, bs *host.Tensor
		want   []float64
	}{
		{numbers(1), number(host.Float32, 1), []float64{9, 12, 15, 19, 26, 33}},
		{numbers(1, 2), numbers(1), []float64{9, 12, 15, 38, 52, 66}},
		{numbers(2, 1), numbers(1, 2, 3), []float64{18, 48, 90, 19, 52, 99}},
	} {
		got, err := multiply(a, b, c.as, c.bs, zero)
		require.NoError(t, err)
		require.Equal(t, c.want, got, "scales %v and %v", c.as.F, c.bs.F)
	}
	got, err := multiply(a, integers(host.Int8, 2), numbers(1, 2), numbers(1), zero)
	require.NoError(t, err)
	require.Equal(t, []float64{5, 22}, got)
	_, err = multiply(a, b, numbers(1, 2, 3), numbers(1), zero)
	require.ErrorContains(t, err, "scales")
	_, err = multiply(a, b, numbers(1), numbers(1, 2), zero)
	require.ErrorContains(t, err, "scales")
}

// What operators cannot compute is refused by name, and not by an index out of range.
func TestOperatorsRefuse(t *testing.T) {
	type attrs = map[string]any
	floats, image := drawn(host.Float32, 1, 2, 4, 1), drawn(host.Float32, 1, 1, 1, 4, 4)
	bytes, kernel := drawn(host.Uint8, 1, 1, 1, 4, 4), drawn(host.Uint8, 2, 1, 1, 2, 2)
	none, noFloats := host.Ints(), numbers()
	for _, c := range []struct {
		op      string
		version int64
		attrs   attrs
		want    string
		in      []*host.Tensor
	}{
		{"Resize", 18, attrs{"keep_aspect_ratio_policy": "wide"}, `keep_aspect_ratio_policy "wide"`,
			[]*host.Tensor{image, nil, nil, host.Ints(1, 1, 2, 2)}},
		{"Resize", 18, attrs{"mode": "sinc"}, `mode "sinc"`,
			[]*host.Tensor{image, nil, nil, host.Ints(1, 1, 2, 2)}},
		{"Resize", 18, attrs{"nearest_mode": "up"}, `nearest_mode "up"`,
			[]*host.Tensor{image, nil, nil, host.Ints(1, 1, 2, 2)}},
		{"Resize", 18, attrs{"coordinate_transformation_mode": "tf_crop_and_resize"}, "region",
			[]*host.Tensor{image, numbers(0, 0, 0, 0, 1, 1, 1, math.NaN()), nil,
				host.Ints(1, 1, 2, 2)}},
		{"Resize", 18, nil, "scales or sizes", []*host.Tensor{image, nil, none, noFloats}},
		{"DFT", 20, nil, "no element 0", []*host.Tensor{floats, none}},
		{"DFT", 20, nil, "no element 0", []*host.Tensor{floats, nil, none}},
		{"DFT", 20, nil, "no element 0", []*host.Tensor{floats, noFloats}},
		{"STFT", 17, nil, "no element 0", []*host.Tensor{floats, none, numbers(1, 1)}},
		{"ConvInteger", 10, attrs{"kernel_shape": []int{3, 3}}, "kernel_shape",
			[]*host.Tensor{bytes, kernel}},
		{"ConvInteger", 10, attrs{"group": 0}, "0 groups", []*host.Tensor{bytes, kernel}},
		{"ConvInteger", 10, attrs{"strides": []int{0, 1}}, "strides",
			[]*host.Tensor{bytes, kernel}},
	} {
		what := fmt.Sprintf("%s %v", c.op, c.attrs)
		_, err := runSingle(t, c.op, c.version, c.attrs, onnx.Float32, 4, c.in...)
		require.ErrorContains(t, err, c.want, what)
		var bug host.Bug
		require.False(t, errors.As(err, &bug), "%s: %s", what, bug.Stack)
	}
}
