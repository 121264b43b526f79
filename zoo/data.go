package zoo

import (
	"fmt"

	"github.com/seqzoo/seqzoo/train"
)

// taskData is what a task knows of its data: digests, by which train.Fit tells them from others,
// and doubts.
type taskData struct {
	digests  map[string]string
	warnings []string
}

// taskParts is what the batches to come depend on, apart from the weights.
type taskParts struct {
	train, valid any
	vocabulary   []any
	model        any // its configuration
	settings     any // of the task
	schedules    []func(n int) float64
}

// newTaskData digests parts.
func newTaskData(p taskParts) (d taskData, err error) {
	digest := func(part string, values ...any) {
		sum, e := train.DigestOf(values...)
		if e != nil && err == nil {
			err = fmt.Errorf("%s: %w", part, e)
		}
		d.digests[part] = sum
	}
	d.digests = map[string]string{}
	digest("training data", p.train)
	digest("validation data", p.valid)
	if p.vocabulary != nil {
		digest("vocabulary", p.vocabulary...)
	}
	digest("configuration of the model", p.model)
	digest("settings of the task (size and order of the batches, and how they are learned)", p.settings, samples(p.schedules))
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
func (d *taskData) Warnings() []string { return d.warnings }

func (d *taskData) save(c *train.Checkpoint) {
	for part, digest := range d.digests {
		c.SetDigest(part, digest)
	}
}
