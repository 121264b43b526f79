package native_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph/internal/native"
	"github.com/seqzoo/seqzoo/internal/ops"
)

func matrix(g *G.ExprGraph, name string, shape ...int) *G.Node {
	return G.NewTensor(g, G.Float64, len(shape), G.WithShape(shape...), G.WithName(name))
}

func expr(t *testing.T, n *G.Node, operands ...*G.Node) *native.Expr {
	t.Helper()
	types := make([]ops.Type, len(operands))
	for i, o := range operands {
		types[i] = ops.TypeOf(o)
	}
	e, err := native.Translate(n.Op(), types, ops.TypeOf(n))
	require.NoError(t, err)
	return e
}

// The expressions themselves: what costs nothing has no step.
func TestListings(t *testing.T) {
	g := G.NewGraph()
	x := matrix(g, "x", 4, 6)
	y := matrix(g, "y", 4, 6)
	v := G.NewVector(g, G.Float64, G.WithShape(6), G.WithName("v"))
	s := G.NewScalar(g, G.Float64, G.WithName("s"))
	ids := G.NewVector(g, tensor.Int, G.WithShape(3), G.WithName("ids"))
	for _, c := range []struct {
		name string
		n    *G.Node
		in   G.Nodes
		want string
	}{
		{"add", G.Must(G.Add(x, y)), G.Nodes{x, y}, "%2 = add{0 0} %0 %1\n%2"},
		{"scalar", G.Must(G.Sub(s, x)), G.Nodes{s, x}, "%2 = sub{0 0} %0 %1\n%2"},
		{"compared", G.Must(G.Lte(x, s, true)), G.Nodes{x, s}, "%2 = le{0 0} %0 %1\n%2"},
		{"product", G.Must(G.Mul(x, matrix(g, "w", 6, 3))), G.Nodes{x, matrix(g, "w", 6, 3)},
			"%2 = matmul{false false} %0 %1\n%2"},
		{"vector", G.Must(G.Mul(x, v)), G.Nodes{x, v},
			"%2 = reshape{[6 1]} %1\n%3 = matmul{false false} %0 %2\n%4 = reshape{[4]} %3\n%4"},
		{"sum", G.Must(G.Sum(x, 1)), G.Nodes{x}, "%1 = sumto{[4 1]} %0\n%2 = reshape{[4]} %1\n%2"},
		{"all of it", G.Must(G.Slice(x, nil)), G.Nodes{x}, "%0"},
		{"row", G.Must(G.Slice(x, G.S(2))), G.Nodes{x},
			"%1 = slice{0 2 3} %0\n%2 = reshape{[6]} %1\n%2"},
		{"columns", G.Must(G.Slice(x, nil, G.S(2, 5))), G.Nodes{x}, "%1 = slice{1 2 5} %0\n%1"},
		{"every second", G.Must(G.Slice(v, G.S(1, 5, 2))), G.Nodes{v},
			"%1 = slice{0 1 5} %0\n%2 = reshape{[2 2]} %1\n%3 = slice{1 0 1} %2\n%4 = " +
				"reshape{[2]} %3\n%4"},
		{"transpose", G.Must(G.Transpose(x)), G.Nodes{x}, "%1 = transpose{[1 0]} %0\n%1"},
		{"softmax", G.Must(G.SoftMax(x, 0)), G.Nodes{x},
			"%1 = transpose{[1 0]} %0\n%2 = softmax{} %1\n%3 = transpose{[1 0]} %2\n%3"},
		{"last axis", G.Must(G.SoftMax(y)), G.Nodes{y}, "%1 = softmax{} %0\n%1"},
		{"rows", G.Must(G.ByIndices(x, ids, 0)), G.Nodes{x, ids},
			"%2 = within{4} %1\n%3 = gather{-1} %0 %2\n%3"},
		{"size", G.Must(G.SizeOf(1, x)), G.Nodes{x}, "%1 = fill{float64 [] 6}\n%1"},
		{"constant", G.NewConstant(2.5), nil, "%0 = fill{float64 [] 2.5}\n%0"},
		{"even constant", G.NewConstant(tensor.New(tensor.WithShape(2, 2),
			tensor.WithBacking([]float64{3, 3, 3, 3}))), nil,
			"%0 = fill{float64 [2 2] 3}\n%0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, expr(t, c.n, c.in...).String())
		})
	}
}

func TestWhatHasNoTranslation(t *testing.T) {
	g := G.NewGraph()
	x := matrix(g, "x", 4, 6)
	f := []ops.Type{ops.TypeOf(x)}
	for _, c := range []struct {
		name string
		n    *G.Node
		in   []ops.Type
		msg  string
	}{
		{"input", x, nil, "an input has no translation"},
		{"dropout", G.Must(G.Dropout(x, 0.5)), f,
			"dropoutOp (Dropout{training=true}()) has no translation"},
		{"boolean", G.Must(G.Lt(x, matrix(g, "y", 4, 6), false)), append(f, f...),
			"gives float64 [4, 6], the node is bool [4, 6]"},
		{"random", G.GaussianRandomNode(g, G.Float64, 0, 1, 2), nil, "has no translation"},
		{"uneven constant", G.NewConstant(tensor.New(tensor.WithShape(2),
			tensor.WithBacking([]float64{1, 2}))), nil, "its elements differ"},
		{"integers", G.Must(G.Add(G.NewVector(g, tensor.Int, G.WithShape(2), G.WithName("i")),
			G.NewVector(g, tensor.Int, G.WithShape(2), G.WithName("k")))),
			[]ops.Type{{Dtype: tensor.Int, Shape: []int{2}}, {Dtype: tensor.Int, Shape: []int{2}}},
			"want float32 or float64"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := native.Translate(c.n.Op(), c.in, ops.TypeOf(c.n))
			require.ErrorContains(t, err, c.msg)
		})
	}
}

// Beyond the last row, Gorgonia reads the first. Before the first, it reads memory that is not the
// table's.
func TestIdsAreChecked(t *testing.T) {
	g := G.NewGraph()
	x := matrix(g, "x", 2, 1)
	ids := G.NewVector(g, tensor.Int, G.WithShape(2), G.WithName("ids"))
	e := expr(t, G.Must(G.ByIndices(x, ids, 0)), x, ids)
	table := ops.Tensor{Shape: []int{2, 1}, F64: []float64{1, 2}}
	got, err := e.Eval([]ops.Tensor{table, {Shape: []int{2}, Int: []int{1, 2}}})
	require.NoError(t, err)
	require.Equal(t, []float64{2, 1}, got.F64)
	_, err = e.Eval([]ops.Tensor{table, {Shape: []int{2}, Int: []int{1, -1}}})
	require.ErrorContains(t, err, "outside 0 … 1")
}

// ByIndices along other axes, and its derivative, which is the sum over the places an element was
// taken to.
func TestColumnsByIndices(t *testing.T) {
	g := G.NewGraph()
	x, dy := matrix(g, "x", 2, 3), matrix(g, "dy", 2, 4)
	ids := G.NewVector(g, tensor.Int, G.WithShape(4), G.WithName("ids"))
	n := G.Must(G.ByIndices(x, ids, 1))
	v := ops.Tensor{Shape: []int{2, 3}, F64: []float64{1, 2, 3, 4, 5, 6}}
	at := ops.Tensor{Shape: []int{4}, Int: []int{2, 0, 2, 2}}
	got, err := expr(t, n, x, ids).Eval([]ops.Tensor{v, at})
	require.NoError(t, err)
	require.Equal(t, []float64{3, 1, 3, 3, 6, 4, 6, 6}, got.F64)

	ds, err := n.Op().(G.SDOp).SymDiff(G.Nodes{x, ids}, n, dy)
	require.NoError(t, err)
	got, err = expr(t, ds[0], x, dy, ids).Eval([]ops.Tensor{v,
		{Shape: []int{2, 4}, F64: []float64{1, 2, 3, 4, 10, 20, 30, 40}}, at})
	require.NoError(t, err)
	require.Equal(t, []float64{2, 0, 8, 20, 0, 80}, got.F64)
}

func TestStatementsAndWarnings(t *testing.T) {
	g := G.NewGraph()
	x := matrix(g, "x", 256, 2)
	var into G.Value
	read := G.Read(x, &into)
	got, ok := native.Read(read.Op())
	require.True(t, ok)
	require.Same(t, &into, got)
	_, ok = native.Read(x.Op())
	require.False(t, ok)
	require.True(t, native.IsStatement(read.Op()))
	require.True(t, native.IsStatement(G.Set(x, x).Op()))
	require.False(t, native.IsStatement(x.Op()))
	require.True(t, native.IsConstant(G.NewConstant(1.0).Op()))

	require.Empty(t, native.Warning(x, nil))
	require.Contains(t, native.Warning(G.Must(G.Slice(x, G.S(3))), []*G.Node{x}),
		"axis 0, of size 256")
	require.Empty(t, native.Warning(G.Must(G.Slice(matrix(g, "short", 255), G.S(3))),
		[]*G.Node{matrix(g, "short", 255)}))
	require.Contains(t, native.Warning(G.Must(G.Dropout(x, 0.5)), []*G.Node{x}), "nodes.Dropout")
}
