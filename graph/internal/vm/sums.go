package vm

import "github.com/seqzoo/seqzoo/internal/kernels"

// sum adds a tile of several rows of n elements, the first of which is row number row of a matrix,
// to a result of a fused instruction. Rows and columns are added up in the order of Sum.
func (f *Fused[F]) sum(x *worker[F], o *Op[F], slots [][]F, row, rows, n int) {
	dst, height := slots[o.Dst], f.Dims[len(f.Dims)-2]
	switch o.Code {
	case OpSumRows:
		stride := f.Operands[o.Dst].Strides[len(f.Dims)-2]
		if stride == 1 {
			f.sumRows(o, slots, dst[:rows], 0, n)
			return
		}
		for r := range rows {
			f.sumRows(o, slots, dst[r*stride:][:1], r, n)
		}
	case OpSumColumns:
		dst = dst[:n]
		if row == 0 {
			clear(dst)
		}
		if height <= sumBlock {
			f.sumColumns(o, slots, dst, rows)
			return
		}
		part := f.register(x, o.B)[:n]
		if row%sumBlock == 0 {
			clear(part)
		}
		f.sumColumns(o, slots, part, rows)
		if end := row + rows; end%sumBlock == 0 || end == height {
			kernels.Add(dst, dst, part)
		}
	case OpSumAll:
		part := f.register(x, o.B)[:height]
		f.sumRows(o, slots, part[row:row+rows], 0, n)
		if row+rows == height {
			dst[0] = kernels.Sum(part)
		}
	}
}

// sumRows is the sums of rows of slot a, from row r of the tile on, by its factor.
func (f *Fused[F]) sumRows(o *Op[F], slots [][]F, dst []F, r, n int) {
	src := slots[o.A][r*n:]
	switch o.By {
	case ByRow:
		kernels.DotRows(dst, src, slots[o.C][:n], 0, n)
	case ByTile:
		kernels.DotRows(dst, src, slots[o.C][r*n:], n, n)
	default:
		kernels.SumRows(dst, src, n, n)
	}
}

// sumColumns adds the rows of slot a, by their factors, to dst.
func (f *Fused[F]) sumColumns(o *Op[F], slots [][]F, dst []F, rows int) {
	src := slots[o.A]
	if o.By == ByColumn {
		kernels.AddScaledRows(dst, src[:rows*len(dst)], f.column(o.C, slots))
		return
	}
	kernels.AddRows(dst, src, len(dst), rows)
}

// rankOne scales a tile of several rows of n elements, or adds the product of a column and a row.
func (f *Fused[F]) rankOne(o *Op[F], slots [][]F, rows, n int) {
	dst := slots[o.Dst][:rows*n]
	switch o.Code {
	case OpTimes:
		if o.By == ByRow {
			kernels.MulRows(dst, slots[o.A][:rows*n], slots[o.C][:n])
			return
		}
		kernels.ScaleRows(dst, slots[o.A][:rows*n], f.column(o.C, slots), n)
	case OpOuter:
		kernels.Outer(dst, f.column(o.C, slots), slots[o.D][:n])
	case OpAddOuter:
		kernels.AddOuter(dst, slots[o.A][:rows*n], f.column(o.B, slots), f.column(o.C, slots),
			slots[o.D][:n])
	case OpSubOuter:
		kernels.SubOuter(dst, slots[o.A][:rows*n], f.column(o.B, slots), f.column(o.C, slots),
			slots[o.D][:n])
	}
}

// column is slot i, of which each row of a tile has one element: an operand, or a constant.
func (f *Fused[F]) column(i int, slots [][]F) kernels.Column[F] {
	c := kernels.Column[F]{At: slots[i]}
	if i < len(f.Operands) {
		c.Stride = f.Operands[i].Strides[len(f.Dims)-2]
	}
	return c
}

// register is the whole of the register that is slot i.
func (f *Fused[F]) register(x *worker[F], i int) []F {
	i -= len(f.Operands)
	return x.regs[i*TileLen : (i+1)*TileLen]
}
