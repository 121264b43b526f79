package label_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// labeller is what SequenceClassifier and Tagger have in common.
type labeller interface {
	zoo.Model
	Task(label.Data) (train.Task, error)
	Evaluate(context.Context, []label.Labelled) (*label.Evaluation, error)
	Forward(x, lengths *nodes.Node, s unroll.Strategy) *nodes.Node
	EncodeLabelled(tokens []string, labels ...string) (label.Labelled, error)
}

var sequenceConfigs = map[string]label.Config{
	"rnn": {Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 3}},
	"gru, both ways": {Recurrent: zoo.Recurrent{Cell: "gru,memory=9", Hidden: 4},
		Bidirectional: true, Embed: 3},
	"lstm, two": {Recurrent: zoo.Recurrent{Cell: "lstm,memory=9", Hidden: 3, Layers: 2,
		Residual: true}},
	"lstm, two, both": {Recurrent: zoo.Recurrent{Cell: "lstm,peephole=full", Hidden: 2, Layers: 2},
		Bidirectional: true},
	"features": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3}, Features: 2,
		Bidirectional: true},
	"one feature": {Recurrent: zoo.Recurrent{Cell: "lstm,coupled,memory=5", Hidden: 1},
		Features: 1},
}

// eachLabeller runs a test with a classifier of every pool and a tagger for every configuration.
func eachLabeller(t *testing.T, change func(*label.Config),
	test func(t *testing.T, m labeller, cfg label.Config, perStep bool)) {
	for name, cfg := range sequenceConfigs {
		if testing.Short() && name != "gru, both ways" && name != "features" {
			continue
		}
		if change != nil {
			change(&cfg)
		}
		var tokens *text.Vocabulary
		if cfg.Features == 0 {
			tokens = zootest.Letters(t, 5, text.Unk)
		}
		for _, kind := range []label.Pool{label.PoolLast, label.PoolMean, label.PoolMax, "tagger"} {
			t.Run(name+"/"+string(kind), func(t *testing.T) {
				cfg := cfg
				if kind == label.PoolMax {
					cfg.Head = 3
				}
				var m labeller
				var err error
				if kind == "tagger" {
					m, err = label.NewTagger(label.TaggerConfig{Config: cfg}, tokens,
						zootest.Letters(t, 3), 1)
				} else {
					m, err = label.NewClassifier(label.ClassifierConfig{Config: cfg, Pool: kind},
						tokens, zootest.Letters(t, 3), 1)
				}
				require.NoError(t, err)
				zootest.Scramble(m)
				test(t, m, cfg, kind == "tagger")
			})
		}
	}
}

// examples are random, of the given lengths.
func examples(cfg label.Config, perStep bool, lengths ...int) []label.Labelled {
	r := rng.Stream{Key: rng.New(3)}
	out := make([]label.Labelled, len(lengths))
	for i, n := range lengths {
		for range n {
			if cfg.Features == 0 {
				out[i].IDs = append(out[i].IDs, r.Intn(6))
			}
			for range cfg.Features {
				out[i].Features = append(out[i].Features, float32(r.Normal()))
			}
			if perStep {
				out[i].Labels = append(out[i].Labels, r.Intn(3))
			}
		}
		if !perStep {
			out[i].Labels = []int{r.Intn(3)}
		}
	}
	return out
}

// predictions of either kind, a classifier's as one step.
func predictAll(t *testing.T, m labeller, all []label.Labelled) (p [][]label.Prediction) {
	var sequences []label.Sequence
	for _, e := range all {
		sequences = append(sequences, e.Sequence)
	}
	switch m := m.(type) {
	case *label.Tagger:
		found, err := m.PredictAll(context.Background(), sequences)
		require.NoError(t, err)
		return found
	case *label.Classifier:
		found, err := m.PredictAll(context.Background(), sequences)
		require.NoError(t, err)
		for _, f := range found {
			p = append(p, []label.Prediction{f})
		}
	}
	return p
}

// What is predicted for a sequence does not depend on the batch that it is read in, be it longer or
// shorter than the others, and is what Evaluate measures.
func TestPredictionsDoNotDependOnTheBatch(t *testing.T) {
	eachLabeller(t, nil, func(t *testing.T, m labeller, cfg label.Config, perStep bool) {
		all := examples(cfg, perStep, 1, 7, 4, 4, 2, 13, 1, 8)
		together := predictAll(t, m, all)
		loss, n, right := 0., 0, 0
		for i, e := range all {
			alone := predictAll(t, m, all[i:i+1])[0]
			require.Len(t, together[i], len(alone))
			for k, p := range alone {
				testkit.RequireInDelta(t, p.Probs, together[i][k].Probs, 1e-6)
				require.Equal(t, slices.Max(p.Probs), p.Prob)
				require.Equal(t, p.Prob, p.Probs[p.ID])
				require.Equal(t, string(rune('a'+p.ID)), p.Label)
				loss -= math.Log(p.Probs[e.Labels[k]])
				n++
				if p.ID == e.Labels[k] {
					right++
				}
			}
		}
		e, err := m.Evaluate(context.Background(), all)
		require.NoError(t, err)
		require.InDelta(t, loss/float64(n), e.Loss, 1e-5)
		require.Equal(t, n, e.Confusion.Total())
		require.InDelta(t, float64(right)/float64(n), e.Confusion.Accuracy(), 1e-12)
	})
}

func TestSequenceGradients(t *testing.T) {
	for _, s := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
		double := func(c *label.Config) { c.Float64, c.Dropout, c.IODropout = true, 0.2, 0.3 }
		eachLabeller(t, double, func(t *testing.T, m labeller, cfg label.Config, perStep bool) {
			task, err := m.Task(label.Data{Train: examples(cfg, perStep, 3, 5, 1), Batch: 4,
				Unroll: s})
			require.NoError(t, err)
			zootest.CheckGradients(t, task)
		})
	}
}

// A tag that depends on the token after, and a class that depends on the first token, behind a long
// tail.
func TestTaggerAndClassifierLearn(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains")
	}
	r := rng.Stream{Key: rng.New(1)}
	var tagged, classified []label.Labelled
	for range 400 {
		var e label.Labelled
		for range 2 + r.Intn(9) {
			e.IDs = append(e.IDs, r.Intn(3))
		}
		for i := range e.IDs {
			label := 0
			if i+1 < len(e.IDs) && e.IDs[i+1] == e.IDs[i] {
				label = 1
			}
			e.Labels = append(e.Labels, label)
		}
		tagged = append(tagged, e)
		classified = append(classified, label.Labelled{Sequence: e.Sequence, Labels: e.IDs[:1]})
	}
	cfg := label.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 16}}
	classifier, err := label.NewClassifier(label.ClassifierConfig{Config: cfg},
		zootest.Letters(t, 3), zootest.Letters(t, 3), 1)
	require.NoError(t, err)
	cfg.Bidirectional = true
	tagger, err := label.NewTagger(label.TaggerConfig{Config: cfg}, zootest.Letters(t, 3),
		zootest.Letters(t, 2), 1)
	require.NoError(t, err)
	for _, c := range []struct {
		m    labeller
		data []label.Labelled
	}{{tagger, tagged}, {classifier, classified}} {
		task, err := c.m.Task(label.Data{Train: c.data[:300], Valid: c.data[300:], Batch: 20})
		require.NoError(t, err)
		adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
		require.NoError(t, err)
		result, err := train.Fit(context.Background(), task,
			train.Config{Optimizer: adam, Epochs: 15, Clip: train.Clip{Norm: 1}})
		require.NoError(t, err)
		accuracy := zootest.Last(result, "valid_accuracy")
		require.Greater(t, accuracy, 0.98, c.m.Architecture())
	}
}

func TestSequenceModelsSaveAndLoad(t *testing.T) {
	eachLabeller(t, nil, func(t *testing.T, m labeller, cfg label.Config, perStep bool) {
		dir := t.TempDir()
		require.NoError(t, m.Save(dir))
		loaded, err := zoo.Load(dir)
		require.NoError(t, err)
		all := examples(cfg, perStep, 3, 5)
		require.Equal(t, predictAll(t, m, all), predictAll(t, loaded.(labeller), all))
		if perStep {
			_, err = label.LoadClassifier(dir)
			require.ErrorContains(t, err, "holds a Tagger, not a SequenceClassifier")
		} else {
			_, err = label.LoadTagger(dir)
			require.ErrorContains(t, err, "holds a SequenceClassifier, not a Tagger")
		}
		labels, err := os.ReadFile(filepath.Join(dir, "labels.json"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "labels.json"),
			[]byte(strings.Replace(string(labels), `"a"`, `"q"`, 1)), 0o666))
		_, err = zoo.Load(dir)
		require.ErrorContains(t, err, "labels.json does not belong to")
	})
}

// The gradient in the last state is there at the last step, and on its way back it passes every
// step of the sequence.
func TestSequenceGradientFlow(t *testing.T) {
	cfg := label.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4}}
	m, err := label.NewClassifier(label.ClassifierConfig{Config: cfg},
		zootest.Letters(t, 5, text.Unk), zootest.Letters(t, 3), 1)
	require.NoError(t, err)
	flow, err := m.GradientFlow(examples(cfg, false, 8, 8, 8))
	require.NoError(t, err)
	require.Len(t, flow.Layers, 1)
	require.Len(t, flow.Layers[0].Norms, 8)
	for i, norm := range flow.Layers[0].Norms {
		require.Positive(t, norm, "step %d", i)
	}
	_, err = m.GradientFlow(nil)
	require.ErrorContains(t, err, "there are 0 examples")
}

// 32 goroutines use one model at once.
func TestTaggerConcurrently(t *testing.T) {
	cfg := sequenceConfigs["gru, both ways"]
	m, err := label.NewTagger(label.TaggerConfig{Config: cfg}, zootest.Letters(t, 5, text.Unk),
		zootest.Letters(t, 3), 1)
	require.NoError(t, err)
	zootest.Scramble(m)
	all := examples(cfg, true, 1, 2, 3, 5, 8, 13)
	want := predictAll(t, m, all)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for k := range 6 {
				at := (i + k) % len(all)
				got, err := m.Predict(all[at].Sequence)
				if err != nil {
					t.Error(err)
					return
				}
				for s, p := range got {
					if d := p.Prob - want[at][s].Prob; math.Abs(d) > 1e-6 {
						t.Errorf("sequence %d, step %d: %g, alone %g", at, s, p.Prob,
							want[at][s].Prob)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestSequenceErrors(t *testing.T) {
	gru := zoo.Recurrent{Cell: "gru", Hidden: 2}
	tokens, labels := zootest.Letters(t, 3), zootest.Letters(t, 2)
	for want, c := range map[string]label.ClassifierConfig{
		"hidden is 0":           {},
		"features is -1":        {Config: label.Config{Recurrent: gru, Features: -1}},
		"embed is -1":           {Config: label.Config{Recurrent: gru, Embed: -1}},
		"only tokens are":       {Config: label.Config{Recurrent: gru, Embed: 1, Features: 1}},
		"io_dropout is NaN":     {Config: label.Config{Recurrent: gru, IODropout: math.NaN()}},
		`pool is "sum"`:         {Config: label.Config{Recurrent: gru}, Pool: "sum"},
		"takes no vocabulary":   {Config: label.Config{Recurrent: gru, Features: 1}},
		"both say how biases":   {Config: label.Config{Recurrent: zoo.Recurrent{Cell: "lstm,uniform,memory=3", Hidden: 1}}},
		"Memory is 1":           {Config: label.Config{Recurrent: zoo.Recurrent{Cell: "gru,memory=1", Hidden: 1}}},
		`no option "memory"`:    {Config: label.Config{Recurrent: zoo.Recurrent{Cell: "rnn,memory=9", Hidden: 1}}},
		"hidden is 10995116277": {Config: label.Config{Recurrent: zoo.Recurrent{Hidden: 1 << 40}}},
	} {
		_, err := label.NewClassifier(c, tokens, labels, 1)
		require.ErrorContains(t, err, want)
	}
	ok := label.Config{Recurrent: gru}
	_, err := label.NewTagger(label.TaggerConfig{Config: ok}, nil, labels, 1)
	require.ErrorContains(t, err, "needs a vocabulary")
	_, err = label.NewTagger(label.TaggerConfig{Config: ok}, tokens, nil, 1)
	require.ErrorContains(t, err, "needs labels")

	tagger, err := label.NewTagger(label.TaggerConfig{Config: ok}, tokens, labels, 1)
	require.NoError(t, err)
	ok.Features = 2
	reader, err := label.NewClassifier(label.ClassifierConfig{Config: ok}, nil, labels, 1)
	require.NoError(t, err)
	ctx := context.Background()
	nan := float32(math.NaN())
	for want, err := range map[string]error{
		"the sequence is empty":        testkit.ErrOf(tagger.Predict(label.Sequence{})),
		"sequence 1: the sequence has": testkit.ErrOf(tagger.PredictAll(ctx, []label.Sequence{{IDs: []int{0}}, {IDs: []int{3}}})),
		"id -1 at position 1":          testkit.ErrOf(tagger.Predict(label.Sequence{IDs: []int{0, -1}})),
		"the model reads tokens":       testkit.ErrOf(tagger.Predict(label.Sequence{Features: []float32{1}})),
		"the model reads features":     testkit.ErrOf(reader.Predict(label.Sequence{IDs: []int{1}})),
		"want a multiple of 2":         testkit.ErrOf(reader.Predict(label.Sequence{Features: []float32{1}})),
		"has NaN at step 1, feature 0": testkit.ErrOf(reader.Predict(label.Sequence{Features: []float32{1, 2, nan, 1}})),
		"not tokens":                   testkit.ErrOf(reader.Encode([]string{"a"})),
		`the label "z" is unknown`:     testkit.ErrOf(tagger.EncodeLabelled([]string{"a"}, "z")),
		"it has 2 labels; want 1":      testkit.ErrOf(tagger.EncodeLabelled([]string{"a"}, "a", "b")),
		"zebra":                        testkit.ErrOf(tagger.Encode([]string{"zebra"})),
		"there are 0 examples":         testkit.ErrOf(tagger.Task(label.Data{})),
		"training: example 0: label 0": testkit.ErrOf(tagger.Task(label.Data{Train: []label.Labelled{{label.Sequence{IDs: []int{1}},
			[]int{2}}}})),
		"validation: example 0: it has": testkit.ErrOf(tagger.Task(label.Data{Train: []label.Labelled{{label.Sequence{IDs: []int{1}},
			[]int{1}}}, Valid: []label.Labelled{{Sequence: label.Sequence{IDs: []int{1}}}}})),
		"has 131073 tokens": testkit.ErrOf(tagger.Predict(label.Sequence{IDs: make([]int, 1<<17+1)})),
	} {
		require.ErrorContains(t, err, want)
	}
	_, err = tagger.Evaluate(ctx, nil)
	require.ErrorContains(t, err, "there are 0 examples")
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = tagger.PredictAll(cancelled, []label.Sequence{{IDs: []int{1}}})
	require.ErrorIs(t, err, context.Canceled)
	none, err := tagger.PredictAll(ctx, nil)
	require.NoError(t, err)
	require.Empty(t, none)
}
