package label

import (
	"fmt"

	"github.com/seqzoo/seqzoo/internal/check"
)

// weights are what labels and examples count. A nil *weights counts everything alike.
type weights struct{ classes, examples []float64 }

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

// weights are those of training data, or nil if there are none.
func (m *labeller) weights(d Data) (*weights, error) {
	if d.ClassWeights == nil && d.Weights == nil {
		return nil, nil
	}
	var bad check.Problems
	bad.That(d.ClassWeights == nil || m.chain == nil,
		"there are ClassWeights, and a CRF gives a probability to all labels of a sequence "+
			"together: use Weights")
	bad.That(d.ClassWeights == nil || len(d.ClassWeights) == m.labels.Len(),
		"there are %d ClassWeights for %d labels", len(d.ClassWeights), m.labels.Len())
	bad.That(d.Weights == nil || d.Stream == nil,
		"there are Weights, of the examples of Train, and a Stream")
	bad.That(d.Weights == nil || d.Stream != nil || len(d.Weights) == len(d.Train),
		"there are %d Weights for %d examples", len(d.Weights), len(d.Train))
	for name, list := range map[string][]float64{"ClassWeights": d.ClassWeights, "Weights": d.Weights} {
		sum := 0.0
		for i, w := range list {
			if !(w >= 0) || w-w != 0 {
				return nil, fmt.Errorf("%s[%d] is %g; want a finite number, 0 or more", name, i, w)
			}
			sum += w
		}
		bad.That(len(list) == 0 || sum > 0, "all %s are 0, so that there is nothing to learn", name)
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	return &weights{d.ClassWeights, d.Weights}, nil
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
