package onnx

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/onnx/internal/host"
)

// State is what a model carries from one call of Next to the next one, as a value: it is not
// changed by a call, so that several may go on from one. The zero value is the beginning: zeros.
type State struct{ values Values }

// Values are the tensors of a state, by the inputs that take them.
func (s State) Values() Values { return maps.Clone(s.values) }

// StateOf makes a state from tensors by the inputs that take them.
func StateOf(v Values) State { return State{maps.Clone(v)} }

// Carried says which output continues which input from call to call: what the file's metadata say,
// or else, of a file of others, what the names and shapes of inputs and outputs suggest, such as h0
// and hn, or state and next_state. CarryOver sets it.
func (m *Model) Carried() map[string]string {
	if m == nil || m.proto == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.carried == nil {
		m.carried = m.guessCarried()
	}
	return maps.Clone(m.carried)
}

// CarryOver sets which output (value) continues which input (key) from call to call.
func (m *Model) CarryOver(states map[string]string) (err error) {
	defer wrap(&err)
	if m == nil || m.proto == nil {
		return errNoModel
	}
	for in, out := range states {
		has := func(list []Info, name string) bool {
			return slices.ContainsFunc(list, func(i Info) bool { return i.Name == name })
		}
		if !has(m.inputs, in) || !has(m.outputs, out) {
			return fmt.Errorf("output %q cannot continue input %q: the model has inputs %v and "+
				"outputs %v", out, in, m.inputs, m.outputs)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.carried = maps.Clone(states)
	return nil
}

func (m *Model) guessCarried() map[string]string {
	var said map[string]string
	if text, ok := m.Metadata()[statesKey]; ok && json.Unmarshal([]byte(text), &said) == nil {
		return said
	}
	states, used := map[string]string{}, map[string]bool{}
	for _, in := range m.inputs {
		for _, out := range m.outputs {
			if !used[out.Name] && in.Type == out.Type && continues(in.Name, out.Name) &&
				mayEqual(in.Shape, out.Shape) {
				states[in.Name] = out.Name
				used[out.Name] = true
				break
			}
		}
	}
	return states
}

// mayEqual reports whether shapes are of as many axes, and of equal sizes where both are known.
func mayEqual(a, b []Dim) bool {
	return slices.EqualFunc(a, b, func(a, b Dim) bool {
		return a.Size < 0 || b.Size < 0 || a.Size == b.Size
	})
}

// continues reports whether an output's name is an input's with a sign of what comes next.
func continues(in, out string) bool {
	plain := func(name string, signs ...string) string {
		name = strings.ToLower(name)
		for _, s := range signs {
			name = strings.ReplaceAll(name, s, "")
		}
		return strings.Trim(name, "_./-")
	}
	a := plain(in, "initial", "init", "prev", "_in", "0", "input")
	b := plain(out, "final", "next", "new", "_out", "_n", "hn", "cn", "output")
	if strings.HasSuffix(strings.ToLower(out), "hn") ||
		strings.HasSuffix(strings.ToLower(out), "cn") {
		b += strings.ToLower(out)[len(out)-2 : len(out)-1]
	}
	return a != "" && a == b || in+"N" == out || in+"n" == out
}

// Next runs the model from a state. Inputs are given without those that take the state; the
// outputs are all. The zero state is zeros, of a batch that the other inputs show.
func (m *Model) Next(in Values, s State) (out Values, next State, err error) {
	defer wrap(&err)
	states := m.Carried()
	if len(states) == 0 {
		return nil, State{}, errors.New("the model carries no state: CarryOver tells which " +
			"output continues which input")
	}
	all := maps.Clone(in)
	if all == nil {
		all = Values{}
	}
	for _, info := range m.inputs {
		if states[info.Name] == "" {
			continue
		}
		if _, given := in[info.Name]; given {
			return nil, State{}, fmt.Errorf("input %q is a part of the state", info.Name)
		}
		if t, ok := s.values[info.Name]; ok {
			all[info.Name] = t
			continue
		}
		if len(s.values) > 0 {
			return nil, State{}, fmt.Errorf("the state has no %q", info.Name)
		}
		if all[info.Name], err = m.zeros(info, in); err != nil {
			return nil, State{}, err
		}
	}
	if out, err = m.Run(all); err != nil {
		return nil, State{}, err
	}
	next.values = Values{}
	for name, from := range states {
		next.values[name] = out[from]
	}
	return out, next, nil
}

// zeros is the beginning of a state, whose open sizes are those of other inputs of the same name;
// one that has no such name is 1.
func (m *Model) zeros(info Info, in Values) (t Tensor, err error) {
	defer host.Catch(&err)
	sizes := map[string]int{}
	for _, other := range m.inputs {
		shape := in[other.Name].Shape()
		for i, d := range other.Shape {
			if d.Name != "" && i < len(shape) {
				sizes[d.Name] = shape[i]
			}
		}
	}
	var shape []int
	for _, d := range info.Shape {
		switch {
		case d.Size >= 0:
			shape = append(shape, d.Size)
		case sizes[d.Name] > 0:
			shape = append(shape, sizes[d.Name])
		default:
			shape = append(shape, 1)
		}
	}
	return Tensor{t: host.New(host.Type(info.Type), shape...)}, nil
}
