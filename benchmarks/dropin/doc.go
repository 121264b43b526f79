// Dropin runs programs that are written for Gorgonia alone on Gorgonia's machine and on this
// library's, one line changed, and prints their losses and times side by side:
//
//	go run ./benchmarks/dropin
//	go run ./benchmarks/dropin -all      # and with the values of all nodes
//	go run ./benchmarks/dropin -reuse    # or with memory that runs share
//	go run ./benchmarks/dropin -cpu      # processor time, where other programs run
//
// A time is the median of the steps: the machine's run and the solver, without the making of the
// data.
package main
