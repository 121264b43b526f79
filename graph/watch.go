package graph

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Watch has every run examine its results. If one is not finite, the run returns a *NotFinite,
// which names the operation that the first NaN or infinity came from: it is found by running the
// graph once more, by its plain definitions. What is not finite on the way, but leaves no trace in
// the results, such as a saturated sigmoid or what a mask leaves out, is no error; Machine.Check
// finds that too.
//
// The results are still delivered. Their examination costs one addition for each of their elements;
// without Watch, a run does nothing of the kind.
func Watch() Option { return func(c *config) { c.watch = true } }

// NotFinite is where the first value that is not finite came from.
type NotFinite struct {
	Node *gorgonia.Node // in a recurrence, a node of the step's own graph
	// scope in the model, such as "encoder/l0 step"; empty if the model has none there
	Path      string
	Operation string // public name, such as "Sigmoid"; "input x" if it was given
	Gradient  bool   // it belongs to the gradient of that operation
	// times of the recurrences that it lies in, the outermost first; empty outside of them
	Steps    []int
	Backward bool     // it came up in the backward pass of a recurrence
	Index    []int    // of the first element that is not finite
	Value    float64  // NaN or an infinity
	Text     string   // the expression, down to the third operation
	Operands []string // each with the range of its elements
}

// Step is the time in the innermost recurrence, −1 outside of all.
func (e *NotFinite) Step() int {
	if len(e.Steps) == 0 {
		return -1
	}
	return e.Steps[len(e.Steps)-1]
}

// Error says which value is not finite, where it stands, and what it was computed from.
func (e *NotFinite) Error() string {
	var b strings.Builder
	p := ops.Place{Path: e.Path, Name: e.Operation, Grad: e.Gradient}
	fmt.Fprintf(&b, "%s is %v at %s", p.When(e.Steps), e.Value, ops.ShapeString(e.Index))
	if e.Backward {
		b.WriteString(", on the way back")
	}
	if len(e.Operands) > 0 {
		fmt.Fprintf(&b, ": %s, where %s", e.Text, strings.Join(e.Operands, ", "))
	}
	return b.String()
}

// Unwrap makes it a train.ErrNotFinite and a zoo.ErrNotFinite.
func (e *NotFinite) Unwrap() error { return check.ErrNotFinite }

// Check runs the graph by its plain definitions on the values that its inputs have now, and returns
// a *NotFinite if any value on the way to the machine's results is not finite, the first of them,
// or nil. It is as slow as Plain, and leaves the results of the last run as they are.
func (m *Machine) Check() error {
	if err := m.usable(); err != nil {
		return err
	}
	found, err := m.locate()
	if err != nil {
		return fmt.Errorf("graph: %w", err)
	}
	if found == nil {
		return nil
	}
	return fmt.Errorf("graph: %w", found)
}

// watch examines the results of a run.
func (m *Machine) watch() error {
	for _, n := range m.wanted.nodes {
		if finite(m.program.result(n)) {
			continue
		}
		found, err := m.locate()
		if err != nil {
			return err
		}
		if found == nil {
			return check.Kind(check.ErrNotFinite,
				fmt.Errorf("%v is not finite, but it is if the graph is run by its plain "+
					"definitions: it overflows by a hair", ops.PlaceOf(n)))
		}
		return found
	}
	return nil
}

func finite(t ops.Tensor) bool { return allFinite(t.F32) && allFinite(t.F64) }

func allFinite[F kernels.Float](x []F) bool {
	if s := kernels.Sum(x); s-s == 0 {
		return true // a sum with a NaN or an infinity in it is not finite
	}
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}

// locate finds the first value that is not finite.
func (m *Machine) locate() (*NotFinite, error) {
	p, err := ops.NewProgram(m.wanted.nodes)
	if err != nil {
		return nil, err
	}
	for _, infinite := range []bool{false, true} {
		w := &ops.Watch{Infinite: infinite}
		if err := p.RunWatched(w); err != nil {
			return nil, err
		}
		if w.Found != nil {
			return notFinite(w.Found), nil
		}
	}
	return nil, nil
}

func notFinite(a *ops.Anomaly) *NotFinite {
	at := ops.PlaceOf(a.Node)
	e := &NotFinite{Node: a.Node, Path: at.Path, Operation: at.Name, Gradient: at.Grad,
		Steps: slices.Clone(a.Steps), Backward: a.Backward,
		Index: a.Index, Value: a.Value, Text: ops.Expression(a.Node, 3)}
	for _, r := range a.Operands {
		s := ops.Expression(r.Node, 1)
		switch {
		case r.Low == r.High:
			s += fmt.Sprintf(" is %.4g", r.Low)
		case r.Low < r.High && !math.IsInf(r.Low, 1):
			s += fmt.Sprintf(" is in [%.4g, %.4g]", r.Low, r.High)
		}
		e.Operands = append(e.Operands, s)
	}
	return e
}
