// Package forecast holds models that continue a series of several variables: a recurrent network
// reads the last Lookback steps and gives the next Horizon steps at once.
//
//	s, err := series.ReadFile("ETTh1.csv.gz", series.Options{Skip: []string{"date"}})
//	learn, valid := s.Slice(0, 8640), s.Slice(8640-168, 11520)
//	scale, err := learn.Scale()
//	model, err := forecast.New(forecast.Config{
//		Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 64},
//		Variables: s.Names, Lookback: 168, Horizon: 24,
//	}, scale, 1)
//	task, err := model.Task(forecast.Data{Train: learn, Valid: valid}) // for train.Fit
//	errors, err := model.Evaluate(context.Background(), valid)
//
// [Config] describes a model, [New] makes one, [Load] reads one that Save has written. A model
// keeps the scale of the series that it learned from: Forecast takes and gives numbers as the
// series has them, and Evaluate measures every window in standardised ones, as [ForecastErrors].
// [Data] is what Task trains on.
//
// Config.Known are variables whose values ahead are known, such as holidays; Config.Static tell
// series apart, of which Data.More has others beside the first; Config.Gaps says what is read where
// a value is missing, which is NaN in a series that series.Options.Missing: series.Gap has read:
// the last value, the mean, or the last value with a mask beside it. Config.Quantiles and
// [Model.Calibrate] give intervals. [Model.Backtest] goes through a series with one model, and
// [Rolling] with models that are fitted again and again to what is known by then.
//
// A model may be used by many goroutines at once.
package forecast
