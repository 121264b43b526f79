package run_test

import (
	"fmt"
	"log"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
)

// One step of a cell, compiled, whose state is kept between runs, as bytes if need be.
func ExampleStep() {
	store := nodes.NewStore(nodes.Float32, 1)
	cell := cells.NewGRU(store.Root().In("l0"), cells.GRUConfig{In: 2, Hidden: 3})
	g := nodes.NewGraph(nodes.Options{})
	var x, h *nodes.Node
	var next cells.State
	err := nodes.Try(func() {
		x, h = g.Input("x", 1, 2), g.Input("h", 1, 3)
		next = cell.Step(x, cells.State{h})
	})
	if err != nil {
		log.Fatal(err)
	}
	step, err := run.New(next)
	if err != nil {
		log.Fatal(err)
	}
	defer step.Close()
	var in run.Inputs
	read, state := in.Floats(x), in.State([]*nodes.Node{h})
	now, err := run.NewState(cell.Parts(), 1, nodes.Float32)
	if err != nil {
		log.Fatal(err)
	}
	for _, number := range []float64{1, 2, 3} {
		read.Fill(number)
		if err := now.CopyTo(state); err != nil {
			log.Fatal(err)
		}
		if err := step.Run(0, 0); err != nil {
			log.Fatal(err)
		}
		if err := now.CopyFrom([]run.Floats{step.Output(0)}); err != nil {
			log.Fatal(err)
		}
	}
	kept, err := now.MarshalBinary()
	var back run.State
	fmt.Println(err, back.UnmarshalBinary(kept), back.Parts()[0].Shape())
	// Output: <nil> <nil> [1 3]
}
