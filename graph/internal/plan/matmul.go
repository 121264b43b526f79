package plan

import (
	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

func (k *block[F]) emitAcc(v *ir.Value, fn ir.MatMulAcc) {
	u := k.layout(v.Args[0])
	if k.dest[v] == nil && k.consumable(v.Args[0]) {
		k.dest[v] = u
	}
	if l := k.target(v); !l.Same(u) {
		k.note("%v is not added to where it lies, but to a copy: %s", v.Args[0].At,
			k.needed(v.Args[0]))
		k.copy(l, u)
	}
	k.emitMatMul(v, fn.MatMul, v.Args[1], v.Args[2], true)
}

// needed says why the memory of a value cannot be written over.
func (k *block[F]) needed(v *ir.Value) string {
	_, leaf := v.Fn.(ir.BodyLeaf)
	switch {
	case k.users[v] > 1:
		return "something else reads it too"
	case k.roots[v]:
		return "it is a result"
	case leaf:
		return "it comes from outside of the loop, where it is needed"
	case len(v.Args) == 0:
		return "it is an input"
	case view(v):
		return "it is a view of something else"
	}
	return "the result has its place elsewhere"
}

// consumable reports whether the memory of a leaf of a body may be written over: it is one time of
// a sequence that was computed for this loop alone.
func (k *block[F]) consumable(leaf *ir.Value) bool {
	if k.body == nil || k.users[leaf] != 1 {
		return false
	}
	for _, p := range k.body.loop.Seqs {
		if p.Leaf == leaf {
			return k.outer.alone(k.outer.valueOf(k.body.loop).Args[p.Arg])
		}
	}
	return false
}

// alone reports whether one user alone needs the memory of v.
func (k *block[F]) alone(v *ir.Value) bool {
	if k.users[v] != 1 || k.roots[v] {
		return false
	}
	switch v.Fn.(type) {
	case ops.Reshape:
		return k.alone(v.Args[0])
	case ops.MatMul, ops.Elementwise, ir.Copy, ir.MatMulAcc:
		return k.code.Buffers[k.layouts[v].Buf].Kind == vm.InArena
	}
	return false
}

func (k *block[F]) emitMatMul(v *ir.Value, fn ops.MatMul, av, bv *ir.Value, acc bool) {
	g := &vm.Gemm[F]{Acc: acc, Pack: -1, Count: 1}
	operand := func(v *ir.Value) vm.Matrix {
		l := k.layout(v)
		m, ok := vm.AsMatrix(l)
		if !ok {
			m, _ = vm.AsMatrix(k.compact(l, v.Type))
		}
		return m
	}
	g.A, g.B = operand(av), operand(bv)
	c := k.target(v)
	g.C, _ = vm.AsMatrix(c)
	n := len(v.Shape)
	g.M, g.N = v.Shape[n-2], v.Shape[n-1]
	g.TransA, g.TransB = fn.TransA != g.A.Trans, fn.TransB != g.B.Trans
	if g.K = av.Shape[n-1]; fn.TransA {
		g.K = av.Shape[n-2]
	}
	k.layouts[v] = c
	if n == 3 {
		g.Count, g.Split = v.Shape[0], v.Shape[0]
		if k.batch > 0 {
			g.Split = g.Count
		}
		k.add(g, g.A.Layout, g.B.Layout, c)
		return
	}
	k.divide(g)
	packable := k.body != nil && g.B.Layout.Clock == vm.Still && k.body.fixed(bv) &&
		k.body.loop.T*g.M >= packedUses
	if packable && !k.cfg.Without[passPack] {
		g.Pack = k.outer.pack(g)
	}
	k.add(g, g.A.Layout, g.B.Layout, c)
	if g.Pack >= 0 {
		last := len(k.touched) - 1
		k.touched[last] = append(k.touched[last], k.packBufs[g.Pack])
	}
}

// divide decides on the units of a product of two matrices: rows of the batch, blocks of rows with
// packed weights, panels of columns, or blocks of rows.
func (k *block[F]) divide(g *vm.Gemm[F]) {
	tall := k.body == nil && !g.TransA && g.M >= tallRows && g.N >= tallCols
	switch {
	case k.batch > 0:
		g.Split, g.Block = k.batch, g.M/k.batch
	case tall && !k.cfg.Without[passPack]:
		g.Tall, g.Block = true, packedRows
		if g.K*g.N*k.elementSize() > packedCache {
			g.Block = k.largeBlock(g)
		}
		g.Split = (g.M + g.Block - 1) / g.Block
		g.Pack = k.pack(g)
	case g.N >= g.M && g.N >= panelCols:
		g.ByCols, g.Block = true, panelCols
		g.Split = (g.N + panelCols - 1) / panelCols
	default:
		g.Block = blockRows
		g.Split = (g.M + blockRows - 1) / blockRows
	}
}

// largeBlock is how many rows are taken at a time where the packed weights outgrow a core's cache
// and are fetched anew for each block: as many as the left operand may have in it, and as many
// blocks for every worker, all about as large.
func (k *block[F]) largeBlock(g *vm.Gemm[F]) int {
	fit := blockBytes / (g.K * k.elementSize() * packedRows)
	rows := max(4, min(8, fit)) * packedRows
	rounds := (g.M + rows*k.cfg.Workers - 1) / (rows * k.cfg.Workers) * k.cfg.Workers
	return ((g.M+rounds-1)/rounds + gemmRows - 1) / gemmRows * gemmRows
}

// The sizes at which divide and pack decide. What was measured is on an AMD EPYC (Zen 4, AVX-512),
// as the time without packing relative to that with it, the least of many rounds in turns.
const (
	// packedUses are the rows, over all steps of a loop, from which its weights are packed before
	// it. Weights that are read by columns, as in the backward pass, are laid out by rows so: a
	// training step of an LSTM with T = 16, B = 1, H = 128 takes 1.46 without. For others packing
	// ahead pays from 64 rows on, since products pack on the way, too: a forward LSTM of H = 64 and
	// 256 takes 0.89 to 0.95 at 16 rows, 0.97 to 1.03 at 64 and 0.99 to 1.09 at 128. One number for
	// both keeps the program the same for more lengths.
	packedUses = 16

	// tallRows and tallCols are the rows and columns from which a product outside of loops packs
	// its weights once for all workers. On one worker that costs what it saves: 0.93 to 0.98 at 128
	// to 512 rows, 0.98 to 1.01 at 1,600, also with weights of 4 MB. It is there for several
	// workers, each of which would pack for itself.
	tallRows = 4 * packedRows
	tallCols = 16 // narrower products leave most of a packed panel empty

	// packedRows are taken at a time of a tall product: whole tiles, whose part of the left operand
	// stays in the first-level cache beside a panel.
	packedRows = 32
	// packedCache is how many bytes of packed weights stay in a core's second-level cache, beside
	// what else is there. Larger ones are fetched anew for each block of rows, so that blocks have
	// as many rows as blockBytes of the left operand hold.
	packedCache = 3 << 19
	blockBytes  = 1 << 20
	gemmRows    = 16 // such a block has a multiple of so many rows: whole tiles

	// panelCols are the columns of a unit of a wide product, and blockRows the rows of one of any
	// other: whole panels and whole tiles. A worker takes its units in one piece, so that 32 to
	// 1,024 columns and 16 to 128 rows take the same time, 0.98 to 1.03.
	panelCols = 64
	blockRows = 32
)

// pack has B of a product packed, once for all products with it, and gives the index of the packed
// matrix.
func (k *block[F]) pack(g *vm.Gemm[F]) int {
	key := packKey{g.B.Layout.Buf, g.B.Layout.Off, g.K, g.N, g.B.Ld, g.TransB}
	if i, ok := k.packOf[key]; ok {
		return i
	}
	// the same in every segment
	if k.above != nil && g.B.Layout.Segment == 0 && k.constant(g.B.Layout.Buf) {
		i := k.above.pack(g)
		k.same = append(k.same, k.packBufs[i])
		return i
	}
	buf := k.fresh(ops.Type{Dtype: k.floatType(), Shape: []int{kernels.PackedLen(g.K, g.N)}},
		vm.InArena)
	i := len(k.packBufs)
	k.packBufs = append(k.packBufs, buf.Buf)
	k.add(&vm.Pack[F]{B: g.B, Trans: g.TransB, K: g.K, N: g.N, Buf: buf.Buf, Target: i}, g.B.Layout,
		buf)
	k.packOf[key] = i
	return i
}

type packKey struct {
	buf, off, k, n, ld int
	trans              bool
}
