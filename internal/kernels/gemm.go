package kernels

import (
	"iter"
	"math/bits"
)

// grid is how a level cuts a product: a tile of C has up to `rows` rows, and a panel of B up to
// `vectors` vectors of `lanes` columns.
type grid struct{ rows, vectors, lanes int }

func gridOf[F Float](l Level) grid {
	switch l {
	case AVX512:
		return grid{9, 3, 64 / size[F]()}
	case AVX2:
		return grid{6, 2, 32 / size[F]()}
	}
	return grid{portableRows, 1, portableCols}
}

// panels are neighbouring panels of one width.
type panels struct {
	col     int // the first column
	count   int
	vectors int // of a panel
	cols    int // of a panel
}

// cut divides n columns into panels: full ones, then narrower ones, the last of which may reach
// past n. One vector left over makes two panels of two vectors out of the last full one, since a
// lone vector is slow.
func (g grid) cut(n int) [4]panels {
	v := (n + g.lanes - 1) / g.lanes
	full, rest := v/g.vectors, v%g.vectors
	parts := [4]panels{{count: full, vectors: g.vectors}, {vectors: 2}, {vectors: 1}, {}}
	switch {
	case g.vectors == 3 && rest == 1 && full > 0:
		parts[0].count, parts[1].count = full-1, 2
	case rest == 2:
		parts[1].count = 1
	default:
		parts[2].count = rest
	}
	col := 0
	for i := range parts {
		p := &parts[i]
		p.col, p.cols = col, p.vectors*g.lanes
		col += p.count * p.cols
		if p.count > 0 && col > n { // the last panel is a part of its own
			p.count--
			parts[3] = *p
			parts[3].count, parts[3].col, parts[3].cols = 1, p.col+p.count*p.cols,
				n-p.col-p.count*p.cols
			break
		}
	}
	return parts
}

const (
	cache = 1 << 20 // bytes that are counted on to stay in a core's second-level cache
	strip = 1 << 15 // bytes of the rows of A that go together if B stays in that cache
	// multiply-adds in one call of a kernel, about 0.05 ms: the garbage collector waits for it
	callOps = 1 << 22
)

// depth is the number of rows of B in a pass. A panel of B is read once for every block of rows:
// from the second-level cache, which is fast enough for that, while fewer passes mean less traffic
// of C, which is often larger.
func (g grid) depth() int {
	if g.vectors == 3 {
		return mostDepth
	}
	return 256
}

const mostDepth = 384

// Gemm is C = op(A)·op(B), or C += op(A)·op(B) if acc is set. op(A) is [m, k] and op(B) is [k, n];
// an operand is stored row by row, lda, ldb and ldc elements from row to row, and transposed if its
// flag is set. C must not overlap A or B.
//
// An element of C is summed in the order of k, whatever m and n are: C computed at once and in
// pieces, by rows or by columns, has the same bits, and so has a product over k done in several
// accumulating calls.
func Gemm[F Float](transA, transB bool, m, n, k int, a []F, lda int, b []F, ldb int, c []F, ldc int,
	acc bool) {
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
	var p product[F]
	p.start(level, transA, a, lda, c, ldc)
	g := p.grid
	if m <= g.rows && !transB && n >= g.lanes {
		// every element of B is read once: take it where it lies, but for columns that are no whole
		// vector
		whole := n / g.lanes * g.lanes
		p.terms(0, k, acc)
		p.rows(0, m)
		for _, part := range g.cut(whole) {
			if part.count > 0 {
				p.multiply(part, b[part.col:], ldb, part.cols)
			}
		}
		if whole < n {
			Gemm(transA, false, m, n-whole, k, a, lda, b[whole:], ldb, c[whole:], ldc, acc)
		}
		return
	}
	w := grab[F]()
	defer release(w)
	scattered := p.scattered(m, n)
	for k0, kb := range pieces(k, g.depth()) {
		p.terms(k0, kb, acc)
		for i0, mb := range pieces(m, len(w.a)/kb) {
			p.rows(i0, mb)
			if scattered {
				p.packA(w.a)
			}
			for _, part := range g.cut(n) {
				width := part.vectors * g.lanes
				for range part.count {
					one := panels{part.col, 1, part.vectors, part.cols}
					from := k0*ldb + part.col
					if transB || part.cols < width || m <= g.rows {
						packPanel(w.b, transB, b, ldb, k0, part.col, kb, part.cols, width)
						p.multiply(one, w.b, width, 0)
					} else { // the first block of rows packs
						p.next, p.rowNext = b[min(from+part.cols, len(b)):], ldb
						p.t.pack = w.b
						p.multiply(one, b[from:], ldb, 0)
						p.next, p.t.pack = nil, nil
					}
					part.col += part.cols
				}
			}
		}
	}
}

// GemmPacked is Gemm with a B that is packed: C = op(A)·B, or C += op(A)·B if acc is set. op(A) is
// [m, k] and C is [m, n], with the k and n that B was packed with. Its bits are those of Gemm.
func GemmPacked[F Float](transA bool, m int, a []F, lda int, b *Packed[F], c []F, ldc int,
	acc bool) {
	GemmPackedCols(transA, m, a, lda, b, c, ldc, acc, 0, b.n)
}

// GemmPackedCols computes the columns from ≤ j < to of GemmPacked's C and leaves the others alone,
// so that several goroutines can share a product. It is fastest between columns that b.Cut gives.
func GemmPackedCols[F Float](transA bool, m int, a []F, lda int, b *Packed[F], c []F, ldc int,
	acc bool, from, to int) {
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
	if from == to || empty(m, to-from, b.k, c[min(from, len(c)):], ldc, acc) {
		return
	}
	var p product[F]
	p.start(b.level, transA, a, lda, c, ldc)
	g := p.grid
	mostRows, mostTerms := m, b.k
	if p.large = b.k*(to-from)*size[F]() > cache; !p.large {
		mostRows = max(4*g.rows, strip/(b.k*size[F]()))
	}
	var w *scratch[F]
	if p.scattered(m, to-from) {
		w = grab[F]()
		defer release(w)
		mostRows = min(mostRows, max(128, len(w.a)/b.k))
		mostTerms = len(w.a) / min(m, mostRows)
	}
	for k0, kb := range pieces(b.k, mostTerms) {
		p.terms(k0, kb, acc)
		for i0, mb := range pieces(m, mostRows) {
			p.rows(i0, mb)
			if w != nil {
				p.packA(w.a)
			}
			for _, part := range b.parts {
				p.columns(part, b, from, to)
			}
		}
	}
}

// columns multiplies by the panels of a part of B, as far as they lie in from ≤ j < to.
func (p *product[F]) columns(part panels, b *Packed[F], from, to int) {
	end := min(part.col+part.count*part.cols, to)
	width := part.vectors * p.grid.lanes
	for col := max(part.col, from); col < end; {
		off := (col - part.col) % part.cols // 0, but for a cut inside a panel
		some := panels{col, (end - col) / part.cols, part.vectors, part.cols}
		if off != 0 || some.count == 0 {
			cols := min(end-col, part.cols-off)
			some = panels{col, 1, (cols + p.grid.lanes - 1) / p.grid.lanes, cols}
		}
		p.multiply(some, b.data[(col-off)*b.k+p.k0*width+off:], width, width*b.k)
		col += some.count * some.cols
	}
}

// product is a multiplication at work on some of its rows.
type product[F Float] struct {
	level      Level
	grid       grid
	depth      int // terms of a pass
	k0, k      int // the terms
	a, c       []F // all of them
	rowA, colA int
	acc        bool
	large      bool // B is larger than the cache
	next       []F  // what is packed next
	rowNext    int
	packed     []F // the rows of A, packed, if they are
	i0, m      int // the rows
	t          tiles[F]
}

func (p *product[F]) start(l Level, transA bool, a []F, lda int, c []F, ldc int) {
	p.level, p.grid, p.a, p.c, p.t.rowC = l, gridOf[F](l), a, c, ldc
	p.depth = p.grid.depth()
	p.rowA, p.colA = lda, 1
	if transA {
		p.rowA, p.colA = 1, lda
	}
}

// terms turns to the part of the sum over k0 ≤ p < k0+k.
func (p *product[F]) terms(k0, k int, acc bool) {
	p.k0, p.k, p.acc = k0, k, acc || k0 > 0
}

// rows turns to m rows, and divides them into blocks of nearly the same size.
func (p *product[F]) rows(i0, m int) {
	p.i0, p.m, p.packed = i0, m, nil
	t := &p.t
	t.rowA, t.colA, t.stepA = p.rowA, p.colA, p.rowA
	blocks := (m + p.grid.rows - 1) / p.grid.rows
	t.rows, t.big, t.small = m/blocks, blocks, 0
	if r := m % blocks; r != 0 {
		t.rows, t.big, t.small = t.rows+1, r, blocks-r
	}
}

// multiply multiplies the rows by panels of B: row p of panel j starts at b[j*panelB+p*rowB].
func (p *product[F]) multiply(part panels, b []F, rowB, panelB int) {
	t := &p.t
	lanes := p.grid.lanes
	t.rowB, t.panelB, t.cols = rowB, panelB, part.cols
	last := part.cols - (part.vectors-1)*lanes
	t.mask, t.partial = 1<<last-1, 0
	if last < lanes {
		t.partial = 1
		clear(t.lanes[:])
		for i := range min(len(t.lanes), last*size[F]()) {
			t.lanes[i] = 0xff
		}
	}
	blocks := t.big + t.small
	if t.aheadC = 0; blocks > 1 {
		t.aheadC = 1
	}

	for j := 0; j < part.count; {
		group := 1
		t.steps = part.count - j
		for _, w := range p.groups(part.vectors) {
			if w <= t.steps {
				group, t.steps = w, t.steps/w
				break
			}
		}
		t.vectors = group * part.vectors
		t.stepB, t.stepC = group*panelB, group*part.cols
		depth := p.passDepth()
		if depth < p.k {
			t.steps = 1
		} else {
			t.steps = min(t.steps, max(1,
				int(callOps/(float64(p.m)*float64(p.k)*float64(t.stepC)))))
		}
		t.c = p.c[p.i0*t.rowC+part.col+j*part.cols:]
		for k0, kb := range pieces(p.k, depth) {
			t.k = kb
			t.b = b[j*panelB+k0*rowB:]
			switch {
			case p.next != nil:
				t.ahead, t.rowAhead = p.next, p.rowNext
			case p.large: // what lies behind this panel, or this pass of it
				t.ahead, t.rowAhead = t.b[min(kb*rowB, len(t.b)):], rowB
			default: // nothing new
				t.ahead, t.rowAhead = t.b, 0
			}
			if p.packed != nil {
				t.a, t.stepA = p.packed[k0*p.m:], kb
			} else {
				t.a = p.a[p.i0*p.rowA+(p.k0+k0)*p.colA:]
			}
			t.acc = 0
			if p.acc || k0 > 0 {
				t.acc = 1
			}
			t.run(p.level)
		}
		j += t.steps * group
	}
}

// groups are the numbers of panels that a tile may span, the best first: several if there are so
// few rows that the sums of one panel would leave the multipliers waiting for one another, and for
// one row, to which B comes from far away, as many as the registers hold.
func (p *product[F]) groups(vectors int) []int {
	switch {
	case vectors < p.grid.vectors:
		return nil
	case p.level == AVX512 && p.m == 1:
		return []int{9, 3, 2}
	case p.level == AVX512 && p.m == 2:
		return []int{2}
	case p.level == AVX2 && p.m == 1:
		return []int{4}
	case p.level == AVX2 && p.m <= 3:
		return []int{2}
	}
	return nil
}

// pieces divides 0 ≤ i < n into as few pieces of at most `most` as possible, all nearly the same
// size.
func pieces(n, most int) iter.Seq2[int, int] {
	return func(yield func(start, size int) bool) {
		count := (n + most - 1) / most
		for i := range count {
			start := n * i / count
			if !yield(start, n*(i+1)/count-start) {
				return
			}
		}
	}
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
