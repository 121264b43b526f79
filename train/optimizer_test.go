package train

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/rng"
)

// family is an optimiser with an oracle: the same rule for one number, in words of its own.
type family struct {
	name   string
	build  func() (Optimizer, error)
	oracle func() func(p, g float64) float64 // the number after each update
}

var families = []family{
	{"sgd", func() (Optimizer, error) { return NewSGD(SGDConfig{}) },
		func() func(p, g float64) float64 {
			return func(p,
				g float64) float64 {
				return p - 0.01*g
			}
		}},
	{"sgd_decay", func() (Optimizer, error) { return NewSGD(SGDConfig{LR: 0.1, WeightDecay: 0.3}) },
		func() func(p, g float64) float64 {
			return func(p,
				g float64) float64 {
				return p - 0.1*g - 0.03*p
			}
		}},
	{"momentum", func() (Optimizer, error) {
		return NewSGD(SGDConfig{LR: 0.1, Momentum: 0.8, WeightDecay: 0.1})
	},
		func() func(p, g float64) float64 {
			velocity := 0.0 // the textbook's: the step itself
			return func(p, g float64) float64 {
				velocity = 0.8*velocity - 0.1*(g+0.1*p)
				return p + velocity
			}
		}},
	{"nesterov", func() (Optimizer, error) {
		return NewSGD(SGDConfig{LR: 0.1, Momentum: 0.8, Nesterov: true})
	},
		func() func(p, g float64) float64 {
			velocity := 0.0
			return func(p, g float64) float64 {
				velocity = 0.8*velocity - 0.1*g
				return p + 0.8*velocity - 0.1*g
			}
		}},
	{"adam", func() (Optimizer, error) { return NewAdam(AdamConfig{}) },
		oracleAdam(0.001, 0, 0, false)},
	{"adam_l2", func() (Optimizer, error) { return NewAdam(AdamConfig{LR: 0.1, WeightDecay: 0.2}) },
		oracleAdam(0.1, 0.2, 0, false)},
	{"adamw", func() (Optimizer, error) { return NewAdamW(AdamConfig{LR: 0.1, WeightDecay: 0.2}) },
		oracleAdam(0.1, 0, 0.2, false)},
	{"amsgrad", func() (Optimizer, error) { return NewAdam(AdamConfig{LR: 0.1, AMSGrad: true}) },
		oracleAdam(0.1, 0, 0, true)},
	{"rmsprop", func() (Optimizer, error) { return NewRMSProp(RMSPropConfig{}) },
		oracleRMSProp(0.01, 0.99, 0, false)},
	{"rmsprop_momentum", func() (Optimizer, error) {
		return NewRMSProp(RMSPropConfig{LR: 0.02, Alpha: 0.9, Momentum: 0.5})
	},
		oracleRMSProp(0.02, 0.9, 0.5, false)},
	{"rmsprop_centered", func() (Optimizer, error) {
		return NewRMSProp(RMSPropConfig{LR: 0.02, Alpha: 0.9, Momentum: 0.5, Centered: true})
	}, oracleRMSProp(0.02, 0.9, 0.5, true)},
	{"adagrad", func() (Optimizer, error) {
		return NewAdagrad(AdagradConfig{LR: 0.1, LRDecay: 0.1})
	},
		func() func(p, g float64) float64 {
			n, sum := 0.0, 0.0
			return func(p, g float64) float64 {
				n, sum = n+1, sum+g*g
				return p - 0.1/(1+(n-1)*0.1)*g/(math.Sqrt(sum)+1e-10)
			}
		}},
	{"adadelta", func() (Optimizer, error) { return NewAdadelta(AdadeltaConfig{}) },
		func() func(p, g float64) float64 {
			v, d := 0.0, 0.0
			return func(p, g float64) float64 {
				v = 0.9*v + 0.1*g*g
				delta := g * math.Sqrt((d+1e-6)/(v+1e-6))
				d = 0.9*d + 0.1*delta*delta
				return p - delta
			}
		}},
}

// oracleAdam sums the decayed history anew at every update instead of keeping moments.
func oracleAdam(lr, l2, decoupled float64, amsgrad bool) func() func(p, g float64) float64 {
	return func() func(p, g float64) float64 {
		var history []float64
		largest := 0.0
		return func(p, g float64) float64 {
			history = append(history, g+l2*p)
			m, v, n := 0.0, 0.0, float64(len(history))
			for i, past := range history {
				age := n - 1 - float64(i)
				m += 0.1 * math.Pow(0.9, age) * past
				v += 0.001 * math.Pow(0.999, age) * past * past
			}
			if amsgrad {
				largest = max(largest, v)
				v = largest
			}
			v /= 1 - math.Pow(0.999, n)
			return p - lr*decoupled*p - lr*m/(1-math.Pow(0.9, n))/(math.Sqrt(v)+1e-8)
		}
	}
}

func oracleRMSProp(lr, alpha, mu float64, centered bool) func() func(p, g float64) float64 {
	return func() func(p, g float64) float64 {
		v, mean, move := 0.0, 0.0, 0.0
		return func(p, g float64) float64 {
			v, mean = v+(1-alpha)*(g*g-v), mean+(1-alpha)*(g-mean)
			spread := v
			if centered {
				spread -= mean * mean
			}
			move = mu*move + g/(math.Sqrt(spread)+1e-8)
			return p - lr*move
		}
	}
}

func (f family) new(t require.TestingT) Optimizer {
	o, err := f.build()
	require.NoError(t, err)
	return o
}

// quadratic sets the gradient of ½k(p−a)² with k and a of each element's own.
func quadratic[T float](p *param) {
	value, grad := dataOf[T](p.value), dataOf[T](p.grad)
	for i := range value {
		grad[i] = T(slope(i, float64(value[i])))
	}
}

func slope(i int, p float64) float64 { return (0.5 + 0.1*float64(i%7)) * (p - float64(i%3)) }

func normals[T float](key rng.Key, n int) []T {
	x := make([]T, n)
	for i := range x {
		x[i] = T(key.Normal(uint64(i)))
	}
	return x
}

func TestOptimizersAgainstOracle(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			againstOracle[float64](t, f, 1e-10)
			againstOracle[float32](t, f, 1e-4)
		})
	}
}

func againstOracle[T float](t *testing.T, f family, tolerance float64) {
	for _, shape := range [][]int{{}, {1}, {1, 1}, {7}, {5, 3}, {2, 1, 11}} {
		o, want := f.new(t), normals[float64](rng.New(1), sizeOf(shape))
		var step []func(p, g float64) float64
		for i := range want {
			want[i] = float64(T(want[i]))
			step = append(step, f.oracle())
		}
		p := newParam("w", convert[T](want), shape...)
		for range 30 {
			quadratic[T](p)
			grad := slices.Clone(dataOf[T](p.grad))
			require.NoError(t, o.Step([]gorgonia.ValueGrad{p}))
			require.Equal(t, grad, dataOf[T](p.grad), "the gradient stays")
			for i := range want {
				want[i] = step[i](want[i], slope(i, want[i]))
			}
		}
		requireClose(t, fmt.Sprint(shape), want, convert[float64](dataOf[T](p.value)), tolerance,
			tolerance)
	}
}

// Resumed equals never stopped, to the bit, whatever the step of the interruption.
func TestOptimizerResume(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) { rapid.Check(t, func(t *rapid.T) { resume(t, f) }) })
	}
}

func resume(t *rapid.T, f family) {
	seed, stop := rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, 8).Draw(t, "stop")
	joins := rapid.IntRange(0, 8).Draw(t, "joins") // the step at which a second parameter joins
	list := func() []gorgonia.ValueGrad {
		return []gorgonia.ValueGrad{
			newParam("encoder/l0/W_ih", normals[float64](rng.New(seed), 6), 2, 3),
			newParam("b", normals[float32](rng.New(seed+1), 5), 5),
			newParam("scale", []float64{0.5}),
		}
	}
	run := func(o Optimizer, params []gorgonia.ValueGrad, from, to int) {
		for n := from; n < to; n++ {
			quadratic[float64](params[0].(*param))
			quadratic[float32](params[1].(*param))
			quadratic[float64](params[2].(*param))
			o.SetLR(0.1 / float64(n+1))
			present := params
			if n < joins {
				present = params[:1]
			}
			require.NoError(t, o.Step(present))
		}
	}
	whole := list()
	run(f.new(t), whole, 0, 9)

	broken, first, second := list(), f.new(t), f.new(t)
	run(first, broken, 0, stop)
	state := first.State()
	require.Equal(t, stop, state.Step)
	require.NoError(t, second.Restore(state))
	require.Equal(t, first.LR(), second.LR())
	require.Equal(t, state, second.State())
	run(first, list(), stop, 9) // neither the state nor the second may notice
	run(second, broken, stop, 9)
	for i := range whole {
		require.Equal(t, whole[i].Value().Data(), broken[i].Value().Data())
	}
}

func TestOptimizerDoesNotAllocate(t *testing.T) {
	params := []gorgonia.ValueGrad{
		newParam("a", normals[float64](rng.New(1), 6), 2, 3),
		newParam("b", normals[float32](rng.New(2), 5), 5),
		newParam("c", []float64{1}), newParam("d", []float32{1}),
	}
	clip := Clip{Norm: 0.1}
	accumulator, err := NewAccumulator(AccumulatorConfig{Batches: 2})
	require.NoError(t, err)
	average, err := NewAverage(AverageConfig{Decay: 0.9})
	require.NoError(t, err)
	for _, f := range families {
		o := f.new(t)
		for part, run := range map[string]func() error{
			"Clip.Apply": func() error { _, err := clip.Apply(params); return err },
			"Accumulator": func() error {
				_, err1 := accumulator.Add(params)
				_, err2 := accumulator.Add(params)
				accumulator.Take()
				return cmp.Or(err1, err2)
			},
			"Optimizer.Step": func() error { return o.Step(params) },
			"Average.Update": func() error { return average.Update(params) },
		} {
			require.Zero(t, testing.AllocsPerRun(20, func() {
				if err := run(); err != nil {
					t.Fatal(err)
				}
			}), "%s %s", f.name, part)
		}
	}
}

func TestZeroIsZero(t *testing.T) {
	o, err := NewSGD(SGDConfig{LR: Zero})
	require.NoError(t, err)
	require.Zero(t, o.LR())

	// With β₁ = β₂ = 0 Adam is the sign of the gradient.
	o, err = NewAdam(AdamConfig{LR: 0.5, Beta1: Zero, Beta2: Zero})
	require.NoError(t, err)
	p := newParam("w", []float64{1, 1, 1}, 3)
	copy(dataOf[float64](p.grad), []float64{3, -0.01, 0})
	require.NoError(t, o.Step([]gorgonia.ValueGrad{p}))
	testkit.RequireInDelta(t, []float64{0.5, 1.5, 1}, p.value.Data(), 1e-6)
}

// A step of a long training must not meet a negative variance.
func TestCenteredRMSPropWithConstantGradient(t *testing.T) {
	o, err := NewRMSProp(RMSPropConfig{Centered: true, Alpha: 0.5})
	require.NoError(t, err)
	p := newParam("w", make([]float32, 9), 9)
	for range 1000 {
		grad := dataOf[float32](p.grad)
		for i := range grad {
			grad[i] = 0.1 * float32(i)
		}
		require.NoError(t, o.Step([]gorgonia.ValueGrad{p}))
	}
	for _, x := range dataOf[float32](p.value) {
		require.False(t, math.IsNaN(float64(x)))
	}
}

func BenchmarkStep(b *testing.B) {
	for _, f := range families {
		b.Run("optimizer="+f.name, func(b *testing.B) {
			o, p := f.new(b), newParam("w", normals[float32](rng.New(1), 1<<16), 1<<16)
			params := []gorgonia.ValueGrad{p}
			b.ReportAllocs()
			b.SetBytes(4 << 16)
			for b.Loop() {
				quadratic[float32](p)
				if err := o.Step(params); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
