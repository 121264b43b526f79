// Package kernels is the arithmetic of the library on plain slices: matrix products, transcendental
// functions, element-wise operations and reductions, for float32 and float64.
//
// # Levels
//
// Everything is written in portable Go, and what matters again in assembly for AVX2 and AVX-512.
// The level is chosen once, from what the CPU can do; SetLevel chooses another, so that tests and
// benchmarks run them all. The build tag noasm leaves the portable code alone. The assembly is
// generated: the programs are in _asm, a module of its own, and go generate runs them.
//
// # Errors and concurrency
//
// Slices that are too short are mistakes of the caller: the exported functions panic with a
// constant string, and the loops check nothing. All functions may run in many goroutines at once.
// Nothing starts goroutines, and nothing allocates in a steady state.
//
// # Products
//
// C[i,j] is summed over p in order, each term by a fused multiply-add (by a multiplication and an
// addition where portable code has no such instruction), beginning with the old C or with 0. Blocks
// over k leave the partial sum in C and go on from there, which rounds nothing. So an element has
// the same bits however rows, columns or terms are divided among calls and goroutines, and AVX2 and
// AVX-512 agree. TestGemmPieces and TestGemmLevels hold this.
//
// A kernel computes tiles of C in registers. The loops around it:
//
//	for each strip of rows of A         (those that fit the second-level cache)
//		for each panel of B             (3 vectors wide: 48 columns of float32 with AVX-512)
//			for each pass over k        (384 rows: 72 KB of the panel, beside a strip of A)
//				for each block of rows  (up to 9)
//					tile [9, 48] of C += block · panel
//
// Why they are so:
//
//   - Tiles of 9 rows by 3 vectors use 27 of the 32 registers for sums, 3 for B and 2 for
//     broadcasts of A. They load 12 times for 27 multiply-adds, a tile of 14 by 2 16 times for 28;
//     loads that run beside multiply-adds cost some of them, and 9 by 3 measured faster
//     (docs/design/0006-what-was-tried.md). With AVX2, 6 by 2 fill 16 registers.
//   - Rows are divided evenly: 32 are 4 blocks of 8, not 3 of 9 and one of 5. There is a kernel for
//     every height.
//   - With one or two rows a tile spans several panels, since a multiply-add takes 4 cycles and two
//     start in each: with fewer than 8 sums the multipliers wait. Such products run at the speed of
//     the cache that B lies in.
//   - Columns are cut into panels of 3 vectors and, at the end, of 2, the last under a mask. 512
//     are 10 panels of 48 and one of 32.
//   - Packed keeps B panel after panel, so that the kernel reads it from front to end. Gemm, which
//     gets B as it lies, copies a panel while the first block of rows is multiplied by it; for up
//     to 9 rows it copies nothing.
//   - A is read in place if the rows of a block are close together, and packed otherwise.
//   - While a panel is at work the next one is fetched into the second-level cache, and the next
//     tile of C into the first.
//
// What share of a core's peak the products reach is measured with
//
//	go test -run Share -share . ./internal/kernels
//	go test -run '^$' -bench 'Peak|Gemm' ./internal/kernels
//
// # Transcendental functions
//
// exp, log, tanh and sigmoid of float32 are vectorised; the generator works out their polynomials.
// The greatest errors over all float32 inputs (for sigmoid, over those from 2^−27 to 112 and a
// sample of the others), in units of the last place (go test -run Ulps -long):
//
//	          AVX2, AVX-512   portable
//	exp            0.96         0.51
//	log            0.85         0.51
//	tanh           2.56         0.51
//	sigmoid        2.41         0.51
//
// Infinities, NaNs, denormal numbers and results that overflow or vanish are right. The other
// functions, and all of float64, call package math.
package kernels
