package kernels

// The functions of matrices work on rows of n elements that lie one after another, and on vectors
// of which each row has one element: element r lies at r·stride, so that a stride of 0 is one number
// for all rows. Each product is rounded before it is added to, so that they give the bits of the
// functions of single operations.

const (
	opScaleRows = iota
	opMulRows
	opOuter
	opAddOuter
	opSubOuter
	opAddScaledRows
	opDotRows
)

// Column is a vector with one element for each row of a matrix.
type Column[F Float] struct {
	At     []F
	Stride int
}

// of is the element of row r.
func (c Column[F]) of(r int) F { return c.At[r*c.Stride] }

func (c Column[F]) check(rows int) {
	if !within(len(c.At), rows, 1, c.Stride) {
		panic(errRows)
	}
}

// rowsOf is how many rows of n elements dst has. Anything else but whole rows is a mistake.
func rowsOf[F Float](dst []F, n int) int {
	if n < 1 || len(dst)%n != 0 {
		panic(errRows)
	}
	return len(dst) / n
}

// ScaleRows is dst[r,j] = x[r,j]·s[r].
func ScaleRows[F Float](dst, x []F, s Column[F], n int) {
	same2(dst, x)
	if len(dst) == 0 {
		return
	}
	rows := rowsOf(dst, n)
	s.check(rows)
	if fastMatrix(opScaleRows, dst, x, nil, s, Column[F]{}, 0, rows, n) {
		return
	}
	for r := range rows {
		by, row := s.of(r), dst[r*n:][:n]
		for j, v := range x[r*n:][:n] {
			row[j] = v * by
		}
	}
}

// MulRows is dst[r,j] = x[r,j]·b[j].
func MulRows[F Float](dst, x, b []F) {
	same2(dst, x)
	if len(dst) == 0 {
		return
	}
	n := len(b)
	rows := rowsOf(dst, n)
	if fastMatrix(opMulRows, dst, x, b, Column[F]{}, Column[F]{}, 0, rows, n) {
		return
	}
	for r := range rows {
		row := dst[r*n:][:n]
		for j, v := range x[r*n:][:n] {
			row[j] = v * b[j]
		}
	}
}

// Outer is dst[r,j] = a[r]·b[j].
func Outer[F Float](dst []F, a Column[F], b []F) {
	if len(dst) == 0 {
		return
	}
	n := len(b)
	rows := rowsOf(dst, n)
	a.check(rows)
	if fastMatrix(opOuter, dst, nil, b, Column[F]{}, a, 0, rows, n) {
		return
	}
	for r := range rows {
		by, row := a.of(r), dst[r*n:][:n]
		for j, v := range b {
			row[j] = by * v
		}
	}
}

// AddOuter is dst[r,j] = x[r,j]·s[r] + a[r]·b[j].
func AddOuter[F Float](dst, x []F, s, a Column[F], b []F) { addOuter(opAddOuter, dst, x, s, a, b) }

// SubOuter is dst[r,j] = x[r,j]·s[r] − a[r]·b[j].
func SubOuter[F Float](dst, x []F, s, a Column[F], b []F) { addOuter(opSubOuter, dst, x, s, a, b) }

func addOuter[F Float](op int, dst, x []F, s, a Column[F], b []F) {
	same2(dst, x)
	if len(dst) == 0 {
		return
	}
	n := len(b)
	rows := rowsOf(dst, n)
	s.check(rows)
	a.check(rows)
	if fastMatrix(op, dst, x, b, s, a, 0, rows, n) {
		return
	}
	for r := range rows {
		scale, by, row := s.of(r), a.of(r), dst[r*n:][:n]
		if op == opSubOuter {
			by = -by
		}
		for j, v := range x[r*n:][:n] {
			row[j] = F(v*scale) + F(by*b[j])
		}
	}
}

// AddScaledRows is dst[j] += a[r]·x[r,j], for one row after another: the product of a row with a
// matrix.
func AddScaledRows[F Float](dst, x []F, a Column[F]) {
	if len(x) == 0 || len(dst) == 0 {
		return
	}
	n := len(dst)
	rows := rowsOf(x, n)
	a.check(rows)
	if fastMatrix(opAddScaledRows, dst, x, nil, Column[F]{}, a, 0, rows, n) {
		return
	}
	for r := range rows {
		by := a.of(r)
		for j, v := range x[r*n:][:n] {
			dst[j] += F(by * v)
		}
	}
}

// DotRows is dst[r] = the sum over j of x[r,j]·b[r·stride+j], in the order of Sum. With a stride of
// 0 it is the product of a matrix with a vector, with n the dot products of two matrices' rows.
func DotRows[F Float](dst, x, b []F, stride, n int) {
	if len(dst) == 0 || n == 0 {
		clear(dst)
		return
	}
	rows := len(dst)
	if !within(len(x), rows, n, n) || !within(len(b), rows, n, stride) {
		panic(errRows)
	}
	if fastMatrix(opDotRows, dst, x, b, Column[F]{}, Column[F]{}, stride, rows, n) {
		return
	}
	for r := range rows {
		dst[r] = dot(x[r*n:][:n], b[r*stride:][:n])
	}
}

// dot is the Sum of the products, each of which is rounded.
func dot[F Float](a, b []F) F {
	var s [4]F
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s[0] += F(a[i] * b[i])
		s[1] += F(a[i+1] * b[i+1])
		s[2] += F(a[i+2] * b[i+2])
		s[3] += F(a[i+3] * b[i+3])
	}
	for ; i < len(a); i++ {
		s[0] += F(a[i] * b[i])
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}
