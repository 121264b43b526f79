package train_test

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/train"
)

// An optimizer trains a plain Gorgonia program: here w goes to where (w − 3)² is least.
func ExampleNewAdam() {
	g := gorgonia.NewGraph()
	w := gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("w"), gorgonia.WithValue(0.0))
	three := gorgonia.NewConstant(3.0)
	loss := gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(w, three))))
	if _, err := gorgonia.Grad(loss, w); err != nil {
		panic(err)
	}
	vm := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(w))
	defer vm.Close()

	optimizer, err := train.NewAdam(train.AdamConfig{LR: 0.1})
	if err != nil {
		panic(err)
	}
	params := gorgonia.NodesToValueGrads(gorgonia.Nodes{w})
	for range 300 {
		if err := vm.RunAll(); err != nil {
			panic(err)
		}
		if err := optimizer.Step(params); err != nil {
			panic(err)
		}
		vm.Reset()
	}
	fmt.Printf("%.3f\n", w.Value().Data())
	// Output: 3.000
}
