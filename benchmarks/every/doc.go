// Command every times one training step and one step of inference of every cell, and prints a line
// of a table for each: the time, what it comes to in floating-point operations of products and in
// bytes of operands and results, and what the machine itself reaches in the same minute.
//
//	go run ./benchmarks/every
//	go run ./benchmarks/every -cells "mingru indrnn" -sizes LONG1 -threads 2
//	go run ./benchmarks/every -quick
//
// Times are the least of several runs, and of a training step the sum of the least times of its
// instructions if that is less, so that other programs on the machine disturb them little.
// The last columns are of the element-wise instructions in loops: how many times longer they take
// than a pass over as many bytes in a working set of the size of the program's, what those of their
// functions that are more than arithmetic (sigmoid, tanh, exp, divisions, roots) take by themselves in
// the first-level cache, and how many times longer they take than that pass and those together.
package main
