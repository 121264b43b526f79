package ops

import (
	"errors"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"
)

// Watch looks for the first value that is not finite while a graph runs the plain way.
type Watch struct {
	// Infinite has infinite inputs count too. Without it a mask of infinities is taken as it is
	// meant.
	Infinite bool
	Found    *Anomaly

	steps    []int
	backward bool
}

// Anomaly is a value that is not finite, though no operand of its operation is to blame for it.
type Anomaly struct {
	Node     *G.Node
	Steps    []int   // times of the recurrences that it lies in, the outermost first
	Backward bool    // in a recurrence: while going back through it
	Index    []int   // of its first element that is not finite
	Value    float64 // that element
	Operands []Span
}

// Span is what the elements of an operand lie between. NaN is left out.
type Span struct {
	Node      *G.Node
	Low, High float64
}

// errFound ends a run in which a watch has found what it looks for.
var errFound = errors.New("found")

// look examines the value of a node.
func (w *Watch) look(n *G.Node, in []Tensor, operands []*G.Node, out Tensor) error {
	if w == nil || w.Found != nil {
		return nil
	}
	nan, inf := bad(out)
	if nan < 0 && inf < 0 {
		return nil
	}
	if _, fill := fnOf(n).(Fill); fill {
		return nil // a constant is meant as it is
	}
	given := len(in) == 0
	if given && nan < 0 && !w.Infinite {
		return nil
	}
	for _, t := range in {
		k, i := bad(t)
		if k >= 0 || nan < 0 && i >= 0 {
			return nil // it comes from there
		}
	}
	at := nan
	if nan < 0 {
		at = inf
	}
	a := &Anomaly{Node: n, Steps: slices.Clone(w.steps), Backward: w.backward,
		Index: IndexOf(at, out.Shape), Value: elementAt(out, at)}
	for i, t := range in {
		low, high := span(t)
		a.Operands = append(a.Operands, Span{operands[i], low, high})
	}
	w.Found = a
	return errFound
}

func fnOf(n *G.Node) Fn {
	if op, ok := n.Op().(*Op); ok {
		return op.Fn
	}
	return nil
}

// at notes that a step of a recurrence begins; the returned function ends it.
func (w *Watch) at(t int, backward bool) (end func()) {
	if w == nil {
		return func() {}
	}
	was := w.backward
	w.steps, w.backward = append(w.steps, t), backward
	return func() { w.steps, w.backward = w.steps[:len(w.steps)-1], was }
}

// bad gives the first NaN and the first infinity, −1 if there is none.
func bad(t Tensor) (nan, inf int) {
	nan, inf = -1, -1
	note := func(i int, v float64) bool {
		switch {
		case math.IsNaN(v):
			nan = i
			return true
		case inf < 0 && math.IsInf(v, 0):
			inf = i
		}
		return false
	}
	for i, v := range t.F32 {
		if v-v != 0 && note(i, float64(v)) {
			return nan, inf
		}
	}
	for i, v := range t.F64 {
		if v-v != 0 && note(i, v) {
			return nan, inf
		}
	}
	return nan, inf
}

func elementAt(t Tensor, i int) float64 {
	if t.F32 != nil {
		return float64(t.F32[i])
	}
	return t.F64[i]
}

// IndexOf is the index of element i of a tensor, by its axes.
func IndexOf(i int, shape []int) []int {
	index := make([]int, len(shape))
	for d, n := range slices.Backward(shape) {
		index[d] = i % n
		i /= n
	}
	return index
}

func span(t Tensor) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	note := func(v float64) {
		if !math.IsNaN(v) {
			low, high = min(low, v), max(high, v)
		}
	}
	for _, v := range t.F32 {
		note(float64(v))
	}
	for _, v := range t.F64 {
		note(v)
	}
	for _, v := range t.Int {
		note(float64(v))
	}
	return low, high
}

// RunWatched is Run with a watch on every value, until it has found one that is not finite.
func (p *Program) RunWatched(w *Watch) error {
	p.watch = w
	defer func() { p.watch = nil }()
	err := p.Run()
	if w.Found != nil {
		return nil
	}
	return err
}
