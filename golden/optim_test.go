package golden_test

import (
	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

// runOptim runs the family optim: optimisers, clipping and schedules on a small LSTM, and schedules
// alone.
func runOptim(r *goldenRun) {
	c := r.config
	problem := c.word("problem", "quadratic_lstm", "schedule")
	lr, steps := c.number("lr"), c.whole("steps")
	schedule := newSchedule(c.object("schedule"), lr)
	if problem == "schedule" {
		var rates []float64
		for n, metric := range r.raw("metrics", steps) {
			rates = append(rates, schedule.LR(n))
			schedule.Observe(metric)
		}
		r.compareAll("output", r.Outputs, map[string]array{"lrs": vector(rates)})
		require.Nil(r, r.Loss)
		require.Empty(r, r.Grads)
		return
	}
	optimizer, clip := newOptimizer(c, lr), newClip(c)
	step := quadraticLSTM(r)
	defer step.Close()
	r.trajectory()

	model, rows := newTheirs(r), map[string][]float64{}
	for n := range steps {
		r.load(model.values())
		loss, err := step.Run(0, n)
		require.NoError(r, err)
		grads := r.gather(r.gradients(step))
		if n == 0 {
			r.compareLoss(loss)
			r.compareAll("gradient", r.Grads, grads)
		}
		model.set(grads)
		norm, err := clip.Apply(model.params)
		require.NoError(r, err)
		optimizer.SetLR(schedule.LR(n))
		require.NoError(r, optimizer.Step(model.params))
		schedule.Observe(loss)

		rows["losses"] = append(rows["losses"], loss)
		rows["grad_norms"] = append(rows["grad_norms"], norm)
		rows["lrs"] = append(rows["lrs"], optimizer.LR())
		for name, v := range model.values() {
			rows["traj."+name] = append(rows["traj."+name], v.Data...)
		}
	}
	outputs := map[string]array{}
	for name, data := range rows {
		outputs[name] = vector(data)
	}
	for name, v := range r.Params {
		outputs["traj."+name] = array{Shape: append([]int{steps}, v.Shape...),
			Data: rows["traj."+name]}
	}
	r.compareAll("output", r.Outputs, outputs)
}

// quadraticLSTM is mean((y − target)²) + ½(q−a)ᵀA(q−a), where y is affine in the states of an LSTM
// over x.
func quadraticLSTM(r *goldenRun) *train.Step {
	c := r.config
	B, T, In, H, N := c.whole("B"), c.whole("T"), c.whole("In"), c.whole("H"), c.whole("N")
	root := r.store.Root()
	cell := cells.NewLSTM(root, cells.LSTMConfig{In: In, Hidden: H})
	w, b := r.affine("out", H, 1)
	q := root.Param("q", nodes.Zeros(), N)
	for theirs, ours := range map[string]string{"weight_ih_l0": "W_ih", "weight_hh_l0": "W_hh",
		"bias_ih_l0": "b", "bias_hh_l0": "b", "q": "q"} {
		r.place(theirs, all(root.Shared(ours)))
	}
	r.start(nodes.Options{Training: true})
	x := r.constant("x", T, B, In)
	h := unroll.Over(cell).Unroll(x, nil, unroll.Options{Strategy: r.strategy}).Y()
	y := nodes.Add(nodes.MatMul(h, w), b)
	d := nodes.Reshape(nodes.Sub(q, r.constant("a", N)), 1, N)
	bowl := nodes.Sum(nodes.Mul(nodes.MatMul(d, r.constant("A", N, N)), d))
	step, err := train.NewStep(nodes.Add(nodes.MSE(y, r.constant("target", T, B, 1),
		nodes.ReduceMean), nodes.Scale(bowl, 0.5)))
	require.NoError(r, err)
	return step
}

// exact is a number of which 0 means 0, also where a configuration takes 0 for its default.
func (s settings) exact(key string) float64 {
	if x := s.number(key); x != 0 {
		return x
	}
	return train.Zero
}

func newOptimizer(c settings, lr float64) (o train.Optimizer) {
	var err error
	switch kind := c.word("optimizer", "sgd", "adam", "adamw", "rmsprop", "adagrad",
		"adadelta"); kind {
	case "sgd":
		o, err = train.NewSGD(train.SGDConfig{
			LR: lr, Momentum: c.number("momentum"), Nesterov: c.flag("nesterov"),
			WeightDecay: c.number("weight_decay"),
		})
	case "adam", "adamw":
		build := map[string]func(train.AdamConfig) (train.Optimizer, error){"adam": train.NewAdam,
			"adamw": train.NewAdamW}[kind]
		o, err = build(train.AdamConfig{
			LR: lr, Beta1: c.exact("beta1"), Beta2: c.exact("beta2"), Eps: c.exact("eps"),
			WeightDecay: c.number("weight_decay"),
			AMSGrad:     c.flag("amsgrad"),
		})
	case "rmsprop":
		o, err = train.NewRMSProp(train.RMSPropConfig{
			LR: lr, Alpha: c.exact("alpha"), Eps: c.exact("eps"), Momentum: c.number("momentum"),
			Centered: c.flag("centered"),
		})
	case "adagrad":
		o, err = train.NewAdagrad(train.AdagradConfig{LR: lr, LRDecay: c.number("lr_decay"),
			Eps: c.exact("eps")})
	case "adadelta":
		o, err = train.NewAdadelta(train.AdadeltaConfig{LR: lr, Rho: c.exact("rho"),
			Eps: c.exact("eps")})
	}
	require.NoError(c.t, err)
	return o
}

func newClip(c settings) (clip train.Clip) {
	limit, eps := c.number("clip_max"), c.exact("clip_eps")
	switch c.word("clip", "none", "norm", "value") {
	case "norm":
		clip = train.Clip{Norm: limit, Eps: eps}
	case "value":
		clip = train.Clip{Value: limit}
	}
	return clip
}

func newSchedule(c settings, lr float64) (schedule train.Schedule) {
	var err error
	switch c.word("kind", "none", "step", "exponential", "cosine_warmup", "reduce_on_plateau") {
	case "none":
		schedule, err = train.NewConstant(lr)
	case "step":
		schedule, err = train.NewStepDecay(train.StepDecayConfig{LR: lr,
			Every: c.whole("step_size"), Gamma: c.number("gamma")})
	case "exponential":
		schedule, err = train.NewExponential(train.ExponentialConfig{LR: lr,
			Gamma: c.number("gamma")})
	case "cosine_warmup":
		schedule, err = train.NewCosine(train.CosineConfig{
			LR: lr, MinLR: c.number("min_lr"), Warmup: c.whole("warmup"), Total: c.whole("total"),
		})
	case "reduce_on_plateau":
		schedule, err = train.NewPlateau(train.PlateauConfig{
			LR: lr, Factor: c.number("factor"), Patience: c.whole("patience"),
			Threshold: c.number("threshold"), MinLR: c.number("min_lr"),
		})
	}
	require.NoError(c.t, err)
	c.done()
	return schedule
}
