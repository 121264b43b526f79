package exec

import (
	"fmt"
	"strings"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// fused runs any number of element-wise operations of one shape in one pass: tile by tile, an
// operation at a time, with everything in between in registers, which are small arrays that stay in
// the first-level cache.
type fused[F kernels.Float] struct {
	operands []operand // slots 0 … len(operands)−1; the others are registers
	regs     int
	dims     []int // joined where all operands allow it; the last is the row that kernels work on
	split    int   // units
	setup    []op[F]
	code     []op[F]
	unitCost int // nanoseconds for 1,024 elements
	tile     int
	chunked  bool // one row, whose units are tiles
	many     bool // a tile has several rows
}

// operand is an argument or a result in memory.
type operand struct {
	layout
	strides []int // along fused.dims; 0 repeats
	flat    bool  // in a tile, the elements lie one after another
}

// op is one element-wise operation on slots, or one that brings elements to a register or from one.
type op[F kernels.Float] struct {
	code    code
	kind    ops.Kind              // of opCompute
	kernel  *ops.ElementKernel[F] // of opCompute
	dst     int
	a, b, c int
	p, q    float64
}

const tileLen = 512 // elements of a register

type code int

const (
	opCompute code = iota // an element-wise function of slots a, b and c
	opFill                // p
	opSpread              // element 0 of slot a
	opGather              // slot a with its stride
	opScatter             // to slot dst with its stride
	opRows                // rows of slot a one after another
)

// compute is fn of the slots in args. Its parameters are rounded to F.
func compute[F kernels.Float](fn ops.Elementwise, dst int, args ...int) op[F] {
	o := op[F]{
		kind: fn.Kind, kernel: ops.FastKernel[F](fn.Kind), dst: dst, p: float64(F(fn.P)), q: float64(F(fn.Q)),
	}
	for i, to := range []*int{&o.a, &o.b, &o.c}[:len(args)] {
		*to = args[i]
	}
	return o
}

// String is the operation in a listing.
func (o *op[F]) String() string {
	switch {
	case o.code != opCompute:
		return [...]string{opFill: "fill", opSpread: "spread", opGather: "gather", opScatter: "scatter", opRows: "rows"}[o.code]
	case o.kind == ops.KindStop:
		return "copy"
	}
	return string(o.kind)
}

func (f *fused[F]) units() int { return f.split }

func (f *fused[F]) size() int {
	n := 1
	for _, d := range f.dims {
		n *= d
	}
	return n
}

func (f *fused[F]) cost() int { return f.size()*f.unitCost/1024 + 20*f.size()/f.dims[len(f.dims)-1] }

func (f *fused[F]) String() string {
	var names []string
	for i := range f.code {
		names = append(names, f.code[i].String())
	}
	return fmt.Sprintf("fused %v: %s", f.dims, strings.Join(names, " "))
}

// A tile is part of one row, or several short rows. Operands that lie element after element in it
// are worked on where they are; the others are brought to a register first, or taken from one last.
func (f *fused[F]) run(x *worker[F], lo, hi int) error {
	slots := x.slots[:len(f.operands)+f.regs]
	last := len(f.dims) - 1
	n := f.dims[last]
	rows, near := 1, 1 // rows of a unit; rows of the last but one dimension, along which tiles of several rows go
	for _, d := range f.dims[:last] {
		rows *= d
	}
	if last > 0 {
		near = f.dims[last-1]
	}
	most := min(f.tile, n)
	if f.many {
		most = min(f.tile/n, rows/f.split*(hi-lo), near) * n
	}
	regs := slots[len(f.operands):]
	for i := range regs {
		regs[i] = x.regs[i*tileLen : i*tileLen+most]
	}
	for i := range f.setup {
		f.prepare(x, &f.setup[i], slots, most/n)
	}
	if last == 0 {
		from, to := n*lo/f.split, n*hi/f.split
		if f.chunked {
			from, to = lo*f.tile, min(hi*f.tile, n)
		}
		clear(x.offs[:len(f.operands)])
		f.span(x, slots, from, to)
		return nil
	}
	each := rows / f.split
	for r := lo * each; r < hi*each; {
		for i := range f.operands {
			o := &f.operands[i]
			off, rest := 0, r
			for d := last - 1; d > 0; d-- {
				off += rest % f.dims[d] * o.strides[d]
				rest /= f.dims[d]
			}
			x.offs[i] = off + rest*o.strides[0]
		}
		if !f.many {
			f.span(x, slots, 0, n)
			r++
			continue
		}
		count := min(f.tile/n, hi*each-r, near-r%near)
		f.block(x, slots, count, n)
		r += count
	}
	return nil
}

// prepare fills a register that stays as it is.
func (f *fused[F]) prepare(x *worker[F], o *op[F], slots [][]F, rows int) {
	switch o.code {
	case opFill:
		kernels.Fill(slots[o.dst], F(o.p))
	case opSpread:
		kernels.Fill(slots[o.dst], at(x, &f.operands[o.a].layout)[0])
	case opRows:
		dst, src := slots[o.dst], at(x, &f.operands[o.a].layout)
		n := len(dst) / rows
		for r := range rows {
			copy(dst[r*n:(r+1)*n], src)
		}
	}
}

// block runs a tile of several rows of n elements.
func (f *fused[F]) block(x *worker[F], slots [][]F, rows, n int) {
	last := len(f.dims) - 1
	regs := slots[len(f.operands):]
	for i := range regs {
		regs[i] = x.regs[i*tileLen : i*tileLen+rows*n]
	}
	for i := range f.operands {
		o := &f.operands[i]
		s := x.p.bufs[o.buf][o.first(x.clock, x.segment)+x.offs[i]:]
		if o.flat {
			s = s[:rows*n]
		}
		slots[i] = s
	}
	for i := range f.code {
		o := &f.code[i]
		switch o.code {
		case opRows:
			dst, src, s := slots[o.dst], slots[o.a], f.operands[o.a].strides[last-1]
			for r := range rows {
				copy(dst[r*n:(r+1)*n], src[r*s:])
			}
		case opSpread:
			dst, src, s := slots[o.dst], slots[o.a], f.operands[o.a].strides[last-1]
			for r := range rows {
				kernels.Fill(dst[r*n:(r+1)*n], src[r*s])
			}
		case opGather:
			dst, src, strides := slots[o.dst], slots[o.a], f.operands[o.a].strides
			for r := range rows {
				for k := range n {
					dst[r*n+k] = src[r*strides[last-1]+k*strides[last]]
				}
			}
		case opScatter:
			dst, src, strides := slots[o.dst], slots[o.a], f.operands[o.dst].strides
			for r := range rows {
				if strides[last] == 1 {
					copy(dst[r*strides[last-1]:], src[r*n:(r+1)*n])
					continue
				}
				for k := range n {
					dst[r*strides[last-1]+k*strides[last]] = src[r*n+k]
				}
			}
		default:
			o.apply(slots)
		}
	}
}

// span runs the elements [from, to) of a row that starts at x.offs of every operand.
func (f *fused[F]) span(x *worker[F], slots [][]F, from, to int) {
	last := len(f.dims) - 1
	regs := slots[len(f.operands):]
	for ; from < to; from += f.tile {
		n := min(f.tile, to-from)
		for i := range regs {
			regs[i] = x.regs[i*tileLen : i*tileLen+n]
		}
		for i := range f.operands {
			o := &f.operands[i]
			first := o.first(x.clock, x.segment) + x.offs[i] + from*o.strides[last]
			if o.flat {
				slots[i] = x.p.bufs[o.buf][first : first+n]
			} else {
				slots[i] = x.p.bufs[o.buf][first:]
			}
		}
		for i := range f.code {
			o := &f.code[i]
			switch o.code {
			case opSpread:
				kernels.Fill(slots[o.dst], slots[o.a][0])
			case opGather:
				dst, src, s := slots[o.dst], slots[o.a], f.operands[o.a].strides[last]
				for k := range dst {
					dst[k] = src[k*s]
				}
			case opScatter:
				s, dst := f.operands[o.dst].strides[last], slots[o.dst]
				for k, v := range slots[o.a] {
					dst[k*s] = v
				}
			default:
				o.apply(slots)
			}
		}
	}
}

// apply computes one operation on whole slots.
func (o *op[F]) apply(slots [][]F) {
	dst, n := slots[o.dst], len(slots[o.dst])
	if o.code == opFill {
		kernels.Fill(dst, F(o.p))
		return
	}
	k, x := o.kernel, slots[o.a]
	switch {
	case k.Of1 != nil:
		k.Of1(dst, x)
	case k.Of2 != nil:
		k.Of2(dst, x[:n], slots[o.b][:n])
	case k.With != nil:
		k.With(dst, x, o.p, o.q)
	default:
		k.Of3(dst, x[:n], slots[o.b][:n], slots[o.c][:n])
	}
}
