package graph

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// gradient is the value of a derivative, and the input whose Grad is to return it.
type gradient struct {
	node   *gorgonia.Node
	from   ops.Tensor     // in the program's memory
	own    gorgonia.Value // what Grad returned last
	shared bool           // own is from itself
	reuse  bool           // own is the same after each run
	// element of what Grad returned last that is not 0, or −1: unknown or none
	first int
}

// gradient delivers that of an input.
func (d *delivery) gradient(g *gradient) error {
	if g.node.Value() == nil {
		return nil
	}
	had, err := g.node.Grad()
	if d.add && err == nil && had != nil && had != g.node.Deriv().Value() && add(had, g.from) {
		return nil
	}
	if g.renew(); err == nil && had == g.own {
		return nil
	}
	return bindGradient(g.node, g.own)
}

// renew makes own the gradient after a run. It is new memory, so that gradients may be collected,
// unless a solver has taken the last one.
func (g *gradient) renew() {
	if g.shared {
		return
	}
	if !(g.reuse || g.taken()) || !write(g.own, g.from) {
		g.own = clone(g.from)
	}
	if !g.reuse {
		g.first = max(slices.IndexFunc(g.from.F32, notZero), slices.IndexFunc(g.from.F64, notZero))
	}
}

// taken reports whether own has been set to 0, as every solver does with the gradients that it has
// used. Whoever collects gradients has lost this one then, so that its memory can be written again.
func (g *gradient) taken() bool {
	if g.first < 0 {
		return false
	}
	switch own := g.own.(type) {
	case *gorgonia.F32:
		return *own == 0
	case *gorgonia.F64:
		return *own == 0
	case *tensor.Dense:
		t, ok := within(own, g.from)
		return ok && (allZero(t.F32, g.first) || allZero(t.F64, g.first))
	}
	return false
}

func notZero[F kernels.Float](v F) bool { return v != 0 }

// allZero looks at element i first, which tells in most cases.
func allZero[F kernels.Float](x []F, i int) bool {
	return x != nil && x[i] == 0 && kernels.SumSquares(x) == 0
}

// bindGradient makes an option for new nodes serve an old one: it is the only public way to a
// node's gradient.
func bindGradient(n *gorgonia.Node, v gorgonia.Value) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("gradient of %v, whose value is %v: %v", n, n.Value().Shape(), r)
		}
	}()
	gorgonia.WithGrad(v)(n)
	return nil
}

// add adds t to a value, if it is of the same type and shape.
func add(to gorgonia.Value, t ops.Tensor) bool {
	u, ok := within(to, t)
	if ok {
		u.Add(t)
	}
	return ok
}

// box delivers a value that the engine cannot hold.
func (d *delivery) box(b boxed) error {
	v, err := gorgonia.CloneValue(b.Value())
	switch {
	case err != nil:
		return err
	case b.into != nil:
		*b.into = v
		return nil
	case b.node != nil:
		return gorgonia.UnsafeLet(b.node, v)
	case b.grad.Value() == nil:
		return nil
	}
	if had, err := b.grad.Grad(); d.add && err == nil && had != nil &&
		had != b.grad.Deriv().Value() {
		if t, err := ops.TensorOf(v); err == nil && add(had, t) {
			return nil
		}
	}
	return bindGradient(b.grad, v)
}
