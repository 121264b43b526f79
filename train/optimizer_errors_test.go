package train

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/testkit"
)

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
	testkit.RequireInDelta(t, []float64{1, 1, 0.999, 0.999, 1, 1}, table.Data(), 1e-9)
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
