package cells_test

import (
	"fmt"
	"log"
	"math"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// minimalGatedUnit is a GRU whose two gates are one (Zhou et al., 2016):
//
//	f  = σ(x·W_ih_f + h·W_hh_f + b_f)
//	n  = tanh(x·W_ih_n + (f∘h)·W_hh_n + b_n)
//	h' = (1 − f)∘h + f∘n
type minimalGatedUnit struct {
	hidden             int
	wIH, wHHf, wHHn, b *nodes.Param // W_ih and b of f and n side by side
}

func newMinimalGatedUnit(s *nodes.Scope, in, hidden int) *minimalGatedUnit {
	return &minimalGatedUnit{
		hidden: hidden,
		wIH:    s.Param("W_ih", nodes.Gates(2, nodes.XavierUniform(1)), in, 2*hidden),
		wHHf:   s.Param("W_hh_f", nodes.Orthogonal(1), hidden, hidden),
		wHHn:   s.Param("W_hh_n", nodes.Orthogonal(1), hidden, hidden),
		b:      s.Param("b", nodes.Zeros(), 2*hidden),
	}
}

func (m *minimalGatedUnit) Parts() []cells.Part {
	return []cells.Part{{Name: "h",
		Width: m.hidden}}
}

func (m *minimalGatedUnit) Step(x *nodes.Node, s cells.State) cells.State {
	h := s[0]
	a := nodes.Split(nodes.Add(nodes.MatMul(x, m.wIH), m.b), 2, -1)
	f := nodes.Sigmoid(nodes.Add(a[0], nodes.MatMul(h, m.wHHf)))
	n := nodes.Tanh(nodes.Add(a[1], nodes.MatMul(nodes.Mul(f, h), m.wHHn)))
	return cells.State{nodes.Add(nodes.Mul(nodes.OneMinus(f), h), nodes.Mul(f, n))}
}

// A cell of one's own is its equations. Both ways to unroll it, and the gradients, come with the
// library.
func Example_minimalGatedUnit() {
	const T, B, In, H = 5, 1, 2, 3
	store := nodes.NewStore(nodes.Float64, 1)
	layer := unroll.Over(newMinimalGatedUnit(store.Root().In("mgu"), In, H))
	var params []nodes.Operand
	for _, p := range store.Params() {
		params = append(params, p)
	}
	sequence := tensor.New(tensor.WithShape(T, B, In),
		tensor.WithBacking([]float64{1, 0, 0, 1, -1, 0, 0, -1, 1, 1}))

	for _, strategy := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		var grads []*nodes.Node
		err := nodes.Try(func() {
			x := g.Input("x", T, B, In)
			gorgonia.Let(x.Gorgonia(), sequence)
			h := layer.Unroll(x, nil, unroll.Options{Strategy: strategy}).Final()[0]
			grads = g.Gradients(nodes.Sum(nodes.Square(h)), params...)
		})
		if err != nil {
			log.Fatal(err)
		}
		m, err := graph.Compile(g.Expr())
		if err != nil {
			log.Fatal(err)
		}
		if err := m.RunAll(); err != nil {
			log.Fatal(err)
		}
		fmt.Println(strategy)
		for i, p := range store.Params() {
			var sum float64
			for _, d := range grads[i].Value().Data().([]float64) {
				sum += d * d
			}
			fmt.Printf("  |dL/d(%s)| = %.6f\n", p.Name(), math.Sqrt(sum))
		}
	}
	// Output:
	// scan
	//   |dL/d(mgu/W_ih)| = 0.236659
	//   |dL/d(mgu/W_hh_f)| = 0.012372
	//   |dL/d(mgu/W_hh_n)| = 0.024889
	//   |dL/d(mgu/b)| = 0.306763
	// expand
	//   |dL/d(mgu/W_ih)| = 0.236659
	//   |dL/d(mgu/W_hh_f)| = 0.012372
	//   |dL/d(mgu/W_hh_n)| = 0.024889
	//   |dL/d(mgu/b)| = 0.306763
}
