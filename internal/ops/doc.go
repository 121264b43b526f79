// Package ops holds the operations of the library as Gorgonia ops: what each computes, which shapes
// it takes, and how it is differentiated. Package nodes gives them their public names; package
// graph recognises and compiles them.
//
// An operation is a small value type that implements Fn. Apply makes a node of it. The Eval methods
// are the plain definition of every operation, written for clarity on contiguous row-major data:
// they are what the engine's fused code is tested against, and what runs under Gorgonia's own
// machines.
package ops
