package kernels

// tiles is one call of a matrix kernel: rows of A times panels of B. The assembly reads it by
// offset.
//
// A panel is the columns of B that one tile of C covers; row p of panel j starts at
// b[j*panelB+p*rowB]. The rows of A go in big blocks of `rows` rows, then in small blocks of one
// row less, so that a tile is never a sliver.
type tiles[F Float] struct {
	a, b, c  []F
	ahead    []F // the panel to fetch while this one is at work
	pack     []F // if not nil, where the first block packs the only panel, and the others read it
	rowA     int // element (i, p) of op(A) is a[i*rowA+p*colA]
	colA     int // 0 stands for the number of rows of the block
	stepA    int // from block to block, for each row of the block
	rowB     int
	panelB   int
	rowC     int
	rowAhead int
	k        int      // at least 1
	steps    int      // panels, or groups of panels
	vectors  int      // in a row of a tile
	rows     int      // of a big block
	big      int      // blocks
	small    int      // blocks
	stepB    int      // from one panel, or group, to the next
	stepC    int      // the same in C
	aheadC   int      // 1 fetches the next tile of C
	acc      int      // 1 adds to C, 0 overwrites it
	partial  int      // 1 if the last vector of a row reaches past the last column
	mask     uint64   // the columns of the last vector, a bit each
	lanes    [32]byte // the same as a vector, for AVX2
	cols     int      // columns of a panel, for the portable kernel
}

const portableRows, portableCols = 4, 4

// portable is the reference of the assembly:
//
//	C[i,j] = (C[i,j] or 0) + Σp A[i,p]·B[p,j], in the order of p
func (t *tiles[F]) portable() {
	m := t.rows*t.big + (t.rows-1)*t.small
	for s := range t.steps {
		b, c := t.b[s*t.stepB:], t.c[s*t.stepC:]
		i := 0
		for ; i+portableRows <= m; i += portableRows {
			t.tile4x4(t.a[i*t.rowA:], b, c[i*t.rowC:])
		}
		for ; i < m; i++ {
			t.tile1x4(t.a[i*t.rowA:], b, c[i*t.rowC:])
		}
	}
}

func (t *tiles[F]) tile1x4(a, b, c []F) {
	var s [portableCols]F
	if t.acc != 0 {
		copy(s[:t.cols], c)
	}
	for p := range t.k {
		a0, b := a[p*t.colA], (*[portableCols]F)(b[p*t.rowB:])
		s[0] += a0 * b[0]
		s[1] += a0 * b[1]
		s[2] += a0 * b[2]
		s[3] += a0 * b[3]
	}
	copy(c[:t.cols], s[:])
}

// tile4x4 does two rows at a time: sixteen sums would not stay in registers.
func (t *tiles[F]) tile4x4(a, b, c []F) {
	for r := 0; r < portableRows; r += 2 {
		a0, a1 := a[r*t.rowA:], a[(r+1)*t.rowA:]
		c0, c1 := c[r*t.rowC:], c[(r+1)*t.rowC:]
		var s, u [portableCols]F
		if t.acc != 0 {
			copy(s[:t.cols], c0)
			copy(u[:t.cols], c1)
		}
		s0, s1, s2, s3 := s[0], s[1], s[2], s[3]
		u0, u1, u2, u3 := u[0], u[1], u[2], u[3]
		for p := range t.k {
			x, y, b := a0[p*t.colA], a1[p*t.colA], (*[portableCols]F)(b[p*t.rowB:])
			s0 += x * b[0]
			s1 += x * b[1]
			s2 += x * b[2]
			s3 += x * b[3]
			u0 += y * b[0]
			u1 += y * b[1]
			u2 += y * b[2]
			u3 += y * b[3]
		}
		s, u = [portableCols]F{s0, s1, s2, s3}, [portableCols]F{u0, u1, u2, u3}
		copy(c0[:t.cols], s[:])
		copy(c1[:t.cols], u[:])
	}
}
