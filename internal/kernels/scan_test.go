package kernels

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// recurrence is h' = a∘h + b of all steps [steps, cols] from a state of zeros, as a script whose
// rows lie one after another. With product it also keeps the products of all a so far.
func recurrence(a, b, h, product []float32, cols, steps int) func() {
	zero, one := make([]float32, cols), make([]float32, cols)
	Fill(one, 1)
	row := func(s []float32) ScriptSlot {
		p := ScriptSlot{At: Address(s), Mask: Across}
		p.Moves(4*cols, 0, false)
		return p
	}
	register := make([]float32, ScriptBlock)
	code := []ScriptOp{
		{Kind: ScriptMul, Dst: ScriptAt(4), A: ScriptAt(0), B: ScriptAt(2)},
		{Kind: ScriptAdd, Dst: ScriptAt(3), A: ScriptAt(4), B: ScriptAt(1)},
	}
	if product != nil {
		code = append(code, ScriptOp{Kind: ScriptMul, Dst: ScriptAt(6), A: ScriptAt(0),
			B: ScriptAt(5)})
	}
	var script Script
	run := func(before, after, p0, p1, a, b []float32, steps int) {
		slots := []ScriptSlot{row(a), row(b), row(before), row(after), {At: Address(register)},
			row(p0), row(p1)}
		parts := []ScriptPart{NewScriptPart(code, slots, 7, 1, cols)}
		RunScript(&script, parts, steps)
	}
	if product == nil {
		product = h
	}
	return func() {
		run(zero, h, one, product, a, b, 1)
		if steps > 1 {
			run(h, h[cols:], product, product[cols:], a[cols:], b[cols:], steps-1)
		}
	}
}

// BenchmarkScan is a linear recurrence over 4,096 steps on one core, step by step, and as an
// associative scan in 16 chunks: the chunks at once, each from zero with the products of its
// factors; then what each begins with; then the product of that and the factors added to all. The
// chunks lie side by side, which favours the scan: a model would have to bring its steps there.
func BenchmarkScan(b *testing.B) {
	if !Scripts() {
		b.Skip("no scripts at this level")
	}
	const T, chunks = 4096, 16
	for _, cols := range []int{1, 2, 4, 8, 16, 32, 64, 128, 512} {
		n := T * cols
		make32 := func() []float32 { return make([]float32, n) }
		factor, in, h, product := make32(), make32(), make32(), make32()
		for i := range n {
			factor[i], in[i] = 0.5+float32(i%7)/20, float32(i%11)-5
		}
		plain := recurrence(factor, in, h, nil, cols, T)
		b.Run(fmt.Sprintf("cols=%d/way=steps", cols), func(b *testing.B) {
			least(b, plain)
		})
		wide := chunks * cols // [T/chunks, chunks, cols]
		local := recurrence(factor, in, h, product, wide, T/chunks)
		carry, t := make([]float32, wide), make([]float32, wide)
		b.Run(fmt.Sprintf("cols=%d/way=scan", cols), func(b *testing.B) {
			least(b, func() {
				local()
				last, lastProduct := h[n-wide:], product[n-wide:]
				for c := 1; c < chunks; c++ { // what chunk c begins with
					was, now := carry[(c-1)*cols:][:cols], carry[c*cols:][:cols]
					Mul(now, was, lastProduct[(c-1)*cols:][:cols])
					Add(now, now, last[(c-1)*cols:][:cols])
				}
				for r := 0; r < n; r += wide {
					Mul(t, product[r:r+wide], carry)
					Add(h[r:r+wide], h[r:r+wide], t)
				}
			})
			// the end of the last chunk, by the definition
			want := make([]float64, cols)
			for c := range chunks {
				for r := range T / chunks {
					for k := range cols {
						i := r*wide + c*cols + k
						want[k] = float64(factor[i])*want[k] + float64(in[i])
					}
				}
			}
			require.InDelta(b, want[0], h[n-cols], 1e-3)
		})
	}
}

// least reports the least time of a function beside the mean, which other programs disturb.
func least(b *testing.B, f func()) {
	shortest := time.Hour
	for b.Loop() {
		start := time.Now()
		f()
		shortest = min(shortest, time.Since(start))
	}
	b.ReportMetric(float64(shortest.Nanoseconds())/1e3, "least-µs")
}
