package train

import (
	"errors"
	"fmt"
	"math"

	"github.com/seqzoo/seqzoo/graph"
)

// CheckGradients holds the gradients of a whole model, on the next batch of its task, against
// finite differences: of single elements, and as derivatives along random directions in the
// space of all parameters, each of which tests every parameter at once (see graph.GradientCheck;
// Samples below 0 leaves the elements out). The batch is computed again and again: for each time
// the task's position, state and noise are put back. In the end they, and the parameters, are what
// they were.
//
// Build the model in float64 if it can be: float32 hides small mistakes behind rounding.
func CheckGradients(t Task, c graph.GradientCheck) (*graph.GradientReport, error) {
	if t == nil {
		return nil, errors.New("train: CheckGradients: the task is nil")
	}
	start := snapshot(t)
	again := func() (Batch, error) {
		if err := t.Load(start.clone()); err != nil {
			return Batch{}, err
		}
		return t.Next(c.Seed, 0)
	}
	first, err := again()
	if err != nil {
		return nil, fmt.Errorf("train: CheckGradients: %w", err)
	}
	b, err := again()
	if err == nil && math.Float64bits(b.Loss) != math.Float64bits(first.Loss) {
		err = fmt.Errorf("the loss of one batch is %v, and computed again %v: the task forgets "+
			"its position or a state, or draws noise from elsewhere than seed and counter (see "+
			"CheckTask)",
			first.Loss, b.Loss)
	}
	if err != nil {
		return nil, fmt.Errorf("train: CheckGradients: %w", err)
	}
	r, err := graph.CheckLoss(func() (float64, error) {
		b, err := again()
		return b.Loss, err
	}, b.Grads, c)
	if err == nil {
		err = t.Load(start)
	}
	if err != nil {
		return nil, fmt.Errorf("train: CheckGradients: %w", err)
	}
	return r, nil
}
