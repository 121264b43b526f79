package vm

import "github.com/seqzoo/seqzoo/internal/kernels"

// sum adds a tile of several rows of n elements, the first of which is row number row of a matrix,
// to a result of a fused instruction. Rows and columns are added up in the order of Sum.
func (f *Fused[F]) sum(x *worker[F], o *Op[F], slots [][]F, row, rows, n int) {
	last := len(f.Dims) - 1
	dst, src, height := slots[o.Dst], slots[o.A], f.Dims[last-1]
	switch o.Code {
	case OpSumRows:
		if stride := f.Operands[o.Dst].Strides[last-1]; stride != 1 {
			for r := range rows {
				dst[r*stride] = kernels.Sum(src[r*n:][:n])
			}
			return
		}
		kernels.SumRows(dst[:rows], src, n, n)
	case OpSumColumns:
		dst = dst[:n]
		if row == 0 {
			clear(dst)
		}
		if height <= sumBlock {
			kernels.AddRows(dst, src, n, rows)
			return
		}
		part := f.register(x, o.B)[:n]
		if row%sumBlock == 0 {
			clear(part)
		}
		kernels.AddRows(part, src, n, rows)
		if end := row + rows; end%sumBlock == 0 || end == height {
			kernels.Add(dst, dst, part)
		}
	case OpSumAll:
		part := f.register(x, o.B)[:height]
		kernels.SumRows(part[row:row+rows], src, n, n)
		if row+rows == height {
			dst[0] = kernels.Sum(part)
		}
	}
}

// register is the whole of the register that is slot i.
func (f *Fused[F]) register(x *worker[F], i int) []F {
	i -= len(f.Operands)
	return x.regs[i*TileLen : (i+1)*TileLen]
}
