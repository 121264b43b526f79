// Command step times one training step, an inference or a generation of characters, and prints one
// JSON line.
//
//	go run ./benchmarks/step --cell lstm --b 32 --t 50 --i 64 --h 128 --threads 1 --mode train --seconds 3
//
// A training step is forward, the mean of the squared outputs, and backward to all parameters and
// the input, without an optimiser. Weights and inputs are those of every system that is compared
// (see package benchmarks), so that losses and gradient norms can be held against theirs. The
// result is checked before it is timed.
package main
