package shared

import (
	"cmp"
	"fmt"
	"strings"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
)

// Inside is what zoo.Inside says.
type Inside map[string]run.Floats

// Reading gives the inputs of a graph, each with its values.
type Reading struct {
	Graph *nodes.Graph
	fill  []func() error
}

// Ints is an input of ids or lengths.
func (r *Reading) Ints(name string, values []int, shape ...int) *nodes.Node {
	n := r.Graph.IntInput(name, shape...)
	r.fill = append(r.fill, func() error {
		var in run.Inputs
		copy(in.Ints(n), values)
		return in.Err()
	})
	return n
}

// Floats is an input of numbers.
func (r *Reading) Floats(name string, values []float32, shape ...int) *nodes.Node {
	return r.FloatsBy(name, func(x run.Floats) { x.Put32(0, values) }, shape...)
}

// FloatsBy is an input of numbers that fill writes.
func (r *Reading) FloatsBy(name string, fill func(run.Floats), shape ...int) *nodes.Node {
	n := r.Graph.Input(name, shape...)
	r.fill = append(r.fill, func() error {
		var in run.Inputs
		x := in.Floats(n)
		if err := in.Err(); err != nil {
			return err
		}
		fill(x)
		return nil
	})
	return n
}

// Look runs a graph once that read builds, for one example, and gives what its layers compute, by
// their names; what has none is of the decoder, the only layer whose parameters lie in several
// places.
func Look(weights *nodes.Store, read func(r *Reading)) (Inside, error) {
	r := &Reading{}
	var names []string
	var shown []*nodes.Node
	err := nodes.Try(func() {
		r.Graph = nodes.NewGraph(nodes.Options{Dtype: weights.Dtype()})
		seen := map[string]int{}
		steps.Watch(r.Graph, func(path, part string, n *nodes.Node) {
			name := cmp.Or(path, "decoder")
			if part != "" {
				name += "/" + strings.ReplaceAll(part, " ", "/")
			}
			if seen[name]++; seen[name] > 1 {
				name = fmt.Sprintf("%s#%d", name, seen[name])
			}
			if shape := n.Shape(); len(shape) == 3 && shape[1] == 1 {
				n = nodes.Reshape(n, shape[0], shape[2]) // one example has no axis of examples
			}
			names, shown = append(names, name), append(shown, n)
		})
		read(r)
	})
	if err != nil {
		return nil, err
	}
	step, err := run.New(shown)
	if err != nil {
		return nil, err
	}
	defer step.Close()
	for _, fill := range r.fill {
		if err := fill(); err != nil {
			return nil, err
		}
	}
	if err := step.Run(0, 0); err != nil {
		return nil, err
	}
	found := Inside{}
	for i, name := range names {
		v, ok := shown[i].Value().(*tensor.Dense)
		if !ok {
			return nil, fmt.Errorf("%s has no value", name)
		}
		if found[name], err = run.FloatsOf(v.Clone().(*tensor.Dense)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return found, nil
}

// CheckSizes refuses a step of training of sizes that are none.
func CheckSizes(weights *nodes.Store, steps, batch int) error {
	if err := Made(weights); err != nil {
		return err
	}
	const most = 1 << 22
	if steps < 1 || batch < 1 || steps > most || batch > most || steps*batch > most {
		return fmt.Errorf("a step of training of %d examples of %d steps: want 1 or more, and at "+
			"most %d steps in all", batch, steps, most)
	}
	return nil
}
