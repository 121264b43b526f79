package train_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
)

// scripted is a bowl whose validations give the values listed, under a name.
func scripted(name string, values ...float64) (b *bowl, weights *[][]float64) {
	b, weights = newBowl(4), new([][]float64)
	b.validate = func(context.Context) error {
		b.measured = map[string]float64{name: values[len(*weights)]}
		*weights = append(*weights, append([]float64{}, b.w.Value().Float64s()...))
		return nil
	}
	return b, weights
}

func TestGoalOf(t *testing.T) {
	for name, want := range map[string]train.Goal{
		"valid_loss": train.Smaller, "valid_accuracy": train.Larger, "valid_perplexity": train.Smaller,
		"valid_bleu": train.Larger, "valid_bleu_gap": train.Smaller, "Accuracy": train.Larger,
		"val/F1": train.Larger, "word error rate": train.Smaller, "accuracy_loss": train.Smaller,
		"f1 macro": train.Larger, "valid_auc": train.Larger, "": "", "fun": "", "glossary": "",
		"negative_log_likelihood": "", "log_likelihood": train.Larger, "neg_mse": "", "日本": "",
	} {
		require.Equal(t, want, train.GoalOf(name), name)
	}
}

// The best of a rising accuracy is its largest value, whatever tells so: the name, the
// configuration of the training, or that of the early stop.
func TestMonitorLargerIsBetter(t *testing.T) {
	values := []float64{0.6, 0.8, 0.7, 0.75, 0.1, 0.9}
	for _, c := range []struct {
		name        string
		goal, early train.Goal
	}{{"valid_accuracy", "", ""}, {"fun", train.Larger, ""}, {"fun", "", train.Larger},
		{"valid_loss", train.Larger, train.Larger}} {
		b, weights := scripted(c.name, values...)
		r, err := train.Fit(context.Background(), b, train.Config{Optimizer: adam(0.1), Epochs: 6,
			Monitor: c.name, Goal: c.goal, RestoreBest: true,
			EarlyStop: must(train.NewEarlyStop(train.EarlyStopConfig{Patience: 2, Goal: c.early}))})
		require.NoError(t, err)
		require.Equal(t, c.name+" was best, 0.8, after epoch 2 of 5", r.Stopped)
		require.Equal(t, train.Best{Metric: c.name, Value: 0.8, Epoch: 2, Step: 8}, r.Best)
		require.Equal(t, (*weights)[1], b.w.Value().Float64s())
	}
}

func TestMonitorErrors(t *testing.T) {
	stop := func(g train.Goal) *train.EarlyStop {
		return must(train.NewEarlyStop(train.EarlyStopConfig{Goal: g}))
	}
	plateau := func(g train.Goal) train.Schedule {
		return must(train.NewPlateau(train.PlateauConfig{LR: 0.1, Goal: g}))
	}
	used, usedPlateau := stop(""), plateau("")
	used.Observe(3)
	usedPlateau.Observe(3)
	for want, c := range map[string]train.Config{
		`whether a larger "fun" is better cannot be told`: {Monitor: "fun", RestoreBest: true},
		`cannot be told by its name; set Config.Goal`:     {Monitor: "fun", EarlyStop: stop("")},
		`cannot be told`: {Monitor: "fun", Schedule: plateau("")},
		`the goal of EarlyStop is larger, and another one is smaller`: {Goal: train.Smaller,
			EarlyStop: stop(train.Larger)},
		`they observe one metric, valid_loss`: {Schedule: plateau(train.Smaller),
			EarlyStop: stop(train.Larger)},
		`Config.Goal is more`:                       {Goal: "more"},
		"EarlyStop has observed 1 metrics of":       {EarlyStop: used},
		"Schedule has observed 1 metrics of":        {Schedule: usedPlateau},
		"Monitor is acc, but all that Validate mea": {Monitor: "acc", RestoreBest: true},
	} {
		c.Optimizer, c.Epochs = adam(0.1), 2
		_, err := train.Fit(context.Background(), newBowl(3), c)
		require.ErrorContains(t, err, want)
	}
	_, err := train.NewEarlyStop(train.EarlyStopConfig{Goal: "up"})
	require.ErrorContains(t, err, "EarlyStopConfig.Goal is up")
	_, err = train.NewPlateau(train.PlateauConfig{LR: 1, Goal: "up"})
	require.ErrorContains(t, err, "PlateauConfig.Goal is up")
}

// A reused early stop is refused also where it comes from a Fit that has ended.
func TestReusedEarlyStop(t *testing.T) {
	c := train.Config{Optimizer: adam(0.1), Epochs: 3,
		EarlyStop: must(train.NewEarlyStop(train.EarlyStopConfig{Patience: 5}))}
	_, err := train.Fit(context.Background(), newBowl(3), c)
	require.NoError(t, err)
	b := newBowl(3)
	before := append([]float64{}, b.w.Value().Float64s()...)
	_, err = train.Fit(context.Background(), b, c)
	require.ErrorContains(t, err, "EarlyStop has observed 3 metrics of another training already")
	require.Equal(t, before, b.w.Value().Float64s())
}

// A reused average would be the mean of two trainings.
func TestReusedAverage(t *testing.T) {
	c := train.Config{Optimizer: adam(0.1), Epochs: 3,
		Average: must(train.NewAverage(train.AverageConfig{}))}
	r, err := train.Fit(context.Background(), newBowl(3), c)
	require.NoError(t, err)
	b := newBowl(3)
	before := append([]float64{}, b.w.Value().Float64s()...)
	_, err = train.Fit(context.Background(), b, c)
	require.ErrorContains(t, err, fmt.Sprintf("Average has averaged %d updates of another", r.Steps))
	require.Equal(t, before, b.w.Value().Float64s())
}

func TestPlateauLarger(t *testing.T) {
	p := must(train.NewPlateau(train.PlateauConfig{LR: 1, Factor: 0.5, Threshold: 0.1,
		Goal: train.Larger}))
	for i, c := range []struct{ metric, lr float64 }{{0.5, 1}, {0.54, 0.5}, {0.56, 0.5},
		{0.56, 0.25}, {math.Inf(1), 0.125}, {0.9, 0.125}} {
		p.Observe(c.metric)
		require.Equal(t, c.lr, p.LR(0), i)
	}
}

// The monitor "loss" is the mean loss of the epoch, so that a task without validation has one too.
func TestMonitorLoss(t *testing.T) {
	b := newBowl(2)
	b.measured = map[string]float64{}
	losses := []float64{5, 7, 2, 3, 9, 9}
	b.next = func(counter int, batch *train.Batch) error {
		batch.Loss = losses[counter]
		return nil
	}
	var best []float64
	r, err := train.Fit(context.Background(), b, train.Config{Optimizer: adam(0.1), Epochs: 3,
		Monitor: "loss", RestoreBest: true, AfterStep: func(step int) error {
			if step == 4 {
				best = append(best, b.w.Value().Float64s()...)
			}
			return nil
		}})
	require.NoError(t, err)
	require.Equal(t, train.Best{Metric: "loss", Value: 2.5, Epoch: 2, Step: 4}, r.Best)
	require.Equal(t, best, b.w.Value().Float64s())
}

// The best weights remain with and without a directory, averaged or not, and after a resume.
func TestRestoreBest(t *testing.T) {
	values := []float64{5, 3, 4, 6, 7, 8}
	for _, averaged := range []bool{false, true} {
		config := func(steps int) train.Config {
			c := train.Config{Optimizer: adam(0.1), Epochs: 6, Monitor: "error", RestoreBest: true,
				MaxSteps: steps}
			if averaged {
				c.Average = must(train.NewAverage(train.AverageConfig{}))
			}
			return c
		}
		b, weights := scripted("error", values...)
		r, err := train.Fit(context.Background(), b, config(0))
		require.NoError(t, err)
		require.Equal(t, (*weights)[1], b.w.Value().Float64s())
		require.Empty(t, r.Warnings)
		require.Equal(t, 6, r.Epochs)

		for _, stop := range []int{1, 5, 8, 9, 17, 24} {
			dir := tempDir(t)
			first, done := scripted("error", values...)
			_, _, err := fit(t, context.Background(), dir, first, config(stop))
			require.NoError(t, err)
			again, _ := scripted("error", values[len(*done):]...)
			_, r, err := fit(t, context.Background(), dir, again, config(0))
			require.NoError(t, err)
			require.Equal(t, b.w.Value().Float64s(), again.w.Value().Float64s(), "stopped at "+
				"%d", stop)
			require.Equal(t, train.Best{Metric: "error", Value: 3, Epoch: 2, Step: 8}, r.Best)
		}
	}
}

func TestRestoreBestWithoutAny(t *testing.T) {
	b, _ := scripted("error", math.NaN(), math.Inf(1))
	_, err := train.Fit(context.Background(), b, train.Config{Optimizer: adam(0.1), Epochs: 2,
		Monitor: "error", RestoreBest: true})
	require.ErrorIs(t, err, train.ErrNotFinite)
	r, err := train.Fit(context.Background(), newBowl(3), train.Config{Optimizer: adam(0.1),
		Epochs: 1, MaxSteps: 2, RestoreBest: true})
	require.NoError(t, err)
	require.Contains(t, r.Warnings[0], "no epoch was done, so that nothing was validated: there "+
		"is no best valid_loss, and the weights are the last ones")

	// A directory in which the weights of the best were not kept.
	dir := tempDir(t)
	c := train.Config{Optimizer: adam(0.1), Epochs: 2, MaxSteps: 5, Monitor: "valid_loss",
		Warn: func(string) {}}
	_, _, err = fit(t, context.Background(), dir, newBowl(3), c)
	require.NoError(t, err)
	require.NoFileExists(t, filepath.Join(dir, "best.safetensors"))
	c.MaxSteps, c.RestoreBest = 0, true
	_, r, err = fit(t, context.Background(), dir, newBowl(3), c)
	require.NoError(t, err)
	require.Equal(t, 2, r.Best.Epoch)
	require.Contains(t, r.Warnings[0], "were not kept before step 5")
}

// A resume by another monitor would compare what cannot be compared.
func TestResumeWithOtherMonitor(t *testing.T) {
	dir := tempDir(t)
	b, _ := scripted("error", 1, 2, 3)
	c := train.Config{Optimizer: adam(0.1), Epochs: 3, MaxSteps: 9, Monitor: "error",
		RestoreBest: true}
	_, _, err := fit(t, context.Background(), dir, b, c)
	require.NoError(t, err)
	b, _ = scripted("error", 3)
	c.Goal, c.MaxSteps = train.Larger, 0
	_, _, err = fit(t, context.Background(), dir, b, c)
	require.ErrorIs(t, err, train.ErrOtherSettings)
	require.ErrorContains(t, err, `with monitor "error, smaller is better", not "error, `+
		`larger is better"`)
}

// Callbacks are told of each row, and of each once, also over a resume.
func TestOnRow(t *testing.T) {
	var rows []train.Row
	tell := func(r train.Row) error {
		rows = append(rows, r)
		r.Metrics["loss"] = -1 // its own copy
		return nil
	}
	config := func(steps int) train.Config {
		return train.Config{Optimizer: adam(0.1), Epochs: 3, RecordEvery: 2, MaxSteps: steps,
			OnRow: []func(train.Row) error{nil, func(r train.Row) error {
				require.NotEqual(t, -1.0, r.Metrics["loss"])
				return nil
			}, tell}}
	}
	r, err := train.Fit(context.Background(), newBowl(5), config(0))
	require.NoError(t, err)
	require.Len(t, rows, r.History.Len())
	steps, _ := r.History.Column("loss")
	for i, s := range steps {
		require.Equal(t, s, rows[i].Step)
	}
	whole := rows
	for stop := 1; stop < 15; stop++ {
		rows = nil
		dir := tempDir(t)
		for _, s := range []int{stop, 0} {
			_, _, err := fit(t, context.Background(), dir, newBowl(5), config(s))
			require.NoError(t, err)
		}
		require.Equal(t, whole, rows)
	}
}

// An error of a callback ends the training with it; ErrStop ends it as if all were done.
func TestCallbacksEnd(t *testing.T) {
	for _, fail := range []error{errors.New("no room"), train.ErrStop} {
		for _, after := range []bool{false, true} {
			c := train.Config{Optimizer: adam(0.1), Epochs: 3, RecordEvery: 2, RestoreBest: true}
			if after {
				c.AfterStep = func(step int) error {
					if step == 5 {
						return fail
					}
					return nil
				}
			} else {
				c.OnRow = []func(train.Row) error{func(r train.Row) error {
					if r.Step == 5 {
						return fail
					}
					return nil
				}}
			}
			dir := tempDir(t)
			_, r, err := fit(t, context.Background(), dir, newBowl(3), c)
			require.Equal(t, 5, r.Steps)
			if fail != train.ErrStop {
				require.Equal(t, fail, err)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, "a callback asked for it", r.Stopped)
			require.Equal(t, 5, lastStep(t, dir))
			want := newBowl(3)
			_, _, err = fit(t, context.Background(), tempDir(t), want, train.Config{
				Optimizer: adam(0.1), Epochs: 3, RecordEvery: 2, RestoreBest: true})
			require.NoError(t, err)
			c.OnRow, c.AfterStep = nil, nil
			got := newBowl(3)
			_, _, err = fit(t, context.Background(), dir, got, c)
			require.NoError(t, err)
			require.Equal(t, want.w.Value().Data(), got.w.Value().Data())
		}
	}
}

// The line at the end of an epoch has the mean of the epoch, each batch weighted by its count,
// whether or not the training was stopped within the epoch.
func TestProgressEpochMean(t *testing.T) {
	losses, counts := []float64{8, 1, 1, 2, 2, 5}, []int{1, 1, 2, 10, 10, 20}
	run := func(dir string, steps int, out *bytes.Buffer) {
		b := newBowl(3)
		b.next = func(counter int, batch *train.Batch) error {
			batch.Loss, batch.Count = losses[counter], counts[counter]
			return nil
		}
		_, _, err := fit(t, context.Background(), dir, b, train.Config{
			Optimizer: adam(0.1), Epochs: 2, MaxSteps: steps, SaveEvery: 1,
			Progress: train.NewProgress(out, "bowl", ""),
		})
		require.NoError(t, err)
	}
	for stop := range 6 {
		var out bytes.Buffer
		dir := tempDir(t)
		if stop > 0 {
			run(dir, stop, &out)
		}
		run(dir, 0, &out)
		require.Equal(t, 2, strings.Count(out.String(), " done "), out.String())
		require.Contains(t, out.String(), "bowl epoch 1 done  loss 2.750  ") // (8 + 1 + 2·1)/4
		// (10·2 + 10·2 + 20·5)/40
		require.Contains(t, out.String(), "bowl epoch 2 done  loss 3.500  ")
	}
}
