package main

import (
	"math"
	"math/rand/v2"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/plot"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/series"
)

const (
	period   = 25
	lookback = 50 // values that are read
	ahead    = 25 // values that are forecast
	spread   = 0.2
	units    = 16
)

// waveAt is a sine with noise, from a step on.
func waveAt(from, n int, seed uint64) (noisy, clean []float64) {
	r := rand.New(rand.NewPCG(seed, 5))
	for t := from; t < from+n; t++ {
		v := math.Sin(2 * math.Pi * float64(t) / period)
		noisy, clean = append(noisy, v+spread*r.NormFloat64()), append(clean, v)
	}
	return noisy, clean
}

// Waved is what is kept of a cell's forecasts.
type Waved struct {
	Cell    string
	Weights int
	// root of the mean squared error against the wave without noise, over seeds
	Low, High    float64
	Milliseconds float64
	Forecast     []float64 // of the example
}

// waveExample is the window that is drawn: what is seen, and the wave without noise.
func waveExample() (seen, truth plot.Curve) {
	noisy, clean := waveAt(7, lookback+ahead, 100)
	seen, truth = plot.Curve{Name: "seen", Dots: true}, plot.Curve{Name: "without noise"}
	for t, v := range clean {
		truth.X, truth.Y = append(truth.X, float64(t)), append(truth.Y, v)
		if t < lookback {
			seen.X, seen.Y = append(seen.X, float64(t)), append(seen.Y, noisy[t])
		}
	}
	return seen, truth
}

func rows(v []float64) (out [][]float64) {
	for _, x := range v {
		out = append(out, []float64{x})
	}
	return out
}

// learnWaves trains every cell, with several seeds, on two thousand values.
func learnWaves(p *course.Page) (out []Waved, err error) {
	noisy, _ := waveAt(0, course.Pick(p, 200, 2000, 4000), 1)
	learn, err := series.New([]string{"wave"}, noisy)
	if err != nil {
		return nil, err
	}
	scale, err := learn.Scale()
	if err != nil {
		return nil, err
	}
	ms, err := timed(p, 3, func(i int) (*train.Step, error) {
		return layerStep(compared[i].Spec, 32, lookback, 1, units)
	})
	if err != nil {
		return nil, err
	}
	for i, cell := range compared[:3] {
		w := Waved{Cell: cell.Name, Low: math.Inf(1), Milliseconds: ms[i]["all"]}
		for seed := range course.Pick(p, 1, 3, 10) {
			m, err := forecast.New(forecast.Config{Recurrent: zoo.Recurrent{Cell: cell.Spec,
				Hidden: units},
				Variables: learn.Names, Lookback: lookback, Horizon: ahead,
				Level: forecast.LevelNone}, scale, uint64(seed+1))
			if err != nil {
				return nil, err
			}
			task, err := m.Task(forecast.Data{Train: learn, Seed: uint64(seed + 1)})
			if err != nil {
				return nil, err
			}
			adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
			if err != nil {
				return nil, err
			}
			if _, err = train.Fit(p.Context(), task, train.Config{Optimizer: adam,
				Epochs: course.Pick(p, 1, 8, 20),
				Seed:   uint64(seed + 1), Clip: train.Clip{Norm: 1},
				Warn: func(string) {}}); err != nil {
				return nil, err
			}
			e, err := waveError(func(seen []float64) ([]float64, error) { return goOn(m, seen) })
			if err != nil {
				return nil, err
			}
			w.Low, w.High, w.Weights = min(w.Low, e), max(w.High, e), m.Params().Count()
			if seed == 0 {
				seen, _ := waveAt(7, lookback, 100)
				if w.Forecast, err = goOn(m, seen); err != nil {
					return nil, err
				}
			}
			p.Progress("%s, seed %d: %.3f", cell.Name, seed+1, e)
		}
		out = append(out, w)
	}
	e, err := waveError(func(seen []float64) ([]float64, error) {
		return seen[lookback-ahead:],
			nil
	})
	return append(out, Waved{Cell: "the values of one period ago", Low: e, High: e}), err
}

func goOn(m *forecast.Model, seen []float64) ([]float64, error) {
	next, err := m.Forecast(rows(seen))
	var out []float64
	for _, x := range next {
		out = append(out, x[0])
	}
	return out, err
}

// waveError is the root of the mean squared error of forecasts of new waves, from any phase,
// against what they are without noise.
func waveError(forecast func(seen []float64) ([]float64, error)) (float64, error) {
	sum, n := 0.0, 0.0
	for from := range 4 * period {
		noisy, clean := waveAt(from, lookback+ahead, uint64(1000+from))
		next, err := forecast(noisy[:lookback])
		if err != nil {
			return 0, err
		}
		for t, v := range next {
			sum, n = sum+(v-clean[lookback+t])*(v-clean[lookback+t]), n+1
		}
	}
	return math.Sqrt(sum / n), nil
}
