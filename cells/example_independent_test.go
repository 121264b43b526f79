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

// independentRNN is an RNN whose units see only themselves in the state (Li et al., 2018):
//
//	h' = relu(x·W_ih + u∘h + b)
//
// A unit's gradient over T steps is a power of its own u, so |u| ≤ 2^(1/T) keeps it from exploding.
// Layers of it are stacked, so that units meet.
type independentRNN struct {
	hidden    int
	wIH, u, b *nodes.Param
}

func newIndependentRNN(s *nodes.Scope, in, hidden, steps int) *independentRNN {
	return &independentRNN{
		hidden: hidden,
		wIH:    s.Param("W_ih", nodes.HeUniform(math.Sqrt2), in, hidden),
		u:      s.Param("u", nodes.Uniform(0, math.Pow(2, 1/float64(steps))), hidden),
		b:      s.Param("b", nodes.Zeros(), hidden),
	}
}

func (c *independentRNN) Parts() []cells.Part { return []cells.Part{{Name: "h", Width: c.hidden}} }

func (c *independentRNN) Step(x *nodes.Node, s cells.State) cells.State {
	return cells.State{nodes.ReLU(nodes.Add(nodes.MatMul(x, c.wIH), nodes.Mul(s[0], c.u), c.b))}
}

// Three units read the numbers 1 to 5. With u = 1 a unit adds up, with 0 it has no memory, and with
// ½ it forgets. The gradient of the last outputs' sum in u is what each unit remembered.
func Example_independentRNN() {
	const T = 5
	store := nodes.NewStore(nodes.Float64, 1)
	cell := newIndependentRNN(store.Root().In("indrnn"), 1, 3, T)
	copy(cell.wIH.Value().Data().([]float64), []float64{1, 1, 1})
	copy(cell.u.Value().Data().([]float64), []float64{1, 0, 0.5})

	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	var y, du *nodes.Node
	err := nodes.Try(func() {
		x := g.Input("x", T, 1, 1)
		gorgonia.Let(x.Gorgonia(), tensor.New(tensor.WithShape(T, 1, 1),
			tensor.WithBacking([]float64{1, 2, 3, 4, 5})))
		h := unroll.Over(cell).Unroll(x, nil, unroll.Options{})
		y = h.Y()
		du = g.Gradients(nodes.Sum(h.Final()[0]), cell.u)[0]
	})
	if err != nil {
		log.Fatal(err)
	}
	m, err := graph.Compile(g.Expr(), graph.Keep(y.Gorgonia(), du.Gorgonia()))
	if err != nil {
		log.Fatal(err)
	}
	if err := m.RunAll(); err != nil {
		log.Fatal(err)
	}
	h := y.Value().Data().([]float64)
	for t := range T {
		fmt.Println(h[3*t : 3*t+3])
	}
	fmt.Println("dL/du", du.Value().Data())
	// Output:
	// [1 1 1]
	// [3 2 2.5]
	// [6 3 4.25]
	// [10 4 6.125]
	// [15 5 8.0625]
	// dL/du [20 4 9]
}
