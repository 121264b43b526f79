package kernels

const errRows = "kernels: rows that are not in the slices"

// within reports whether rows of n elements, stride elements apart, lie in a slice of length size.
func within(size, rows, n, stride int) bool {
	return rows > 0 && n > 0 && stride >= 0 && (rows-1)*stride+n <= size
}

// AddRows is dst[j] += src[r·stride+j], for one of the rows after another.
func AddRows[F Float](dst, src []F, stride, rows int) {
	if rows == 0 || len(dst) == 0 {
		return
	}
	if !within(len(src), rows, len(dst), stride) {
		panic(errRows)
	}
	if fastRows(opAddRows, dst, src, stride, rows, len(dst)) {
		return
	}
	for r := range rows {
		for j, v := range src[r*stride:][:len(dst)] {
			dst[j] += v
		}
	}
}

// SumRows is dst[r] = the Sum of the n elements at src[r·stride].
func SumRows[F Float](dst, src []F, stride, n int) {
	if len(dst) == 0 || n == 0 {
		clear(dst)
		return
	}
	if !within(len(src), len(dst), n, stride) {
		panic(errRows)
	}
	if fastRows(opSumRows, dst, src, stride, len(dst), n) {
		return
	}
	for r := range dst {
		dst[r] = Sum(src[r*stride:][:n])
	}
}

// SpreadRows is dst[r·n+j] = src[r·stride] for all j < n.
func SpreadRows[F Float](dst, src []F, stride, rows, n int) {
	if rows == 0 || n == 0 {
		return
	}
	if !within(len(src), rows, 1, stride) || !within(len(dst), rows, n, n) {
		panic(errRows)
	}
	if fastRows(opSpreadRows, dst, src, stride, rows, n) {
		return
	}
	for r := range rows {
		row := dst[r*n:][:n]
		for j := range row {
			row[j] = src[r*stride]
		}
	}
}

// CopyRows is dst[r·ldd+j] = src[r·lds+j] for j < n. With an lds of 0 it repeats a row.
func CopyRows[F Float](dst []F, ldd int, src []F, lds, rows, n int) {
	if rows == 0 || n == 0 {
		return
	}
	if !within(len(src), rows, n, lds) || !within(len(dst), rows, n, ldd) {
		panic(errRows)
	}
	if n <= copiedBytes/size[F]() {
		copyRows(dst, ldd, src, lds, rows, n)
		return
	}
	for r := range rows {
		copy(dst[r*ldd:][:n], src[r*lds:])
	}
}

// copiedBytes are the bytes of the longest row that copyRows takes: three vectors.
const copiedBytes = 3 * 64

const (
	opAddRows = iota
	opSumRows
	opSpreadRows
)
