package exec

import (
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/pass"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// crossEntropy is the loss of rows of logits and, where the graph wants it, their gradient: one pass over the rows,
// which takes exponentials once. With a large vocabulary a row is long, the logits of a batch are many times the cache,
// and every further pass would cost as much as this one.
type crossEntropy[F kernels.Float] struct {
	fn        ops.CrossEntropy
	at        ops.Place
	logits    *layout
	bias      *layout // added to every row of logits; nil: none
	ids       *layout
	loss      *layout
	dy, grad  *layout // of the loss, and of the logits: it may lie where they do; nil: not wanted
	n, width  int
	split     int
	steps     steps
	overwrite bool // logits are needed no more
}

func (c *crossEntropy[F]) units() int { return c.split }
func (c *crossEntropy[F]) cost() int  { return c.n * (c.width + 20) }

func (c *crossEntropy[F]) String() string {
	s := fmt.Sprintf("rows %d×%d: %s", c.n, c.width, c.fn.Key())
	if c.bias != nil {
		s += " of logits + bias"
	}
	if c.grad != nil {
		s += " and gradient"
		if c.overwrite {
			s += " in place"
		}
	}
	return s
}

func (c *crossEntropy[F]) run(x *worker[F], lo, hi int) error {
	m := c.n / c.split
	for i := lo * m; i < hi*m; i++ {
		if err := c.row(x, i); err != nil {
			return failed(err, c.at, c.steps, c.n, x.segment)
		}
	}
	return nil
}

func (c *crossEntropy[F]) row(x *worker[F], i int) error {
	id := whole(x, c.ids).Int[i]
	counts, err := target(c.fn, id, c.width, i)
	if err != nil {
		return err
	}
	logits, loss := at(x, c.logits)[i*c.width:(i+1)*c.width], &at(x, c.loss)[i]
	dst := x.row[:c.width]
	if c.grad != nil {
		dst = at(x, c.grad)[i*c.width : (i+1)*c.width]
	}
	if *loss = 0; !counts {
		if c.grad != nil {
			clear(dst)
		}
		return nil
	}
	if c.bias != nil {
		kernels.Add(dst, logits, at(x, c.bias)[:c.width])
		logits = dst
	}
	l := -(1 - c.fn.Smoothing) * float64(logits[id])
	if c.fn.Smoothing > 0 {
		l -= c.fn.Smoothing * float64(kernels.Sum(logits)) / float64(c.width)
	}
	top, sum := ops.ExpRow(dst, logits)
	*loss = F(l + float64(top) + math.Log(float64(sum)))
	if c.grad == nil {
		return nil
	}
	dy := at(x, c.dy)[i]
	kernels.MulScalar(dst, dst, dy/sum)
	if c.fn.Smoothing > 0 {
		kernels.AddScalar(dst, dst, -dy*F(c.fn.Smoothing/float64(c.width)))
	}
	dst[id] -= dy * F(1-c.fn.Smoothing)
	return nil
}

// emitCrossEntropy compiles a loss together with its gradient, if that needs nothing which comes of the loss, and with
// the addition of a bias to the logits. Where nothing else reads the logits, the gradient is written over them.
func (k *block[F]) emitCrossEntropy(v *ir.Value, fn ops.CrossEntropy) {
	logits, ids := v.Args[0], v.Args[1]
	c := &crossEntropy[F]{fn: fn, at: v.At, steps: stepsOf(v), n: v.Size(), width: logits.Shape[len(logits.Shape)-1]}
	k.row = max(k.row, c.width)
	c.split = c.n
	if k.batch > 0 {
		c.split = k.batch
	}
	grad := k.gradOf[v]
	readers := 1
	if grad != nil {
		readers = 2
	}
	only := k.users[logits] == readers && !k.roots[logits]
	if x, b := k.biased(logits); x != nil && only {
		c.logits, c.bias = k.dense(x), k.dense(b)
		logits, only = x, k.users[x] == 1 && !k.roots[x]
	} else {
		c.logits = k.dense(logits)
	}
	c.ids, c.loss = k.dense(ids), k.target(v)
	layouts := []*layout{c.logits, c.ids, c.loss}
	k.layouts[v] = c.loss
	if c.bias != nil {
		layouts = append(layouts, c.bias)
	}
	if grad != nil {
		c.dy = k.dense(grad.Args[2])
		if only && k.dest[grad] == nil && k.owned(logits) {
			c.overwrite = true
			k.dest[grad] = &layout{buf: c.logits.buf, off: c.logits.off, clock: c.logits.clock, tick: c.logits.tick, segment: c.logits.segment, shape: grad.Shape, strides: rowMajor(grad.Shape)}
		} else {
			why := "the gradient has its place elsewhere"
			switch {
			case !only:
				why = "something else reads the logits"
			case k.dest[grad] == nil:
				why = "they lie in memory that is not theirs alone"
			}
			k.note("%v is not written over the logits: %s", grad.At, why)
		}
		c.grad = k.target(grad)
		if !c.grad.contiguous() {
			c.grad = k.fresh(grad.Type, arena)
			defer k.copy(k.dest[grad], c.grad)
		}
		k.layouts[grad] = k.dest[grad]
		layouts = append(layouts, c.dy, c.grad)
		k.at = placesOf([]*ir.Value{v, grad})
	}
	k.add(c, layouts...)
}

// owned reports whether the memory of v, which one instruction reads, holds v alone: whether it may be written over.
func (k *block[F]) owned(v *ir.Value) bool {
	for {
		switch v.Fn.(type) {
		case ops.Reshape:
			if v = v.Args[0]; k.users[v] != 1 || k.roots[v] {
				return false
			}
			continue
		case ops.MatMul, ops.Elementwise, ir.Copy, ir.MatMulAcc:
			return k.outer == nil && k.layouts[v] != nil && k.buffers[k.layouts[v].buf].kind == arena && k.layouts[v].contiguous()
		}
		return false
	}
}

// biased takes v apart if it is x + b, with one number of b for each column of x; else x is nil.
func (k *block[F]) biased(v *ir.Value) (x, b *ir.Value) {
	if fn, ok := v.Fn.(ops.Elementwise); !ok || fn.Kind != ops.KindAdd || k.layouts[v] != nil || k.groups[v] == nil || len(k.groups[v].members) > 1 || k.cfg.Without[pass.Fuse] {
		return nil, nil
	}
	for i, b := range v.Args {
		x := v.Args[1-i]
		_, filled := b.Fill()
		if !filled && slices.Equal(x.Shape, v.Shape) && b.Size() == v.Shape[len(v.Shape)-1] && b.Shape[len(b.Shape)-1] == b.Size() {
			return x, b
		}
	}
	return nil, nil
}

// pairLosses decides which losses are computed together with the gradient of their logits. Such a loss waits for the
// gradient that comes to it, so that must not need the loss, by way of other pairs either.
func (k *block[F]) pairLosses() {
	k.gradOf, k.lossOf = map[*ir.Value]*ir.Value{}, map[*ir.Value]*ir.Value{}
	if k.outer != nil || k.cfg.Without[pass.Fuse] {
		return
	}
	for _, v := range k.order {
		fn, ok := v.Fn.(ops.CrossEntropy)
		if !ok {
			continue
		}
		for _, u := range k.readers[v.Args[0]] {
			g, ok := u.Fn.(ops.CrossEntropyGrad)
			if ok && u.Args[0] == v.Args[0] && u.Args[1] == v.Args[1] && g.CrossEntropy.Key() == fn.Key() &&
				k.lossOf[u] == nil && !k.needs(u.Args[2], v) {
				k.gradOf[v], k.lossOf[u] = u, v
				break
			}
		}
	}
}

// operands are the values that v is computed from, or in one instruction with.
func (k *block[F]) operands(v *ir.Value) []*ir.Value {
	if g := k.gradOf[v]; g != nil {
		return append(slices.Clone(v.Args), g.Args[2])
	}
	return v.Args
}

// needs reports whether w must have been computed before v can be.
func (k *block[F]) needs(v, w *ir.Value) bool {
	seen := map[*ir.Value]bool{}
	var visit func(v *ir.Value) bool
	visit = func(v *ir.Value) bool {
		if v == w {
			return true
		}
		if seen[v] {
			return false
		}
		seen[v] = true
		if l := k.lossOf[v]; l != nil && visit(l) { // a gradient comes with its loss
			return true
		}
		return slices.ContainsFunc(k.operands(v), visit)
	}
	return visit(v)
}
