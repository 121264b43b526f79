package forecast_test

import (
	"context"
	"fmt"
	"log"
	"math"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/series"
)

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// A forecaster learns a wave and goes on with it, row by row as they come in.
func ExampleModel() {
	wave := func(i int) float64 { return 20 + 10*math.Sin(2*math.Pi*float64(i)/12) }
	s := &series.Series{Names: []string{"celsius"}}
	for i := range 240 {
		s.Values = append(s.Values, wave(i))
	}
	m := must(forecast.New(forecast.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 16},
		Variables: s.Names, Lookback: 12, Horizon: 3}, must(s.Scale()), 1))
	must(train.Fit(context.Background(), must(m.Task(forecast.Data{Train: s, Batch: 16})),
		train.Config{
			Optimizer: must(train.NewAdam(train.AdamConfig{LR: 0.01})), Epochs: 30}))
	now := m.NewSession()
	for i := range 15 {
		if err := now.Push([]float64{wave(i)}); err != nil {
			log.Fatal(err)
		}
	}
	for h, row := range must(now.Forecast()) {
		fmt.Println(math.Abs(row[0]-wave(15+h)) < 1)
	}
	// Output:
	// true
	// true
	// true
}
