package onnx_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
)

// Exponents and bounds that a file keeps as initialisers are no parameters, unless something else
// reads them too: their gradients, of squares of negative numbers, would be no numbers. Nor are
// measured variances, which a step of training could make negative.
func TestSettingsAreNotTrained(t *testing.T) {
	one := func(name string, x float64, shape ...int) *pb.TensorProto {
		return host.Encode(name, &host.Tensor{Type: host.Float32, Shape: shape, F: []float64{x}})
	}
	m := &pb.ModelProto{IrVersion: proto.Int64(8),
		OpsetImport: []*pb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(13)}},
		Graph: &pb.GraphProto{Name: proto.String("g"),
			Input: []*pb.ValueInfoProto{info("x", onnx.Float32, 3), info("u", onnx.Float32, 2, 1)},
			Output: []*pb.ValueInfoProto{info("y", onnx.Float32, 3), info("z", onnx.Float32, 3),
				info("v", onnx.Float32, 2, 1)},
			Initializer: []*pb.TensorProto{one("two", 2), one("low", 0.5), one("three", 3),
				one("w", 10),
				one("scale", 2, 1), one("bias", 1, 1), one("mean", 3, 1), one("variance", 4, 1)},
			Node: []*pb.NodeProto{node("BatchNormalization",
				[]string{"u", "scale", "bias", "mean", "variance"}, []string{"v"}),
				node("Pow", []string{"x", "two"}, []string{"a"}),
				node("Clip", []string{"a", "low"}, []string{"b"}),
				node("Mul", []string{"b", "w"}, []string{"y"}),
				node("Pow", []string{"x", "three"}, []string{"c"}),
				node("Add", []string{"c", "three"}, []string{"z"})}}}
	content, err := proto.Marshal(m)
	require.NoError(t, err)
	model, err := onnx.Decode(content)
	require.NoError(t, err)
	var names []string
	for _, p := range model.Params().Params() {
		names = append(names, p.Name())
	}
	require.ElementsMatch(t, []string{"three", "w", "scale", "bias"}, names)
	out, err := model.Run(onnx.Values{"x": onnx.Floats([]float32{-3, 0.1, 2}, 3),
		"u": onnx.Floats([]float32{3, 7}, 2, 1)})
	require.NoError(t, err)
	require.Equal(t, []float32{90, 5, 40}, out["y"].Float32s())
	testkit.RequireInDelta(t, []float64{1, 5}, out["v"].Float64s(), 1e-4)
	testkit.RequireInDelta(t, []float64{-24, 3.001, 11}, out["z"].Float64s(), 1e-6)
}

// A constant whose numbers are zeros of both signs keeps them.
func TestZerosOfBothSigns(t *testing.T) {
	value := &pb.AttributeProto{Name: proto.String("value"), Type: pb.AttributeProto_TENSOR.Enum(),
		T: host.Encode("c", &host.Tensor{Type: host.Float32, Shape: []int{2},
			F: []float64{0, math.Copysign(0, -1)}})}
	content, err := proto.Marshal(&pb.ModelProto{IrVersion: proto.Int64(8),
		OpsetImport: []*pb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(13)}},
		Graph: &pb.GraphProto{Name: proto.String("g"),
			Input:  []*pb.ValueInfoProto{info("x", onnx.Float32, 2)},
			Output: []*pb.ValueInfoProto{info("y", onnx.Float32, 2)},
			Node: []*pb.NodeProto{node("Constant", nil, []string{"c"}, value),
				node("Div", []string{"x", "c"}, []string{"y"})}}})
	require.NoError(t, err)
	model, err := onnx.Decode(content)
	require.NoError(t, err)
	out, err := model.Run(onnx.Values{"x": onnx.Floats([]float32{1, 1}, 2)})
	require.NoError(t, err)
	require.Equal(t, []float64{math.Inf(1), math.Inf(-1)}, out["y"].Float64s())
}
