package kernels

import "math/bits"

// geometry is the largest tile of a level, in rows and columns, and lanes its columns in a vector. A panel of B is as
// wide as a tile.
func geometry[F Float](l Level) (rows, cols, lanes int) {
	switch l {
	case AVX512:
		return 14, 128 / size[F](), 64 / size[F]()
	case AVX2:
		return 6, 64 / size[F](), 32 / size[F]()
	}
	return portableRows, portableCols, portableCols
}

const (
	depth   = 256     // rows of B in a pass: 32 KB of a panel, to stay in the first-level cache
	callOps = 1 << 22 // multiply-adds in one call of a kernel, about 0.1 ms: the garbage collector waits for it
)

// Gemm is C = op(A)·op(B), or C += op(A)·op(B) if acc is set. op(A) is [m, k] and op(B) is [k, n]; an operand is
// stored row by row, lda, ldb and ldc elements from row to row, and transposed if its flag is set. C must not overlap
// A or B.
//
// An element of C is summed in the order of k, whatever m and n are: C computed at once and in pieces, by rows or by
// columns, has the same bits, and so has a product over k done in several accumulating calls.
func Gemm[F Float](transA, transB bool, m, n, k int, a []F, lda int, b []F, ldb int, c []F, ldc int, acc bool) {
	ra, ca := dims(transA, m, k)
	rb, cb := dims(transB, k, n)
	if m < 0 || n < 0 || k < 0 {
		panic("kernels: Gemm: negative size")
	}
	if !fits(len(a), ra, ca, lda) {
		panic("kernels: Gemm: A is too short")
	}
	if !fits(len(b), rb, cb, ldb) {
		panic("kernels: Gemm: B is too short")
	}
	if !fits(len(c), m, n, ldc) {
		panic("kernels: Gemm: C is too short")
	}
	if empty(m, n, k, c, ldc, acc) {
		return
	}
	rows, cols, _ := geometry[F](level)
	rowA, colA := strides(transA, lda)
	p := product[F]{level: level, m: m, a: a, rowA: rowA, colA: colA, c: c, rowC: ldc}

	done := 0
	if !transB && m <= rows { // every element of B is read once: take it where it lies
		done = n / cols * cols
		p.panels(k, b, ldb, cols, done/cols, cols, acc)
	}
	if done == n {
		return
	}
	buf := grab[F]()
	defer release(buf)
	for k0 := 0; k0 < k; k0 += depth {
		kb := min(depth, k-k0)
		for j := done; j < n; j += cols {
			w := min(cols, n-j)
			stride := packPanel(buf.data, transB, b, ldb, k0, j, kb, w, cols)
			q := p
			q.a, q.c = a[k0*colA:], c[j:]
			q.panels(kb, buf.data, stride, 0, 1, w, acc || k0 > 0)
		}
	}
}

// GemmPacked is Gemm with a B that is packed: C = op(A)·B, or C += op(A)·B if acc is set. op(A) is [m, k] and C is
// [m, n], with the k and n that B was packed with. Its bits are those of Gemm.
func GemmPacked[F Float](transA bool, m int, a []F, lda int, b *Packed[F], c []F, ldc int, acc bool) {
	GemmPackedCols(transA, m, a, lda, b, c, ldc, acc, 0, b.n)
}

// GemmPackedCols computes the columns from ≤ j < to of GemmPacked's C and leaves the others alone, so that several
// goroutines can share a product. from must be a multiple of b.Panel(); to must be one too, or b's n.
func GemmPackedCols[F Float](transA bool, m int, a []F, lda int, b *Packed[F], c []F, ldc int, acc bool, from, to int) {
	ra, ca := dims(transA, m, b.k)
	if m < 0 {
		panic("kernels: GemmPacked: negative size")
	}
	if !fits(len(a), ra, ca, lda) {
		panic("kernels: GemmPacked: A is too short")
	}
	if !fits(len(c), m, b.n, ldc) {
		panic("kernels: GemmPacked: C is too short")
	}
	if from < 0 || to > b.n || from > to {
		panic("kernels: GemmPackedCols: columns out of range")
	}
	if from == to || m == 0 {
		return
	}
	if b.k == 0 {
		empty(m, to-from, 0, c[from:], ldc, acc)
		return
	}
	_, cols, _ := geometry[F](b.level)
	if from%cols != 0 || to%cols != 0 && to != b.n {
		panic("kernels: GemmPackedCols: columns must be split between panels")
	}
	rowA, colA := strides(transA, lda)
	p := product[F]{level: b.level, m: m, a: a, rowA: rowA, colA: colA, c: c[from:], rowC: ldc}
	data := b.data[from*b.k:]
	full := (to - from) / cols
	p.panels(b.k, data, cols, cols*b.k, full, cols, acc)
	if w := (to - from) % cols; w != 0 {
		p.c = c[from+full*cols:]
		p.panels(b.k, data[full*cols*b.k:], panelStride(w, cols), 0, 1, w, acc)
	}
}

// product is the A and C of a multiplication.
type product[F Float] struct {
	level      Level
	m          int
	a, c       []F
	rowA, colA int
	rowC       int
}

// panels multiplies A [m, k] by panels of w columns: row p of panel j starts at b[j*panelB+p*rowB].
func (g product[F]) panels(k int, b []F, rowB, panelB, panels, w int, acc bool) {
	if panels == 0 {
		return
	}
	most, cols, lanes := geometry[F](g.level)
	blocks := (g.m + most - 1) / most
	t := tiles[F]{rowA: g.rowA, colA: g.colA, rowB: rowB, panelB: panelB, rowC: g.rowC, vectors: 2, rows: g.m / blocks, cols: w}
	t.big, t.small = blocks, 0
	if r := g.m % blocks; r != 0 {
		t.rows, t.big, t.small = t.rows+1, r, blocks-r
	}
	t.columns(w, lanes)

	for j := 0; j < panels; {
		t.vectors = min(t.vectors, 2)
		t.steps = panels - j
		if wide := wideVectors(g.level, g.m); wide/2 <= t.steps && wide > 0 {
			t.vectors, t.steps = wide, t.steps/(wide/2)
		}
		each := max(1, t.vectors/2)
		kb := k
		if g.m > most {
			kb = min(k, depth)
		}
		if kb < k {
			t.steps = 1
		} else {
			t.steps = min(t.steps, max(1, callOps/(g.m*k*cols*each)))
		}
		for k0 := 0; k0 < k; k0 += kb {
			t.k = min(kb, k-k0)
			t.a, t.b, t.c = g.a[k0*g.colA:], b[j*panelB+k0*rowB:], g.c[j*cols:]
			t.acc = 0
			if acc || k0 > 0 {
				t.acc = 1
			}
			t.run(g.level)
		}
		j += t.steps * each
	}
}

// columns sets the vectors and masks for panels of w columns.
func (t *tiles[F]) columns(w, lanes int) {
	last := w
	if w > lanes {
		last = w - lanes
	} else {
		t.vectors = 1
	}
	t.mask = 1<<last - 1
	if last < lanes {
		t.partial = 1
		for i := range min(len(t.lanes), last*size[F]()) {
			t.lanes[i] = 0xff
		}
	}
}

// wideVectors is how many vectors a tile of m rows has across several panels, or 0 for the tiles of one panel. A lone
// row needs eight sums in flight to keep the multipliers busy.
func wideVectors(l Level, m int) int {
	switch {
	case l == AVX512 && m <= 2, l == AVX2 && m == 1:
		return 8
	case l == AVX512 && m <= 6, l == AVX2 && m <= 3:
		return 4
	}
	return 0
}

// dims are the rows and columns of a matrix as it is stored.
func dims(trans bool, rows, cols int) (int, int) {
	if trans {
		return cols, rows
	}
	return rows, cols
}

// strides are the steps from row to row and from column to column of a matrix.
func strides(trans bool, ld int) (row, col int) {
	if trans {
		return 1, ld
	}
	return ld, 1
}

// fits says whether a slice of n elements holds a matrix with the given leading dimension.
func fits(n, rows, cols, ld int) bool {
	if rows <= 0 || cols <= 0 {
		return true
	}
	if ld < cols || n < cols {
		return false
	}
	hi, lo := bits.Mul64(uint64(rows-1), uint64(ld))
	return hi == 0 && lo <= uint64(n-cols)
}

// empty deals with products that have no terms; it says whether the product was one.
func empty[F Float](m, n, k int, c []F, ldc int, acc bool) bool {
	if m == 0 || n == 0 {
		return true
	}
	if k > 0 {
		return false
	}
	if !acc {
		for i := range m {
			clear(c[i*ldc : i*ldc+n])
		}
	}
	return true
}
