package ops_test

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// scans adds cases of loops, their gradients, and how gradients flow in them.
func (t caseTable) scans() {
	for _, s := range []scanSize{{T: 3, B: 2, In: 3, H: 2}, {T: 1, B: 1, In: 1, H: 1},
		{T: 5, B: 1, In: 2, H: 3, Reverse: true}} {
		in := []operand{floats(-1, 1, 1, s.T, s.B, s.In), floats(-1, 1, 2, s.B, s.H),
			floats(-1, 1, 3, s.B, s.H), floats(-1, 1, 4, s.In, s.H), floats(-1, 1, 5, s.H)}
		t.add(opCase{
			name: fmt.Sprint(s), in: in, want: s.loop,
			fn: func(d tensor.Dtype) ops.Operation { return s.scan(d) },
			second: "Scan: its gradient has no derivative of its own; unroll with Expand where a " +
				"second derivative is needed",
		}, "Scan")
		t.add(opCase{
			name: fmt.Sprint(s), in: in,
			build: func(g *nodes.Graph, in []*nodes.Node) *nodes.Node {
				y := steps.Op(g, "Scan", s.scan(g.Dtype()), slices.Clone(in)...)
				var flat []*nodes.Node
				for _, d := range g.Backward([]*nodes.Node{y},
					[]*nodes.Node{g.Const(1, y.Shape()...)}, operands(in)...) {
					flat = append(flat, nodes.Reshape(d, -1))
				}
				return nodes.Concat(0, flat...)
			},
			// The derivative of the sum of everything that the loop computes, by differences.
			want: func(in []array) array {
				var out array
				sum := func() (total float64) {
					for _, v := range s.loop(in).v {
						total += v
					}
					return total
				}
				for _, x := range in {
					for i := range x.v {
						out.v = append(out.v, slope(sum, &x.v[i]))
					}
				}
				out.shape = []int{len(out.v)}
				return out
			},
			first: "Scan: its gradient has no derivative of its own; unroll with Expand where a " +
				"second derivative is needed",
		}, "ScanGrad")
		t.add(opCase{
			name: fmt.Sprint(s), in: in,
			build: func(g *nodes.Graph, in []*nodes.Node) *nodes.Node {
				y := steps.Op(g, "Scan", s.scan(g.Dtype()), slices.Clone(in)...)
				g.Backward([]*nodes.Node{y}, []*nodes.Node{g.Const(1, y.Shape()...)},
					operands(in)...)
				flows, err := ops.Flows(g.Expr())
				if err != nil {
					panic(err)
				}
				return g.Of(flows[0].Nodes[0])
			},
			// What the sum of everything gains by a little more of h' at one time.
			want: func(in []array) array {
				more := generate([]int{s.T, s.B, s.H}, func([]int) float64 { return 0 })
				out := array{shape: more.shape}
				for i := range more.v {
					out.v = append(out.v, slope(func() (total float64) {
						for _, v := range s.loop(append(slices.Clone(in), more)).v {
							total += v
						}
						return total
					}, &more.v[i]))
				}
				return out
			},
			first: "GradientFlow: it has no derivative",
		}, "ScanFlow")
	}
}
