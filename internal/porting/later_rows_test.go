package porting_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/label"
)

// Folds, rates of one's own, and which are too large.
func TestFoldsAndRates(t *testing.T) {
	ctx := context.Background()
	_, data := classifier(t)
	accuracies := 0.0
	folds := must(train.Folds(data.Train, 5, 1))
	for learn, held := range folds {
		m, _ := classifier(t)
		task, err := m.Task(label.Data{Train: learn, Valid: held, Smoothing: 0.1})
		require.NoError(t, err)
		result, err := train.Fit(ctx, task, train.Config{Epochs: 4,
			Optimizer: must(train.NewAdam(train.AdamConfig{})),
			Schedule: must(train.NewFunction(func(step int) float64 {
				return 0.1 * min(1, float64(step+1)/100)
			})),
			Average: must(train.NewAverage(train.AverageConfig{})),
		})
		require.NoError(t, err)
		_, values := result.History.Column("valid_accuracy")
		accuracies += values[len(values)-1]
	}
	require.Greater(t, accuracies/5, 0.5)

	m, data := classifier(t)
	data.Smoothing = 0.1
	task, err := m.Task(data)
	require.NoError(t, err)
	found, err := train.Fit(ctx, task, train.Config{Epochs: 100,
		Optimizer: must(train.NewSGD(train.SGDConfig{})),
		Schedule: must(train.NewFunction(func(step int) float64 {
			return 1e-5 * math.Pow(1.3, float64(step))
		})),
		RecordEvery: 1, MaxSteps: 40,
	})
	require.NoError(t, err)
	_, losses := found.History.Column("loss")
	_, rates := found.History.Column("lr")
	require.GreaterOrEqual(t, len(losses), 40)
	require.Greater(t, rates[39], 1e4*rates[0])
}

// Dropout of a recurrence, attention by several heads, whole sequences and last outputs, several
// labels of which some are rare, and a file for other runtimes.
func TestLaterModelRows(t *testing.T) {
	const H = 4
	m := must(label.NewClassifier(label.ClassifierConfig{Several: true, Config: label.Config{
		Recurrent: zoo.Recurrent{Hidden: H, HiddenDropout: 0.1}, IODropout: 0.2}},
		vocabulary(t, 6), vocabulary(t, 3), 1))
	genres := []label.Labelled{{Sequence: label.Sequence{IDs: []int{1, 2}}, Labels: []int{0, 2}},
		{Sequence: label.Sequence{IDs: []int{3}}},
		{Sequence: label.Sequence{IDs: []int{4}}, Labels: []int{1}}}
	data := label.Data{PositiveWeights: label.BalancedPositives(genres, 3)}
	data.Train = genres
	task, err := m.Task(data)
	require.NoError(t, err)
	_, err = task.Next(1, 0)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, onnx.Export(m, filepath.Join(dir, "model.onnx"), onnx.ExportOptions{}))
	_, err = os.Stat(filepath.Join(dir, "model.onnx"))
	require.NoError(t, err)

	s := nodes.NewStore(nodes.Float32, 1)
	require.NoError(t, nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{})
		keys, queries, lengths := g.Input("keys", 5, 2, 8), g.Input("queries", 3, 2, 8),
			g.IntInput("lengths", 2)
		heads := cells.NewMultiHead(s.Root().In("heads"), cells.MultiHeadConfig{Query: 8, Heads: 2})
		context, weights := heads.Over(keys, nil, lengths).Attend(queries, nil)
		require.Equal(t, []int{3, 2, 8}, context.Shape())
		require.Equal(t, []int{2, 2, 3, 5}, weights.Shape())
		layer := unroll.Over(cells.NewLSTM(s.Root().In("lstm"), cells.LSTMConfig{In: 8, Hidden: H}))
		r := layer.Unroll(keys, nil, unroll.Options{Lengths: lengths})
		require.Equal(t, []int{5, 2, H}, r.Y().Shape())
		require.Equal(t, []int{2, H}, r.Final()[0].Shape())
		logits, targets := g.Input("logits", 2, 3), g.IntInput("targets", 2)
		smooth := nodes.CrossEntropy(logits, targets, nodes.CrossEntropyOptions{Smoothing: 0.1})
		require.Empty(t, smooth.Shape())
	}))
}
