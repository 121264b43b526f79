// Package gorgoniasuite holds Gorgonia's own tests and examples against graph.Compile. It has tests
// only.
//
// They are copied from the module cache, with NewTapeMachine replaced, and run as one program would
// run them: each in a process of its own. What cannot pass stands in a table with the reason.
package gorgoniasuite
