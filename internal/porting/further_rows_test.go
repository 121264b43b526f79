package porting_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/series"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// Callbacks, rates by epochs and in cycles, draws by weights, and which examples are held out.
func TestCallbackRows(t *testing.T) {
	ctx := context.Background()
	m, data := classifier(t)
	held := len(data.Train) * 4 / 5
	task, err := m.Task(label.Data{Train: data.Train[:held], Valid: data.Train[held:]})
	require.NoError(t, err)
	const epochs = 3
	total := epochs * task.Len()
	byEpoch := func(epoch int) float64 { return 0.01 / float64(1+epoch) }
	for _, schedule := range []train.Schedule{
		must(train.NewFunction(func(step int) float64 { return byEpoch(step / task.Len()) })),
		must(train.NewOneCycle(train.OneCycleConfig{LR: 0.1, Total: total})),
		must(train.NewWarmRestarts(train.WarmRestartsConfig{LR: 0.1, First: 10, Times: 2})),
		must(train.NewPlateau(train.PlateauConfig{LR: 1e-2, Factor: 0.5, Patience: 1,
			MinDelta: 1e-4, Cooldown: 1})),
	} {
		m, _ := classifier(t)
		task, err = m.Task(data)
		require.NoError(t, err)
		result, err := train.Fit(ctx, task, train.Config{Epochs: epochs, Schedule: schedule,
			Optimizer: must(train.NewAdamW(train.AdamConfig{LR: 1e-3, WeightDecay: 0.01})),
			Average:   must(train.NewAverage(train.AverageConfig{After: total / 2})),
		})
		if errors.Is(err, train.ErrNotFinite) {
			t.Fatal(err)
		}
		require.NoError(t, err)
		var file strings.Builder
		require.NoError(t, result.History.WriteCSV(&file))
		require.True(t, strings.HasPrefix(file.String(), "step,epoch,"))
	}
	weights := make([]float64, len(data.Train))
	for i, e := range data.Train {
		weights[i] = 1 + 4*float64(e.Labels[0])
	}
	drawn := must(train.Resample(data.Train, weights, len(data.Train), 1))
	require.Len(t, drawn, len(data.Train))
	folds := must(train.StratifiedFolds(data.Train, 5, 1,
		func(e label.Labelled) int { return e.Labels[0] }))
	for learn, held := range folds {
		require.Len(t, held, 8)
		require.Equal(t, []float64{1, 1}, label.Balanced(learn, 2))
	}
	for _, optimizer := range []train.Optimizer{
		must(train.NewRMSProp(train.RMSPropConfig{LR: 1e-3, Alpha: 0.9, Eps: 1e-7})),
		must(train.NewAdagrad(train.AdagradConfig{LR: 0.01})),
		must(train.NewAdam(train.AdamConfig{LR: 1e-3, Eps: 1e-7})),
		must(train.NewAdam(train.AdamConfig{LR: 1e-3, AMSGrad: true})),
	} {
		_, err := train.Fit(ctx, task, train.Config{Epochs: 1, Optimizer: optimizer,
			Clip: train.Clip{Norm: 1, Each: true}})
		require.NoError(t, err)
	}
	dir := t.TempDir()
	grid := train.Grid(map[string][]string{"lr": {"0.1", "0.01"}, "hidden": {"4", "8"}})
	runs, err := train.Sweep(ctx, train.SweepConfig{Dir: dir}, grid,
		func(ctx context.Context, dir string, settings map[string]string) (*train.Result, error) {
			m, data := classifier(t)
			task, err := m.Task(data)
			if err != nil {
				return nil, err
			}
			return train.Fit(ctx, task, train.Config{Epochs: 1,
				Optimizer: must(train.NewAdam(train.AdamConfig{}))})
		})
	require.NoError(t, err)
	var table strings.Builder
	require.NoError(t, train.WriteRuns(&table, runs, "valid_loss", train.Smaller))
	require.Equal(t, 5, strings.Count(table.String(), "\n"))
}

// Layers by themselves: states that are given, both ways and several layers, joined and reshaped
// values, losses, and a penalty on weights.
func TestLayerRows(t *testing.T) {
	const T, B, E, H = 5, 2, 3, 4
	s := nodes.NewStore(nodes.Float32, 1)
	require.NoError(t, nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Training: true})
		x, h0, c0 := g.Input("x", T, B, E), g.Input("h0", B, H), g.Input("c0", B, H)
		layer := unroll.Over(cells.NewLSTM(s.Root().In("lstm"), cells.LSTMConfig{In: E, Hidden: H}))
		r := layer.Unroll(x, cells.State{h0, c0}, unroll.Options{})
		h, c := r.Final()[0], r.Final()[1]
		back := layer.Unroll(x, nil, unroll.Options{Reverse: true})
		deep := zoo.Recurrent{Cell: "lstm", Hidden: H, Layers: 2,
			Dropout: 0.5}.Stack(s.Root().In("deep"), E, true)
		require.Equal(t, []int{T, B, 2 * H}, deep.Unroll(x, nil, unroll.Options{}).Y().Shape())
		both := nodes.Concat(-1, h, c)
		require.Equal(t, []int{B, 2 * H}, both.Shape())
		repeated := nodes.Broadcast(nodes.Reshape(h, 1, B, H), T, B, H)
		gain := s.Root().Param("gain", nodes.Ones(), H)
		bias := s.Root().Param("bias", nodes.Zeros(), H)
		normed := nodes.LayerNorm(h, gain, bias, 1e-5)
		dense := nodes.NewLinear(s.Root().In("out"), nodes.LinearConfig{In: H, Out: 1})
		y, target := dense.Of(h), g.Input("target", B, 1)
		penalty := nodes.Scale(nodes.Sum(nodes.Square(g.Param(dense.W))), 1e-4)
		loss := nodes.Add(penalty,
			nodes.MSE(y, target, nodes.ReduceMean), nodes.L1(y, target, nodes.ReduceMean),
			nodes.Huber(y, target, 1, nodes.ReduceMean),
			nodes.BCEWithLogits(y, target, nodes.ReduceMean),
			nodes.Mean(nodes.Mul(repeated, back.Y())), nodes.Mean(nodes.Square(normed)))
		step := must(train.NewStep(loss))
		for _, in := range []*nodes.Node{x, h0, c0, target} {
			must(run.Feed(in))
		}
		must(step.Run(1, 0))
		require.NoError(t, step.Close())
		state := must(run.NewState(layer.Parts(), B, nodes.Float32))
		require.NoError(t, state.Reset())
	}))
	sequences := [][]int{{1, 2}, {3}}
	var padded train.Padded
	require.NoError(t, padded.Fill(sequences, []int{0, 1}, 0))
	require.Equal(t, []int{1, 3, 2, 0}, padded.IDs)
}

// Whole scripts of Keras' examples: characters translated, text generated, weather forecast,
// anomalies found.
func TestWholeModelRows(t *testing.T) {
	ctx := context.Background()
	specials := []string{text.Unk, text.BOS, text.EOS}
	english, french := must(text.Chars{}.Tokens("go.")), must(text.Chars{}.Tokens("va !"))
	words := must(text.NewVocabulary(text.VocabularyConfig{Specials: specials}, english, french))
	translator := must(seq2seq.New(seq2seq.Config{Encoder: zoo.Recurrent{Cell: "lstm", Hidden: 8}},
		words, words, 1))
	pairs, err := translator.Pairs([][]string{english}, [][]string{french})
	require.NoError(t, err)
	_, err = translator.Task(seq2seq.Data{Train: pairs, Batch: 64})
	require.NoError(t, err)
	found, err := translator.Translate(ctx, english, decode.SearchOptions{Beam: 5, Max: 9})
	require.NoError(t, err)
	require.Len(t, found, 1)

	writer := must(lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 8},
		Level: lm.Characters}, words, 1))
	out, err := writer.Generate(ctx, "go", lm.GenerateOptions{Max: 5,
		Sample: decode.Sampler{Temperature: 0.5}, Seed: 1})
	require.NoError(t, err)
	require.Len(t, out.New, 5)

	var values []float64
	for i := range 90 {
		values = append(values, float64(i%7), float64(i%5))
	}
	weather := must(series.New([]string{"temperature", "pressure"}, values))
	learn, valid := weather.Slice(0, 60), weather.Slice(60, 90)
	forecaster := must(forecast.New(forecast.Config{Recurrent: zoo.Recurrent{Cell: "lstm",
		Hidden: 32}, Variables: weather.Names,
		Targets: []string{"temperature"}, Lookback: 12, Horizon: 6}, must(learn.Scale()), 1))
	_, err = forecaster.Task(forecast.Data{Train: learn, Valid: valid, Batch: 256})
	require.NoError(t, err)
	future, err := forecaster.Forecast(rowsOf(valid))
	require.NoError(t, err)
	require.Len(t, future, 6)

	windows := must(weather.Windows(6, 1))
	detector := must(reduce.NewRecurrentAutoencoder(reduce.RecurrentAutoencoderConfig{Recurrent: zoo.Recurrent{Hidden: 8}, Variables: 2, Window: 6, Code: 4}, 1))
	errs, err := detector.Errors(windows)
	require.NoError(t, err)
	causes, err := reduce.Explain(detector, windows, 2)
	require.NoError(t, err)
	require.Len(t, causes, len(errs))

	tagger := must(label.NewTagger(label.TaggerConfig{Config: label.Config{Recurrent: zoo.Recurrent{Hidden: 4}}}, words,
		must(text.NewVocabulary(text.VocabularyConfig{}, []string{"O", "B-PER"})), 1))
	e, err := tagger.Evaluate(ctx, []label.Labelled{{Sequence: label.Sequence{IDs: []int{1, 2}},
		Labels: []int{0, 1}}})
	require.NoError(t, err)
	require.GreaterOrEqual(t, e.Entities.Micro().F1, 0.0)
	_, err = e.Confusion.Class(1)
	require.NoError(t, err)

	file := filepath.Join(t.TempDir(), "lstm.pt")
	s := nodes.NewStore(nodes.Float32, 1)
	cells.NewLSTM(s.Root().In("l0"), cells.LSTMConfig{In: 3, Hidden: 4})
	require.NoError(t, zoo.ExportTorch(file, s, zoo.TorchModule{Torch: "lstm", Path: "l0"}))
	_, err = os.Stat(file)
	require.NoError(t, err)
}

// rowsOf are the rows of a series.
func rowsOf(s *series.Series) (rows [][]float64) {
	for t := range s.Len() {
		rows = append(rows, s.Row(t))
	}
	return rows
}
