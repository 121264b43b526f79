package vm

import (
	"fmt"
	"strings"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Fused runs any number of element-wise operations of one shape in one pass: tile by tile, an
// operation at a time, with everything in between in registers, which are small arrays that stay in
// the first-level cache.
type Fused[F kernels.Float] struct {
	Operands []Operand // slots 0 … len(operands)−1; the others are registers
	Regs     int
	Dims     []int // joined where all operands allow it; the last is the row that kernels work on
	Split    int   // units
	Setup    []Op[F]
	Code     []Op[F]
	UnitCost int // nanoseconds for 1,024 elements
	Tile     int
	Chunked  bool // one row, whose units are tiles
	Many     bool // a tile has several rows
	Sums     bool // some results are sums over rows or columns, so a unit is whole matrices
	script   *script
}

// Operand is an argument or a result in memory.
type Operand struct {
	Layout
	Strides []int // along fused.dims; 0 repeats
	Flat    bool  // in a tile, the elements lie one after another
}

// Op is one element-wise operation on slots, or one that brings elements to a register or from one.
type Op[F kernels.Float] struct {
	Code    Opcode
	Kind    ops.Kind              // of opCompute
	Kernel  *ops.ElementKernel[F] // of opCompute
	Dst     int
	A, B, C int
	D       int
	P, Q    float64
	By      Factor // of OpTimes and of sums
}

const TileLen = 512 // elements of a register

// Opcode is what an Op does.
type Opcode int

const (
	opCompute    Opcode = iota // an element-wise function of slots a, b and c
	OpFill                     // p
	OpSpread                   // element 0 of slot a
	OpGather                   // slot a with its stride
	OpScatter                  // to slot dst with its stride
	OpRows                     // rows of slot a one after another
	OpSumRows                  // the sum of each row of slot a
	OpSumColumns               // the sum of the rows of slot a; b is a register of its own
	OpSumAll                   // the sum of both; b is a register of its own
	OpTimes                    // slot a by the column or row c
	OpOuter                    // the column c by the row d
	OpAddOuter                 // slot a by the column b, and the column c by the row d
	OpSubOuter                 // slot a by the column b, less the column c by the row d
)

// Factor is what a sum multiplies its operand by, or OpTimes: slot c.
type Factor int

// The factors.
const (
	ByNothing Factor = iota
	ByColumn         // an element for each row, where it lies
	ByRow            // a row for all rows, where it lies
	ByTile           // an element for each
)

// String is the operation in a listing.
func (o *Op[F]) String() string {
	switch {
	case o.Code != opCompute:
		return [...]string{OpFill: "fill", OpSpread: "spread", OpGather: "gather",
			OpScatter: "scatter", OpRows: "rows", OpSumRows: "sum of rows",
			OpSumColumns: "sum of columns", OpSumAll: "sum", OpTimes: "times", OpOuter: "outer",
			OpAddOuter: "add outer", OpSubOuter: "sub outer"}[o.Code] + o.By.String()
	case o.Kind == ops.KindStop:
		return "copy"
	}
	return string(o.Kind)
}

// String is the factor in a listing.
func (b Factor) String() string {
	return [...]string{ByNothing: "", ByColumn: " by column", ByRow: " by row",
		ByTile: " by elements"}[b]
}

func (f *Fused[F]) units() int { return f.Split }

func (f *Fused[F]) size() int {
	n := 1
	for _, d := range f.Dims {
		n *= d
	}
	return n
}

func (f *Fused[F]) cost() int { return f.size()*f.UnitCost/1024 + 20*f.size()/f.Dims[len(f.Dims)-1] }

func (f *Fused[F]) String() string {
	var names []string
	for i := range f.Code {
		names = append(names, f.Code[i].String())
	}
	return fmt.Sprintf("fused %v: %s", f.Dims, strings.Join(names, " "))
}

// A tile is part of one row, or several short rows. Operands that lie element after element in it
// are worked on in place. Strided operands are gathered to a register first, and scattered last.
func (f *Fused[F]) run(x *worker[F], lo, hi int) error {
	if f.script != nil && kernels.Scripts() {
		f.runScript(x, lo, hi)
		return nil
	}
	slots := x.slots[:len(f.Operands)+f.Regs]
	last := len(f.Dims) - 1
	n := f.Dims[last]
	// rows of a unit; rows of the last but one dimension, along which tiles of several rows go
	rows, near := 1, 1
	for _, d := range f.Dims[:last] {
		rows *= d
	}
	if last > 0 {
		near = f.Dims[last-1]
	}
	most := min(f.Tile, n)
	if f.Many {
		most = min(f.Tile/n, rows/f.Split*(hi-lo), near) * n
	}
	regs := slots[len(f.Operands):]
	for i := range regs {
		regs[i] = x.regs[i*TileLen : i*TileLen+most]
	}
	for i := range f.Setup {
		f.prepare(x, &f.Setup[i], slots, most/n)
	}
	if last == 0 {
		from, to := n*lo/f.Split, n*hi/f.Split
		if f.Chunked {
			from, to = lo*f.Tile, min(hi*f.Tile, n)
		}
		clear(x.offs[:len(f.Operands)])
		f.span(x, slots, from, to)
		return nil
	}
	each := rows / f.Split
	for r := lo * each; r < hi*each; {
		for i := range f.Operands {
			o := &f.Operands[i]
			off, rest := 0, r
			for d := last - 1; d > 0; d-- {
				off += rest % f.Dims[d] * o.Strides[d]
				rest /= f.Dims[d]
			}
			x.offs[i] = off + rest*o.Strides[0]
		}
		if !f.Many {
			f.span(x, slots, 0, n)
			r++
			continue
		}
		count := min(f.Tile/n, hi*each-r, near-r%near)
		if f.Sums {
			count = min(count, sumBlock-r%near%sumBlock)
		}
		f.block(x, slots, r%near, count, n)
		r += count
	}
	return nil
}

// prepare fills a register that keeps its elements for the whole instruction.
func (f *Fused[F]) prepare(x *worker[F], o *Op[F], slots [][]F, rows int) {
	switch o.Code {
	case OpFill:
		kernels.Fill(slots[o.Dst], F(o.P))
	case OpSpread:
		kernels.Fill(slots[o.Dst], at(x, &f.Operands[o.A].Layout)[0])
	case OpRows:
		dst, src := slots[o.Dst], at(x, &f.Operands[o.A].Layout)
		n := len(dst) / rows
		kernels.CopyRows(dst, n, src, 0, rows, n)
	}
}

// block runs a tile of several rows of n elements, the first of which is row number row of those
// that lie along the last axis but one.
func (f *Fused[F]) block(x *worker[F], slots [][]F, row, rows, n int) {
	last := len(f.Dims) - 1
	regs := slots[len(f.Operands):]
	for i := range regs {
		regs[i] = x.regs[i*TileLen : i*TileLen+rows*n]
	}
	for i := range f.Operands {
		o := &f.Operands[i]
		s := x.p.bufs[o.Buf][o.first(x.clock, x.segment)+x.offs[i]:]
		if o.Flat {
			s = s[:rows*n]
		}
		slots[i] = s
	}
	for i := range f.Code {
		o := &f.Code[i]
		switch o.Code {
		case OpRows:
			dst, src, s := slots[o.Dst], slots[o.A], f.Operands[o.A].Strides[last-1]
			kernels.CopyRows(dst, n, src, s, rows, n)
		case OpSpread:
			dst, src, s := slots[o.Dst], slots[o.A], f.Operands[o.A].Strides[last-1]
			kernels.SpreadRows(dst, src, s, rows, n)
		case OpGather:
			dst, src, strides := slots[o.Dst], slots[o.A], f.Operands[o.A].Strides
			for r := range rows {
				for k := range n {
					dst[r*n+k] = src[r*strides[last-1]+k*strides[last]]
				}
			}
		case OpScatter:
			dst, src, strides := slots[o.Dst], slots[o.A], f.Operands[o.Dst].Strides
			if strides[last] == 1 {
				kernels.CopyRows(dst, strides[last-1], src, n, rows, n)
				continue
			}
			for r := range rows {
				for k := range n {
					dst[r*strides[last-1]+k*strides[last]] = src[r*n+k]
				}
			}
		case OpSumRows, OpSumColumns, OpSumAll:
			f.sum(x, o, slots, row, rows, n)
		case OpTimes, OpOuter, OpAddOuter, OpSubOuter:
			f.rankOne(o, slots, rows, n)
		default:
			o.apply(slots)
		}
	}
}

// span runs the elements [from, to) of a row that starts at x.offs of every operand.
func (f *Fused[F]) span(x *worker[F], slots [][]F, from, to int) {
	last := len(f.Dims) - 1
	regs := slots[len(f.Operands):]
	for ; from < to; from += f.Tile {
		n := min(f.Tile, to-from)
		for i := range regs {
			regs[i] = x.regs[i*TileLen : i*TileLen+n]
		}
		for i := range f.Operands {
			o := &f.Operands[i]
			first := o.first(x.clock, x.segment) + x.offs[i] + from*o.Strides[last]
			if o.Flat {
				slots[i] = x.p.bufs[o.Buf][first : first+n]
			} else {
				slots[i] = x.p.bufs[o.Buf][first:]
			}
		}
		for i := range f.Code {
			o := &f.Code[i]
			switch o.Code {
			case OpSpread:
				kernels.Fill(slots[o.Dst], slots[o.A][0])
			case OpGather:
				dst, src, s := slots[o.Dst], slots[o.A], f.Operands[o.A].Strides[last]
				for k := range dst {
					dst[k] = src[k*s]
				}
			case OpScatter:
				s, dst := f.Operands[o.Dst].Strides[last], slots[o.Dst]
				for k, v := range slots[o.A] {
					dst[k*s] = v
				}
			default:
				o.apply(slots)
			}
		}
	}
}

// apply computes one operation on whole slots.
func (o *Op[F]) apply(slots [][]F) {
	dst, n := slots[o.Dst], len(slots[o.Dst])
	if o.Code == OpFill {
		kernels.Fill(dst, F(o.P))
		return
	}
	k, x := o.Kernel, slots[o.A]
	switch {
	case k.Of1 != nil:
		k.Of1(dst, x)
	case k.Of2 != nil:
		k.Of2(dst, x[:n], slots[o.B][:n])
	case k.With != nil:
		k.With(dst, x, o.P, o.Q)
	default:
		k.Of3(dst, x[:n], slots[o.B][:n], slots[o.C][:n])
	}
}
