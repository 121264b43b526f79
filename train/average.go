package train

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
)

// AverageConfig configures [NewAverage]. The zero value is the running mean.
type AverageConfig struct {
	// Decay is the share of the average that an update keeps, in [0, 1), such as 0.999: an
	// exponential moving average. 0 is the plain mean of all updates (Polyak and Juditsky, 1992;
	// SWA, Izmailov et al., 2018).
	Decay float64
	// After is how many updates are done before the first that counts; till then the average is the
	// parameter as it is. SWA begins late in a training, near a solution
	After int
}

// Average is the average of the parameters over the course of a training, which often generalises
// better than the last of them. Update it after each step, or for SWA once an epoch near the end;
// Swap it in to evaluate:
//
//	Decay d     average = d·average + (1−d)·parameter, beginning with the parameter
//	otherwise   average = mean of the parameter over the updates
//
// in both from the update behind After on.
//
// It is kept in the type of the parameters.
type Average struct {
	config  AverageConfig
	kind    string
	steps   int
	swapped bool
	buffers buffers
}

// NewAverage has averaged nothing yet. The error names the field that is out of its range.
func NewAverage(c AverageConfig) (*Average, error) {
	check := checks{config: "AverageConfig"}
	check.fraction("Decay", c.Decay)
	check.field(c.After >= 0, "After", c.After, "not negative")
	if err := check.err(); err != nil {
		return nil, err
	}
	kind := "running_mean"
	if c.Decay > 0 {
		kind = "exponential_average"
	}
	return &Average{config: c, kind: kind, buffers: buffers{slots: []string{"average"}}}, nil
}

// Update takes the present values into the average; gradients are not looked at. It checks the list
// as [Optimizer.Step] does, and is an error while the averages are swapped in.
func (a *Average) Update(params []gorgonia.ValueGrad) error {
	if a.swapped {
		return errors.New("train: average: Update while the averages are swapped in; swap " +
			"them out first")
	}
	members, err := a.buffers.open(params, openValue)
	if err != nil {
		return fmt.Errorf("train: average: %w", err)
	}
	for _, m := range members {
		m.updates++
		n := max(m.updates-a.config.After, 1) // that count
		weight := 1 / float64(n)
		if a.config.Decay > 0 && n > 1 {
			weight = 1 - a.config.Decay
		}
		approach(m.slots[0].f32, m.value.f32, weight)
		approach(m.slots[0].f64, m.value.f64, weight)
	}
	a.steps++
	return nil
}

// Swap exchanges the parameters with their averages; called again, it puts them back to the bit.
// params must be all the parameters that have been averaged.
func (a *Average) Swap(params []gorgonia.ValueGrad) error {
	members, err := a.buffers.open(params, openValue)
	if err != nil {
		return fmt.Errorf("train: average: %w", err)
	}
	for _, m := range members {
		if m.updates == 0 {
			a.buffers.forgetNew()
			return fmt.Errorf("train: average: parameter %q has no average yet", m.name)
		}
	}
	if all := len(a.buffers.byName); len(members) < all {
		return fmt.Errorf("train: average: %d of %d averaged parameters are listed; all must be",
			len(members), all)
	}
	for _, m := range members {
		exchange(m.slots[0].f32, m.value.f32)
		exchange(m.slots[0].f64, m.value.f64)
	}
	a.swapped = !a.swapped
	return nil
}

// Swapped says whether the parameters hold their averages at present.
func (a *Average) Swapped() bool { return a.swapped }

// State copies the averages or, while they are swapped in, the parameters that Swap will put back.
func (a *Average) State() State {
	swapped := 0.0
	if a.swapped {
		swapped = 1
	}
	return a.buffers.save(a.kind, a.steps, map[string]float64{"swapped": swapped})
}

// Restore goes on from a state of the same kind, as [Optimizer.Restore] does.
func (a *Average) Restore(s State) error {
	loaded, err := a.buffers.load(a.kind, s, "swapped")
	if err != nil {
		return err
	}
	swapped, err := s.whole("swapped", 0, 1)
	if err != nil {
		return misfit(a.kind, err.Error())
	}
	a.buffers.byName, a.steps, a.swapped = loaded, s.Step, swapped == 1
	return nil
}

// approach moves x towards y, all the way if weight is 1.
func approach[T float](x, y []T, weight float64) {
	if weight == 1 { // x + (y − x) would be rounded
		copy(x, y)
		return
	}
	for i := range x {
		x[i] += T(weight) * (y[i] - x[i])
	}
}

func exchange[T float](x, y []T) {
	for i := range x {
		x[i], y[i] = y[i], x[i]
	}
}
