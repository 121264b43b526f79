// Package plan compiles a region of the engine's form to code for package vm: it decides which
// element-wise values are computed in one pass, where each value lies in memory, how the work of a
// loop is shared, and which rows a mask leaves out, and then emits the instructions.
package plan
