package kernels

import "math"

// Left is a product of GemmMulti: its left operand, the transpose of A [k, M], stored row by row,
// and its result C [M, n]. Without A it is the sum of B's rows: M is 1, and A all ones.
type Left[F Float] struct {
	M   int
	A   []F
	LDA int // elements from row to row
	C   []F
	LDC int
}

// Run is the terms From ≤ p < To of a sum.
type Run struct{ From, To int }

func (r Run) len() int { return r.To - r.From }

// The number of rows of B in a pass of GemmMulti. Every pass reads and writes all of C, so there
// are few if that outgrows the cache; more pack less memory full. multiMemory limits the elements
// that are packed: those of some hundred terms flow in fast enough from any cache.
const (
	multiDepth  = 768
	multiNear   = 256     // if C stays in the cache
	multiCache  = 1 << 18 // elements of such a C
	multiMemory = 5 << 18
)

// GemmMultiLen is the length of the memory that GemmMulti wants for k terms and m rows of C in all,
// of n columns.
func GemmMultiLen(m, n, k int) int {
	depth := min(multiDepth, max(64, multiMemory/(m+panelCols)))
	if m*n <= multiCache {
		depth = min(depth, multiNear)
	}
	passes := max(1, (k+depth-1)/depth)
	return (k+passes-1)/passes*(m+panelCols) + align
}

const panelCols = 48 // of the widest panel

// GemmMulti is C = Aᵀ·B, or C += Aᵀ·B if acc is set, for several left operands and one B [k, n],
// stored row by row: what the gradients of a layer's weights and biases are. The sums go over the
// terms in runs alone, which are in ascending order; nil is all k. No C may overlap anything else.
//
// In a pass over some terms the left operands are packed once, and every panel of B is packed once
// for all of them. buf is memory for that; with less of it than GemmMultiLen there are more passes.
// The bits are those of Gemm.
func GemmMulti[F Float](lefts []Left[F], n, k int, b []F, ldb int, acc bool, runs []Run, buf []F) {
	m := 0
	for _, l := range lefts {
		if l.M < 0 || n < 0 || k < 0 {
			panic("kernels: GemmMulti: negative size")
		}
		if l.A == nil && l.M > 1 || l.A != nil && !fits(len(l.A), k, l.M, l.LDA) {
			panic("kernels: GemmMulti: A is too short")
		}
		if !fits(len(l.C), l.M, n, l.LDC) {
			panic("kernels: GemmMulti: C is too short")
		}
		m += l.M
	}
	if !fits(len(b), k, n, ldb) {
		panic("kernels: GemmMulti: B is too short")
	}
	t := multi[F]{lefts: lefts, n: n, b: b, ldb: ldb, grid: gridOf[F](level)}
	if t.runs = runs; runs == nil {
		t.all[0] = Run{0, k}
	}
	terms := t.all[0].len()
	for _, r := range runs {
		if r.From < 0 || r.len() < 0 || r.To > k {
			panic("kernels: GemmMulti: terms out of range")
		}
		terms += r.len()
	}
	if terms == 0 || m == 0 || n == 0 {
		for _, l := range lefts {
			empty(l.M, n, 0, l.C, l.LDC, acc)
		}
		return
	}
	width := t.grid.vectors * t.grid.lanes
	buf = aligned(buf)
	depth := len(buf) / (m + width)
	switch {
	case depth == 0:
		panic("kernels: GemmMulti: no memory to pack in")
	case level == Portable:
		t.plain(acc)
		return
	}
	for k0, kb := range pieces(terms, min(depth, multiDepth)) {
		t.pass(kb, acc || k0 > 0, buf[:kb*width], buf[kb*width:])
	}
}

// multi is a call of GemmMulti at work.
type multi[F Float] struct {
	lefts []Left[F]
	n     int
	b     []F
	ldb   int
	grid  grid
	runs  []Run
	all   [1]Run // in place of no runs
	at    cursor // where the pass begins
	p     product[F]
}

// cursor goes through runs part by part.
type cursor struct {
	run, done int // terms of the run that have been visited
	terms     int // visited in all
	part      Run
}

// next visits what follows in one run, as long as no more than k terms have been visited.
func (t *multi[F]) next(c *cursor, k int) bool {
	runs := t.runs
	if runs == nil {
		runs = t.all[:]
	}
	for ; c.terms < k && c.run < len(runs); c.run, c.done = c.run+1, 0 {
		r := runs[c.run]
		from := r.From + c.done
		if n := min(r.To-from, k-c.terms); n > 0 {
			c.part = Run{from, from + n}
			c.done, c.terms = c.done+n, c.terms+n
			return true
		}
	}
	return false
}

// turn goes to a left operand, for k terms.
func (t *multi[F]) turn(l *Left[F], k int, acc bool) {
	t.p.start(level, true, l.A, l.LDA, l.C, l.LDC)
	t.p.depth = k
	t.p.terms(0, k, acc)
	t.p.rows(0, l.M)
}

// pass adds the next k terms, with memory for a panel and for the left operands.
func (t *multi[F]) pass(k int, acc bool, panel, packed []F) {
	end := t.at.terms + k
	rest := packed
	for i := range t.lefts {
		l := &t.lefts[i]
		if l.M == 0 {
			continue
		}
		if t.turn(l, k, acc); l.A == nil {
			Fill(rest[:k], 1)
		} else {
			for c := t.at; t.next(&c, end); {
				t.p.packTerms(rest, k, c.terms-t.at.terms-c.part.len(), c.part)
			}
		}
		rest = rest[l.M*k:]
	}
	// If the rows of B lie one after another, the first block of rows packs them while it works on
	// them.
	first := t.at
	t.next(&first, end)
	begin := first.part.From * t.ldb
	straight := first.part.len() == k && t.lefts[0].M > t.grid.rows
	for _, part := range t.grid.cut(t.n) {
		one := panels{part.col, 1, part.vectors, part.cols}
		width := one.vectors * t.grid.lanes
		for range part.count {
			ready := !straight || one.cols < width
			if ready {
				for c := t.at; t.next(&c, end); {
					dst := panel[(c.terms-t.at.terms-c.part.len())*width:]
					packPanel(dst, false, t.b, t.ldb, c.part.From, one.col, c.part.len(), one.cols,
						width)
				}
			}
			rest := packed
			for i := range t.lefts {
				l := &t.lefts[i]
				if l.M == 0 {
					continue
				}
				t.turn(l, k, acc)
				t.p.usePacked(rest)
				if ready {
					t.p.multiply(one, panel, width, 0)
				} else {
					from := begin + one.col
					t.p.next, t.p.rowNext, t.p.t.pack = t.b[min(from+one.cols, len(t.b)):], t.ldb,
						panel
					t.p.multiply(one, t.b[from:], t.ldb, 0)
					t.p.next, t.p.t.pack = nil, nil
					ready = true
				}
				rest = rest[l.M*k:]
			}
			one.col += one.cols
		}
	}
	for t.next(&t.at, end) {
	}
}

// plain is GemmMulti, one product after another.
func (t *multi[F]) plain(acc bool) {
	for c := t.at; t.next(&c, math.MaxInt); acc = true {
		r := c.part
		for i := range t.lefts {
			l := &t.lefts[i]
			if l.A != nil {
				Gemm(true, false, l.M, t.n, r.len(), l.A[min(r.From*l.LDA, len(l.A)):], l.LDA,
					t.b[r.From*t.ldb:], t.ldb, l.C, l.LDC, acc)
				continue
			}
			for p := r.From; p < r.To && l.M > 0; p++ {
				row := t.b[p*t.ldb:][:t.n]
				if !acc && p == r.From {
					copy(l.C, row)
				} else {
					Add(l.C[:t.n], l.C[:t.n], row)
				}
			}
		}
	}
}
