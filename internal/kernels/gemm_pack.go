package kernels

import "math/bits"

// scattered says whether the A of m rows should be packed for n columns: for every p the elements
// of a block are on cache lines of their own, or these lines displace one another in the
// first-level cache, or the rows are long; and there is enough to do with them.
func (p *product[F]) scattered(m, n int) bool {
	if p.level == Portable || m <= p.grid.rows {
		return false
	}
	row := p.rowA * size[F]()
	return n >= 128 && (p.colA != 1 || row%2048 == 0) || n >= 512 && row > 2048
}

// packA lays out the rows block by block, pass by pass, for each p the elements of a block side by
// side.
func (p *product[F]) packA(buf []F) {
	t := &p.t
	for k0, kb := range pieces(p.k, p.passDepth()) {
		if p.colA != 1 {
			p.packTerms(buf[k0*p.m:], kb, 0, Run{p.k0 + k0, p.k0 + k0 + kb})
			continue
		}
		i, dst := p.i0, buf[k0*p.m:]
		for b := range t.big + t.small {
			rows := t.rows
			if b >= t.big {
				rows--
			}
			transpose(dst, rows, p.a[i*p.rowA+p.k0+k0:], p.rowA, rows, kb)
			dst, i = dst[rows*kb:], i+rows
		}
	}
	p.usePacked(buf)
}

// packTerms packs terms of an A that is stored transposed, as the terms q, q+1, … of a pass of k
// terms. It takes as many rows of A at a time as stay in the first-level cache, since a cache line
// of them serves several blocks: few if they are a power of two apart.
func (p *product[F]) packTerms(buf []F, k, q int, terms Run) {
	t := &p.t
	most := 8 << min(max(0, 12-bits.TrailingZeros(uint(p.colA*size[F]()))), 3)
	for from := terms.From; from < terms.To; from += most {
		n := min(most, terms.To-from)
		i, dst := p.i0, buf
		for b := range t.big + t.small {
			rows := t.rows
			if b >= t.big {
				rows--
			}
			copyRows(dst[q*rows:], rows, p.a[i+from*p.colA:], p.colA, n, rows)
			dst, i = dst[rows*k:], i+rows
		}
		q += n
	}
}

// usePacked turns to rows that packA has laid out.
func (p *product[F]) usePacked(buf []F) {
	p.packed = buf
	p.t.rowA, p.t.colA = 1, 0
}

// passDepth is how far a pass goes: a panel that is used for one block of rows need not stay in a
// cache.
func (p *product[F]) passDepth() int {
	if p.t.big+p.t.small == 1 {
		return p.k
	}
	return p.depth
}
