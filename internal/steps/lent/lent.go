// Package lent passes functions of package nodes to package steps, which imports it. They are not
// exported from nodes because authors of models do not need them. Its types are generic because
// nodes imports this package: G is *nodes.Graph, N *nodes.Node, P *nodes.Param and R
// nodes.NoiseRequest.
package lent

import (
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// Loop is steps.Loop.
type Loop[G, N, R any] interface {
	Noise(in G, r R) N
}

// Lift is steps.Lift.
type Lift[N any] struct{ Outer, Inner N }

// Weight is steps.Weight.
type Weight[N, P any] struct {
	Params []P // that it is made of; one, if Made is nil
	Made   N   // of them, if it is not the parameter itself
}

// Product is steps.Product.
type Product[N, P any] = func(x N, w Weight[N, P], as N, times func(x, as N) N) N

// Table holds the functions that package steps documents.
type Table[G, N, P, R any] struct {
	Innermost   func(ns ...N) G
	Inner       func(g G, loop Loop[G, N, R], build func(in G))
	Lift        func(g G, n N) N
	Lifts       func(g G) []Lift[N]
	WithLoop    func(g G, loop Loop[G, N, R], build func())
	CurrentLoop func(g G) Loop[G, N, R]
	OuterNoise  func(g G, outside Loop[G, N, R], r R) N
	Op          func(g G, name string, fn ops.Operation, in ...N) N
	OnProduct   func(g G, f Product[N, P]) (restore func())
	Blank       func(p P) *tensor.Dense
	Own         func(p P, cell string)
	OwnOf       func(p P) string
	Sketch      func(g G)
	Watch       func(g G, f func(path, part string, n N))
	Show        func(g G, path, part string, n func() N)
}

var table any

// Give stores the table. Package nodes calls it when a program starts.
func Give[G, N, P, R any](t Table[G, N, P, R]) { table = t }

// Take returns the table that was given.
func Take[G, N, P, R any]() Table[G, N, P, R] { return table.(Table[G, N, P, R]) }
