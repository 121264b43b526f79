// Dropin runs programs that are written for Gorgonia alone on Gorgonia's machine and on this library's, one line changed,
// and prints their losses and times side by side:
//
//	go run ./benchmarks/dropin
//
// A time is the median of the steps: the machine's run and the solver, without the making of the data.
package main
