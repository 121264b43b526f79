package onnx_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
)

// changes are what may be wrong with node n of a graph, each made to a copy of the model.
func changes(g *pb.GraphProto, n int) (all []func(g *pb.GraphProto)) {
	node := g.Node[n]
	for i := range node.Input {
		all = append(all,
			func(g *pb.GraphProto) { g.Node[n].Input[i] = "" },
			func(g *pb.GraphProto) { g.Node[n].Input = g.Node[n].Input[:i] },
			func(g *pb.GraphProto) { g.Node[n].Input[i] = g.Node[n].Input[0] },
			func(g *pb.GraphProto) { g.Node[n].Input[i] = g.Node[n].Input[len(g.Node[n].Input)-1] },
			func(g *pb.GraphProto) {
				g.Node[n].Input = append(g.Node[n].Input, g.Node[n].Input[i])
			},
		)
	}
	for i := range node.Output {
		all = append(all,
			func(g *pb.GraphProto) { g.Node[n].Output = g.Node[n].Output[:i] },
			func(g *pb.GraphProto) { g.Node[n].Output = append(g.Node[n].Output, "more") },
		)
	}
	for i, a := range node.Attribute {
		all = append(all,
			func(g *pb.GraphProto) {
				g.Node[n].Attribute = append(g.Node[n].Attribute[:i:i],
					g.Node[n].Attribute[i+1:]...)
			},
			func(g *pb.GraphProto) { g.Node[n].Attribute[i] = &pb.AttributeProto{Name: a.Name} },
		)
		for _, x := range []int64{-1 << 63, -2, -1, 0, 1, 2, 3, 1 << 31, 1<<63 - 1} {
			all = append(all, func(g *pb.GraphProto) {
				a := g.Node[n].Attribute[i]
				a.I = &x
				for k := range a.Ints {
					a.Ints[k] = x
				}
			})
		}
		all = append(all,
			func(g *pb.GraphProto) { g.Node[n].Attribute[i].Ints = nil },
			func(g *pb.GraphProto) { a := g.Node[n].Attribute[i]; a.Ints = append(a.Ints, 1) },
			func(g *pb.GraphProto) { g.Node[n].Attribute[i].S = []byte("odd") },
			func(g *pb.GraphProto) { g.Node[n].Attribute[i].Strings = nil },
			func(g *pb.GraphProto) { g.Node[n].Attribute[i].Floats = nil },
		)
		if a.G != nil {
			all = append(all,
				func(g *pb.GraphProto) { g.Node[n].Attribute[i].G = nil },
				func(g *pb.GraphProto) {
					in := g.Node[n].Attribute[i].G
					in.Output = in.Output[:len(in.Output)/2]
				},
				func(g *pb.GraphProto) {
					in := g.Node[n].Attribute[i].G
					in.Input = in.Input[:len(in.Input)/2]
				},
				func(g *pb.GraphProto) {
					if g := g.Node[n].Attribute[i].G; len(g.Output) > 0 {
						g.Output[len(g.Output)-1].Name = proto.String("")
					}
				})
			for k := range a.G.Node {
				for _, change := range changes(a.G, k) {
					all = append(all, func(g *pb.GraphProto) { change(g.Node[n].Attribute[i].G) })
				}
			}
		}
	}
	return all
}

// typed are other types and shapes of input i.
func typed(i int) (all []func(g *pb.GraphProto)) {
	tensor := func(change func(t *pb.TypeProto_Tensor, s *pb.TensorShapeProto)) {
		all = append(all, func(g *pb.GraphProto) {
			if t := g.Input[i].GetType().GetTensorType(); t.GetShape() != nil {
				change(t, t.Shape)
			}
		})
	}
	for _, typ := range []onnx.Type{0, onnx.Float32, onnx.Int64, onnx.Bool, onnx.String,
		onnx.Float16, onnx.Uint8} {
		tensor(func(t *pb.TypeProto_Tensor, _ *pb.TensorShapeProto) {
			t.ElemType = proto.Int32(int32(typ))
		})
	}
	dim := func(size int64) *pb.TensorShapeProto_Dimension {
		return &pb.TensorShapeProto_Dimension{Value: &pb.TensorShapeProto_Dimension_DimValue{DimValue: size}}
	}
	tensor(func(_ *pb.TypeProto_Tensor, s *pb.TensorShapeProto) { s.Dim = nil })
	tensor(func(_ *pb.TypeProto_Tensor, s *pb.TensorShapeProto) { s.Dim = s.Dim[len(s.Dim)/2:] })
	tensor(func(_ *pb.TypeProto_Tensor, s *pb.TensorShapeProto) { s.Dim = append(s.Dim, dim(2)) })
	tensor(func(_ *pb.TypeProto_Tensor, s *pb.TensorShapeProto) {
		for k := range s.Dim {
			s.Dim[k] = dim(0)
		}
	})
	return all
}

var long = flag.Bool("long", false, "run the trials in full length")

// everyModel is how many of the models are passed over for one whose changes are tried: all of them
// are a minute's work.
const everyModel = 23

// A model in which one operand, result, attribute, type or shape is not what its operator takes, or
// is missing, is an error or runs: each such change of each node, where TestDamagedModels makes any
// few at random.
func TestChangedModels(t *testing.T) {
	files, _ := filepath.Glob("testdata/conformance/*/model.onnx")
	more, _ := filepath.Glob(nodeTests + "/test_*/model.onnx")
	files = append(files, more...)
	every, n := everyModel, 0
	if *long {
		every = 1
	}
	for i := 0; i < len(files); i += every {
		content, err := os.ReadFile(files[i])
		require.NoError(t, err)
		var m pb.ModelProto
		require.NoError(t, proto.Unmarshal(content, &m))
		var all []func(g *pb.GraphProto)
		for k := range m.Graph.Node {
			all = append(all, changes(m.Graph, k)...)
		}
		for k := range m.Graph.Input {
			all = append(all, typed(k)...)
		}
		for k, change := range all {
			odd := proto.Clone(&m).(*pb.ModelProto)
			change(odd.Graph)
			content, err := proto.Marshal(odd)
			require.NoError(t, err)
			var bug host.Bug
			require.False(t, errors.As(runDamaged(content, ""), &bug), "%s, change %d: %v\n%s",
				files[i], k, bug.Err, bug.Stack)
			n++
		}
	}
	t.Logf("%d changes of %d models", n, (len(files)+every-1)/every)
}
