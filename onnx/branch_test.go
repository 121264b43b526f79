package onnx_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
)

// info describes an input or an output.
func info(name string, t onnx.Type, shape ...int64) *pb.ValueInfoProto {
	s := &pb.TensorShapeProto{}
	for _, d := range shape {
		s.Dim = append(s.Dim, &pb.TensorShapeProto_Dimension{
			Value: &pb.TensorShapeProto_Dimension_DimValue{DimValue: d}})
	}
	return &pb.ValueInfoProto{Name: &name, Type: &pb.TypeProto{Value: &pb.TypeProto_TensorType{
		TensorType: &pb.TypeProto_Tensor{ElemType: proto.Int32(int32(t)), Shape: s}}}}
}

func node(op string, in, out []string, attributes ...*pb.AttributeProto) *pb.NodeProto {
	return &pb.NodeProto{OpType: &op, Input: in, Output: out, Attribute: attributes}
}

// A branch that cannot be laid out for the shapes at hand, such as one for another rate of samples,
// is no error where the other one is taken.
func TestBranchThatIsNotTaken(t *testing.T) {
	branch := func(name string, n *pb.NodeProto) *pb.AttributeProto {
		return &pb.AttributeProto{Name: &name, Type: pb.AttributeProto_GRAPH.Enum(),
			G: &pb.GraphProto{Name: &name, Node: []*pb.NodeProto{n},
				Output: []*pb.ValueInfoProto{info(n.Output[0], onnx.Float32)}}}
	}
	m := &pb.ModelProto{IrVersion: proto.Int64(8),
		OpsetImport: []*pb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(16)}},
		Graph: &pb.GraphProto{Name: proto.String("rates"),
			Input:  []*pb.ValueInfoProto{info("x", onnx.Float32, 2, 3), info("rate", onnx.Int64)},
			Output: []*pb.ValueInfoProto{info("y", onnx.Float32)},
			Initializer: []*pb.TensorProto{host.Encode("high", host.Ints(16).As()),
				host.Encode("wide", host.Ints(7))},
			Node: []*pb.NodeProto{node("Equal", []string{"rate", "high"}, []string{"is"}),
				node("If", []string{"is"}, []string{"y"},
					branch("then_branch", node("Neg", []string{"x"}, []string{"a"})),
					branch("else_branch", node("Reshape", []string{"x", "wide"}, []string{"b"})))}}}
	content, err := proto.Marshal(m)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "m.onnx")
	require.NoError(t, os.WriteFile(file, content, 0o666))
	read, err := onnx.Import(file)
	require.NoError(t, err)
	in := onnx.Values{"x": onnx.Floats([]float32{1, 2, 3, 4, 5, 6}, 2, 3),
		"rate": onnx.Ints([]int{16})}
	for range 2 {
		out, err := read.Run(in)
		require.NoError(t, err)
		require.Equal(t, []float32{-1, -2, -3, -4, -5, -6}, out["y"].Float32s())
	}
	in["rate"] = onnx.Ints([]int{8})
	_, err = read.Run(in)
	require.ErrorContains(t, err, "Reshape")
}
