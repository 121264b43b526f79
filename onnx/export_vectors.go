package onnx

import (
	"encoding/json"
	"errors"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// ExportVectors writes word vectors, such as those of word2vec: the layout "lookup", the first one,
// of ids [words] to their vectors [words, D], or "similar", of queries [batch, D] to their cosines
// with all words, [batch, V]. The metadata "vocabulary" is the list of the words as JSON, the id of
// each its place.
func ExportVectors(v *vectors.Vectors, file string, o ExportOptions) (err error) {
	defer wrap(&err)
	if v == nil || v.Len() == 0 {
		return errors.New("there are no vectors")
	}
	store := nodes.NewStore(nodes.Float32, 0)
	var table *nodes.Param
	if err := nodes.Try(func() {
		table = store.Root().Param("table", nodes.Zeros(), v.Len(), v.Dim())
	}); err != nil {
		return err
	}
	f := run.ParamFloats(table)
	words := make([]string, v.Len())
	for i := range words {
		words[i] = v.Word(i)
		f.Put32(i*v.Dim(), v.Row(i))
	}
	l, err := layoutOf([]zoo.Layout{lookup(table), similar(table)}, "a table of vectors", o.Layout)
	if err != nil {
		return err
	}
	p, err := encode(l, store, o)
	if err != nil {
		return err
	}
	list, err := json.Marshal(words)
	if err != nil {
		return err
	}
	addMetadata(p, "vocabulary", string(list))
	return write(p, file)
}

func lookup(table *nodes.Param) zoo.Layout {
	return zoo.Layout{Name: "lookup", Sizes: []string{"words"},
		Build: func(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
			ids := g.IntInput("ids", sizes[0])
			return []zoo.Port{{Name: "ids", Node: ids}},
				[]zoo.Port{{Name: "vectors", Node: nodes.Embedding(table, ids, -1)}}
		}}
}

// tiny keeps the length of a vector of zeros from being a divisor of 0.
const tiny = 1e-30

func similar(table *nodes.Param) zoo.Layout {
	// unit are rows of length 1.
	unit := func(x *nodes.Node) *nodes.Node {
		squares := nodes.Reshape(nodes.Sum(nodes.Square(x), -1), x.Dim(0), 1)
		return nodes.Div(x, nodes.Sqrt(nodes.Maximum(squares, nodes.Scalar(tiny))))
	}
	return zoo.Layout{Name: "similar", Sizes: []string{"batch"},
		Build: func(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
			q := g.Input("queries", sizes[0], table.Shape()[1])
			cosines := nodes.MatMul(unit(q), nodes.Transpose(unit(g.Param(table)), 1, 0))
			return []zoo.Port{{Name: "queries", Node: q}},
				[]zoo.Port{{Name: "cosines", Node: cosines}}
		}}
}
