package porting_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"math"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

var update = flag.Bool("update", false, "write the losses that PyTorch gives to testdata")

// python has Debian's torch, where it is installed.
const python = "/usr/bin/python3"

// besideTorch holds the losses of each step to those of testdata/port.py from the same weights and
// data: to what it gave once, and to what it gives here, if PyTorch is installed.
func besideTorch(t *testing.T, name string, given map[string]any, weights []*nodes.Param,
	fit func() *train.Result) {
	by := map[string]any{}
	for _, p := range weights {
		by[p.Name()] = map[string]any{"shape": p.Shape(), "data": p.Value().Data()}
	}
	given["weights"] = by
	in, err := json.Marshal(given)
	require.NoError(t, err)
	_, got := fit().History.Column("loss")
	hold := func(of string, data []byte) {
		var want []float64
		require.NoError(t, json.Unmarshal(data, &want))
		require.Len(t, got, len(want))
		worst := 0.0
		for i, w := range want {
			worst = max(worst, math.Abs(got[i]-w)/w)
		}
		t.Logf("%s: %d losses from %.4f to %.4f, at most %.2g %% from %s", name, len(want), want[0],
			want[len(want)-1], 100*worst, of)
		require.Less(t, worst, 0.01)
	}
	path := "testdata/" + name + ".json"
	c := exec.Command(python, "testdata/port.py")
	c.Stdin = bytes.NewReader(in)
	fresh, err := c.Output()
	if *update {
		require.NoError(t, err, "PyTorch has to be installed")
		require.NoError(t, os.WriteFile(path, append(fresh, '\n'), 0o644))
	}
	kept, errKept := os.ReadFile(path)
	require.NoError(t, errKept)
	hold("what PyTorch gave", kept)
	if err != nil {
		t.Log("python3-torch is not installed, so that it gives nothing here")
		return
	}
	hold("what PyTorch gives here", fresh)
}

// An IMDB-like classifier: reviews of some length, good or bad by the words that prevail.
func TestClassifierBesideTorch(t *testing.T) {
	const words = 40
	r := rng.Stream{Key: rng.New(5)}
	var reviews [][]int
	var labels []int
	var examples []label.Labelled
	for range 64 {
		ids, balance := []int{}, 0
		for range 5 + r.Intn(16) {
			id := r.Intn(words)
			ids = append(ids, id)
			balance += []int{1, 0, -1}[id%3]
		}
		good := 0
		if balance > 0 {
			good = 1
		}
		reviews, labels = append(reviews, ids), append(labels, good)
		examples = append(examples, label.Labelled{Sequence: label.Sequence{IDs: ids},
			Labels: []int{good}})
	}
	m := must(label.NewClassifier(label.ClassifierConfig{Config: label.Config{
		Recurrent: zoo.Recurrent{Cell: "lstm", Hidden: 12}, Embed: 8}},
		vocabulary(t, words), vocabulary(t, 2), 1))
	besideTorch(t, "classifier", map[string]any{"task": "classifier", "reviews": reviews,
		"labels": labels, "epochs": 60, "lr": 0.02, "clip": 1}, m.Params().Params(),
		func() *train.Result {
			task := must(m.Task(label.Data{Train: examples, Batch: len(examples)}))
			return must(train.Fit(context.Background(), task, train.Config{
				Optimizer: must(train.NewAdam(train.AdamConfig{LR: 0.02})), Epochs: 60,
				Clip: train.Clip{Norm: 1}, RecordEvery: 1}))
		})
}

// A stateful LSTM: a long text in tracks side by side, the state carried from window to window.
func TestStatefulLSTMBesideTorch(t *testing.T) {
	const words, tracks, window = 20, 4, 10
	r := rng.Stream{Key: rng.New(6)}
	ids := make([]int, 1+tracks*5*window)
	for i := range ids {
		if i < 3 || r.Float64() < 0.2 {
			ids[i] = r.Intn(words)
		} else {
			ids[i] = (ids[i-1] + 2*ids[i-3]) % words // needs more than the last one
		}
	}
	m := must(lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "lstm", Hidden: 16}, Embed: 8},
		vocabulary(t, words), 1))
	besideTorch(t, "stateful", map[string]any{"task": "stateful", "text": ids, "tracks": tracks,
		"window": window, "epochs": 12, "lr": 0.02, "clip": 1}, m.Params().Params(),
		func() *train.Result {
			task := must(m.Task(lm.Data{Train: ids, Batch: tracks,
				Window: unroll.Window{Stride: window}}))
			return must(train.Fit(context.Background(), task, train.Config{
				Optimizer: must(train.NewAdam(train.AdamConfig{LR: 0.02})), Epochs: 12,
				Clip: train.Clip{Norm: 1}, RecordEvery: 1}))
		})
}

// vocabulary is of so many words: w00, w01, ….
func vocabulary(t *testing.T, n int) *text.Vocabulary {
	var words []string
	for i := range n {
		words = append(words, string([]rune{'w', rune('0' + i/10), rune('0' + i%10)}))
	}
	v, err := text.NewVocabulary(text.VocabularyConfig{}, words)
	require.NoError(t, err)
	return v
}

// must is for calls whose arguments are right.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
