package cells_test

import (
	"fmt"
	"log"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// simpleRecurrentUnit multiplies its input alone by matrices; its gates see the last c unit by unit
// (Lei et al., 2018):
//
//	f  = σ(x·W_f + v_f∘c + b_f)
//	c' = f∘c + (1 − f)∘(x·W)
//	r  = σ(x·W_r + v_r∘c + b_r)
//	h  = r∘c' + (1 − r)∘x
type simpleRecurrentUnit struct {
	width     int
	wIH, v, b *nodes.Param // W, W_f and W_r side by side; of f and r
}

func newSimpleRecurrentUnit(s *nodes.Scope, width int) *simpleRecurrentUnit {
	return &simpleRecurrentUnit{
		width: width,
		wIH:   s.Param("W_ih", nodes.Gates(3, nodes.XavierUniform(1)), width, 3*width),
		v:     s.Param("v", nodes.Uniform(-1, 1), 2*width),
		b:     s.Param("b", nodes.Zeros(), 2*width),
	}
}

func (c *simpleRecurrentUnit) Parts() []cells.Part {
	return []cells.Part{{Name: "h", Width: c.width}, {Name: "c", Width: c.width}}
}

func (c *simpleRecurrentUnit) Step(x *nodes.Node, s cells.State) cells.State {
	last := s[1]
	of := nodes.Split(nodes.MatMul(x, c.wIH), 3, -1)
	gates := nodes.Add(nodes.Concat(-1, of[1], of[2]), nodes.Mul(nodes.Concat(-1, last, last), c.v),
		c.b)
	fr := nodes.Split(nodes.Sigmoid(gates), 2, -1)
	f, r := fr[0], fr[1]
	next := nodes.Add(nodes.Mul(f, last), nodes.Mul(nodes.OneMinus(f), of[0]))
	return cells.State{nodes.Add(nodes.Mul(r, next), nodes.Mul(nodes.OneMinus(r), x)), next}
}

// The cell is written step by step. The engine finds that its products do not need the state, and
// takes them for all steps at once; the gradients are checked against finite differences.
func Example_simpleRecurrentUnit() {
	const T, B, width = 6, 2, 3
	store := nodes.NewStore(nodes.Float64, 1)
	layer := unroll.Over(newSimpleRecurrentUnit(store.Root().In("sru"), width))
	numbers := make([]float64, T*B*width)
	for i := range numbers {
		numbers[i] = float64(i*7%11)/5 - 1
	}
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	var loss *gorgonia.Node
	var inputs, grads []*gorgonia.Node
	err := nodes.Try(func() {
		x := g.Input("x", T, B, width)
		gorgonia.Let(x.Gorgonia(), tensor.New(tensor.WithShape(T, B, width),
			tensor.WithBacking(numbers)))
		y := layer.Unroll(x, nil, unroll.Options{}).Y()
		sum := nodes.Mean(nodes.Square(y))
		loss = sum.Gorgonia()
		wrt := []nodes.Operand{x}
		inputs = append(inputs, x.Gorgonia())
		for _, p := range store.Params() {
			wrt, inputs = append(wrt, p), append(inputs, g.Param(p).Gorgonia())
		}
		for _, d := range g.Gradients(sum, wrt...) {
			grads = append(grads, d.Gorgonia())
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	report, err := graph.CheckGradients(loss, inputs, grads, graph.GradientCheck{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("gradients differ:", report.Err())

	m, err := graph.Compile(g.Expr(), graph.Keep(append(grads, loss)...), graph.Workers(1))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("a product in a loop:", strings.Contains(m.Explain(), "    gemm"))
	if err := m.RunAll(); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("loss %.6f\n", loss.Value().Data())
	// Output:
	// gradients differ: <nil>
	// a product in a loop: false
	// loss 0.143541
}
