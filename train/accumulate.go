package train

import (
	"fmt"

	"gorgonia.org/gorgonia"
)

// AccumulatorConfig configures [NewAccumulator]. The zero value passes the mean of one micro-batch
// on.
type AccumulatorConfig struct {
	Batches int  // micro-batches to a step; 0 means 1
	Sum     bool // add the gradients up instead of taking their mean
}

// Accumulator gathers the gradients of several micro-batches for one step, for batches that do not
// fit into memory:
//
//	for range batches { // of each, compute the gradients first
//		full, err := accumulator.Add(params)
//		if full {
//			err = optimizer.Step(accumulator.Take())
//		}
//	}
//
// The mean equals the gradient of the whole batch's mean loss where the micro-batches count
// equally. A checkpoint belongs after Take, when nothing is gathered.
type Accumulator struct {
	config AccumulatorConfig
	count  int // micro-batches since Take
	sums   []*gathered
	params []gorgonia.ValueGrad // sums, as Take hands them out
}

// gathered is a parameter whose gradient is the sum, or the mean, over micro-batches.
type gathered struct {
	gorgonia.ValueGrad // the parameter, for its value
	name               string
	grad               gorgonia.Value
	sum                vector         // the numbers of grad
	within             func() touched // nil: anywhere
	show               func()         // that the gradient is given to somebody who may write to it
}

func (g *gathered) touched() touched {
	if g.within == nil {
		return nil
	}
	return g.within()
}

func (g *gathered) inside() gorgonia.Value { return g.grad }

func (g *gathered) Name() string { return g.name }
func (g *gathered) Grad() (gorgonia.Value, error) {
	if g.show != nil {
		g.show()
	}
	return g.grad, nil
}

// NewAccumulator has gathered nothing yet. The error names the field that is out of its range.
func NewAccumulator(c AccumulatorConfig) (*Accumulator, error) {
	check := checks{config: "AccumulatorConfig"}
	check.field(c.Batches >= 0, "Batches", c.Batches, "not negative")
	if err := check.err(); err != nil {
		return nil, err
	}
	c.Batches = max(c.Batches, 1)
	return &Accumulator{config: c}, nil
}

// Add takes the gradients of one micro-batch and reports whether the batch is now full. It checks
// the whole list first and treats the gradients as [Optimizer.Step] does; every Add must list the
// same parameters in the same order. To Add to a full batch is an error. After the first call it
// does not allocate.
func (a *Accumulator) Add(params []gorgonia.ValueGrad) (full bool, err error) {
	if a.count == a.config.Batches {
		return true, fmt.Errorf("train: accumulate: all %d micro-batches are in; Take them first",
			a.count)
	}
	if a.sums == nil {
		if err := a.begin(params); err != nil {
			return false, fmt.Errorf("train: accumulate: %w", err)
		}
	}
	if len(params) != len(a.sums) {
		return false, fmt.Errorf("train: accumulate: %d parameters are listed, but %d were at first",
			len(params), len(a.sums))
	}
	for i, vg := range params {
		p, err := openValueGrad(i, vg)
		if err == nil && (p.name != a.sums[i].name || !p.grad.like(a.sums[i].sum)) {
			err = fmt.Errorf("parameter %d is %q, %v, but was %q, %v, at first",
				i, p.name, p.grad, a.sums[i].name, a.sums[i].sum)
		}
		if err != nil {
			return false, fmt.Errorf("train: accumulate: %w", err)
		}
	}
	for i, vg := range params {
		p, _ := openValueGrad(i, vg) // opened above
		a.sums[i].ValueGrad = vg
		if a.count == 0 {
			a.sums[i].sum.copyFrom(p.grad)
		} else {
			a.sums[i].sum.add(p.grad)
		}
	}
	for i, vg := range params {
		p, _ := openValueGrad(i, vg)
		p.consume()
	}
	a.count++
	return a.count == a.config.Batches, nil
}

// begin makes room for the gradients of params.
func (a *Accumulator) begin(params []gorgonia.ValueGrad) error {
	sums, out := make([]*gathered, len(params)), make([]gorgonia.ValueGrad, len(params))
	for i, vg := range params {
		p, err := openValueGrad(i, vg)
		if err != nil {
			return err
		}
		g := &gathered{ValueGrad: vg, name: p.name, grad: p.grad.valueLike(vg.Value())}
		g.sum, _ = vectorOf(g.grad) // a new value is contiguous
		sums[i], out[i] = g, g
	}
	a.sums, a.params = sums, out
	return nil
}

// Take returns the parameters with the gradient gathered so far, and empties the accumulator; a
// last batch may be taken before it is full. Its mean is over the micro-batches that are in. The
// result is good until the next Add, and nil if there was none since the last Take.
func (a *Accumulator) Take() []gorgonia.ValueGrad {
	if a.count == 0 {
		return nil
	}
	if !a.config.Sum {
		for _, g := range a.sums {
			g.sum.scale(1 / float64(a.count))
		}
	}
	a.count = 0
	return a.params
}
