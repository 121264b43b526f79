package onnx

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/run"
)

var errNoModel = errors.New("the model is none that Import made")

// Run computes the outputs from the inputs, of which all must be given and no others. The first run
// with inputs of new shapes compiles the model for them; so does one with new values of an input
// that shapes depend on.
func (m *Model) Run(in Values) (out Values, err error) {
	defer wrap(&err)
	if m == nil || m.proto == nil {
		return nil, errNoModel
	}
	if err := m.checkInputs(in); err != nil {
		return nil, err
	}
	for {
		key, known := m.keyOf(in)
		build := func(run.Of[string]) (*Step, error) { return m.compile(shapesOf(in), known) }
		lease, err := m.idle.Take(run.Of[string]{Key: key}, build)
		var u *unknownError
		if errors.As(err, &u) && m.fix(u.inputs) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer lease.Put()
		return lease.Graph.run(in)
	}
}

// fix notes inputs whose values graphs are compiled for; false if all of them were noted already.
func (m *Model) fix(inputs []string) (more bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range inputs {
		more = more || !m.fixed[name]
		m.fixed[name] = true
	}
	return more
}

// keyOf tells runs apart that need graphs of their own.
func (m *Model) keyOf(in Values) (key string, known Values) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known = Values{}
	var b strings.Builder
	for _, info := range m.inputs {
		t := in[info.Name].t
		fmt.Fprint(&b, t.Shape)
		if m.fixed[info.Name] || t.Len() == 0 || t.S != nil {
			known[info.Name] = in[info.Name]
			fmt.Fprintf(&b, "%v%v%q", t.F, t.I, t.S)
		}
	}
	return b.String(), known
}

func shapesOf(in Values) map[string][]int {
	shapes := map[string][]int{}
	for name, t := range in {
		shapes[name] = t.Shape()
	}
	return shapes
}

func (m *Model) checkInputs(in Values) error {
	names := map[string]bool{}
	for _, info := range m.inputs {
		names[info.Name] = true
		t := in[info.Name]
		if t.err != nil {
			return fmt.Errorf("input %q: %w", info.Name, t.err)
		}
		if t.t == nil {
			return fmt.Errorf("input %q is missing: want %v", info.Name, info)
		}
		if t.Type() != info.Type {
			return fmt.Errorf("input %q is of %v, want %v", info.Name, t.Type(), info.Type)
		}
		if err := info.fits(t.t.Shape); err != nil {
			return fmt.Errorf("input %q: %w", info.Name, err)
		}
	}
	for name := range in {
		if !names[name] {
			return fmt.Errorf("there is no input %q; there are %v", name, m.inputs)
		}
	}
	return nil
}

// Compile compiles the model for inputs of the given shapes, which may leave out inputs whose sizes
// the file fixes, and for the values of inputs in known, which may be nil. Options are those of
// graph.Compile. Most programs need Run only, which compiles by itself.
func (m *Model) Compile(shapes map[string][]int, known Values, options ...graph.Option) (s *Step,
	err error) {
	defer wrap(&err)
	if m == nil || m.proto == nil {
		return nil, errNoModel
	}
	return m.compile(shapes, known, options...)
}

func (m *Model) compile(shapes map[string][]int, known Values, options ...graph.Option) (*Step,
	error) {
	s := &Step{m: m, fed: map[string]*nodes.Node{}, inputs: map[string]*nodes.Node{},
		floats: map[string]run.Floats{},
		ints:   map[string][]int{}, outputs: map[string]int{}, known: Values{},
		turned: map[*nodes.Param]*turnedParam{}}
	g := nodes.NewGraph(nodes.Options{Dtype: m.dtype})
	if err := guard(func() { s.declare(g, shapes, known) }); err != nil {
		return nil, err
	}
	var keeps *Step // turned parameters; nil: they may be about to change
	if !m.turned.handed.Load() {
		keeps = s
	}
	b, vs, err := m.build(g, s.inputs, known, keeps)
	if err != nil {
		return nil, err
	}
	var kept []*nodes.Node
	err = guard(func() {
		for i, v := range vs {
			name := m.outputs[i].Name
			if v == nil {
				host.Failf("output %q is not computed", name)
			}
			if v.host != nil {
				s.known[name] = Tensor{t: v.host}
				continue
			}
			s.outputs[name] = len(kept)
			s.types = append(s.types, v.typ)
			n := b.node(v)
			if n.Gorgonia().Op() == nil { // an input's value belongs to who feeds it
				n = nodes.Reshape(nodes.Reshape(n, -1), append(n.Shape(), 1)...)
				n = nodes.Reshape(n, v.shape...)
			}
			kept = append(kept, n)
		}
	})
	if err != nil {
		return nil, err
	}
	var in run.Inputs
	for name, n := range s.fed {
		if n.Dtype() == nodes.Int {
			s.ints[name] = in.Ints(n)
		} else {
			s.floats[name] = in.Floats(n)
		}
	}
	if err := in.Err(); err != nil {
		return nil, err
	}
	if len(kept) > 0 {
		s.step, err = run.New(kept, options...)
	}
	s.kept = kept
	return s, err
}

// Step is a model compiled for inputs of one shape. It is for one goroutine at a time.
type Step struct {
	m       *Model
	step    *run.Step              // nil: all outputs are known
	fed     map[string]*nodes.Node // inputs; a scalar has the shape [1]
	inputs  map[string]*nodes.Node // the same, of their shapes
	floats  map[string]run.Floats
	ints    map[string][]int
	outputs map[string]int // of step
	kept    []*nodes.Node
	types   []host.Type
	known   Values // outputs
	turned  map[*nodes.Param]*turnedParam
}

// declare makes inputs of a graph for those of the model.
func (s *Step) declare(g *nodes.Graph, shapes map[string][]int, known Values) {
	for _, info := range s.m.inputs {
		if _, given := known[info.Name]; given {
			continue
		}
		shape, given := shapes[info.Name]
		for _, d := range info.Shape {
			if given {
				break
			}
			if d.Size < 0 {
				host.Failf("the shape of input %q is missing: want %v", info.Name, info)
			}
			shape = append(shape, d.Size)
		}
		if !given && info.Shape == nil {
			host.Failf("the shape of input %q is missing", info.Name)
		}
		feed := shape
		if len(shape) == 0 {
			feed = []int{1}
		}
		n := (*nodes.Node)(nil)
		if host.Type(info.Type).IsInt() {
			n = g.IntInput(info.Name, feed...)
		} else {
			n = g.Input(info.Name, feed...)
		}
		s.fed[info.Name], s.inputs[info.Name] = n, nodes.Reshape(n, shape...)
	}
}

// Floats is the memory of a float input, or of one of truth values: what is written into it feeds
// the runs to come. It is empty if there is no such input, or if its value is fixed.
func (s *Step) Floats(input string) run.Floats { return s.floats[input] }

// Ints is the memory of an input of integers; nil if there is none of the name.
func (s *Step) Ints(input string) []int { return s.ints[input] }

// Run computes the outputs from what the inputs hold.
func (s *Step) Run() error {
	if s == nil || s.m == nil {
		return errors.New("onnx: the step is none that Compile made")
	}
	if s.step == nil {
		return nil
	}
	if err := s.refresh(); err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	if err := s.step.Run(0, 0); err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	return nil
}

// Output is a float output in place, as the last run left it; empty if there is none of the name,
// if it is of integers, or if it does not depend on inputs (see Value).
func (s *Step) Output(name string) run.Floats {
	i, ok := s.outputs[name]
	if !ok {
		return run.Floats{}
	}
	return s.step.Output(i)
}

// Machine is the compiled graph; nil if all outputs are known without a run. It is run by the
// step's Run, which sees to parameters that have changed.
func (s *Step) Machine() *graph.Machine {
	if s == nil || s.step == nil {
		return nil
	}
	return s.step.Machine()
}

// Value is an output as the last run left it, of whatever type, as a copy.
func (s *Step) Value(name string) (t Tensor, err error) {
	defer wrap(&err)
	if t, ok := s.known[name]; ok {
		return t, nil
	}
	i, ok := s.outputs[name]
	if !ok {
		return Tensor{}, fmt.Errorf("there is no output %q", name)
	}
	defer host.Catch(&err)
	out := host.New(s.types[i], s.kept[i].Shape()...)
	x, err := ops.TensorOf(s.kept[i].Value())
	if err != nil {
		return Tensor{}, err
	}
	fromEngine(x, out)
	return Tensor{t: out.Round()}, nil
}

// Memory is what the compiled graph takes while it does not run, in bytes.
func (s *Step) Memory() int {
	if s == nil {
		return 0
	}
	return s.step.Memory()
}

// Close releases the memory of the compiled graph.
func (s *Step) Close() error {
	if s == nil || s.step == nil {
		return nil
	}
	return s.step.Close()
}

func (s *Step) run(in Values) (Values, error) {
	for name, n := range s.fed {
		x, err := ops.TensorOf(n.Gorgonia().Value())
		if err != nil {
			return nil, err
		}
		toEngine(in[name].t, x)
	}
	if err := s.Run(); err != nil {
		return nil, err
	}
	out := maps.Clone(s.known)
	for _, name := range slices.Sorted(maps.Keys(s.outputs)) {
		t, err := s.Value(name)
		if err != nil {
			return nil, err
		}
		out[name] = t
	}
	return out, nil
}
