package shared

import (
	"fmt"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// InputState declares an input for every part of a state.
func InputState(g *nodes.Graph, parts []cells.Part, batch int) cells.State {
	s := make(cells.State, len(parts))
	for i, p := range parts {
		s[i] = g.Input(fmt.Sprintf("state %d %s", i, p.Name), batch, p.Width)
	}
	return s
}

// FinalOutput is the output of the top layer after the last step [B, width], those of both
// directions merged as their outputs are if it reads both ways, from the final state of all layers.
func FinalOutput(layers unroll.Stack, final cells.State) *nodes.Node {
	top := layers.Layers[len(layers.Layers)-1]
	final = final[len(final)-len(top.Parts()):]
	if b, ok := top.(unroll.Bidirectional); ok {
		return b.Merged(final[0], final[len(b.Forward.Parts())])
	}
	return final[0]
}
