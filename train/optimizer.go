package train

import (
	"fmt"
	"math"

	"gorgonia.org/gorgonia"
)

// Optimizer changes parameters against their gradients. It is a [gorgonia.Solver]: it serves
// wherever one does. An optimizer belongs to one training run at a time.
type Optimizer interface {
	// Step updates every parameter listed; the package comment says what becomes of the gradients.
	// It first checks the whole list, and on an error nothing has changed. The error names the
	// parameter: one without a value or gradient, a gradient of another shape or type than its
	// value, a shape or type that has changed since the last step, a name listed twice.
	//
	// A parameter may be left out of a step, or join later: each counts its own updates. Gradients
	// that are NaN or infinite are used as they are; [Clip] tells of them. Once every parameter has
	// been seen Step does not allocate, provided that the names do not have to be made up.
	gorgonia.Solver

	// LR is the learning rate of the next step.
	LR() float64
	// SetLR sets it. The next Step refuses a rate that is negative, infinite or NaN.
	SetLR(lr float64)

	// State copies what the optimizer has gathered, and the learning rate. The rest of the
	// configuration is not in it.
	State() State
	// Restore goes on from a state of the same kind. It refuses one in which a slot of a parameter
	// is missing, unknown or of a wrong shape, naming it, and then changes nothing. Shapes are
	// compared with the parameters at the next Step.
	Restore(State) error
}

// update changes the parameter p against its gradient g at p's n-th update, n = 1, 2, …; s are p's
// slots.
type update[T float] func(n int, lr float64, p, g []T, s [][]T)

// optimizer is every Optimizer: they differ in their slots and their update alone.
type optimizer struct {
	kind     string
	lr       float64
	steps    int
	buffers  buffers
	still    bool // a gradient of 0 changes nothing, neither the number nor what is kept for it
	update32 update[float32]
	update64 update[float64]
	room32   [][]float32
	room64   [][]float64
}

// partsOf is numbers from … to−1 of each slot.
func partsOf[T float](room, slots [][]T, from, to int) [][]T {
	room = room[:0]
	for _, s := range slots {
		room = append(room, s[from:to])
	}
	return room
}

func newOptimizer(kind string, lr float64, update32 update[float32], update64 update[float64],
	slots ...string) *optimizer {
	return &optimizer{kind: kind, lr: lr, buffers: buffers{slots: slots}, update32: update32,
		update64: update64}
}

// open checks rate and parameters before anything is changed.
func (o *optimizer) open(params []gorgonia.ValueGrad) ([]member, error) {
	if !nonNegative(o.lr) {
		return nil, fmt.Errorf("train: %s: the learning rate is %v; it must be finite "+
			"and not negative",
			o.kind, o.lr)
	}
	members, err := o.buffers.open(params, openValueGrad)
	if err != nil {
		return nil, fmt.Errorf("train: %s: %w", o.kind, err)
	}
	return members, nil
}

// ready reports why a Step would fail.
func (o *optimizer) ready(params []gorgonia.ValueGrad) error {
	_, err := o.open(params)
	if err == nil {
		o.buffers.forgetNew() // of a step that may not come
	}
	return err
}

func (o *optimizer) Step(params []gorgonia.ValueGrad) error {
	members, err := o.open(params)
	if err != nil {
		return err
	}
	for _, m := range members {
		m.updates++
		ranges := m.touched
		if !o.still {
			ranges = nil
		}
		ranges.in(0, m.value.len(), func(from, to int) {
			if m.value.f32 != nil {
				o.room32 = partsOf(o.room32, m.f32, from, to)
				o.update32(m.updates, o.lr, m.value.f32[from:to], m.grad.f32[from:to], o.room32)
			} else {
				o.room64 = partsOf(o.room64, m.f64, from, to)
				o.update64(m.updates, o.lr, m.value.f64[from:to], m.grad.f64[from:to], o.room64)
			}
		})
	}
	for _, m := range members {
		m.consume()
	}
	o.steps++
	return nil
}

func (o *optimizer) LR() float64      { return o.lr }
func (o *optimizer) SetLR(lr float64) { o.lr = lr }

func (o *optimizer) State() State {
	return o.buffers.save(o.kind, o.steps, map[string]float64{"lr": o.lr})
}

func (o *optimizer) Restore(s State) error {
	loaded, err := o.buffers.load(o.kind, s, "lr")
	if err != nil {
		return err
	}
	o.buffers.byName, o.steps, o.lr = loaded, s.Step, s.Scalars["lr"]
	return nil
}

func sqrt[T float](x T) T { return T(math.Sqrt(float64(x))) }
