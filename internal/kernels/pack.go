package kernels

import "unsafe"

// align is the boundary in bytes that packed panels start at: a cache line, and the widest vector.
const align = 64

// PackedLen is the length of a buffer that holds any packed [k, n] matrix.
func PackedLen(k, n int) int {
	if k <= 0 || n <= 0 {
		return align
	}
	return k*((n+31)/32*32) + align
}

// Packed is a matrix B laid out for the kernel: panel after panel of columns, each row by row. Weights are packed once
// and multiplied by many times. The zero value is ready to be packed into. A Packed that is not being packed into may
// be used by many goroutines.
type Packed[F Float] struct {
	level Level
	k, n  int
	buf   []F
	data  []F // buf from its first aligned element on
}

// Use makes buf the memory that Pack writes to, as long as the matrix fits: PackedLen(k, n) elements are enough.
func (p *Packed[F]) Use(buf []F) { *p = Packed[F]{buf: buf} }

// Pack lays out op(B) [k, n]; B is stored row by row, ldb elements from row to row, transposed if trans is set. It
// allocates only if the buffer is too small.
func (p *Packed[F]) Pack(trans bool, k, n int, b []F, ldb int) {
	if k < 0 || n < 0 {
		panic("kernels: Pack: negative size")
	}
	rb, cb := dims(trans, k, n)
	if !fits(len(b), rb, cb, ldb) {
		panic("kernels: Pack: B is too short")
	}
	if need := PackedLen(k, n); len(p.buf) < need {
		p.buf = make([]F, need)
	}
	p.level, p.k, p.n = level, k, n
	p.data = aligned(p.buf)
	_, cols, _ := geometry[F](level)
	for j := 0; j < n; j += cols {
		packPanel(p.data[j*k:], trans, b, ldb, 0, j, k, min(cols, n-j), cols)
	}
}

// Dims are the sizes k and n of the packed matrix.
func (p *Packed[F]) Dims() (k, n int) { return p.k, p.n }

// Panel is the number of columns in a panel: GemmPackedCols splits columns at multiples of it.
func (p *Packed[F]) Panel() int {
	_, cols, _ := geometry[F](p.level)
	return cols
}

// panelStride is the length of a row of a panel with w columns: half a panel if that is enough.
func panelStride(w, cols int) int {
	if 2*w <= cols && cols > portableCols {
		return cols / 2
	}
	return cols
}

// packPanel lays out the rows k0 ≤ p < k0+k, columns j0 ≤ j < j0+w of op(B) as a panel, filled up with zeros, and
// returns the length of its rows.
func packPanel[F Float](dst []F, trans bool, b []F, ldb, k0, j0, k, w, cols int) int {
	stride := panelStride(w, cols)
	dst = dst[:k*stride]
	if trans {
		for j := range w {
			src := b[(j0+j)*ldb+k0:][:k]
			for p, x := range src {
				dst[p*stride+j] = x
			}
		}
		if w < stride {
			for p := range k {
				clear(dst[p*stride+w : (p+1)*stride])
			}
		}
		return stride
	}
	for p := range k {
		row := dst[p*stride : (p+1)*stride]
		n := copy(row, b[(k0+p)*ldb+j0:][:w])
		clear(row[n:])
	}
	return stride
}

// aligned drops the elements before the first aligned one.
func aligned[F Float](buf []F) []F {
	past := int(uintptr(unsafe.Pointer(unsafe.SliceData(buf))) % align)
	return buf[(align-past)%align/size[F]():]
}

// scratch is the memory of one running multiplication.
type scratch[F Float] struct{ data []F }

// The free scratches, as many as may run at once on a large machine. Unlike a sync.Pool it is not emptied by the
// garbage collector, so that a steady state does not allocate.
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
		return &scratch[F]{aligned(make([]F, depth*32+align))}
	}
}

func release[F Float](s *scratch[F]) {
	select {
	case free[F]() <- s:
	default:
	}
}
