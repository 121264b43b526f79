package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestSchedules(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func() (Schedule, error)
		want  []float64 // rates of the steps 0, 1, …
	}{
		{"constant", func() (Schedule, error) { return NewConstant(0.3) },
			[]float64{0.3, 0.3, 0.3}},
		{"step", func() (Schedule, error) { return NewStepDecay(StepDecayConfig{LR: 1, Every: 2}) },
			[]float64{1, 1, 0.1, 0.1, 0.01}},
		{"exponential", func() (Schedule, error) {
			return NewExponential(ExponentialConfig{LR: 8, Gamma: 0.5})
		},
			[]float64{8, 4, 2, 1}},
		{"cosine", func() (Schedule, error) { return NewCosine(CosineConfig{LR: 1, Total: 2}) },
			[]float64{1, 0.5, 0, 0, 0}},
		{"cosine with warm-up", func() (Schedule, error) {
			return NewCosine(CosineConfig{LR: 1, MinLR: 0.2, Warmup: 2, Total: 4})
		}, []float64{0.5, 1, 1, 0.6, 0.2, 0.2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := c.build()
			require.NoError(t, err)
			for step, want := range c.want {
				require.InDelta(t, want, s.LR(step), 1e-12)
				s.Observe(math.NaN()) // without effect
			}
			require.NoError(t, s.Restore(s.State()))
			state := s.State()
			state.Kind = "plateau"
			require.ErrorContains(t, s.Restore(state), `the state is that of "plateau"`)
			state = s.State()
			state.Scalars = map[string]float64{"best": 1}
			require.ErrorContains(t, s.Restore(state), `scalar "best" is unknown`)
			state.Scalars = map[string]float64{"w/steps": 0}
			require.ErrorContains(t, s.Restore(state), `scalar "w/steps" is`)
		})
	}
}

// A function is a schedule; its state goes on with the same function, and refuses another, also
// where it has no rate beyond its end.
func TestFunction(t *testing.T) {
	rates := []float64{0.1, 0.2, 0.4}
	s, err := NewFunction(func(step int) float64 { return rates[step] })
	require.NoError(t, err)
	require.NoError(t, s.Restore(s.State())) // before the first step
	for step, want := range rates {
		require.Equal(t, want, s.LR(step))
		s.Observe(0)
	}
	again, err := NewFunction(func(step int) float64 { return rates[step] })
	require.NoError(t, err)
	require.NoError(t, again.Restore(s.State()))
	require.Equal(t, s.State(), again.State())
	other, err := NewFunction(func(step int) float64 { return 0.1 })
	require.NoError(t, err)
	before := other.State()
	require.ErrorContains(t, other.Restore(s.State()),
		"it is another function: the rate of step 2 is 0.1, and was 0.4")
	bad := s.State()
	bad.Scalars["last"] = 0.5
	require.ErrorContains(t, other.Restore(bad), "must be a whole number")
	constant, err := NewConstant(1)
	require.NoError(t, err)
	require.ErrorContains(t, other.Restore(constant.State()), `the state is that of "constant"`)
	require.Equal(t, before, other.State())
	_, err = NewFunction(nil)
	require.ErrorContains(t, err, "a function")
}

func TestPlateau(t *testing.T) {
	s, err := NewPlateau(PlateauConfig{LR: 1, Factor: 0.5, Patience: 1, Threshold: 0.1, MinLR: 0.3})
	require.NoError(t, err)
	for i, c := range []struct{ metric, want float64 }{
		{math.NaN(), 1}, {10, 1}, // the first number is progress
		{9.5, 1}, {9.1, 0.5}, // not 10 % better, twice
		{8, 0.5}, {8, 0.5}, {math.NaN(), 0.3}, // 0.25 is below the floor
		{8, 0.3}, {7, 0.3},
	} {
		s.Observe(c.metric)
		require.Equal(t, c.want, s.LR(i+1))
	}
	eager, err := NewPlateau(PlateauConfig{LR: 1})
	require.NoError(t, err)
	eager.Observe(2)
	require.Equal(t, 1.0, eager.LR(0))
	eager.Observe(2)
	require.Equal(t, 0.1, eager.LR(0))
}

func TestPlateauResume(t *testing.T) {
	build := func() Schedule {
		s, err := NewPlateau(PlateauConfig{LR: 1, Factor: 0.7, Patience: 1, Threshold: 0.05})
		require.NoError(t, err)
		return s
	}
	rapid.Check(t, func(t *rapid.T) {
		metrics := rapid.SliceOfN(rapid.Float64Range(0, 2), 1, 20).Draw(t, "metrics")
		stop := rapid.IntRange(0, len(metrics)).Draw(t, "stop")
		whole, broken := build(), build()
		for i, m := range metrics {
			if i == stop {
				resumed := build()
				require.NoError(t, resumed.Restore(broken.State()))
				broken = resumed
			}
			whole.Observe(m)
			broken.Observe(m)
			require.Equal(t, whole.LR(i), broken.LR(i))
		}
		require.Equal(t, whole.State(), broken.State())
	})
	for want, damage := range map[string]func(s *State){
		`"bad" is 3`:      func(s *State) { s.Scalars["bad"] = 3 },
		`"bad" is -1`:     func(s *State) { s.Scalars["bad"] = -1 },
		`"lr" is -1`:      func(s *State) { s.Scalars["lr"] = -1 },
		`"best" is`:       func(s *State) { s.Scalars["best"] = math.NaN() },
		`"best" is miss`:  func(s *State) { delete(s.Scalars, "best") },
		`"curve" is unkn`: func(s *State) { s.Scalars["curve"] = 1 },
	} {
		s := build()
		s.Observe(1)
		before, damaged := s.State(), s.State()
		damage(&damaged)
		require.ErrorContains(t, s.Restore(damaged), want)
		require.Equal(t, before, s.State())
	}
}

func TestEarlyStop(t *testing.T) {
	build := func() *EarlyStop {
		e, err := NewEarlyStop(EarlyStopConfig{Patience: 2, MinDelta: 0.5})
		require.NoError(t, err)
		return e
	}
	metrics := []float64{math.NaN(), 10, 9.6, 9.5, 9.4, 9.6, math.NaN(), 9, 1, math.Inf(1)}
	want := []bool{false, false, false, false, false, false, false, true, false, false}
	for stop := range metrics { // interrupted at each observation
		e := build()
		for i, m := range metrics {
			if i == stop {
				resumed := build()
				require.NoError(t, resumed.Restore(e.State()))
				e = resumed
			}
			require.Equal(t, want[i], e.Observe(m), "observation %d", i+1)
			require.Equal(t, want[i], e.Stopped())
		}
		best, at := e.Best()
		require.Equal(t, 1.0, best)
		require.Equal(t, 9, at)
	}

	e, err := NewEarlyStop(EarlyStopConfig{})
	require.NoError(t, err)
	require.False(t, e.Stopped())
	best, at := e.Best()
	require.Equal(t, math.Inf(1), best)
	require.Zero(t, at)
	require.False(t, e.Observe(1))
	require.True(t, e.Observe(1))

	state := e.State()
	state.Scalars["best_at"] = 3
	require.ErrorContains(t, e.Restore(state), `scalar "best_at" is 3`)
	require.ErrorContains(t, e.Restore(State{Kind: "early_stop"}), `scalar "best" is missing`)
	require.True(t, e.Stopped(), "unchanged")
}
