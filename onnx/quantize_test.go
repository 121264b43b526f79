package onnx_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
)

// QuantizeLinear quantises to the type that operator set 21 lets an attribute say, and to no other
// than its zero point's.
func TestQuantizeLinearTypes(t *testing.T) {
	for _, c := range []struct {
		output   onnx.Type
		zero     bool // of uint8
		want     onnx.Type
		values   []float64
		refusing string
	}{{0, false, onnx.Uint8, []float64{0, 2, 255}, ""},
		{onnx.Int8, false, onnx.Int8, []float64{-4, 2, 127}, ""},
		{onnx.Int16, false, onnx.Int16, []float64{-4, 2, 600}, ""},
		{onnx.Uint8, true, onnx.Uint8, []float64{0, 3, 255}, ""},
		{onnx.Int8, true, 0, nil, "the zero point"},
		{onnx.Float32, false, 0, nil, "not supported"}} {
		n := node("QuantizeLinear", []string{"x", "scale"}, []string{"y"})
		if c.output != 0 {
			n.Attribute = []*pb.AttributeProto{{Name: proto.String("output_dtype"),
				Type: pb.AttributeProto_INT.Enum(), I: proto.Int64(int64(c.output))}}
		}
		if c.zero {
			n.Input = append(n.Input, "zero")
		}
		content, err := proto.Marshal(&pb.ModelProto{IrVersion: proto.Int64(10),
			OpsetImport: []*pb.OperatorSetIdProto{{Domain: proto.String(""),
				Version: proto.Int64(21)}},
			Graph: &pb.GraphProto{Name: proto.String("g"), Node: []*pb.NodeProto{n},
				Input:  []*pb.ValueInfoProto{info("x", onnx.Float32, 3)},
				Output: []*pb.ValueInfoProto{info("y", max(c.want, 1), 3)},
				Initializer: []*pb.TensorProto{
					host.Encode("scale", &host.Tensor{Type: host.Float32, Shape: []int{},
						F: []float64{0.5}}),
					host.Encode("zero", &host.Tensor{Type: host.Uint8, Shape: []int{},
						I: []int64{1}})}}})
		require.NoError(t, err)
		m, err := onnx.Decode(content)
		require.NoError(t, err)
		out, err := m.Run(onnx.Values{"x": onnx.Floats([]float32{-2, 1, 300}, 3)})
		if c.refusing != "" {
			require.ErrorContains(t, err, c.refusing)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, out["y"].Type())
		require.Equal(t, c.values, out["y"].Float64s())
	}
}
