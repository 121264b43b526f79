package train

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/internal/rng"
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
	{"momentum", func() (Optimizer,
		error) {
		return NewSGD(SGDConfig{LR: 0.1, Momentum: 0.8, WeightDecay: 0.1})
	},
		func() func(p, g float64) float64 {
			velocity := 0.0 // the textbook's: the step itself
			return func(p, g float64) float64 {
				velocity = 0.8*velocity - 0.1*(g+0.1*p)
				return p + velocity
			}
		}},
	{"nesterov", func() (Optimizer,
		error) {
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
	{"rmsprop_momentum", func() (Optimizer,
		error) {
		return NewRMSProp(RMSPropConfig{LR: 0.02, Alpha: 0.9, Momentum: 0.5})
	},
		oracleRMSProp(0.02, 0.9, 0.5, false)},
	{"rmsprop_centered", func() (Optimizer, error) {
		return NewRMSProp(RMSPropConfig{LR: 0.02, Alpha: 0.9, Momentum: 0.5, Centered: true})
	}, oracleRMSProp(0.02, 0.9, 0.5, true)},
	{"adagrad", func() (Optimizer,
		error) {
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

func TestConfigErrors(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	try := func(_ any, err error) error { return err }
	for want, err := range map[string]error{
		"SGDConfig.LR is -1":            try(NewSGD(SGDConfig{LR: -1})),
		"SGDConfig.LR is NaN":           try(NewSGD(SGDConfig{LR: nan})),
		"SGDConfig.Momentum is 1":       try(NewSGD(SGDConfig{Momentum: 1})),
		"SGDConfig.Nesterov is true":    try(NewSGD(SGDConfig{Nesterov: true})),
		"SGDConfig.WeightDecay is +Inf": try(NewSGD(SGDConfig{WeightDecay: inf})),
		"AdamConfig.Beta1 is 1":         try(NewAdam(AdamConfig{Beta1: 1})),
		"AdamConfig.Beta2 is -0.5":      try(NewAdamW(AdamConfig{Beta2: -0.5})),
		"AdamConfig.Eps is 0":           try(NewAdam(AdamConfig{Eps: Zero})),
		"AdamConfig.WeightDecay is -1":  try(NewAdam(AdamConfig{WeightDecay: -1})),
		"RMSPropConfig.Alpha is 2":      try(NewRMSProp(RMSPropConfig{Alpha: 2})),
		"RMSPropConfig.Momentum is NaN": try(NewRMSProp(RMSPropConfig{Momentum: nan})),
		"RMSPropConfig.LR is +Inf":      try(NewRMSProp(RMSPropConfig{LR: inf})),
		"AdagradConfig.LRDecay is -1":   try(NewAdagrad(AdagradConfig{LRDecay: -1})),
		"AdagradConfig.Eps is NaN":      try(NewAdagrad(AdagradConfig{Eps: nan})),
		"AdadeltaConfig.Rho is 1":       try(NewAdadelta(AdadeltaConfig{Rho: 1})),
		"AdadeltaConfig.LR is -1":       try(NewAdadelta(AdadeltaConfig{LR: -1})),
		"NewConstant.lr is -1":          try(NewConstant(-1)),
		"StepDecayConfig.LR is 0":       try(NewStepDecay(StepDecayConfig{Every: 1})),
		"StepDecayConfig.Every is 0":    try(NewStepDecay(StepDecayConfig{LR: 1})),
		"StepDecayConfig.Gamma is 2": try(NewStepDecay(StepDecayConfig{LR: 1, Every: 1,
			Gamma: 2})),
		"ExponentialConfig.Gamma is 0": try(NewExponential(ExponentialConfig{LR: 1})),
		"CosineConfig.Total is 3": try(NewCosine(CosineConfig{LR: 1, Warmup: 3,
			Total: 3})),
		"CosineConfig.Warmup is -1": try(NewCosine(CosineConfig{LR: 1, Warmup: -1,
			Total: 3})),
		"CosineConfig.MinLR is 2": try(NewCosine(CosineConfig{LR: 1, MinLR: 2,
			Total: 3})),
		"PlateauConfig.Factor is 1":       try(NewPlateau(PlateauConfig{LR: 1, Factor: 1})),
		"PlateauConfig.Patience is -1":    try(NewPlateau(PlateauConfig{LR: 1, Patience: -1})),
		"PlateauConfig.Threshold is 1":    try(NewPlateau(PlateauConfig{LR: 1, Threshold: 1})),
		"PlateauConfig.MinLR is NaN":      try(NewPlateau(PlateauConfig{LR: 1, MinLR: nan})),
		"EarlyStopConfig.Patience is -1":  try(NewEarlyStop(EarlyStopConfig{Patience: -1})),
		"EarlyStopConfig.MinDelta is NaN": try(NewEarlyStop(EarlyStopConfig{MinDelta: nan})),
		"AverageConfig.Decay is 1":        try(NewAverage(AverageConfig{Decay: 1})),
		"AccumulatorConfig.Batches is -1": try(NewAccumulator(AccumulatorConfig{Batches: -1})),
		"Clip.Norm is -1":                 Clip{Norm: -1}.Validate(),
		"Clip.Value is 1":                 Clip{Norm: 1, Value: 1}.Validate(),
		"Clip.Eps is NaN":                 Clip{Norm: 1, Eps: nan}.Validate(),
		// all at once
		"Momentum is 2; it must be at least 0": try(NewSGD(SGDConfig{LR: -1, Momentum: 2})),
	} {
		require.ErrorContains(t, err, want)
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
	require.InDeltaSlice(t, []float64{0.5, 1.5, 1}, p.value.Data(), 1e-6)
}

// broken is a parameter whose gradient fails.
type broken struct{ param }

func (b *broken) Grad() (gorgonia.Value, error) { return nil, errors.New("not run yet") }

func TestStepErrors(t *testing.T) {
	dense := func(data any, shape ...int) *tensor.Dense {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
	}
	value := func() *tensor.Dense { return dense([]float64{1, 2, 3, 4, 5, 6}, 2, 3) }
	transposed := value()
	require.NoError(t, transposed.T())
	columns, err := dense(make([]float64, 12), 2, 6).Slice(nil, tensor.S(0, 6, 2))
	require.NoError(t, err)
	fortran := tensor.New(tensor.WithShape(2, 3), tensor.AsFortran(make([]float64, 6)))
	g := gorgonia.NewGraph()

	for _, c := range []struct {
		name  string
		param gorgonia.ValueGrad
		want  string
	}{
		{"nil", nil, "parameter 1 is nil"},
		{"nil node", (*gorgonia.Node)(nil), "parameter 1 is nil"},
		{"unbound node", gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("x")),
			`"x": its value is missing`},
		{"no value", &param{"w", nil, value()}, `"w": its value is missing`},
		{"nil value", &param{"w", (*tensor.Dense)(nil), value()}, `"w": its value is missing`},
		{"nil scalar", &param{"w", (*gorgonia.F64)(nil), value()}, `"w": its value is missing`},
		{"no gradient", &param{"w", value(), nil}, `"w": its gradient is missing`},
		{"gradient fails", &broken{param{"w", value(), nil}}, `"w" has no gradient: not run yet`},
		{"shape", &param{"w", value(), dense(make([]float64, 6), 3, 2)},
			`"w": its value is float64 [2 3] and its gradient float64 [3 2]`},
		{"dtype", &param{"w", value(), dense(make([]float32, 6), 2, 3)},
			`"w": its value is float64 [2 3] and its gradient float32 [2 3]`},
		{"scalar", &param{"w", value(), gorgonia.NewF64(1)}, "its gradient float64 []"},
		{"integers", &param{"w", dense(make([]int, 6), 2, 3), dense(make([]int, 6), 2, 3)},
			"type int"},
		{"boolean", &param{"w", gorgonia.NewB(true), nil}, "is a *gorgonia.B"},
		{"transposed", &param{"w", transposed, transposed}, "contiguous"},
		{"columns", &param{"w", columns, columns}, "contiguous"},
		{"fortran", &param{"w", value(), fortran}, "contiguous"},
		{"twice", &param{"good", value(), value()}, `"good" is listed twice`},
		{"position", &param{"", value(), nil}, `"#1"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := NewSGD(SGDConfig{Momentum: 0.9})
			require.NoError(t, err)
			good := &param{"good", value(), value()}
			require.ErrorContains(t, o.Step([]gorgonia.ValueGrad{good, c.param}), c.want)
			require.Equal(t, value().Data(), good.value.Data(), "nothing has changed")
			require.Equal(t, value().Data(), good.grad.Data(), "nothing has changed")
			require.Empty(t, o.State().Tensors)

			require.NoError(t, o.Step([]gorgonia.ValueGrad{good}))
			require.ErrorContains(t,
				o.Step([]gorgonia.ValueGrad{newParam("good", make([]float32, 6), 2, 3)}),
				`"good" is float32 [2 3], but "momentum_buffer" of it is kept as float64 [2 3]`)
		})
	}

	o, err := NewSGD(SGDConfig{})
	require.NoError(t, err)
	require.NoError(t, o.Step(nil), "no parameters")
	for _, lr := range []float64{-1, math.NaN(), math.Inf(1)} {
		o.SetLR(lr)
		require.ErrorContains(t, o.Step(nil), "learning rate")
	}
}

func TestEmptyTensorAndRowsOfAMatrix(t *testing.T) {
	o, err := NewAdam(AdamConfig{})
	require.NoError(t, err)
	empty := func() *tensor.Dense {
		return tensor.New(tensor.Of(tensor.Float32),
			tensor.WithShape(0, 3))
	}
	table := tensor.New(tensor.WithShape(3, 2), tensor.WithBacking([]float64{1, 1, 1, 1, 1, 1}))
	row, err := table.Slice(tensor.S(1))
	require.NoError(t, err)
	params := []gorgonia.ValueGrad{
		&param{"empty", empty(), empty()},
		&param{"row", row, tensor.New(tensor.WithShape(2), tensor.WithBacking([]float64{1, 1}))},
	}
	require.NoError(t, o.Step(params))
	require.NoError(t, o.Restore(o.State()))
	require.InDeltaSlice(t, []float64{1, 1, 0.999, 0.999, 1, 1}, table.Data(), 1e-9)
}

func TestRestoreErrors(t *testing.T) {
	step := func(o Optimizer) Optimizer {
		p := newParam("w", []float64{1, 2, 3}, 3)
		quadratic[float64](p)
		require.NoError(t, o.Step([]gorgonia.ValueGrad{p}))
		return o
	}
	adam := func() Optimizer {
		o, err := NewAdam(AdamConfig{})
		require.NoError(t, err)
		return o
	}
	for want, damage := range map[string]func(s *State){
		`the state is that of "sgd"; it must be that of "adam"`: func(s *State) { s.Kind = "sgd" },
		`Step is -1`:                       func(s *State) { s.Step = -1 },
		`tensor "w/exp_avg_sq" is missing`: func(s *State) { delete(s.Tensors, "w/exp_avg_sq") },
		`tensor "w/exp_avg" is missing`:    func(s *State) { s.Tensors["w/exp_avg"] = nil },
		`tensor "w/sum" is unknown`:        func(s *State) { s.Tensors["w/sum"] = s.Tensors["w/exp_avg"] },
		`tensor "v/exp_avg" is unknown`:    func(s *State) { s.Tensors["v/exp_avg"] = s.Tensors["w/exp_avg"] },
		`tensor "" is unknown`:             func(s *State) { s.Tensors[""] = s.Tensors["w/exp_avg"] },
		`tensor "exp_avg" is unknown`:      func(s *State) { s.Tensors["exp_avg"] = s.Tensors["w/exp_avg"] },
		`scalar "lr" is missing`:           func(s *State) { delete(s.Scalars, "lr") },
		`scalar "best" is unknown`:         func(s *State) { s.Scalars["best"] = 1 },
		`scalar "w/steps" is 1.5`:          func(s *State) { s.Scalars["w/steps"] = 1.5 },
		`scalar "w/steps" is 2`:            func(s *State) { s.Scalars["w/steps"] = 2 },
		`scalar "w/steps" is NaN`:          func(s *State) { s.Scalars["w/steps"] = math.NaN() },
		`scalar "w/steps" is 1e+300`:       func(s *State) { s.Scalars["w/steps"] = 1e300 },
		`tensor "v/exp_avg" is missing`:    func(s *State) { s.Scalars["v/steps"] = 1 },
		`tensor "w/exp_avg_sq" is float64 [4] and "exp_avg" is float64 [3]`: func(s *State) {
			s.Tensors["w/exp_avg_sq"] = tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(4))
		},
		`tensor "w/exp_avg" has type int`: func(s *State) {
			s.Tensors["w/exp_avg"] = tensor.New(tensor.Of(tensor.Int), tensor.WithShape(3))
		},
	} {
		o := step(adam())
		before, damaged := o.State(), o.State()
		damage(&damaged)
		require.ErrorContains(t, o.Restore(damaged), want)
		require.Equal(t, before, o.State())
	}
	require.ErrorContains(t, adam().Restore(State{}), `the state is that of ""`)

	// The shapes of the parameters themselves are known at the next step.
	o := adam()
	require.NoError(t, o.Restore(step(adam()).State()))
	require.ErrorContains(t, o.Step([]gorgonia.ValueGrad{newParam("w", make([]float64, 4), 4)}),
		`"w" is float64 [4], but "exp_avg" of it is kept as float64 [3]`)

	amsgrad, err := NewAdam(AdamConfig{AMSGrad: true})
	require.NoError(t, err)
	require.ErrorContains(t, amsgrad.Restore(step(adam()).State()),
		`tensor "w/max_exp_avg_sq" is missing`)
}

// In a plain Gorgonia program an Optimizer stands where a Solver did.
func TestOptimizersInGorgonia(t *testing.T) {
	for _, f := range families {
		for _, bind := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/bind=%v", f.name, bind), func(t *testing.T) {
				inGorgonia(t, f, tensor.Float64, bind, 1e-9)
				inGorgonia(t, f, tensor.Float32, bind, 1e-4)
			})
		}
	}
}

// inGorgonia minimises sum(c∘(w + v − a)²) + s²: w and v share a derivative node, and s is a
// scalar.
func inGorgonia(t *testing.T, f family, dtype tensor.Dtype, bind bool, tolerance float64) {
	c, a := []float64{0.5, 1, 2}, []float64{1, -1, 3}
	w0, v0, s0 := []float64{0.1, 0.2, 0.3}, []float64{-1, 0, 1}, 0.7
	vec := func(x []float64) gorgonia.NodeConsOpt {
		if dtype == tensor.Float32 {
			return gorgonia.WithValue(tensor.New(tensor.WithBacking(convert[float32](x))))
		}
		return gorgonia.WithValue(tensor.New(tensor.WithBacking(convert[float64](x))))
	}
	scalar := gorgonia.WithValue(any(s0))
	if dtype == tensor.Float32 {
		scalar = gorgonia.WithValue(any(float32(s0)))
	}
	g := gorgonia.NewGraph()
	node := func(name string, x []float64) *gorgonia.Node {
		return gorgonia.NewVector(g, dtype, gorgonia.WithName(name), gorgonia.WithShape(3), vec(x))
	}
	cn, an, w, v := node("c", c), node("a", a), node("w", w0), node("v", v0)
	s := gorgonia.NewScalar(g, dtype, gorgonia.WithName("s"), scalar)
	diff := gorgonia.Must(gorgonia.Sub(gorgonia.Must(gorgonia.Add(w, v)), an))
	loss := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.HadamardProd(cn,
		gorgonia.Must(gorgonia.Square(diff))))))
	loss = gorgonia.Must(gorgonia.Add(loss, gorgonia.Must(gorgonia.Square(s))))
	params := gorgonia.Nodes{w, v, s}
	_, err := gorgonia.Grad(loss, params...)
	require.NoError(t, err)
	var opts []gorgonia.VMOpt
	if bind {
		opts = append(opts, gorgonia.BindDualValues(params...))
	}
	vm := gorgonia.NewTapeMachine(g, opts...)
	defer vm.Close()

	var solver gorgonia.Solver = f.new(t)
	steps := make([]func(p, g float64) float64, 7)
	for i := range steps {
		steps[i] = f.oracle()
	}
	for range 10 {
		require.NoError(t, vm.RunAll())
		require.NoError(t, solver.Step(gorgonia.NodesToValueGrads(params)))
		grad, err := s.Grad()
		require.NoError(t, err)
		require.Equal(t, bind, fmt.Sprint(grad.Data()) == "0",
			"set to 0 if the next run adds to it")
		vm.Reset()
		for i := range c {
			grad := 2 * c[i] * (w0[i] + v0[i] - a[i])
			w0[i], v0[i] = steps[i](w0[i], grad), steps[3+i](v0[i], grad)
		}
		s0 = steps[6](s0, 2*s0)
	}
	got := func(n *gorgonia.Node) []float64 {
		if dtype == tensor.Float32 {
			return convert[float64](dataOf[float32](n.Value()))
		}
		return dataOf[float64](n.Value())
	}
	requireClose(t, "w", w0, got(w), tolerance, tolerance)
	requireClose(t, "v", v0, got(v), tolerance, tolerance)
	requireClose(t, "s", []float64{s0}, got(s), tolerance, tolerance)
}

// Nodes without a name go by their position, though Gorgonia makes the same name up for all of
// them.
func TestUnnamedNodes(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(3),
		gorgonia.WithInit(gorgonia.Ones()))
	y := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(2),
		gorgonia.WithInit(gorgonia.Ones()))
	loss := gorgonia.Must(gorgonia.Add(gorgonia.Must(gorgonia.Sum(x)),
		gorgonia.Must(gorgonia.Sum(y))))
	_, err := gorgonia.Grad(loss, x, y)
	require.NoError(t, err)
	vm := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(x, y))
	defer vm.Close()
	require.NoError(t, vm.RunAll())
	o, err := NewSGD(SGDConfig{LR: 1, Momentum: 0.5})
	require.NoError(t, err)
	require.NoError(t, o.Step(gorgonia.NodesToValueGrads(gorgonia.Nodes{x, y})))
	require.Equal(t, []float64{0, 0, 0}, x.Value().Data())
	require.Contains(t, o.State().Tensors, "#1/momentum_buffer")
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
