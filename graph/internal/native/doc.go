// Package native translates Gorgonia's own operations to operations of package ops.
//
// Gorgonia's operations are unexported types. Their parameters are read by reflection, which is
// allowed to look at unexported fields, so this package belongs to one version of Gorgonia:
// v0.9.18.
//
// An operation is translated as Gorgonia computes it. The derivatives that Gorgonia builds wrongly
// (of Log2 and InverseSqrt) are ordinary nodes of the graph, and stay as wrong as they are there.
// One operation is mended instead, because it can only be meant one way: the derivative of
// ByIndices, whose Do is wrong along the last axis.
package native
