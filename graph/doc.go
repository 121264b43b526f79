// Package graph compiles a Gorgonia graph and runs it.
//
// Compile returns a Machine, which is a gorgonia.VM: it takes the values bound to the graph's inputs, and leaves its
// results where a Gorgonia user looks for them, in Node.Value.
package graph
