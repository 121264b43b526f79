package onnx_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
	"github.com/seqzoo/seqzoo/rng"
)

// attribute makes an attribute of an int, ints, a float or a text.
func attribute(name string, x any) *pb.AttributeProto {
	a := &pb.AttributeProto{Name: &name}
	switch x := x.(type) {
	case int:
		a.Type, a.I = pb.AttributeProto_INT.Enum(), proto.Int64(int64(x))
	case float64:
		a.Type, a.F = pb.AttributeProto_FLOAT.Enum(), proto.Float32(float32(x))
	case string:
		a.Type, a.S = pb.AttributeProto_STRING.Enum(), []byte(x)
	case []int:
		a.Type = pb.AttributeProto_INTS.Enum()
		for _, i := range x {
			a.Ints = append(a.Ints, int64(i))
		}
	}
	return a
}

// single is a model of one operator. Operand 0 is its input x; nil operands are left out.
func single(t *testing.T, op string, version int64, attrs map[string]any, result onnx.Type,
	rank int, operands ...*host.Tensor) (file string, in onnx.Values) {
	t.Helper()
	n := node(op, nil, []string{"y"})
	for name, x := range attrs {
		n.Attribute = append(n.Attribute, attribute(name, x))
	}
	x := operands[0]
	out := info("y", result)
	for range rank {
		out.Type.GetTensorType().Shape.Dim = append(out.Type.GetTensorType().Shape.Dim,
			&pb.TensorShapeProto_Dimension{})
	}
	g := &pb.GraphProto{Name: proto.String("g"), Node: []*pb.NodeProto{n},
		Input:  []*pb.ValueInfoProto{info("x", onnx.Type(x.Type), int64s(x.Shape)...)},
		Output: []*pb.ValueInfoProto{out}}
	for i, o := range operands {
		name := fmt.Sprintf("o%d", i)
		switch {
		case i == 0:
			name = "x"
		case o == nil:
			name = ""
		default:
			g.Initializer = append(g.Initializer, host.Encode(name, o))
		}
		n.Input = append(n.Input, name)
	}
	content, err := proto.Marshal(&pb.ModelProto{IrVersion: proto.Int64(8), Graph: g,
		OpsetImport: []*pb.OperatorSetIdProto{{Domain: proto.String(""), Version: &version}}})
	require.NoError(t, err)
	file = filepath.Join(t.TempDir(), "m.onnx")
	require.NoError(t, os.WriteFile(file, content, 0o666))
	if x.I != nil {
		ints := make([]int, len(x.I))
		for i, v := range x.I {
			ints[i] = int(v)
		}
		return file, onnx.Values{"x": onnx.Of(onnx.Type(x.Type), ints, x.Shape...)}
	}
	return file, onnx.Values{"x": onnx.Of(onnx.Type(x.Type), x.F, x.Shape...)}
}

func int64s(xs []int) []int64 {
	out := make([]int64, len(xs))
	for i, x := range xs {
		out[i] = int64(x)
	}
	return out
}

// drawn are numbers around 0, or bytes.
func drawn(t host.Type, seed uint64, shape ...int) *host.Tensor {
	x, key := host.New(t, shape...), rng.New(seed)
	for i := range x.F {
		x.F[i] = float64(float32(2*key.Float64(uint64(i)) - 1))
	}
	for i := range x.I {
		if x.I[i] = int64(key.Uint64(uint64(i)) % 256); t == host.Int8 {
			x.I[i] -= 128
		}
	}
	return x
}

func numbers(xs ...float64) *host.Tensor {
	return &host.Tensor{Type: host.Float32, Shape: []int{len(xs)}, F: xs}
}

func number(t host.Type, x float64) *host.Tensor {
	if t.IsFloat() {
		return &host.Tensor{Type: t, Shape: []int{}, F: []float64{x}}
	}
	return &host.Tensor{Type: t, Shape: []int{}, I: []int64{int64(x)}}
}

// requireSameOperator holds an operator to the runtime.
func (r *runtime) requireSameOperator(t *testing.T, op string, version int64, a map[string]any,
	result onnx.Type, rank int, operands ...*host.Tensor) {
	t.Helper()
	file, in := single(t, op, version, a, result, rank, operands...)
	m, err := onnx.Import(file)
	require.NoError(t, err, "%s %v", op, a)
	want, _, err := r.run(file, in, 1)
	require.NoError(t, err, "%s %v", op, a)
	got, err := m.Run(in)
	require.NoError(t, err, "%s %v", op, a)
	require.Equal(t, want["y"].Dims, append([]int{}, got["y"].Shape()...), "%s %v", op, a)
	testkit.RequireInDelta(t, want["y"].Data, got["y"].Float64s(), 2e-5, "%s %v", op, a)
}

// Operators of images, signals and whole numbers, beyond the cases of ONNX's own tests, give what
// they give in ONNX Runtime.
func TestRuntimeOperators(t *testing.T) {
	r := startRuntime(t)
	type attrs = map[string]any
	check := r.requireSameOperator
	x := drawn(host.Float32, 1, 2, 3, 7, 10)
	for _, coordinates := range []string{"half_pixel", "pytorch_half_pixel", "asymmetric",
		"align_corners", "half_pixel_symmetric"} {
		for _, sizes := range [][]int{{2, 3, 14, 20}, {2, 3, 4, 23}, {2, 3, 2, 8}} {
			for _, nearest := range []string{"round_prefer_floor", "round_prefer_ceil", "floor",
				"ceil"} {
				check(t, "Resize", 19, attrs{"coordinate_transformation_mode": coordinates,
					"nearest_mode": nearest}, onnx.Float32, 4, x, nil, nil, host.Ints(sizes...))
			}
			for _, mode := range []string{"linear", "cubic"} {
				a := attrs{"coordinate_transformation_mode": coordinates, "mode": mode}
				check(t, "Resize", 13, a, onnx.Float32, 4, x, nil, nil, host.Ints(sizes...))
			}
		}
	}
	check(t, "Resize", 13, attrs{"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1},
		onnx.Float32, 4, x, nil, numbers(1, 1, 1.7, 0.6))
	for _, mode := range []string{"linear", "cubic"} {
		check(t, "Resize", 18, attrs{"mode": mode, "antialias": 1, "axes": []int{2, 3}},
			onnx.Float32, 4, x, nil, numbers(0.5, 0.7))
	}
	for _, policy := range []string{"not_larger", "not_smaller"} {
		check(t, "Resize", 18, attrs{"mode": "nearest", "axes": []int{2, 3},
			"keep_aspect_ratio_policy": policy}, onnx.Float32, 4, x, nil, nil, host.Ints(13, 15))
	}
	crop := attrs{"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize",
		"extrapolation_value": 9.0}
	check(t, "Resize", 13, crop, onnx.Float32, 4, x, numbers(0, 0, -0.2, 0.3, 1, 1, 1.1, 0.8), nil,
		host.Ints(2, 3, 9, 11))
	check(t, "Resize", 10, attrs{"mode": "linear"}, onnx.Float32, 4, x, numbers(1, 1, 2, 1.5))
	check(t, "Upsample", 9, attrs{"mode": "nearest"}, onnx.Float32, 4, x, numbers(1, 1, 2, 3))

	for _, n := range []int{1, 2, 8, 15} {
		signal := drawn(host.Float32, 2, 3, n, 1)
		check(t, "DFT", 17, attrs{"axis": 1, "onesided": 1}, onnx.Float32, 3, signal)
		parts := drawn(host.Float32, 3, 2, n, 2)
		for _, inverse := range []int{0, 1} {
			check(t, "DFT", 17, attrs{"axis": 1, "inverse": inverse}, onnx.Float32, 3, parts)
		}
		check(t, "DFT", 20, attrs{}, onnx.Float32, 3, parts, number(host.Int64, 6))
	}
	signal := drawn(host.Float32, 4, 2, 60, 1)
	check(t, "STFT", 17, attrs{}, onnx.Float32, 4, signal, number(host.Int64, 7),
		drawn(host.Float32, 5, 16))
	check(t, "STFT", 17, attrs{"onesided": 0}, onnx.Float32, 4, signal, number(host.Int64, 5), nil,
		number(host.Int64, 9))
	for _, size := range []int{1, 3, 9} { // even ones it does not take
		check(t, "LRN", 13, attrs{"size": size, "alpha": 0.3, "beta": 0.6, "bias": 1.5},
			onnx.Float32, 4, drawn(host.Float32, 6, 2, 5, 3, 2))
	}

	bytes, weights := drawn(host.Uint8, 7, 2, 4, 9, 8), drawn(host.Uint8, 8, 6, 2, 3, 2)
	a := attrs{"group": 2, "strides": []int{2, 1}, "pads": []int{1, 0, 2, 1},
		"dilations": []int{1, 2}}
	check(t, "ConvInteger", 10, a, onnx.Int32, 4, bytes, weights, number(host.Uint8, 117))
	check(t, "ConvInteger", 10, attrs{"auto_pad": "SAME_LOWER", "group": 2}, onnx.Int32, 4, bytes,
		weights, number(host.Uint8, 3), number(host.Uint8, 130))
	bias := drawn(host.Int32, 9, 6)
	scales := numbers(0.01, 0.02, 0.005, 0.011, 0.03, 0.007)
	signed := drawn(host.Int8, 10, 6, 2, 3, 2)
	check(t, "QLinearConv", 10, a, onnx.Uint8, 4, bytes, number(host.Float32, 0.05),
		number(host.Uint8, 120),
		signed, scales, host.New(host.Int8, 6), number(host.Float32, 0.9), number(host.Uint8, 100),
		bias)
}
