package unroll_test

import (
	"fmt"
	"log"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// Two sequences of different lengths run through a bidirectional layer in one batch.
func Example() {
	const T, B, In, H = 4, 2, 3, 5
	store := nodes.NewStore(nodes.Float32, 1)
	g := nodes.NewGraph(nodes.Options{})
	var y *nodes.Node
	var final cells.State
	err := nodes.Try(func() {
		encoder := store.Root().In("encoder")
		layer := unroll.Bidirectional{
			Forward: unroll.Over(cells.NewLSTM(encoder.In("forward"),
				cells.LSTMConfig{In: In, Hidden: H})),
			Backward: unroll.Over(cells.NewLSTM(encoder.In("backward"),
				cells.LSTMConfig{In: In, Hidden: H})),
		}
		x, lengths := g.Input("x", T, B, In), g.IntInput("lengths", B)
		gorgonia.Let(x.Gorgonia(), tensor.New(tensor.Of(tensor.Float32),
			tensor.WithShape(T, B, In)))
		gorgonia.Let(lengths.Gorgonia(), tensor.New(tensor.WithShape(B),
			tensor.WithBacking([]int{4, 2})))
		r := layer.Unroll(x, nil, unroll.Options{Lengths: lengths})
		y, final = r.Y(), r.Final()
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
	last, _ := y.Value().(*tensor.Dense).At(3, 1, 0)
	fmt.Println("outputs", y.Shape(), "of which behind the end of a sequence:", last)
	fmt.Println("final states", len(final), "each", final[0].Shape())
	// Output:
	// outputs [4 2 10] of which behind the end of a sequence: 0
	// final states 4 each [2 5]
}

// A mistake comes back as an error that says where it is and what would be right.
func Example_mistake() {
	store := nodes.NewStore(nodes.Float32, 1)
	err := nodes.Try(func() {
		cell := cells.NewLSTM(store.Root().In("encoder").In("l0"),
			cells.LSTMConfig{In: 128, Hidden: 256})
		x := nodes.NewGraph(nodes.Options{}).Input("x", 20, 32, 64)
		unroll.Over(cell).Unroll(x, nil, unroll.Options{})
	})
	fmt.Println(err)
	// Output:
	// encoder/l0 step: MatMul: x is [32, 64], W_ih is [128, 1024]: inner dimensions 64 and 128 differ: to fit the second operand, the first must be [32, 128]
}

// Backpropagate through the last four steps, every two steps.
func ExampleWindow_Plan() {
	spans, err := unroll.Window{Stride: 2, Length: 4}.Plan(7)
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range spans {
		fmt.Printf("from the state at %d: run steps %d–%d, score steps %d–%d\n", s.Start, s.Start,
			s.End-1, s.Scored, s.End-1)
	}
	// Output:
	// from the state at 0: run steps 0–1, score steps 0–1
	// from the state at 0: run steps 0–3, score steps 2–3
	// from the state at 2: run steps 2–5, score steps 4–5
	// from the state at 4: run steps 4–6, score steps 6–6
}
