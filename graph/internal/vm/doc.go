// Package vm runs the code that package plan makes. It holds the instructions, the layouts of
// values in memory, the workers and the arena, and knows nothing of the graph that the code came
// from.
//
// The work of every instruction is divided into units, such as rows. An instruction can be given
// any range of its units, so that workers share it. No sum is ever divided between workers: results
// have the same bits for any number of them.
package vm
