// Package cells holds recurrent cells: one step of a recurrence each, written like its equations.
//
// A cell declares its parameters, says what its state looks like, and maps an input and a state to
// the next state. It knows nothing of time, batch size, gradients or engines; package unroll
// carries it along a sequence. A cell of one's own is a type with the two methods of Cell; see the
// example of the minimal gated unit.
//
// Wrappers stand around any cell, since they ask what a weight multiplies and not what it is
// called: Zoneout, Variational, WeightDrop, LayerNormed, Residual and Reset. A part of a state may
// be a matrix a row; see Matrix.
//
// The letters: B batch, In and H (Hidden) widths, x [B, In] input, h [B, H] state. σ is the
// sigmoid, ∘ the product element by element, · the matrix product. Weights are [in, out]; those of
// all gates lie side by side in one matrix, in the order given with each cell.
package cells
