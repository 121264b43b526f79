package ops

import (
	"maps"
	"slices"

	G "gorgonia.org/gorgonia"
)

// Kinds are the known element-wise functions.
func Kinds() []Kind { return slices.Sorted(maps.Keys(kinds)) }

// Salt is how often a node was asked for anew because its hash was taken.
func Salt(n *G.Node) int { return n.Op().(*Op).salt }
