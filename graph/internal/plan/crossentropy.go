package plan

import (
	"slices"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// emitCrossEntropy compiles a loss together with its gradient, if that needs nothing which comes of
// the loss, and with the addition of a bias to the logits. Where nothing else reads the logits, the
// gradient is written over them.
func (k *block[F]) emitCrossEntropy(v *ir.Value, fn ops.CrossEntropy) {
	logits, ids := v.Args[0], v.Args[1]
	c := &vm.CrossEntropy[F]{Fn: fn, At: v.At, Steps: stepsOf(v), N: v.Size(),
		Width: logits.Shape[len(logits.Shape)-1]}
	k.code.Scratch.Row = max(k.code.Scratch.Row, c.Width)
	c.Split = c.N
	if k.batch > 0 {
		c.Split = k.batch
	}
	grad := k.gradOf[v]
	readers := 1
	if grad != nil {
		readers = 2
	}
	only := k.users[logits] == readers && !k.roots[logits]
	if x, b := k.biased(logits); x != nil && only {
		c.Logits, c.Bias = k.dense(x), k.dense(b)
		logits, only = x, k.users[x] == 1 && !k.roots[x]
	} else {
		c.Logits = k.dense(logits)
	}
	c.Ids, c.Loss = k.dense(ids), k.target(v)
	layouts := []*vm.Layout{c.Logits, c.Ids, c.Loss}
	k.layouts[v] = c.Loss
	if c.Bias != nil {
		layouts = append(layouts, c.Bias)
	}
	if grad != nil {
		c.Dy = k.dense(grad.Args[2])
		if only && k.dest[grad] == nil && k.owned(logits) {
			c.Overwrite = true
			k.dest[grad] = &vm.Layout{Buf: c.Logits.Buf, Off: c.Logits.Off, Clock: c.Logits.Clock,
				Tick: c.Logits.Tick, Segment: c.Logits.Segment, Shape: grad.Shape,
				Strides: vm.RowMajor(grad.Shape)}
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
		c.Grad = k.target(grad)
		if !c.Grad.Contiguous() {
			c.Grad = k.fresh(grad.Type, vm.InArena)
			defer k.copy(k.dest[grad], c.Grad)
		}
		k.layouts[grad] = k.dest[grad]
		layouts = append(layouts, c.Dy, c.Grad)
		k.at = placesOf([]*ir.Value{v, grad})
	}
	k.add(c, layouts...)
}

// owned reports whether the memory of v, which one instruction reads, holds v alone: whether it may
// be written over.
func (k *block[F]) owned(v *ir.Value) bool {
	for {
		switch v.Fn.(type) {
		case ops.Reshape:
			if v = v.Args[0]; k.users[v] != 1 || k.roots[v] {
				return false
			}
			continue
		case ops.MatMul, ops.Elementwise, ir.Copy, ir.MatMulAcc:
			return k.outer == nil && k.layouts[v] != nil &&
				k.code.Buffers[k.layouts[v].Buf].Kind == vm.InArena && k.layouts[v].Contiguous()
		}
		return false
	}
}

// biased takes v apart if it is x + b, with one number of b for each column of x; else x is nil.
func (k *block[F]) biased(v *ir.Value) (x, b *ir.Value) {
	if fn, ok := v.Fn.(ops.Elementwise); !ok || fn.Kind != ops.KindAdd || k.layouts[v] != nil ||
		k.groups[v] == nil || len(k.groups[v].members) > 1 || k.cfg.Without[passFuse] {
		return nil, nil
	}
	for i, b := range v.Args {
		x := v.Args[1-i]
		_, filled := b.Fill()
		if !filled && slices.Equal(x.Shape, v.Shape) && b.Size() == v.Shape[len(v.Shape)-1] &&
			b.Shape[len(b.Shape)-1] == b.Size() {
			return x, b
		}
	}
	return nil, nil
}
