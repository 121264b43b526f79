// Package nodes is the vocabulary in which models are written: expressions over the nodes of a
// Gorgonia graph, parameters with names, initialisers and losses.
//
// An expression reads like its equation, with no error to handle between two operations:
//
//	h := nodes.Tanh(nodes.Add(nodes.MatMul(x, wIH), nodes.MatMul(h, wHH), b))
//
// An operand is a *Node of the graph under construction, or a *Param, which becomes an input of
// that graph the first time it is used there. So a cell holds parameters and no nodes, and its step
// can be built into any graph: unrolled, scanned, for training or for a single step of inference.
//
// # Shapes
//
// One alphabet everywhere: B batch, T time, In, H and Out widths, V vocabulary, E embedding. Time
// comes first: a sequence is [T, B, In]. A weight is [in, out] and acts as x·W. Element-wise
// functions broadcast as NumPy does.
//
// # Errors
//
// While a graph is being built a mistake panics with a *BuildError that names the place, the
// operation, the shapes and what would be right. Every exported edge that builds (a model's
// constructor, say) recovers that type alone and returns it; Try does so for building code of one's
// own. No other panic is swallowed.
//
// A configuration that is out of range is a *ConfigError, here as in all packages. Match both with
// errors.As.
//
// # Randomness
//
// Dropout and every other noise is drawn from a counter-based generator: a pure function of a seed
// and a counter that are an input of the graph (see Graph.NoiseKey). A run can be repeated and
// resumed bit for bit.
package nodes
