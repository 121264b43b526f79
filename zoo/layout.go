package zoo

import (
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Layout is a graph of a model for one use of it, such as a step or a whole sequence, for those who
// write the model in another form. A model lists its layouts by a method Layouts.
type Layout struct {
	Name string // such as "sequence" or "step"
	// Sizes are the names of those that are open, such as "time" and "batch".
	Sizes []string
	// Build lays the graph out in g for the given sizes, in the order of Sizes, none of which is 1.
	// For other sizes it must make the same graph but for shapes. It may panic with a
	// *nodes.BuildError.
	Build func(g *nodes.Graph, sizes []int) (inputs, outputs []Port)
}

// Port is an input or an output of a Layout: its name and node; of an input that is a part of a
// state, From names the output that it continues.
type Port = shared.Port
