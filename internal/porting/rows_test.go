// Package porting_test runs what docs/porting.md says: the code of each row of its table stands in
// one of these tests, and two scripts of PyTorch train beside this library.
package porting_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/label"
)

// Every piece of code in the right column of the table is run by a test of this package.
func TestRowsAreRun(t *testing.T) {
	page, err := os.ReadFile("../../docs/porting.md")
	require.NoError(t, err)
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	var source strings.Builder
	for _, f := range files {
		code, err := os.ReadFile(f)
		require.NoError(t, err)
		source.Write(code)
	}
	squeeze := regexp.MustCompile(`\s`)
	run := squeeze.ReplaceAllString(source.String(), "")
	span := regexp.MustCompile("`([^`]+)`")
	rows := 0
	for _, line := range strings.Split(string(page), "\n") {
		columns := strings.Split(line, " | ")
		if len(columns) != 2 || strings.HasPrefix(line, "| Keras") {
			continue
		}
		spans := span.FindAllStringSubmatch(columns[1], -1)
		require.NotEmpty(t, spans, "a row without code: %s", line)
		for _, s := range spans {
			require.Contains(t, run, squeeze.ReplaceAllString(s[1], ""), "no test runs %s", s[1])
		}
		rows++
	}
	require.Greater(t, rows, 25)
}

// reviews are texts of features that tell which of two labels they have.
func reviews(n int) (all []label.Labelled) {
	r := rng.Stream{Key: rng.New(4)}
	for i := range n {
		e := label.Labelled{Labels: []int{i % 2}}
		for range 3 + r.Intn(4) {
			e.Features = append(e.Features, float32(i%2)+float32(r.Normal()), 1)
		}
		all = append(all, e)
	}
	return all
}

func classifier(t *testing.T) (*label.Classifier, label.Data) {
	m := must(label.NewClassifier(label.ClassifierConfig{Config: label.Config{Features: 2,
		Recurrent: zoo.Recurrent{Cell: "lstm", Hidden: 6}}}, nil, vocabulary(t, 2), 1))
	return m, label.Data{Train: reviews(40), Valid: reviews(12), Batch: 8}
}

func TestModelRows(t *testing.T) {
	tokens, labels := vocabulary(t, 20), vocabulary(t, 3)
	const V, E, H = 20, 4, 6
	for _, c := range []label.ClassifierConfig{
		{Config: label.Config{Recurrent: zoo.Recurrent{Cell: "lstm", Hidden: 32}, Embed: 16}},
		{Config: label.Config{Recurrent: zoo.Recurrent{Cell: "gru,reset_before"}}},
		{Config: label.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: H, Layers: 2,
			Dropout: 0.5}, Bidirectional: true}},
		{Config: label.Config{Head: 64}, Pool: label.PoolMax},
		{Several: true},
	} {
		c.Hidden = max(c.Hidden, H)
		must(label.NewClassifier(c, tokens, labels, 1))
	}
	tagging := label.TaggerConfig{CRF: true}
	tagging.Hidden = H
	must(label.NewTagger(tagging, tokens, labels, 1))

	s := nodes.NewStore(nodes.Float32, 1)
	require.NoError(t, nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Training: true})
		ids, lengths := g.IntInput("ids", 7, 2), g.IntInput("lengths", 2)
		table := s.Root().Param("E", nodes.Uniform(-0.1, 0.1), V, E)
		x := nodes.Embedding(table, ids, 0)
		layer := unroll.Over(cells.NewLSTM(s.Root().In("lstm"), cells.LSTMConfig{In: E, Hidden: H}))
		r := layer.Unroll(x, nil, unroll.Options{Lengths: lengths})
		y, last := r.Y(), r.Final()[0]
		require.Equal(t, []int{7, 2, H}, y.Shape())
		require.Equal(t, []int{2, H}, last.Shape())
		dense := nodes.NewLinear(s.Root().In("out"), nodes.LinearConfig{In: H, Out: 3})
		logits := dense.Of(nodes.Dropout(last, 0.5))
		targets := g.IntInput("targets", 2)
		loss := nodes.CrossEntropy(logits, targets, nodes.CrossEntropyOptions{Ignore: []int{-1}})
		step := must(train.NewStep(loss, logits))
		must(run.Feed(ids))
		require.NoError(t, step.Close())
	}))
	for _, p := range must(s.Find("lstm")) {
		p.Freeze(true)
	}
	require.True(t, s.Params()[1].Frozen())
}

func TestFitRows(t *testing.T) {
	ctx := context.Background()
	m, data := classifier(t)
	data.ClassWeights = label.Balanced(data.Train, 2)
	task, err := m.Task(data)
	require.NoError(t, err)
	events, err := train.OpenEvents(t.TempDir())
	require.NoError(t, err)
	checkpoints, err := train.OpenCheckpoints(t.TempDir(), 0)
	require.NoError(t, err)
	defer checkpoints.Close()
	biases := must(m.Params().Find("**/b*"))
	optimizer, err := train.NewGroups(
		train.Group{Optimizer: must(train.NewAdamW(train.AdamConfig{LR: 1e-2, WeightDecay: 0.01}))},
		train.Group{Params: biases, Optimizer: must(train.NewAdamW(train.AdamConfig{LR: 1e-2}))})
	require.NoError(t, err)
	plateau := train.PlateauConfig{LR: 1e-2, Factor: 0.5, Patience: 2, Threshold: 1e-4}
	var rows []train.Row
	result, err := train.Fit(ctx, task, train.Config{
		Optimizer: optimizer, Epochs: 10,
		Clip:      train.Clip{Norm: 1},
		Schedule:  must(train.NewPlateau(plateau)),
		EarlyStop: must(train.NewEarlyStop(train.EarlyStopConfig{Patience: 2})),
		Monitor:   "valid_accuracy", RestoreBest: true,
		Checkpoints: checkpoints, Resume: true,
		OnRow: []func(train.Row) error{events.Row, func(r train.Row) error {
			rows = append(rows, r)
			return nil
		}},
	})
	require.NoError(t, err)
	require.NoError(t, events.Close())
	require.NotEmpty(t, rows)
	steps, losses := result.History.Column("valid_loss")
	require.Equal(t, len(steps), len(losses))
	e, err := m.Evaluate(ctx, data.Valid)
	require.NoError(t, err)
	require.InDelta(t, result.Best.Value, e.Confusion.Accuracy(), 1e-12)
	macro, err := e.Confusion.Macro()
	require.NoError(t, err)
	require.Positive(t, macro.F1)
	prediction, err := m.Predict(data.Valid[0].Sequence)
	require.NoError(t, err)
	require.Len(t, prediction.Probs, 2)
	dir := t.TempDir()
	require.NoError(t, m.Save(dir))
	loaded, err := label.LoadClassifier(dir)
	require.NoError(t, err)
	again, err := loaded.Predict(data.Valid[0].Sequence)
	require.NoError(t, err)
	require.Equal(t, prediction, again)
	other, _ := classifier(t)
	left, err := train.LoadWeights(other.Params().Params(), train.Weights(m.Params().Params()), nil)
	require.NoError(t, err)
	require.Empty(t, left)
	report, err := train.CheckGradients(task, graph.GradientCheck{Samples: 2})
	require.NoError(t, err)
	require.NotNil(t, report)
	require.NoError(t, train.CheckTask(task, 0))
}

// Two heads on one model: which of two labels a sequence has, and its mean, from one layer, with one
// loss; and a loop of one's own in place of Fit.
func TestTwoHeadsAndALoopOfOnesOwn(t *testing.T) {
	const T, B, In, H = 5, 8, 2, 6
	s := nodes.NewStore(nodes.Float32, 1)
	var step *train.Step
	var x, mean run.Floats
	var targets []int
	require.NoError(t, nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Training: true})
		in, want, kind := g.Input("x", T, B, In), g.Input("mean", B, 1), g.IntInput("kind", B)
		layer := unroll.Over(cells.NewGRU(s.Root().In("layer"), cells.GRUConfig{In: In, Hidden: H}))
		h := layer.Unroll(in, nil, unroll.Options{}).Final()[0]
		first := nodes.NewLinear(s.Root().In("kind"), nodes.LinearConfig{In: H, Out: 2}).Of(h)
		second := nodes.NewLinear(s.Root().In("mean"), nodes.LinearConfig{In: H, Out: 1}).Of(h)
		loss := nodes.Add(nodes.CrossEntropy(first, kind, nodes.CrossEntropyOptions{}),
			nodes.Scale(nodes.MSE(second, want, nodes.ReduceMean), 0.5))
		step = must(train.NewStep(loss, first, second))
		var f run.Inputs
		x, mean, targets = f.Floats(in), f.Floats(want), f.Ints(kind)
		require.NoError(t, f.Err())
	}))
	r := rng.Stream{Key: rng.New(1)}
	optimizer := must(train.NewAdam(train.AdamConfig{LR: 0.02}))
	var losses []float64
	for i := range 150 {
		for b := range B {
			sum := 0.0
			for k := range T * In {
				v := r.Normal() + float64(b%2)
				x.Set((k/In*B+b)*In+k%In, v)
				sum += v
			}
			targets[b] = b % 2
			mean.Set(b, sum/(T*In))
		}
		loss, err := step.Run(1, i)
		require.NoError(t, err)
		_, err = train.Clip{Norm: 1}.Apply(step.Grads())
		require.NoError(t, err)
		require.NoError(t, optimizer.Step(step.Grads()))
		losses = append(losses, loss)
	}
	require.Less(t, losses[149], 0.5*losses[0])
	g, err := step.Grad("kind/W")
	require.NoError(t, err)
	require.Equal(t, 2*H, g.Len())
	require.False(t, math.IsNaN(g.At(0)))
}
