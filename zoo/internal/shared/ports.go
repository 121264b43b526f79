package shared

import (
	"fmt"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
)

// Port is zoo.Port.
type Port struct {
	Name string
	Node *nodes.Node
	From string
}

// NumberedPorts are nodes as "memory_0", "memory_1" and so on.
func NumberedPorts(name string, of []*nodes.Node) []Port {
	ports := make([]Port, len(of))
	for i, n := range of {
		ports[i] = Port{Name: fmt.Sprintf("%s_%d", name, i), Node: n}
	}
	return ports
}

// StatePorts are inputs for the parts of a state, "state_0_l0_h" and so on.
func StatePorts(g *nodes.Graph, parts []cells.Part, B int) (state cells.State, ports []Port) {
	state = InputState(g, parts, B)
	for i, p := range parts {
		name := fmt.Sprintf("state_%d_%s", i, strings.ReplaceAll(p.Name, " ", "_"))
		ports = append(ports, Port{Name: name, Node: state[i], From: "next_" + name})
	}
	return state, ports
}

// NextPorts are the outputs that continue the inputs.
func NextPorts(ports []Port, next cells.State) (out []Port) {
	for i, p := range ports {
		out = append(out, Port{Name: p.From, Node: next[i]})
	}
	return out
}

// StepPorts are those of one step of a decoder of B rows, whose state has the given parts: in and
// the state go in, and what step returns comes out, with the next state behind it.
func StepPorts(g *nodes.Graph, in []Port, parts []cells.Part, B int,
	step func(state cells.State) (out []Port, next cells.State)) (all, out []Port) {
	state, ports := StatePorts(g, parts, B)
	out, next := step(state)
	return append(in, ports...), append(out, NextPorts(ports, next)...)
}
