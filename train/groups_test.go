package train_test

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
)

// three is a store of three parameters with gradients that depend on the step.
func three() (params []*nodes.Param, grads func(step int, of ...int) []gorgonia.ValueGrad) {
	s := nodes.NewStore(nodes.Float32, 1).Root()
	for _, name := range []string{"W", "b", "U"} {
		params = append(params, s.Param(name, nodes.Uniform(-1, 1), 2, 3))
	}
	return params, func(step int, of ...int) (out []gorgonia.ValueGrad) {
		for _, i := range of {
			g := make([]float32, 6)
			for k := range g {
				g[k] = float32(math.Sin(float64(step + 7*i + k)))
			}
			out = append(out, bowlGrad{params[i], tensor.New(tensor.WithShape(2, 3),
				tensor.WithBacking(g))})
		}
		return out
	}
}

func values(params []*nodes.Param) (out [][]float32) {
	for _, p := range params {
		out = append(out, append([]float32{}, p.Value().Float32s()...))
	}
	return out
}

// Groups are optimizers side by side, to the bit: with rates of their own that a schedule changes
// in proportion, with parameters that are left out of steps, and over a State.
func TestGroups(t *testing.T) {
	adamW := func(lr, decay float64) train.Optimizer {
		return must(train.NewAdamW(train.AdamConfig{LR: lr, WeightDecay: decay}))
	}
	params, grads := three()
	together := func() train.Optimizer {
		return must(train.NewGroups(train.Group{Params: params[1:2], Optimizer: adamW(0.01, 0)},
			train.Group{Optimizer: adamW(0.02, 0.1)}))
	}
	alone, gradsAlone := three()
	a, b := adamW(0.01, 0), adamW(0.02, 0.1)
	g := together()
	require.Equal(t, 0.01, g.LR())
	for step := range 20 {
		if step == 7 {
			state := g.State()
			g = together()
			require.NoError(t, g.Restore(state))
			require.Equal(t, state, g.State())
		}
		lr := 0.04 / float64(1+step)
		g.SetLR(lr)
		a.SetLR(lr)
		b.SetLR(2 * lr)
		if step%3 == 0 { // the group of b has no gradient
			require.NoError(t, g.Step(grads(step, 2, 0)))
		} else {
			require.NoError(t, g.Step(grads(step, 0, 1, 2)))
			require.NoError(t, a.Step(gradsAlone(step, 1)))
		}
		require.NoError(t, b.Step(gradsAlone(step, 0, 2)))
		require.Equal(t, values(alone), values(params), step)
	}
}

func TestGroupsErrors(t *testing.T) {
	params, grads := three()
	one := adam(0.1)
	for want, groups := range map[string][]train.Group{
		"there is no group":                                  nil,
		"group 0: it has no optimizer":                       {{}},
		"group 1: its optimizer is that of group 0":          {{Optimizer: one}, {Optimizer: one}},
		"group 1: it has no Params, as group 0":              {{Optimizer: one}, {Optimizer: adam(1)}},
		"group 0: its list of Params is empty":               {{Optimizer: one, Params: []*nodes.Param{}}},
		"group 0: parameter 1 is nil":                        {{Optimizer: one, Params: []*nodes.Param{params[0], nil}}},
		"group 1: it has b, which group 0 has":               {{Params: params[:2], Optimizer: one}, {Params: params[1:], Optimizer: adam(1)}},
		"group 0 has a rate of 0; it must be finite and mor": {{Params: params[:1], Optimizer: must(train.NewSGD(train.SGDConfig{LR: train.Zero}))}, {Optimizer: one}},
	} {
		_, err := train.NewGroups(groups...)
		require.ErrorContains(t, err, want)
	}

	// A step that fails changes nothing, whichever group it fails in.
	some := must(train.NewGroups(train.Group{Params: params[:1], Optimizer: adam(0.1)},
		train.Group{Params: params[1:2], Optimizer: adam(0.1)}))
	before := values(params)
	require.ErrorContains(t, some.Step(grads(1, 0, 1, 2)), `parameter "U" is in no group`)
	require.ErrorContains(t, some.Step(grads(1, 0, 1, 1)), "listed twice")
	require.NoError(t, some.Step(grads(1, 0)))
	require.Equal(t, before[1:], values(params)[1:])
	before = values(params)
	some.SetLR(math.NaN())
	require.ErrorContains(t, some.Step(grads(1, 0, 1)), "learning rate is NaN")
	require.Equal(t, before, values(params))

	// A state of other groups is refused, and nothing of it is taken.
	rest := must(train.NewGroups(train.Group{Params: params[:1], Optimizer: adam(0.1)},
		train.Group{Optimizer: adam(0.1)}))
	require.NoError(t, rest.Step(grads(1, 0, 1, 2)))
	state := rest.State()
	moved := must(train.NewGroups(train.Group{Params: params[:2], Optimizer: adam(0.1)},
		train.Group{Optimizer: adam(0.1)}))
	require.ErrorContains(t, moved.Restore(state), `parameter "b" was in group 1, and is not`)
	fresh := moved.State()
	for name, spoil := range map[string]func(s *train.State){
		"must be that of": func(s *train.State) { s.Kind = "adam" },
		"Step is -1":      func(s *train.State) { s.Step = -1 },
		"belongs to no group": func(s *train.State) {
			s.Scalars["x"] = 1
		},
		"steps of all": func(s *train.State) { delete(s.Scalars, "group 1/steps of all") },
		"group 1: ":    func(s *train.State) { delete(s.Scalars, "group 1/lr") },
	} {
		s := must(train.NewGroups(train.Group{Params: params[:2], Optimizer: adam(0.1)},
			train.Group{Optimizer: adam(0.1)})).State()
		spoil(&s)
		require.ErrorContains(t, moved.Restore(s), name)
		require.Equal(t, fresh, moved.State(), name)
	}
}

// With frozen parameters the others learn as they would, the frozen ones stay, and a resume with
// others frozen is refused.
func TestFitFrozen(t *testing.T) {
	b := newBowl(3)
	b.w.Freeze(true)
	c := train.Config{Optimizer: adam(0.1), Epochs: 1}
	_, err := train.Fit(context.Background(), b, c)
	require.ErrorContains(t, err, "every parameter of the task is frozen")

	dir := tempDir(t)
	task := smallLM(t, smallWindow)
	frozen := must(lmStore.Find("**/l0"))
	for _, p := range frozen {
		p.Freeze(true)
	}
	before := train.Weights(lmStore.Params())
	for name, w := range before {
		before[name] = w.Clone().(*tensor.Dense)
	}
	c.MaxSteps = 5
	_, _, err = fit(t, context.Background(), dir, task, c)
	require.NoError(t, err)
	for _, p := range lmStore.Params() {
		if p.Frozen() {
			require.Equal(t, before[p.Name()].Data(), p.Value().Data(), p.Name())
		} else {
			require.NotEqual(t, before[p.Name()].Data(), p.Value().Data(), p.Name())
		}
	}
	c.MaxSteps = 0
	_, _, err = fit(t, context.Background(), dir, smallLM(t, smallWindow), c)
	require.ErrorIs(t, err, train.ErrOtherSettings)
	require.ErrorContains(t, err, `with frozen "layers/l0/W_hh layers/l0/W_ih `)

	// What is frozen while a task is at work is left as it is, and what is freed needs a new step.
	task = smallLM(t, smallWindow)
	_, err = task.Next(1, 0)
	require.NoError(t, err)
	lmStore.Params()[1].Freeze(true)
	batch, err := task.Next(1, 1)
	require.NoError(t, err)
	require.Len(t, batch.Grads, len(lmStore.Params())-1)
	task = smallLM(t, smallWindow)
	lmStore.Params()[1].Freeze(true)
	_, err = task.Next(1, 0)
	require.NoError(t, err)
	lmStore.Params()[1].Freeze(false)
	_, err = task.Next(1, 1)
	require.ErrorContains(t, err, lmStore.Params()[1].Name()+" is no longer frozen")
}
