package onnx_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
)

// damage changes a model in a way that leaves it readable: what a hostile file says, which no
// change of single bits would find.
type damage struct {
	*rand.Rand
	nodes  []*pb.NodeProto
	graphs []*pb.GraphProto
}

func (d *damage) collect(g *pb.GraphProto) {
	d.graphs = append(d.graphs, g)
	for _, n := range g.Node {
		d.nodes = append(d.nodes, n)
		for _, a := range n.Attribute {
			if a.G != nil {
				d.collect(a.G)
			}
		}
	}
}

// number is one that little code expects.
func (d *damage) number() int64 {
	all := []int64{0, -1, 1, 2, 3, -2, 7, 100, 1 << 16, 1 << 20, 1 << 31, -(1 << 31), 1 << 40,
		1 << 62, math.MaxInt64, math.MinInt64}
	return all[d.Intn(len(all))]
}

// one is any of a list; its zero value if that is empty.
func one[T any](d *damage, list []T) (x T) {
	if len(list) > 0 {
		x = list[d.Intn(len(list))]
	}
	return x
}

func (d *damage) attribute(a *pb.AttributeProto) string {
	switch {
	case a == nil:
		return ""
	case a.I != nil:
		a.I = proto.Int64(d.number())
	case len(a.Ints) > 0:
		a.Ints[d.Intn(len(a.Ints))] = d.number()
	case a.F != nil:
		a.F = proto.Float32(one(d,
			[]float32{0, -1, float32(math.NaN()), float32(math.Inf(1)), 1e30}))
	case a.T != nil:
		return d.tensor(a.T)
	default:
		a.S = []byte("weird")
	}
	return fmt.Sprint("attribute ", a.GetName(), " ", a.GetI(), a.Ints, a.GetF())
}

func (d *damage) tensor(t *pb.TensorProto) string {
	if t == nil {
		return ""
	}
	switch d.Intn(7) {
	case 0:
		if len(t.Dims) > 0 {
			t.Dims[d.Intn(len(t.Dims))] = d.number()
		}
	case 1:
		t.Dims = append(t.Dims, d.number())
	case 2:
		t.DataType = proto.Int32(int32(d.Intn(25)))
	case 3:
		t.RawData = t.RawData[:d.Intn(len(t.RawData)+1)]
	case 4:
		for i := range t.RawData {
			t.RawData[i] ^= byte(d.Intn(8) / 7 * d.Intn(256))
		}
	case 5:
		v := d.number()
		for i := range min(8, len(t.RawData)) {
			t.RawData[i] = byte(v >> (8 * i))
		}
		if len(t.Int64Data) > 0 {
			t.Int64Data[0] = v
		}
	case 6:
		t.Int64Data, t.FloatData = append(t.Int64Data, 1, 2, 3), append(t.FloatData, 1)
	}
	return "tensor " + t.GetName()
}

// node changes what a node reads, writes or is.
func (d *damage) node(n *pb.NodeProto) string {
	switch k := d.Intn(8); {
	case k == 0 && len(n.Attribute) > 0:
		n.Attribute = n.Attribute[1:]
	case k == 1 && len(n.Input) > 0:
		n.Input = n.Input[:d.Intn(len(n.Input))]
	case k == 2 && len(n.Input) > 0:
		n.Input[d.Intn(len(n.Input))] = ""
	case k == 3 && len(n.Input) > 0:
		d.Shuffle(len(n.Input), func(i, j int) { n.Input[i], n.Input[j] = n.Input[j], n.Input[i] })
	case k == 4 && len(n.Input) > 0:
		n.Input[0] = one(d, n.Output) // it waits for itself
	case k == 5 && len(n.Output) > 0:
		n.Output = append(n.Output, n.Output[0], "more")
	case k == 6:
		n.OpType = one(d, d.nodes).OpType
	case k == 7:
		names := []string{"axis", "axes", "perm", "keepdims", "hidden_size", "direction", "pads",
			"group", "kernel_shape", "num_scan_inputs", "clip", "layout", "activations", "strides",
			"blocksize"}
		n.Attribute = append(n.Attribute, &pb.AttributeProto{Name: proto.String(one(d, names)),
			I: proto.Int64(d.number()), Ints: []int64{d.number(), d.number()}})
	}
	return fmt.Sprint("node ", n)
}

func (d *damage) input(i *pb.ValueInfoProto) string {
	t := i.GetType().GetTensorType()
	if t == nil {
		return ""
	}
	switch dim := one(d, t.GetShape().GetDim()); {
	case d.Intn(3) == 0:
		t.ElemType = proto.Int32(int32(d.Intn(25)))
	case d.Intn(2) == 0:
		t.Shape = nil
	case dim != nil:
		dim.Value = &pb.TensorShapeProto_Dimension_DimValue{DimValue: d.number()}
	}
	return "input " + i.GetName()
}

func (d *damage) model(m *pb.ModelProto) string {
	d.nodes, d.graphs = nil, nil
	d.collect(m.Graph)
	g := one(d, d.graphs)
	switch n := one(d, d.nodes); d.Intn(8) {
	case 0, 1:
		return d.attribute(one(d, n.GetAttribute()))
	case 2, 3:
		return d.node(n)
	case 4, 5:
		return d.tensor(one(d, g.Initializer))
	case 6:
		return d.input(one(d, g.Input))
	}
	d.Shuffle(len(g.Node)%4, func(i, j int) { g.Node[i], g.Node[j] = g.Node[j], g.Node[i] })
	m.OpsetImport[0].Version = proto.Int64(int64(d.Intn(24)))
	return fmt.Sprint("order of nodes; operator set ", m.OpsetImport[0].GetVersion())
}

// Models that say what no model says give errors: no panic, and no mistake of this package that
// only its last net catches.
func TestDamagedModels(t *testing.T) {
	files, err := filepath.Glob("testdata/conformance/*/model.onnx")
	require.NoError(t, err)
	more, err := filepath.Glob(nodeTests + "/test_*/model.onnx")
	require.NoError(t, err)
	files = append(files, more...)
	d := &damage{Rand: rand.New(rand.NewSource(5))}
	ran := 0
	for range 2000 {
		file := one(d, files)
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		m := &pb.ModelProto{}
		require.NoError(t, proto.Unmarshal(content, m))
		what := filepath.Base(filepath.Dir(file))
		for range 1 + d.Intn(3) {
			what += "; " + d.model(m)
		}
		content, err = proto.Marshal(m)
		require.NoError(t, err)
		if err = runDamaged(content, filepath.Dir(file)); err == nil {
			ran++
		}
		var bug host.Bug
		require.False(t, errors.As(err, &bug), "%s: %v\n%s", what, bug.Err, bug.Stack)
	}
	t.Logf("%d of 2,000 could be run all the same", ran)
}

// runDamaged runs a model on the inputs of a test where they fit, else on zeros.
func runDamaged(content []byte, dir string) error {
	m, err := onnx.Decode(content)
	if err != nil {
		return err
	}
	in := onnx.Values{}
	for i, info := range m.Inputs() {
		name := filepath.Join(dir, "test_data_set_0", fmt.Sprintf("input_%d.pb", i))
		if x, err := readTensor(name, info.Type); err == nil {
			in[info.Name] = x
			continue
		}
		n := 1
		var shape []int
		for _, d := range info.Shape {
			size := d.Size
			if size < 0 {
				size = 1
			}
			if n > 0 && size > (1<<20)/n {
				return errors.New("too large for this test")
			}
			shape, n = append(shape, size), n*size
		}
		in[info.Name] = onnx.Of(info.Type, make([]float32, n), shape...)
		if info.Type == onnx.String {
			in[info.Name] = onnx.Strings(make([]string, n), shape...)
		}
	}
	_, err = m.Run(in)
	return err
}

// What is no model is told by what it is.
func TestFilesOfOtherKinds(t *testing.T) {
	for content, want := range map[string]string{
		"PK\x03\x04\x14":        "a zip archive, as torch.save",
		"\x1f\x8b\x08\x00":      "compressed by gzip",
		"<!DOCTYPE html><html>": "a page of HTML",
		"version https://git-lfs.github.com/spec/v1\noid": "a pointer of git-lfs",
		"\x20\x00\x00\x00ORTM\x00\x00":                    "ONNX Runtime's own form",
		"hello":                                           "damaged",
		"":                                                "it has no graph",
		`{"irVersion": 8}`:                                "it is JSON",
	} {
		_, err := onnx.Decode([]byte(content))
		require.ErrorIs(t, err, onnx.ErrFormat)
		require.ErrorContains(t, err, want, "%q", content)
	}
}
