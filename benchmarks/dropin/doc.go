// Dropin runs programs that are written for Gorgonia alone on Gorgonia's machine and on this library's, one line changed,
// and prints their losses and times side by side:
//
//	go run ./benchmarks/dropin
package main
