package kernels

import (
	"flag"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

var long = flag.Bool("long", false,
	"test the transcendental functions on all float32 inputs; minutes")

// transcendental lists the functions of float32 with a bound of the error in units of the last
// place, hardly above what was seen over all inputs, on any level.
var transcendental = []struct {
	name string
	run  func(dst, x []float32)
	want func(float64) float64
	ulps float64
}{
	{"exp", Exp[float32], math.Exp, 1},
	{"log", Log[float32], math.Log, 1},
	{"tanh", Tanh[float32], math.Tanh, 2.6},
	{"sigmoid", Sigmoid[float32], func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 2.5},
	{"softplus", Softplus[float32], func(x float64) float64 {
		return max(x, 0) + math.Log1p(math.Exp(-math.Abs(x)))
	}, 3},
	{"expm1", Expm1[float32], math.Expm1, 2},
}

// TestUlps holds the functions to their bounds on every level: on a sample of all float32 bit
// patterns, or with -long on all.
func TestUlps(t *testing.T) {
	defer SetLevel(CurrentLevel())
	step := uint64(9973)
	if *long {
		step = 1
	}
	for _, f := range transcendental {
		t.Run(f.name, func(t *testing.T) {
			worst := make([]float64, len(Levels()))
			at := make([]float32, len(Levels()))
			x, y, want := make([]float32, 4096), make([]float32, 4096), make([]float64, 4096)
			for bits := uint64(0); bits < 1<<32; {
				n := 0
				for ; n < len(x) && bits < 1<<32; n++ {
					x[n] = math.Float32frombits(uint32(bits))
					want[n] = f.want(float64(x[n]))
					bits += step
				}
				for l, level := range Levels() {
					SetLevel(level)
					f.run(y[:n], x[:n])
					for i, got := range y[:n] {
						if float64(got) == want[i] {
							continue
						}
						d := ulps(got, want[i])
						if math.IsInf(d, 1) {
							t.Fatalf("%s: %s(%g) = %g, want %g", level, f.name, x[i], got, want[i])
						}
						if d > worst[l] {
							worst[l], at[l] = d, x[i]
						}
					}
				}
			}
			for l, level := range Levels() {
				t.Logf("%s: at most %.4f ulp, at %g", level, worst[l], at[l])
				require.LessOrEqual(t, worst[l], f.ulps, "%s at %g", level, at[l])
			}
		})
	}
}

// ulps is the distance from got to want in units of got's last place: 0 for the same special value,
// infinite for a wrong one.
func ulps(got float32, want float64) float64 {
	rounded := float32(want)
	if math.IsNaN(want) || math.IsInf(float64(rounded), 0) {
		if got == rounded || got != got && want != want {
			return 0
		}
		if !math.IsInf(want, 0) && want == want &&
			float64(got) == math.Copysign(math.MaxFloat32, want) {
			return math.Abs(want-float64(got)) / 0x1p104
		}
		return math.Inf(1)
	}
	if got != got || math.IsInf(float64(got), 0) {
		return math.Inf(1)
	}
	exp := max(math.Ilogb(want), -126)
	if want == 0 {
		exp = -126
	}
	return math.Abs(float64(got)-want) / math.Ldexp(1, exp-23)
}
