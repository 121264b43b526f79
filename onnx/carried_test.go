package onnx_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
)

// Of outputs named like inputs only those of equal sizes continue them: the first output of a
// detector whose tensors are numbered is a probability, and its first input three frames.
func TestCarriedFitsSizes(t *testing.T) {
	type tensor struct {
		name  string
		shape []int64 // 0: open
	}
	list := func(tensors []tensor) (infos []*pb.ValueInfoProto) {
		for _, x := range tensors {
			i := info(x.name, onnx.Float32, x.shape...)
			for k, d := range i.Type.GetTensorType().Shape.Dim {
				if x.shape[k] == 0 {
					d.Value = &pb.TensorShapeProto_Dimension_DimParam{DimParam: x.name}
				}
			}
			infos = append(infos, i)
		}
		return infos
	}
	in := []tensor{{"input_1", []int64{0, 3, 41}}, {"input_2", []int64{0, 64}},
		{"h0", []int64{2, 0, 8}}}
	out := []tensor{{"output_1", []int64{0, 0, 1}}, {"output_2", []int64{0, 64}},
		{"hn", []int64{2, 0, 8}}}
	m := &pb.ModelProto{IrVersion: proto.Int64(8),
		OpsetImport: []*pb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(16)}},
		Graph:       &pb.GraphProto{Name: proto.String("g"), Input: list(in), Output: list(out)}}
	for i := range in {
		m.Graph.Node = append(m.Graph.Node,
			node("Relu", []string{in[i].name}, []string{out[i].name}))
	}
	content, err := proto.Marshal(m)
	require.NoError(t, err)
	model, err := onnx.Decode(content)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"input_2": "output_2", "h0": "hn"}, model.Carried())
}
