package zoo

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/nodes"
)

// Summary is what a model consists of, known before anything runs.
type Summary struct {
	Architecture string
	Layers       []LayerSummary // in the order in which the model declares them
	Parameters   int            // numbers in all
	Bytes        int            // that the weights take
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

// Summarise says what a model consists of. Nothing is computed, and no weights are drawn.
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

// String is the summary as a table.
func (s Summary) String() string {
	var b strings.Builder
	fmt.Fprintln(&b, s.Architecture)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "layer\tparameters\tnumbers\tbytes")
	for _, l := range s.Layers {
		var params []string
		for _, p := range l.Params {
			params = append(params, p.Name+" "+ops.ShapeString(p.Shape))
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\n", l.Path, strings.Join(params, ", "), l.Parameters,
			l.Bytes)
	}
	fmt.Fprintf(w, "in all\t\t%d\t%d\n", s.Parameters, s.Bytes)
	w.Flush() // a builder takes all
	return b.String()
}
