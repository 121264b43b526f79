package kernels

import "unsafe"

// align is the boundary in bytes that packed panels start at: a cache line, and the widest vector.
const align = 64

// PackedLen is the length of a buffer that holds a packed [k, n] matrix, on any level.
func PackedLen(k, n int) int {
	if k <= 0 || n <= 0 {
		return align
	}
	return k*((n+15)/16*16) + align
}

// Packed is a matrix B laid out for the kernel: panel after panel of columns, each row by row.
// Weights are packed once and multiplied by many times. The zero value is ready to be packed into.
// A Packed that is not being packed into may be used by many goroutines.
type Packed[F Float] struct {
	level Level
	k, n  int
	parts [4]panels
	buf   []F
	data  []F // buf from its first aligned element on
}

// Use makes buf the memory that Pack writes to, as long as the matrix fits: PackedLen(k, n)
// elements are enough.
func (p *Packed[F]) Use(buf []F) { *p = Packed[F]{buf: buf} }

// Pack lays out op(B) [k, n]; B is stored row by row, ldb elements from row to row, transposed if
// trans is set. It allocates only if the buffer is too small.
func (p *Packed[F]) Pack(trans bool, k, n int, b []F, ldb int) {
	p.Layout(k, n)
	p.PackPart(0, 1, trans, b, ldb)
}

// Layout prepares for PackPart, which several goroutines may then call for a part each. It
// allocates only if the buffer is too small.
func (p *Packed[F]) Layout(k, n int) {
	if k < 0 || n < 0 {
		panic("kernels: Pack: negative size")
	}
	if need := PackedLen(k, n); len(p.buf) < need {
		p.buf = make([]F, need)
	}
	p.level, p.k, p.n, p.parts = level, k, n, gridOf[F](level).cut(n)
	p.data = aligned(p.buf)
}

// PackPart packs the panels of part i of `of`, of a B that is stored as Pack has it.
func (p *Packed[F]) PackPart(i, of int, trans bool, b []F, ldb int) {
	rb, cb := dims(trans, p.k, p.n)
	if !fits(len(b), rb, cb, ldb) {
		panic("kernels: Pack: B is too short")
	}
	if p.k == 0 {
		return
	}
	g := gridOf[F](p.level)
	all := 0
	for _, part := range p.parts {
		all += part.count
	}
	from, to := all*i/of, all*(i+1)/of
	panel := 0
	for _, part := range p.parts {
		for j := range part.count {
			if from <= panel && panel < to {
				col := part.col + j*part.cols
				packPanel(p.data[col*p.k:], trans, b, ldb, 0, col, p.k, part.cols,
					part.vectors*g.lanes)
			}
			panel++
		}
	}
}

// Dims are the sizes k and n of the packed matrix.
func (p *Packed[F]) Dims() (k, n int) { return p.k, p.n }

// Cut is the column at which part i of `of` begins, for GemmPackedCols: Cut(0, of) is 0, Cut(of,
// of) is n, and between them the columns are divided as evenly as the panels allow.
func (p *Packed[F]) Cut(i, of int) int {
	if of <= 0 || i < 0 || i > of {
		panic("kernels: Cut: no such part")
	}
	want, best := p.n*i/of, 0
	for _, part := range p.parts {
		for j := range part.count {
			if end := part.col + (j+1)*part.cols; abs(end-want) < abs(best-want) {
				best = end
			}
		}
	}
	return best
}

func abs(i int) int { return max(i, -i) }

// packPanel lays out the rows k0 ≤ p < k0+k, columns j0 ≤ j < j0+cols of op(B) as a panel with rows
// of the given width, filled up with zeros.
func packPanel[F Float](dst []F, trans bool, b []F, ldb, k0, j0, k, cols, width int) {
	dst = dst[:k*width]
	if cols < width {
		for p := range k {
			clear(dst[p*width+cols : (p+1)*width])
		}
	}
	if trans {
		transpose(dst, width, b[j0*ldb+k0:], ldb, cols, k)
	} else {
		copyRows(dst, width, b[k0*ldb+j0:], ldb, k, cols)
	}
}

// copyRows is dst[i*ldd+j] = src[i*lds+j] for i < rows and j < cols, at most a panel's columns.
func copyRows[F Float](dst []F, ldd int, src []F, lds, rows, cols int) {
	if rows == 0 || copyRowsFast(dst, ldd, src, lds, rows, cols) {
		return
	}
	for i := range rows {
		copy(dst[i*ldd:][:cols], src[i*lds:])
	}
}

// transpose is dst[j*ldd+i] = src[i*lds+j] for i < rows and j < cols.
func transpose[F Float](dst []F, ldd int, src []F, lds, rows, cols int) {
	if transposeFast(dst, ldd, src, lds, rows, cols) {
		return
	}
	const tile = 16 // both sides stay in the first-level cache
	for i0 := 0; i0 < rows; i0 += tile {
		for j := 0; j < cols; j += tile {
			for i := i0; i < min(i0+tile, rows); i++ {
				for p, x := range src[i*lds+j : i*lds+min(j+tile, cols)] {
					dst[(j+p)*ldd+i] = x
				}
			}
		}
	}
}

// aligned drops the elements before the first aligned one.
func aligned[F Float](buf []F) []F {
	if len(buf) < align {
		return nil
	}
	past := int(uintptr(unsafe.Pointer(unsafe.SliceData(buf))) % align)
	return buf[(align-past)%align/size[F]():]
}

// scratch is the memory of one running multiplication: packed rows of A and one packed panel of B.
type scratch[F Float] struct{ a, b []F }

const (
	scratchA = 1 << 17
	scratchB = mostDepth * panelCols
)

// The free scratches, as many as may run at once on a large machine. Unlike a sync.Pool it is not
// emptied by the garbage collector, so that a steady state does not allocate.
var (
	free32 = make(chan *scratch[float32], 256)
	free64 = make(chan *scratch[float64], 256)
)

func free[F Float]() chan *scratch[F] {
	if size[F]() == 4 {
		return any(free32).(chan *scratch[F])
	}
	return any(free64).(chan *scratch[F])
}

func grab[F Float]() *scratch[F] {
	select {
	case s := <-free[F]():
		return s
	default:
		buf := aligned(make([]F, scratchA+scratchB+align))
		return &scratch[F]{buf[:scratchA], buf[scratchA:]}
	}
}

func release[F Float](s *scratch[F]) {
	select {
	case free[F]() <- s:
	default:
	}
}
