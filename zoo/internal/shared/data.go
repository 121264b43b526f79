package shared

import (
	"fmt"

	"github.com/seqzoo/seqzoo/train"
)

// TaskData is what a task knows of its data: digests, by which train.Fit tells them from others,
// and doubts.
type TaskData struct {
	digests  map[string]string
	warnings []string
}

// TaskParts are the data and settings that the next batches depend on, apart from the weights.
type TaskParts struct {
	Train, Valid any
	Vocabulary   []any
	Model        any // its configuration
	Settings     any // of the task
	Schedules    []func(n int) float64
}

// NewTaskData digests the parts.
func NewTaskData(p TaskParts) (d TaskData, err error) {
	digest := func(part string, values ...any) {
		sum, e := train.DigestOf(values...)
		if e != nil && err == nil {
			err = fmt.Errorf("%s: %w", part, e)
		}
		d.digests[part] = sum
	}
	d.digests = map[string]string{}
	digest("training data", p.Train)
	digest("validation data", p.Valid)
	if p.Vocabulary != nil {
		digest("vocabulary", p.Vocabulary...)
	}
	digest("configuration of the model", p.Model)
	digest("settings of the task (size and order of the batches, and how they are learned)",
		p.Settings, samples(p.Schedules))
	return d, err
}

// samples are values of functions of the number of a batch, which tell most of them apart.
func samples(schedules []func(n int) float64) (values [][]float64) {
	for _, f := range schedules {
		var some []float64
		if f != nil {
			for n := 0; n <= 1<<20; n = 3*n + 1 {
				some = append(some, f(n))
			}
		}
		values = append(values, some)
	}
	return values
}

// Warnings are the doubts about the data, for train.Fit.
func (d *TaskData) Warnings() []string { return d.warnings }

// SaveDigests writes the digests to a checkpoint.
func (d *TaskData) SaveDigests(c *train.Checkpoint) {
	for part, digest := range d.digests {
		c.SetDigest(part, digest)
	}
}
