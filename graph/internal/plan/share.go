package plan

import (
	"fmt"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// asTeam decides whether workers share every operation of a loop, rather than its rows, of which
// there are batch; size is the bytes of a number.
func (b *body) asTeam(c Config, size, batch int) bool {
	if c.Workers == 1 {
		return false
	}
	var weights, largest, all int
	for _, v := range b.order {
		cost := 0
		switch fn := v.Fn.(type) {
		case ops.Elementwise, ir.Copy:
			cost = v.Size() / 8
		case ops.MatMul, ir.MatMulAcc:
			_, acc := fn.(ir.MatMulAcc)
			right := v.Args[1]
			if acc {
				right = v.Args[2]
			}
			n := v.Shape[len(v.Shape)-1]
			inner := right.Size() / (n * max(1, v.Size()/(n*v.Shape[len(v.Shape)-2])))
			cost = vm.ProductCost(v.Size()/n, n, inner, size)
			if b.fixed(right) {
				weights += right.Size() * size
			}
		}
		largest, all = max(largest, cost), all+cost
	}
	// Bytes of weights that stay with a core, and those that it pays to let each worker fetch for
	// many rows at every step, since to wait for one another costs as much.
	const cache, far = 3 << 19, 16 << 20
	switch {
	case all*b.loop.T < 2*c.Least:
		return false // not worth sharing at all
	case c.Shard == ShardTeam:
		return true
	case c.Shard == ShardRows && batch > 1:
		return false
	case batch >= 2*c.Workers && weights <= cache, batch >= 16*c.Workers && weights <= far:
		return false
	}
	return largest > teamCost
}

// teamCost is the least cost in nanoseconds of the largest operation of a step at which it pays
// that workers meet after every operation.
const teamCost = 4_000

// rows is the number of units that every instruction of the body has if all of them work row by row
// on the batch; 0 if not, and why.
func (b *body) rows() (batch int, why string) {
	if len(b.loop.Carries) == 0 || len(b.loop.Carries[0].Leaf.Shape) == 0 {
		return 0, "its state has no batch"
	}
	batch = b.loop.Carries[0].Leaf.Shape[0]
	const (
		shared = iota
		byRow
		mixed
	)
	of := map[*ir.Value]int{}
	for _, c := range b.loop.Carries {
		if of[c.Leaf] = byRow; len(c.Leaf.Shape) == 0 || c.Leaf.Shape[0] != batch {
			return 0, fmt.Sprintf("what it carries for %v, %v, adds up over the batch", c.Next.At,
				c.Leaf.Type)
		}
	}
	for _, p := range b.loop.Seqs {
		if len(p.Leaf.Shape) > 1 && p.Leaf.Shape[0] == batch {
			of[p.Leaf] = byRow
		}
	}
	for _, v := range b.order {
		if len(v.Args) == 0 {
			continue
		}
		any := false
		for _, a := range v.Args {
			any = any || of[a] == byRow
		}
		if !any {
			if _, ok := v.Fn.(ir.Copy); ok && len(v.Shape) > 0 && v.Shape[0] == batch &&
				filled(v.Args[0]) {
				of[v] = byRow // a carry that every step sets anew
			} else if !view(v) {
				return 0, fmt.Sprintf("%v does not depend on it", v.At)
			}
			continue
		}
		ok := len(v.Shape) > 0 && v.Shape[0]%batch == 0
		a := v.Args[0]
		switch fn := v.Fn.(type) {
		case ops.Elementwise, ir.Copy:
			for _, a := range v.Args {
				if of[a] == byRow {
					ok = ok && len(a.Shape) == len(v.Shape) && a.Shape[0] == v.Shape[0]
				}
			}
		case ops.MatMul:
			ok = ok && byRows(fn, a, v.Args[1], of[a] == byRow, of[v.Args[1]] == byRow)
		case ir.MatMulAcc:
			ok = ok && of[v.Args[0]] == byRow && byRows(fn.MatMul, v.Args[1], v.Args[2],
				of[v.Args[1]] == byRow, of[v.Args[2]] == byRow)
		case ops.Slice:
			ok = ok && fn.Axis > 0
		case ops.Pad:
			ok = ok && fn.Axis > 0
		case ops.Concat:
			ok = ok && fn.Axis > 0
		case ops.Reshape:
		case ops.Transpose:
			ok = ok && fn.Perm[0] == 0
		case ops.Broadcast:
			ok = ok && len(a.Shape) == len(v.Shape) && a.Shape[0] == v.Shape[0]
		default:
			ok = ok && worksByRow(v)
		}
		if !ok {
			return 0, fmt.Sprintf("%v does not work row by row", v.At)
		}
		of[v] = byRow
	}
	return batch, ""
}

// filled reports whether v is one number everywhere.
func filled(v *ir.Value) bool { _, ok := v.Fill(); return ok }

// byRows reports whether a product's rows depend on the same rows of its operands.
func byRows(fn ops.MatMul, a, b *ir.Value, aRows, bRows bool) bool {
	if len(a.Shape) == 3 {
		return true // stack by stack
	}
	return aRows && !bRows && !fn.TransA
}

// worksByRow reports whether an operation that is neither element-wise, a product nor a view has an
// instruction whose units are the rows of its first axis.
func worksByRow(v *ir.Value) bool {
	switch fn := v.Fn.(type) {
	case ops.RowWise:
		return len(v.Shape) > 1
	case ops.SumTo:
		in := v.Args[0].Shape
		_, ok := newAxes(in, fn)
		return ok && len(fn.Shape) == len(in) && len(in) > 1 && fn.Shape[0] == in[0]
	}
	return false
}

// divideColumns lets the columns of a loop over a single row be its units, if all that it does is
// element-wise and what is in a column depends on that column alone.
func divideColumns[F kernels.Float](in *vm.Loop[F]) {
	if in.Rows > 1 || in.Team || in.Mask != nil || len(in.Body) == 0 {
		return
	}
	n := 0
	written := map[int]int{} // offset of each buffer that is written
	var all []*vm.Fused[F]
	for _, i := range in.Body {
		f, ok := i.(*vm.Fused[F])
		if !ok || len(f.Dims) != 1 || n > 0 && f.Dims[0] != n {
			return
		}
		n = f.Dims[0]
		all = append(all, f)
		for _, o := range f.Code {
			if o.Dst < len(f.Operands) {
				written[f.Operands[o.Dst].Buf] = f.Operands[o.Dst].Off
			}
		}
	}
	const least = 16 // columns of a unit
	if n < 2*least {
		return
	}
	for _, f := range all {
		for _, o := range f.Operands {
			at, ok := written[o.Buf]
			if ok && (o.Strides[0] != 1 || (o.Off-at)%n != 0 || o.Tick%n != 0 || o.Segment%n != 0) {
				return
			}
		}
	}
	in.Rows, in.Columns = n/least, true
	for _, f := range all {
		f.Chunked, f.Split = false, in.Rows
	}
}
