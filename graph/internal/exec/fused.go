package exec

import (
	"fmt"
	"math"
	"strings"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// fused runs any number of element-wise operations of one shape in one pass: tile by tile, an operation at a time, with
// everything in between in registers, which are small arrays that stay in the first-level cache.
type fused[F kernels.Float] struct {
	operands []operand // slots 0 … len(operands)−1; the others are registers
	regs     int
	dims     []int // joined where all operands allow it; the last is the row that kernels work on
	split    int   // units
	setup    []op[F]
	code     []op[F]
	weight   int // nanoseconds for 1024 elements
	tile     int
	chunked  bool // one row, whose units are tiles
	many     bool // a tile has several rows
}

// operand is an argument or a result in memory.
type operand struct {
	loc
	strides []int // along fused.dims; 0 repeats
	flat    bool  // in a tile, the elements lie one after another
}

// op is one element-wise operation on slots.
type op[F kernels.Float] struct {
	code    code
	dst     int
	a, b, c int
	p, q    F
}

const tileLen = 512 // elements of a register

type code int

const (
	opFill    code = iota // p
	opSpread              // element 0 of slot a
	opGather              // slot a with its stride
	opScatter             // to slot dst with its stride
	opRows                // rows of slot a one after another
	opCopy
	opAffine
	opClip
	opWithin
	opPower
	opExp
	opLog
	opLog2
	opLog1p
	opExpm1
	opTanh
	opSigmoid
	opRelu
	opSoftplus
	opSqrt
	opSquare
	opAbs
	opInverse
	opSin
	opCos
	opSign
	opFloor
	opCeil
	opPositive
	opAdd
	opSub
	opMul
	opDiv
	opPow
	opMax
	opMin
	opLt
	opLe
	opGt
	opGe
	opEq
	opNe
	opTanhGrad
	opSigmoidGrad
	opSelect
)

// codes are the kinds of ops.Elementwise, and the nanoseconds that 1024 elements take, roughly.
var codes = map[string]struct {
	code   code
	weight int
}{
	"affine": {opAffine, 60}, "clip": {opClip, 400}, "within": {opWithin, 400}, "power": {opPower, 20000}, "exp": {opExp, 300},
	"log": {opLog, 400}, "log2": {opLog2, 10000}, "floor": {opFloor, 1000}, "ceil": {opCeil, 1000}, "pow": {opPow, 20000},
	"log1p": {opLog1p, 10000}, "expm1": {opExpm1, 10000}, "tanh": {opTanh, 400}, "sigmoid": {opSigmoid, 300},
	"relu": {opRelu, 60}, "softplus": {opSoftplus, 10000}, "sqrt": {opSqrt, 300}, "square": {opSquare, 50}, "abs": {opAbs, 400},
	"inverse": {opInverse, 300}, "sin": {opSin, 10000}, "cos": {opCos, 10000}, "sign": {opSign, 800}, "positive": {opPositive, 400},
	"stop": {opCopy, 40}, "add": {opAdd, 50}, "sub": {opSub, 50}, "mul": {opMul, 50}, "div": {opDiv, 200}, "max": {opMax, 100},
	"min": {opMin, 100}, "lt": {opLt, 400}, "le": {opLe, 400}, "gt": {opGt, 400}, "ge": {opGe, 400}, "eq": {opEq, 400}, "ne": {opNe, 400},
	"tanhgrad": {opTanhGrad, 60}, "sigmoidgrad": {opSigmoidGrad, 60}, "select": {opSelect, 80},
}

var codeNames = func() map[code]string {
	m := map[code]string{opFill: "fill", opSpread: "spread", opGather: "gather", opScatter: "scatter", opRows: "rows"}
	for k, c := range codes {
		m[c.code] = k
	}
	m[opCopy] = "copy"
	return m
}()

func (f *fused[F]) units() int { return f.split }

func (f *fused[F]) size() int {
	n := 1
	for _, d := range f.dims {
		n *= d
	}
	return n
}

func (f *fused[F]) cost() int { return f.size()*f.weight/1024 + 20*f.size()/f.dims[len(f.dims)-1] }

func (f *fused[F]) String() string {
	var names []string
	for _, o := range f.code {
		names = append(names, codeNames[o.code])
	}
	return fmt.Sprintf("fused %v: %s", f.dims, strings.Join(names, " "))
}

// A tile is part of one row, or several short rows. Operands that lie element after element in it are worked on where
// they are; the others are brought to a register first, or taken from one last.
func (f *fused[F]) run(x *ctx[F], lo, hi int) error {
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
func (f *fused[F]) prepare(x *ctx[F], o *op[F], slots [][]F, rows int) {
	switch o.code {
	case opFill:
		kernels.Fill(slots[o.dst], o.p)
	case opSpread:
		kernels.Fill(slots[o.dst], at(x, &f.operands[o.a].loc)[0])
	case opRows:
		dst, src := slots[o.dst], at(x, &f.operands[o.a].loc)
		n := len(dst) / rows
		for r := range rows {
			copy(dst[r*n:(r+1)*n], src)
		}
	}
}

// block runs a tile of several rows of n elements.
func (f *fused[F]) block(x *ctx[F], slots [][]F, rows, n int) {
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
func (f *fused[F]) span(x *ctx[F], slots [][]F, from, to int) {
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
	dst := slots[o.dst]
	var x []F
	if o.code != opFill {
		x = slots[o.a]
	}
	switch o.code {
	case opFill:
		kernels.Fill(dst, o.p)
	case opCopy:
		copy(dst, x)
	case opAffine:
		switch {
		case o.q == 0:
			kernels.MulScalar(dst, x, o.p)
		case o.p == 1:
			kernels.AddScalar(dst, x, o.q)
		default:
			kernels.MulScalar(dst, x, o.p)
			kernels.AddScalar(dst, dst, o.q)
		}
	case opClip:
		for i, v := range x {
			dst[i] = min(max(v, o.p), o.q)
		}
	case opWithin:
		for i, v := range x {
			dst[i] = truth[F](o.p <= v && v <= o.q)
		}
	case opPower:
		for i, v := range x {
			dst[i] = F(math.Pow(float64(v), float64(o.p)))
		}
	case opExp:
		kernels.Exp(dst, x)
	case opLog:
		kernels.Log(dst, x)
	case opLog2:
		for i, v := range x {
			dst[i] = F(math.Log2(float64(v)))
		}
	case opFloor:
		for i, v := range x {
			dst[i] = F(math.Floor(float64(v)))
		}
	case opCeil:
		for i, v := range x {
			dst[i] = F(math.Ceil(float64(v)))
		}
	case opLog1p:
		kernels.Log1p(dst, x)
	case opExpm1:
		kernels.Expm1(dst, x)
	case opTanh:
		kernels.Tanh(dst, x)
	case opSigmoid:
		kernels.Sigmoid(dst, x)
	case opRelu:
		kernels.Relu(dst, x)
	case opSoftplus:
		kernels.Softplus(dst, x)
	case opSqrt:
		kernels.Sqrt(dst, x)
	case opSquare:
		kernels.Mul(dst, x, x)
	case opAbs:
		for i, v := range x {
			dst[i] = F(math.Abs(float64(v)))
		}
	case opInverse:
		for i, v := range x {
			dst[i] = 1 / v
		}
	case opSin:
		for i, v := range x {
			dst[i] = F(math.Sin(float64(v)))
		}
	case opCos:
		for i, v := range x {
			dst[i] = F(math.Cos(float64(v)))
		}
	case opSign:
		for i, v := range x {
			dst[i] = truth[F](v > 0) - truth[F](v < 0)
		}
	case opPositive:
		for i, v := range x {
			dst[i] = truth[F](v > 0)
		}
	case opSelect:
		kernels.Select(dst, x[:len(dst)], slots[o.b][:len(dst)], slots[o.c][:len(dst)])
	default:
		o.binary(dst, x, slots[o.b])
	}
}

func (o *op[F]) binary(dst, x, y []F) {
	x, y = x[:len(dst)], y[:len(dst)]
	switch o.code {
	case opAdd:
		kernels.Add(dst, x, y)
	case opSub:
		kernels.Sub(dst, x, y)
	case opMul:
		kernels.Mul(dst, x, y)
	case opDiv:
		kernels.Div(dst, x, y)
	case opPow:
		for i := range dst {
			dst[i] = F(math.Pow(float64(x[i]), float64(y[i])))
		}
	case opMax:
		kernels.Max(dst, x, y)
	case opMin:
		kernels.Min(dst, x, y)
	case opTanhGrad:
		kernels.TanhGrad(dst, x, y)
	case opSigmoidGrad:
		kernels.SigmoidGrad(dst, x, y)
	case opLt:
		for i := range dst {
			dst[i] = truth[F](x[i] < y[i])
		}
	case opLe:
		for i := range dst {
			dst[i] = truth[F](x[i] <= y[i])
		}
	case opGt:
		for i := range dst {
			dst[i] = truth[F](x[i] > y[i])
		}
	case opGe:
		for i := range dst {
			dst[i] = truth[F](x[i] >= y[i])
		}
	case opEq:
		for i := range dst {
			dst[i] = truth[F](x[i] == y[i])
		}
	case opNe:
		for i := range dst {
			dst[i] = truth[F](x[i] != y[i])
		}
	default:
		panic("exec: no values for element-wise operation " + codeNames[o.code])
	}
}

// truth is 1 or 0. By way of an integer it needs no branch, which random data would mispredict.
func truth[F kernels.Float](b bool) F {
	var n int32
	if b {
		n = 1
	}
	return F(n)
}
