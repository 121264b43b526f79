// Package unroll carries a cell through time.
//
// What unrolling means is this loop, whatever the strategy:
//
//	s := init                                // zeros unless given
//	for t := range T {                       // T−1 … 0 if reversed
//		next := cell.Step(x[t], s)
//		for b := range B {
//			if t < lengths[b] {              // always, without lengths
//				s[b], y[t][b] = next[b], next[b].h
//			} else {
//				y[t][b] = 0                  // and the state stays
//			}
//		}
//	}
//	final := s
//
// So the final state is each sequence's own last, and a reversed pass starts at each sequence's own
// last step. The values of x behind the end of a sequence are not read: they may be NaN, or ids
// that no table has, and their gradient is 0. The initial state of a sequence of length 0 is its
// final state, and nothing else reads it.
//
// A step within a sequence counts even if nothing reads its result: the gradient of the result is
// then a product with 0, and 0·∞ is NaN. So a part of the state that overflows in the last step of
// a sequence, where no output reads it any more, makes gradients NaN under Scan, and under Expand
// if a longer sequence lies beside it. Expand of sequences of one length leaves out results that
// nothing reads.
//
// # Strategies
//
// Scan traces the step once and makes one node of the whole loop, with one more for its gradient:
// the graph does not grow with T. Expand lays every step out as nodes of its own, for drawing, for
// looking at single steps, for Gorgonia's own machines, for second derivatives, and as the oracle
// that Scan is tested against. Both take the same cells.
//
// # Noise
//
// The noise that a step asks for (dropout, zoneout) is drawn outside of the loop, for all steps at
// once, so it is the same under both strategies. A step must ask for the same noises, in the same
// order, every time that it is built.
//
// # Memory
//
// Training keeps the values of each step that the backward pass reads, for an LSTM about twelve
// numbers a unit and step. Where that is too much, Options.Recompute has a Scan keep the state
// before every k-th step only, and run the steps between again.
//
// # Layers
//
// Over makes a Layer of a cell. Bidirectional and Stack make layers of layers. The state of a layer
// is the list of the states of its cells, in the order layer 0 forward, layer 0 backward, layer 1
// forward, and so on.
//
// # Truncation
//
// Window says how a long sequence is cut for truncated backpropagation through time.
package unroll
