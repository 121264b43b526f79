package plan

import (
	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// copying is the function that copies.
var copying = ops.Elementwise{Kind: ops.KindStop}

// emitGroup compiles a group to one instruction.
func (k *block[F]) emitGroup(g *group) {
	if g.done {
		return
	}
	g.done = true
	in := map[*ir.Value]bool{}
	for _, v := range g.members {
		in[v] = true
	}
	for _, v := range g.members {
		for _, a := range v.Args {
			if !in[a] {
				k.emit(a)
			}
		}
	}
	k.at = placesOf(g.members)
	f := newFuser[F](g.members[0].Shape)
	for _, v := range g.members {
		if k.copied(v) {
			k.layouts[v] = k.dest[v]
			f.of[v] = f.load(v, k.layouts[v])
			for _, l := range k.also[v] {
				f.ops = append(f.ops, compute[F](copying, f.result(l), f.of[v]))
			}
			continue
		}
		fn, ok := ir.Elementwise(v)
		if !ok {
			k.layouts[v] = k.target(v)
			f.sum(v, k.layouts[v], f.of[v.Args[0]])
			continue
		}
		args := make([]int, len(v.Args))
		for i, a := range v.Args {
			switch fill, ok := a.Fill(); {
			case in[a]:
				args[i] = f.of[a]
			case ok:
				args[i] = f.constant(F(fill))
			default:
				args[i] = f.load(a, k.layout(a))
			}
		}
		out := f.temp()
		if k.kept(v, in) {
			l := k.target(v)
			k.layouts[v] = l
			out = f.result(l)
		}
		f.of[v] = out
		f.compute(fn, out, args...)
		for _, l := range k.also[v] {
			f.ops = append(f.ops, compute[F](copying, f.result(l), out))
		}
	}
	if len(f.ops) == 0 { // copies that lie where they are to
		return
	}
	inst, layouts := f.finish(k.batch)
	k.code.Scratch.Fused(len(inst.Operands), inst.Regs)
	inst.Compile(&k.code.Scratch)
	k.add(inst, layouts...)
}

// kept reports whether a member of a group is needed in memory.
func (k *block[F]) kept(v *ir.Value, in map[*ir.Value]bool) bool {
	if k.roots[v] || k.dest[v] != nil {
		return true
	}
	for _, u := range k.readers[v] {
		if !in[u] {
			return true
		}
	}
	return false
}

// copy copies what lies at from to another place of the same shape.
func (k *block[F]) copy(to, from *vm.Layout) {
	if to.Ints {
		k.add(&vm.CopyInts[F]{To: to, From: from}, to, from)
		return
	}
	f := newFuser[F](to.Shape)
	loaded := f.load(nil, from)
	f.compute(copying, f.result(to), loaded)
	k.addFused(f, to)
}

// fill writes one number everywhere.
func (k *block[F]) fill(to *vm.Layout, v float64) {
	if to.Ints {
		k.add(&vm.CopyInts[F]{To: to}, to)
		return
	}
	f := newFuser[F](to.Shape)
	f.unitCost = 30
	f.ops = append(f.ops, vm.Op[F]{Code: vm.OpFill, Dst: f.result(to), P: float64(F(v))})
	k.addFused(f, to)
}

func (k *block[F]) addFused(f *fuser[F], to *vm.Layout) {
	batch := k.batch
	if batch > 0 && (len(to.Shape) == 0 || to.Shape[0]%batch != 0) {
		batch = 0
	}
	inst, layouts := f.finish(batch)
	k.code.Scratch.Fused(len(inst.Operands), inst.Regs)
	inst.Compile(&k.code.Scratch)
	k.add(inst, layouts...)
}

// expression computes v, an element-wise value or an operand of one, into a slot of its own, or
// into that of the result.
func (k *block[F]) expression(f *fuser[F], v *ir.Value, result int) int {
	if fill, ok := v.Fill(); ok {
		return f.constant(F(fill))
	}
	fn, ok := ir.Elementwise(v)
	if !ok {
		return f.load(v, k.layout(v))
	}
	args := make([]int, len(v.Args))
	for i, a := range v.Args {
		args[i] = k.expression(f, a, -1)
	}
	if result < 0 {
		result = f.temp()
	}
	f.compute(fn, result, args...)
	return result
}
