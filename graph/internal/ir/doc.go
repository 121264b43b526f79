// Package ir is the engine's own form of a graph: values, each computed by an operation from other
// values.
//
// The operations are those of package ops, which define what they compute, and a few of the
// engine's: inputs, loops and what comes out of them, accumulating products. A Region holds the
// values of one level: the graph, or the body of a loop. Regions only grow; what nothing needs any
// more is simply not compiled.
package ir
