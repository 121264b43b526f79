package onnx_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
)

// counting is a model that adds 1 to x in each of so many steps of a loop; while says that x < 5
// ends it too.
func counting(t *testing.T, steps int, while bool) *onnx.Model {
	vector := func(name string) *pb.ValueInfoProto { return info(name, onnx.Float32, 1) }
	body := &pb.GraphProto{Name: proto.String("body"),
		Input:  []*pb.ValueInfoProto{info("i", onnx.Int64), info("go", onnx.Bool), vector("s")},
		Output: []*pb.ValueInfoProto{info("on", onnx.Bool), vector("next")},
		Node: []*pb.NodeProto{node("Add", []string{"s", "one"}, []string{"next"}),
			node("Identity", []string{"go"}, []string{"on"})}}
	if while {
		body.Node[1] = node("Less", []string{"next", "five"}, []string{"less"})
		body.Node = append(body.Node, node("Squeeze", []string{"less"}, []string{"on"}))
	}
	one := func(name string, x float64) *pb.TensorProto {
		return host.Encode(name, &host.Tensor{Type: host.Float32, Shape: []int{1}, F: []float64{x}})
	}
	m := &pb.ModelProto{IrVersion: proto.Int64(8),
		OpsetImport: []*pb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(13)}},
		Graph: &pb.GraphProto{Name: proto.String("g"), Input: []*pb.ValueInfoProto{vector("x")},
			Output: []*pb.ValueInfoProto{vector("y")},
			Initializer: []*pb.TensorProto{host.Encode("M", host.Ints(steps).As()), one("one", 1),
				one("five", 5), host.Encode("yes", &host.Tensor{Type: host.Bool, Shape: []int{},
					I: []int64{1}})},
			Node: []*pb.NodeProto{node("Loop", []string{"M", "yes", "x"}, []string{"y"},
				&pb.AttributeProto{Name: proto.String("body"), Type: pb.AttributeProto_GRAPH.Enum(),
					G: body})}}}
	content, err := proto.Marshal(m)
	require.NoError(t, err)
	model, err := onnx.Decode(content)
	require.NoError(t, err)
	return model
}

// A loop runs as many steps as it says, or not at all: one of more steps than are laid out is no
// shorter one.
func TestLongLoops(t *testing.T) {
	x := onnx.Values{"x": onnx.Floats([]float32{1}, 1)}
	for _, steps := range []int{0, 1, 7, 500, 50_000, 50_001, 200_000} {
		out, err := counting(t, steps, false).Run(x)
		require.NoError(t, err)
		require.Equal(t, float32(steps+1), out["y"].Float32s()[0])
	}
	for _, steps := range []int{1 << 25, math.MaxInt64} {
		_, err := counting(t, steps, false).Run(x)
		require.ErrorContains(t, err, "want at most 16777216")
	}
	// PyTorch writes a loop without a count as one of the largest count, which its condition ends.
	for _, steps := range []int{10, 100_000, math.MaxInt64} {
		out, err := counting(t, steps, true).Run(x)
		require.NoError(t, err)
		require.Equal(t, float32(5), out["y"].Float32s()[0])
	}
}
