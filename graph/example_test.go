package graph_test

import (
	"fmt"
	"log"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
)

// A program written for Gorgonia alone, with one line changed: it had gorgonia.NewTapeMachine and
// BindDualValues.
func ExampleCompile() {
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(4, 2), gorgonia.WithName("x"),
		gorgonia.WithValue(
			tensor.New(tensor.WithShape(4, 2), tensor.WithBacking([]float64{0, 0, 0, 1, 1, 0, 1, 1}))))
	y := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(4), gorgonia.WithName("y"),
		gorgonia.WithValue(
			tensor.New(tensor.WithShape(4), tensor.WithBacking([]float64{1, 3, -1, 1}))))
	w := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(2), gorgonia.WithName("w"),
		gorgonia.WithInit(gorgonia.Zeroes()))
	b := gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("b"), gorgonia.WithValue(0.0))

	pred := gorgonia.Must(gorgonia.Add(gorgonia.Must(gorgonia.Mul(x, w)), b))
	cost := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(pred, y))))))
	if _, err := gorgonia.Grad(cost, w, b); err != nil {
		log.Fatal(err)
	}

	vm, err := graph.Compile(g) // gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(w, b))
	if err != nil {
		log.Fatal(err)
	}
	defer vm.Close()
	solver := gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.4))
	for range 200 {
		if err := vm.RunAll(); err != nil {
			log.Fatal(err)
		}
		if err := solver.Step(gorgonia.NodesToValueGrads(gorgonia.Nodes{w, b})); err != nil {
			log.Fatal(err)
		}
		vm.Reset()
	}
	fmt.Printf("w %.3f, b %.3f, cost %.3f\n", w.Value().Data(), b.Value().Data(),
		cost.Value().Data())
	// Output: w [-2.000 2.000], b 1.000, cost 0.000
}
