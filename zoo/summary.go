package zoo

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/nodes"
)

// Summary lists the parts of a model, which are known before anything runs.
type Summary struct {
	Architecture string
	Layers       []LayerSummary // in the order in which the model declares them
	Parameters   int            // numbers in all
	Bytes        int            // that the weights take
	Costs        []Cost         // of running it; only from SummariseFor
}

// LayerSummary is one place of a model that has weights of its own.
type LayerSummary struct {
	Path       string // such as "layers/l0"
	Params     []ParamSummary
	Parameters int // numbers in all
	Bytes      int
}

// ParamSummary is one parameter.
type ParamSummary struct {
	Name  string // without the path, such as "W_ih"
	Shape []int
}

// Summarise lists the parts of a model. Nothing is computed, and no weights are drawn.
func Summarise(m Model) (s Summary) {
	if m == nil || m.Params() == nil {
		return s
	}
	s.Architecture = m.Architecture()
	size := 4
	if m.Params().Dtype() == nodes.Float64 {
		size = 8
	}
	for _, p := range m.Params().Params() {
		path := strings.TrimSuffix(strings.TrimSuffix(p.Name(), p.Leaf()), "/")
		if n := len(s.Layers); n == 0 || s.Layers[n-1].Path != path {
			s.Layers = append(s.Layers, LayerSummary{Path: path})
		}
		layer, n := &s.Layers[len(s.Layers)-1], ops.Size(p.Shape())
		layer.Params = append(layer.Params, ParamSummary{p.Leaf(), p.Shape()})
		layer.Parameters += n
		layer.Bytes += n * size
		s.Parameters += n
		s.Bytes += n * size
	}
	return s
}

// String is the summary as a table, and the costs as another.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintln(&b, s.Architecture)
	table(&b, func(row func(cells ...any)) {
		row("layer", "parameters", "numbers", "bytes")
		for _, l := range s.Layers {
			var params []string
			for _, p := range l.Params {
				params = append(params, p.Name+" "+ops.ShapeString(p.Shape))
			}
			row(l.Path, strings.Join(params, ", "), l.Parameters, l.Bytes)
		}
		row("in all", "", s.Parameters, s.Bytes)
	})
	s.costs(&b)
	return b.String()
}

// table writes rows with their columns below each other.
func table(b *strings.Builder, rows func(row func(cells ...any))) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	rows(func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, c)
		}
		fmt.Fprintln(w)
	})
	w.Flush() // a builder takes all
}
