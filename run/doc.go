// Package run runs the graphs that models build: a [Step] is a graph compiled once and run again
// and again, with or without a loss. Values go into its inputs, Run computes, and its outputs are
// read:
//
//	step, err := run.New([]*nodes.Node{logits})
//	var in run.Inputs
//	ids := in.Ints(tokens) // [T, B], time major
//	err = errors.Join(err, in.Err())
//	// …
//	ids[0] = 7
//	err = step.Run(0, 0)
//	scores := step.Output(0).Float64s()
//
// Training is in package train, whose Step adds a loss and gradients to one of these. A program
// that only uses a model needs no more than this package: it links no progress bar, no signal
// handler and no optimiser.
//
// # Values
//
// [Floats] are the numbers of an input or an output in row-major order. A model has weights of one
// type, float32 or float64, and its inputs and outputs have it too; Floats takes and gives both, so
// that nothing that runs a model asks which it is. Integers, such as ids of tokens and lengths, are
// a plain []int.
//
// # Concurrency
//
// A Step is for one goroutine at a time. A [Pool] keeps steps for models that many goroutines use
// at once; a [Cache] keeps them, by shape, for one goroutine.
package run
