package zoo_test

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

	"github.com/seqzoo/seqzoo/internal/rng"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// scramble gives a model weights that are not small, so that its predictions are not all alike.
func scramble(m interface{ Params() *nodes.Store }) {
	for _, p := range m.Params().Params() {
		key := rng.New(5).Named(p.Name())
		switch v := p.Value().Data().(type) {
		case []float32:
			for i := range v {
				v[i] = float32(0.7 * key.Normal(uint64(i)))
			}
		case []float64:
			for i := range v {
				v[i] = 0.7 * key.Normal(uint64(i))
			}
		}
	}
}

// labeller is what SequenceClassifier and Tagger have in common.
type labeller interface {
	zoo.Model
	Task(zoo.SequenceData) (train.Task, error)
	Evaluate(context.Context, []zoo.Labelled) (*zoo.Evaluation, error)
	Forward(x, lengths *nodes.Node, s unroll.Strategy) *nodes.Node
	EncodeLabelled(tokens []string, labels ...string) (zoo.Labelled, error)
}

var sequenceConfigs = map[string]zoo.SequenceConfig{
	"rnn":             {Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 3}},
	"gru, both ways":  {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4, Memory: 9}, Bidirectional: true, Embed: 3},
	"lstm, two":       {Recurrent: zoo.Recurrent{Hidden: 3, Layers: 2, Residual: true, Memory: 9}},
	"lstm, two, both": {Recurrent: zoo.Recurrent{Hidden: 2, Layers: 2, Peephole: "full"}, Bidirectional: true},
	"features":        {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3}, Features: 2, Bidirectional: true},
	"one feature":     {Recurrent: zoo.Recurrent{Cell: "lstm", Coupled: true, Hidden: 1, Memory: 5}, Features: 1},
}

// eachLabeller runs a test with a classifier of both pools and a tagger for every configuration.
func eachLabeller(t *testing.T, change func(*zoo.SequenceConfig), test func(t *testing.T, m labeller, cfg zoo.SequenceConfig, perStep bool)) {
	for name, cfg := range sequenceConfigs {
		if testing.Short() && name != "gru, both ways" && name != "features" {
			continue
		}
		if change != nil {
			change(&cfg)
		}
		var tokens *text.Vocabulary
		if cfg.Features == 0 {
			tokens = letters(t, 5, text.Unk)
		}
		for _, kind := range []string{"last", "mean", "tagger"} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				var m labeller
				var err error
				if kind == "tagger" {
					m, err = zoo.NewTagger(zoo.TaggerConfig{SequenceConfig: cfg}, tokens, letters(t, 3), 1)
				} else {
					m, err = zoo.NewSequenceClassifier(zoo.SequenceClassifierConfig{SequenceConfig: cfg, Pool: kind}, tokens, letters(t, 3), 1)
				}
				require.NoError(t, err)
				scramble(m)
				test(t, m, cfg, kind == "tagger")
			})
		}
	}
}

// examples are random, of the given lengths.
func examples(cfg zoo.SequenceConfig, perStep bool, lengths ...int) []zoo.Labelled {
	r := rng.Stream{Key: rng.New(3)}
	out := make([]zoo.Labelled, len(lengths))
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
func predictAll(t *testing.T, m labeller, all []zoo.Labelled) (p [][]zoo.Prediction) {
	var sequences []zoo.Sequence
	for _, e := range all {
		sequences = append(sequences, e.Sequence)
	}
	switch m := m.(type) {
	case *zoo.Tagger:
		found, err := m.PredictAll(context.Background(), sequences)
		require.NoError(t, err)
		return found
	case *zoo.SequenceClassifier:
		found, err := m.PredictAll(context.Background(), sequences)
		require.NoError(t, err)
		for _, f := range found {
			p = append(p, []zoo.Prediction{f})
		}
	}
	return p
}

// What is predicted for a sequence does not depend on the batch that it is read in, be it longer or shorter than the others,
// and is what Evaluate measures.
func TestPredictionsDoNotDependOnTheBatch(t *testing.T) {
	eachLabeller(t, nil, func(t *testing.T, m labeller, cfg zoo.SequenceConfig, perStep bool) {
		all := examples(cfg, perStep, 1, 7, 4, 4, 2, 13, 1, 8)
		together := predictAll(t, m, all)
		loss, n, right := 0., 0, 0
		for i, e := range all {
			alone := predictAll(t, m, all[i:i+1])[0]
			require.Len(t, together[i], len(alone))
			for k, p := range alone {
				require.InDeltaSlice(t, p.Probs, together[i][k].Probs, 1e-6)
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

// checkGradients holds the gradient of a batch in all weights, along a random direction, to central differences (trial 12).
// The task must give the same batch again and again.
func checkGradients(t *testing.T, task train.Task) {
	t.Helper()
	batch := func() train.Batch {
		b, err := task.Next(7, 0)
		require.NoError(t, err)
		return b
	}
	b := batch()
	require.Len(t, b.Grads, len(task.Params()))
	direction := map[string][]float64{}
	slope := 0.
	for _, g := range b.Grads {
		d, err := g.Grad()
		require.NoError(t, err)
		name := g.(interface{ Name() string }).Name()
		key := rng.New(11).Named(name)
		for i, x := range d.Data().([]float64) {
			v := key.Normal(uint64(i))
			direction[name] = append(direction[name], v)
			slope += v * x
		}
	}
	move := func(by float64) float64 {
		for _, p := range task.Params() {
			for i, v := range direction[p.Name()] {
				p.Value().Data().([]float64)[i] += by * v
			}
		}
		return batch().Loss
	}
	const h = 1e-3
	var at [4]float64 // one and two steps up, one and two steps down
	for i, by := range []float64{h, h, -3 * h, -h} {
		at[i] = move(by)
	}
	require.InEpsilon(t, (8*(at[0]-at[2])-(at[1]-at[3]))/(12*h), slope, 1e-6)
}

func TestSequenceGradients(t *testing.T) {
	for _, s := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
		double := func(c *zoo.SequenceConfig) { c.Float64, c.Dropout, c.IODropout = true, 0.2, 0.3 }
		eachLabeller(t, double, func(t *testing.T, m labeller, cfg zoo.SequenceConfig, perStep bool) {
			task, err := m.Task(zoo.SequenceData{Train: examples(cfg, perStep, 3, 5, 1), Batch: 4, Unroll: s})
			require.NoError(t, err)
			checkGradients(t, task)
		})
	}
}

// last is the last value of a column of a training's history.
func last(r *train.Result, column string) float64 {
	_, values := r.History.Column(column)
	return values[len(values)-1]
}

// A tag that depends on the token after, and a class that depends on the first token, behind a long tail.
func TestTaggerAndClassifierLearn(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains")
	}
	r := rng.Stream{Key: rng.New(1)}
	var tagged, classified []zoo.Labelled
	for range 400 {
		var e zoo.Labelled
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
		classified = append(classified, zoo.Labelled{Sequence: e.Sequence, Labels: e.IDs[:1]})
	}
	cfg := zoo.SequenceConfig{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 16}}
	classifier, err := zoo.NewSequenceClassifier(zoo.SequenceClassifierConfig{SequenceConfig: cfg}, letters(t, 3), letters(t, 3), 1)
	require.NoError(t, err)
	cfg.Bidirectional = true
	tagger, err := zoo.NewTagger(zoo.TaggerConfig{SequenceConfig: cfg}, letters(t, 3), letters(t, 2), 1)
	require.NoError(t, err)
	for _, c := range []struct {
		m    labeller
		data []zoo.Labelled
	}{{tagger, tagged}, {classifier, classified}} {
		task, err := c.m.Task(zoo.SequenceData{Train: c.data[:300], Valid: c.data[300:], Batch: 20})
		require.NoError(t, err)
		adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
		require.NoError(t, err)
		result, err := train.Fit(context.Background(), task, train.Config{Optimizer: adam, Epochs: 15, Clip: train.Clip{Norm: 1}})
		require.NoError(t, err)
		accuracy := last(result, "valid_accuracy")
		require.Greater(t, accuracy, 0.98, c.m.Architecture())
	}
}

func TestSequenceModelsSaveAndLoad(t *testing.T) {
	eachLabeller(t, nil, func(t *testing.T, m labeller, cfg zoo.SequenceConfig, perStep bool) {
		dir := t.TempDir()
		require.NoError(t, m.Save(dir))
		loaded, err := zoo.Load(dir)
		require.NoError(t, err)
		all := examples(cfg, perStep, 3, 5)
		require.Equal(t, predictAll(t, m, all), predictAll(t, loaded.(labeller), all))
		if perStep {
			_, err = zoo.LoadSequenceClassifier(dir)
			require.ErrorContains(t, err, "holds a Tagger, not a SequenceClassifier")
		} else {
			_, err = zoo.LoadTagger(dir)
			require.ErrorContains(t, err, "holds a SequenceClassifier, not a Tagger")
		}
		labels, err := os.ReadFile(filepath.Join(dir, "labels.json"))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "labels.json"), []byte(strings.Replace(string(labels), `"a"`, `"q"`, 1)), 0o666))
		_, err = zoo.Load(dir)
		require.ErrorContains(t, err, "labels.json does not belong to")
	})
}

// The gradient in the last state is there at the last step, and on its way back it passes every step of the sequence.
func TestSequenceGradientFlow(t *testing.T) {
	cfg := zoo.SequenceConfig{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4}}
	m, err := zoo.NewSequenceClassifier(zoo.SequenceClassifierConfig{SequenceConfig: cfg}, letters(t, 5, text.Unk), letters(t, 3), 1)
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

// Trial 17: 32 goroutines use one model at once.
func TestTaggerConcurrently(t *testing.T) {
	cfg := sequenceConfigs["gru, both ways"]
	m, err := zoo.NewTagger(zoo.TaggerConfig{SequenceConfig: cfg}, letters(t, 5, text.Unk), letters(t, 3), 1)
	require.NoError(t, err)
	scramble(m)
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
						t.Errorf("sequence %d, step %d: %g, alone %g", at, s, p.Prob, want[at][s].Prob)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestSequenceErrors(t *testing.T) {
	gru := zoo.Recurrent{Cell: "gru", Hidden: 2}
	tokens, labels := letters(t, 3), letters(t, 2)
	for want, c := range map[string]zoo.SequenceClassifierConfig{
		"hidden is 0":           {},
		"features is -1":        {SequenceConfig: zoo.SequenceConfig{Recurrent: gru, Features: -1}},
		"embed is -1":           {SequenceConfig: zoo.SequenceConfig{Recurrent: gru, Embed: -1}},
		"only tokens are":       {SequenceConfig: zoo.SequenceConfig{Recurrent: gru, Embed: 1, Features: 1}},
		"io_dropout is NaN":     {SequenceConfig: zoo.SequenceConfig{Recurrent: gru, IODropout: math.NaN()}},
		`pool is "max"`:         {SequenceConfig: zoo.SequenceConfig{Recurrent: gru}, Pool: "max"},
		"takes no vocabulary":   {SequenceConfig: zoo.SequenceConfig{Recurrent: gru, Features: 1}},
		`init is "zero"`:        {SequenceConfig: zoo.SequenceConfig{Recurrent: zoo.Recurrent{Hidden: 1, Init: "zero"}}},
		"both say how biases":   {SequenceConfig: zoo.SequenceConfig{Recurrent: zoo.Recurrent{Hidden: 1, Init: "uniform", Memory: 3}}},
		"memory is 1":           {SequenceConfig: zoo.SequenceConfig{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 1, Memory: 1}}},
		"has no gates to rem":   {SequenceConfig: zoo.SequenceConfig{Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 1, Memory: 9}}},
		"hidden is 10995116277": {SequenceConfig: zoo.SequenceConfig{Recurrent: zoo.Recurrent{Hidden: 1 << 40}}},
	} {
		_, err := zoo.NewSequenceClassifier(c, tokens, labels, 1)
		require.ErrorContains(t, err, want)
	}
	ok := zoo.SequenceConfig{Recurrent: gru}
	_, err := zoo.NewTagger(zoo.TaggerConfig{SequenceConfig: ok}, nil, labels, 1)
	require.ErrorContains(t, err, "needs a vocabulary")
	_, err = zoo.NewTagger(zoo.TaggerConfig{SequenceConfig: ok}, tokens, nil, 1)
	require.ErrorContains(t, err, "needs labels")

	tagger, err := zoo.NewTagger(zoo.TaggerConfig{SequenceConfig: ok}, tokens, labels, 1)
	require.NoError(t, err)
	ok.Features = 2
	reader, err := zoo.NewSequenceClassifier(zoo.SequenceClassifierConfig{SequenceConfig: ok}, nil, labels, 1)
	require.NoError(t, err)
	ctx := context.Background()
	nan := float32(math.NaN())
	for want, run := range map[string]func() error{
		"the sequence is empty": func() error { _, err := tagger.Predict(zoo.Sequence{}); return err },
		"sequence 1: the sequence has": func() error {
			_, err := tagger.PredictAll(ctx, []zoo.Sequence{{IDs: []int{0}}, {IDs: []int{3}}})
			return err
		},
		"id -1 at position 1":          func() error { _, err := tagger.Predict(zoo.Sequence{IDs: []int{0, -1}}); return err },
		"the model reads tokens":       func() error { _, err := tagger.Predict(zoo.Sequence{Features: []float32{1}}); return err },
		"the model reads features":     func() error { _, err := reader.Predict(zoo.Sequence{IDs: []int{1}}); return err },
		"want a multiple of 2":         func() error { _, err := reader.Predict(zoo.Sequence{Features: []float32{1}}); return err },
		"has NaN at step 1, feature 0": func() error { _, err := reader.Predict(zoo.Sequence{Features: []float32{1, 2, nan, 1}}); return err },
		"not tokens":                   func() error { _, err := reader.Encode([]string{"a"}); return err },
		`the label "z" is unknown`:     func() error { _, err := tagger.EncodeLabelled([]string{"a"}, "z"); return err },
		"it has 2 labels; want 1":      func() error { _, err := tagger.EncodeLabelled([]string{"a"}, "a", "b"); return err },
		"zebra":                        func() error { _, err := tagger.Encode([]string{"zebra"}); return err },
		"there are 0 examples":         func() error { _, err := tagger.Task(zoo.SequenceData{}); return err },
		"training: example 0: label 0": func() error {
			_, err := tagger.Task(zoo.SequenceData{Train: []zoo.Labelled{{zoo.Sequence{IDs: []int{1}}, []int{2}}}})
			return err
		},
		"validation: example 0: it has": func() error {
			_, err := tagger.Task(zoo.SequenceData{Train: []zoo.Labelled{{zoo.Sequence{IDs: []int{1}}, []int{1}}}, Valid: []zoo.Labelled{{Sequence: zoo.Sequence{IDs: []int{1}}}}})
			return err
		},
		"has 131073 tokens": func() error { _, err := tagger.Predict(zoo.Sequence{IDs: make([]int, 1<<17+1)}); return err },
	} {
		require.ErrorContains(t, run(), want)
	}
	_, err = tagger.Evaluate(ctx, nil)
	require.ErrorContains(t, err, "there are 0 examples")
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = tagger.PredictAll(cancelled, []zoo.Sequence{{IDs: []int{1}}})
	require.ErrorIs(t, err, context.Canceled)
	none, err := tagger.PredictAll(ctx, nil)
	require.NoError(t, err)
	require.Empty(t, none)
}
