package label

import (
	"errors"
	"fmt"

	"github.com/seqzoo/seqzoo/internal/check"
)

// weights are what labels and examples count, and how the labels are smoothed. A nil *weights
// counts everything alike, and smooths nothing.
type weights struct {
	classes, examples, positives []float64
	smoothing                    float64
}

func (w *weights) example(i int) float64 {
	if w == nil || w.examples == nil {
		return 1
	}
	return w.examples[i]
}

func (w *weights) class(id int) float64 {
	if w == nil || w.classes == nil {
		return 1
	}
	return w.classes[id]
}

// of is what a label counts for an example that has it, or has not.
func (w *weights) of(id int, has bool) float64 {
	if has && w != nil && w.positives != nil {
		return w.class(id) * w.positives[id]
	}
	return w.class(id)
}

// smooth is the probability that a label of several is taken to have.
func (w *weights) smooth(has bool) float64 {
	e := 0.0
	if w != nil {
		e = w.smoothing
	}
	if has {
		return 1 - e/2
	}
	return e / 2
}

// weights are those of training data, or nil if there are none.
func (m *labeller) weights(d Data) (*weights, error) {
	var bad check.Problems
	bad.That(d.Smoothing >= 0 && d.Smoothing < 1, "Smoothing is %g, want [0, 1)", d.Smoothing)
	bad.That(d.Smoothing == 0 || m.chain == nil,
		"there is Smoothing, and a CRF gives a probability to all labels of a sequence together")
	bad.That(d.PositiveWeights == nil || m.several,
		"there are PositiveWeights, which are of a classifier of several labels: use ClassWeights")
	bad.That(d.PositiveWeights == nil || len(d.PositiveWeights) == m.labels.Len(),
		"there are %d PositiveWeights for %d labels", len(d.PositiveWeights), m.labels.Len())
	bad.That(d.ClassWeights == nil || m.chain == nil,
		"there are ClassWeights, and a CRF gives a probability to all labels of a sequence "+
			"together: use Weights")
	bad.That(d.ClassWeights == nil || len(d.ClassWeights) == m.labels.Len(),
		"there are %d ClassWeights for %d labels", len(d.ClassWeights), m.labels.Len())
	bad.That(d.Weights == nil || d.Stream == nil,
		"there are Weights, of the examples of Train, and a Stream")
	bad.That(d.Weights == nil || d.Stream != nil || len(d.Weights) == len(d.Train),
		"there are %d Weights for %d examples", len(d.Weights), len(d.Train))
	for _, list := range []struct {
		name    string
		weights []float64
		all0    bool // all may be 0
	}{{"ClassWeights", d.ClassWeights, false}, {"Weights", d.Weights, false},
		{"PositiveWeights", d.PositiveWeights, true}} {
		sum := 0.0
		for i, w := range list.weights {
			if w != 0 && !(w >= leastWeight && w <= mostWeight) {
				return nil, fmt.Errorf("%s[%d] is %g; want 0, or a number from %g to %g", list.name, i, w,
					leastWeight, mostWeight)
			}
			sum += w
		}
		bad.That(len(list.weights) == 0 || sum > 0 || list.all0,
			"all %s are 0, so that there is nothing to learn", list.name)
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	if d.ClassWeights == nil && d.Weights == nil && d.PositiveWeights == nil && d.Smoothing == 0 {
		return nil, nil
	}
	w := &weights{d.ClassWeights, d.Weights, d.PositiveWeights, d.Smoothing}
	if !m.several && len(d.Train) > 0 && !w.some(d.Train) {
		return nil, errors.New("the weights of all labels that occur are 0, so that there is nothing " +
			"to learn")
	}
	return w, nil
}

// What a weight may be, so that its product with a loss is a number of float32.
const leastWeight, mostWeight = 1e-20, 1e20

// some reports whether any label of examples counts.
func (w *weights) some(examples []Labelled) bool {
	for i, e := range examples {
		for _, id := range e.Labels {
			if w.example(i)*w.class(id) > 0 {
				return true
			}
		}
	}
	return false
}

// BalancedPositives are PositiveWeights with which the examples that have a label count as much for
// it as those that have not: (n − n_c)/n_c of n examples, of which n_c have label c. A label that
// no example has counts 1.
func BalancedPositives(examples []Labelled, labels int) []float64 {
	if labels < 1 {
		return nil
	}
	w := make([]float64, min(labels, maxSteps))
	for _, e := range examples {
		for _, id := range e.Labels {
			if id >= 0 && id < len(w) {
				w[id]++
			}
		}
	}
	for id, has := range w {
		w[id] = 1
		if has > 0 {
			w[id] = (float64(len(examples)) - has) / has
		}
	}
	return w
}

// Balanced are ClassWeights with which each of so many labels counts as much as any other:
// n/(k·n_c) for n labels of k kinds, of which n_c are c, as scikit-learn's "balanced". A label that
// no example has counts 1.
func Balanced(examples []Labelled, labels int) []float64 {
	if labels < 1 {
		return nil
	}
	w := make([]float64, min(labels, maxSteps))
	n, kinds := 0.0, 0.0
	for _, e := range examples {
		for _, id := range e.Labels {
			if id >= 0 && id < len(w) {
				if w[id] == 0 {
					kinds++
				}
				w[id]++
				n++
			}
		}
	}
	for id, count := range w {
		w[id] = 1
		if count > 0 {
			w[id] = n / (kinds * count)
		}
	}
	return w
}
