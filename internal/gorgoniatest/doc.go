// Package gorgoniatest makes random graphs of Gorgonia's own operations, and evaluates graphs op by
// op: what tests hold the engine against.
package gorgoniatest
