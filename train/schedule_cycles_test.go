package train_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
)

// PyTorch 1.13's rates, by torch.optim.lr_scheduler in double precision.
func TestCyclesArePyTorchs(t *testing.T) {
	for name, c := range map[string]struct {
		schedule train.Schedule
		want     []float64
	}{
		"OneCycleLR(max_lr=0.1, total_steps=12)": {
			must(train.NewOneCycle(train.OneCycleConfig{LR: 0.1, Total: 12})),
			[]float64{0.004, 0.034978965422, 0.0879285159122, 0.0994415435451, 0.0933012969841,
				0.081174565395, 0.0647378997695, 0.0462637102667, 0.0283060998209, 0.0133477530189,
				0.00345669874254, 4e-07, 4e-07, 4e-07}, // PyTorch has no step behind Total
		},
		"OneCycleLR(0.5, total_steps=7, pct_start=0.5, div_factor=4, final_div_factor=10)": {
			must(train.NewOneCycle(train.OneCycleConfig{LR: 0.5, Total: 7, Rise: 0.5, Div: 4,
				FinalDiv: 10})),
			[]float64{0.125, 0.254559313555, 0.464190686445, 0.475861161551, 0.310489477652,
				0.104274360797, 0.0125},
		},
		"OneCycleLR(0.5, total_steps=4, div_factor=4, final_div_factor=10)": {
			must(train.NewOneCycle(train.OneCycleConfig{LR: 0.5, Total: 4, Div: 4, FinalDiv: 10})),
			[]float64{0.125, 0.408225639203, 0.15049083859, 0.0125},
		},
		"a top before the first step": { // which PyTorch divides by 0, or reads backwards
			must(train.NewOneCycle(train.OneCycleConfig{LR: 0.5, Total: 2, Div: 4, FinalDiv: 10})),
			[]float64{0.5, 0.0125},
		},
		"a top at the first step": {
			must(train.NewOneCycle(train.OneCycleConfig{LR: 0.5, Total: 2, Rise: 0.5,
				FinalDiv: 1})),
			[]float64{0.5, 0.02, 0.02},
		},
		"CosineAnnealingWarmRestarts(3, 2, eta_min=0.01)": {
			must(train.NewWarmRestarts(train.WarmRestartsConfig{LR: 0.1, MinLR: 0.01, First: 3,
				Times: 2})),
			[]float64{0.1, 0.0775, 0.0325, 0.1, 0.0939711431703, 0.0775, 0.055, 0.0325,
				0.0160288568297, 0.1, 0.098466662183},
		},
		"CosineAnnealingWarmRestarts(4)": {
			must(train.NewWarmRestarts(train.WarmRestartsConfig{LR: 0.1, First: 4})),
			[]float64{0.1, 0.0853553390593, 0.05, 0.0146446609407, 0.1, 0.0853553390593, 0.05,
				0.0146446609407, 0.1, 0.0853553390593},
		},
	} {
		for step, want := range c.want {
			require.InDelta(t, want, c.schedule.LR(step), 1e-12, "%s, step %d", name, step)
		}
	}
}

// PyTorch 1.13's ReduceLROnPlateau, with its cooldown and either way of its threshold.
func TestPlateauIsPyTorchs(t *testing.T) {
	metrics := []float64{1, .95, .9, .89, .88, .87, .86, .85, .84, .83, .5, .5, .5, .5, .5, .6, .7}
	for _, c := range []struct {
		train.PlateauConfig
		want []float64
	}{
		{train.PlateauConfig{Patience: 1, Threshold: 0.1, Cooldown: 2}, []float64{1, 1, .5, .5, .5,
			.5, .25, .25, .25, .25, .25, .25, .125, .125, .125, .125, .0625}},
		{train.PlateauConfig{MinDelta: 0.05, Cooldown: 1, Goal: train.Larger}, []float64{1, .5, .5,
			.25, .25, .125, .125, .0625, .0625, .03125, .03125, .015625, .015625, .0078125,
			.0078125,
			.00390625, .00390625}},
	} {
		c.LR, c.Factor = 1, 0.5
		p := must(train.NewPlateau(c.PlateauConfig))
		for i, m := range metrics {
			if i%3 == 1 { // another one goes on from the state
				again := must(train.NewPlateau(c.PlateauConfig))
				require.NoError(t, again.Restore(p.State()))
				p = again
			}
			p.Observe(m)
			require.Equal(t, c.want[i], p.LR(0), "%+v, metric %d", c.PlateauConfig, i)
		}
		other := c.PlateauConfig
		other.Cooldown = 0
		require.ErrorContains(t, must(train.NewPlateau(other)).Restore(p.State()),
			`scalar "cooling" is unknown`)
	}
}

// A share of a negative best is a distance too: a likelihood of −95 is better than one of −100 by a
// twentieth, and −99.9 by hardly anything.
func TestPlateauOfNegativeMetrics(t *testing.T) {
	for goal, sign := range map[train.Goal]float64{train.Larger: -1, train.Smaller: 1} {
		p := must(train.NewPlateau(train.PlateauConfig{LR: 1, Factor: 0.5, Threshold: 0.02,
			Goal: goal}))
		for i, c := range []struct{ metric, lr float64 }{
			{100, 1}, {99.9, 0.5}, {95, 0.5}, {94, 0.25}} {
			p.Observe(sign * c.metric)
			require.Equal(t, c.lr, p.LR(0), "%s %d", goal, i)
		}
	}
}

func TestCycleErrors(t *testing.T) {
	fails := func(_ train.Schedule, err error) string { require.Error(t, err); return err.Error() }
	for want, got := range map[string]string{
		"OneCycleConfig.LR is 0":  fails(train.NewOneCycle(train.OneCycleConfig{Total: 2})),
		"OneCycleConfig.Total is": fails(train.NewOneCycle(train.OneCycleConfig{LR: 1, Total: 1})),
		"OneCycleConfig.Rise is 1": fails(train.NewOneCycle(train.OneCycleConfig{LR: 1, Total: 2,
			Rise: 1})),
		"OneCycleConfig.Div is": fails(train.NewOneCycle(train.OneCycleConfig{LR: 1, Total: 2,
			Div: 0.5})),
		"OneCycleConfig.FinalDiv is": fails(train.NewOneCycle(train.OneCycleConfig{LR: 1, Total: 2,
			FinalDiv: train.Zero})),
		"WarmRestartsConfig.First is 0": fails(train.NewWarmRestarts(train.WarmRestartsConfig{LR: 1})),
		"WarmRestartsConfig.MinLR is 2": fails(train.NewWarmRestarts(train.WarmRestartsConfig{LR: 1,
			First: 1, MinLR: 2})),
		"WarmRestartsConfig.Times is -1": fails(train.NewWarmRestarts(train.WarmRestartsConfig{LR: 1,
			First: 1, Times: -1})),
		"PlateauConfig.Cooldown is -1": fails(train.NewPlateau(train.PlateauConfig{LR: 1,
			Cooldown: -1})),
		"PlateauConfig.MinDelta is -1": fails(train.NewPlateau(train.PlateauConfig{LR: 1,
			MinDelta: -1})),
	} {
		require.Contains(t, got, want)
	}
}
