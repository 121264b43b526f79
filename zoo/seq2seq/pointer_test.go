package seq2seq_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

var update = flag.Bool("update", false, "write what PyTorch gives to testdata")

// pointers are configurations that copy.
var pointers = map[string]seq2seq.Config{
	"bahdanau": {Encoder: zoo.Recurrent{Cell: "rnn", Hidden: 3}, Attention: "bahdanau",
		EmbedSource: 2, EmbedTarget: 2, Copy: true, Float64: true},
	"coverage": {Encoder: zoo.Recurrent{Cell: "rnn", Hidden: 3}, Attention: "bahdanau",
		EmbedSource: 2, EmbedTarget: 2, Coverage: 0.7, Copy: true, Float64: true},
	"luong": {Encoder: zoo.Recurrent{Cell: "rnn", Hidden: 3}, Attention: "luong",
		EmbedSource: 2, EmbedTarget: 2, Copy: true, Float64: true},
}

// newPointer is a model whose sources know a … c and targets b … d, so that there are words of
// every kind: b and c are of both, a of the sources, d of the targets, x and y of none.
func newPointer(t *testing.T, cfg seq2seq.Config) *seq2seq.Model {
	words := func(specials []string, of ...string) *text.Vocabulary {
		v, err := text.NewVocabulary(text.VocabularyConfig{Specials: specials}, of)
		require.NoError(t, err)
		return v
	}
	m, err := seq2seq.New(cfg, words([]string{text.Unk}, "a", "b", "c"),
		words([]string{text.BOS, text.EOS, text.Unk}, "b", "c", "d"), 1)
	require.NoError(t, err)
	zootest.Scramble(m)
	return m
}

var pointerSources, pointerTargets = [][]string{{"x", "a", "b", "x"}, {"b"},
	{"d", "y", "c", "x", "d"},
	{"a", "a"}}, [][]string{{"d", "x", "a"}, {"x", "b"}, {"x", "y", "c", "d"}, {}}

// Words that only one vocabulary has, and such as none has, get the ids that Pair speaks of.
func TestPointerIDs(t *testing.T) {
	m := newPointer(t, pointers["luong"])
	pairs, err := m.Pairs(pointerSources, pointerTargets)
	require.NoError(t, err)
	// Sources: <unk> a b c are 0 … 3. Targets: <bos> <eos> <unk> b c d are 0 … 5.
	require.Equal(t, []seq2seq.Pair{
		{Source: []int{4 + 6, 1, 2, 4 + 6}, Target: []int{5, 6, 7}},
		{Source: []int{2}, Target: []int{2, 3}},
		{Source: []int{4 + 5, 4 + 6, 3, 4 + 7, 4 + 5}, Target: []int{7, 6, 4, 5}},
		{Source: []int{1, 1}, Target: []int{}},
	}, pairs)
	for want, p := range map[string]seq2seq.Pair{
		"has id -1 at position 0":             {Source: []int{-1}},
		"the word number 1 that neither":      {Source: []int{4 + 7}},
		"the word number 2 that neither":      {Source: []int{1, 4 + 6}},
		"target has id 6 at position 0":       {Source: []int{2}, Target: []int{6}},
		"target has id 8 at position 1":       {Source: []int{1, 4 + 7}, Target: []int{7, 8}},
		"has id 12 at position 2":             {Source: []int{4 + 6, 2, 4 + 8}},
		"has 8193 tokens":                     {Source: make([]int, 8193)},
		"pair 0: the source is empty":         {},
		"vocabulary has ids 0 … 5":            {Source: []int{2}, Target: []int{-1}},
		"has id 9223372036854775807 at posit": {Source: []int{math.MaxInt}},
	} {
		_, err := m.Loss(context.Background(), []seq2seq.Pair{p})
		require.ErrorContains(t, err, want)
	}
}

// Loss and gradients are those of PyTorch, in plain loops.
func TestPointerIsPyTorchs(t *testing.T) {
	for name, cfg := range pointers {
		t.Run(name, func(t *testing.T) {
			m := newPointer(t, cfg)
			pairs, err := m.Pairs(pointerSources, pointerTargets)
			require.NoError(t, err)
			given := map[string]any{"config": map[string]any{"attention": cfg.Attention,
				"coverage": cfg.Coverage, "hidden": 3, "bos": 0, "eos": 1, "unk": 2}}
			weights := map[string]any{}
			for _, p := range m.Params().Params() {
				weights[p.Name()] = map[string]any{"shape": p.Shape(), "data": p.Value().Data()}
			}
			// as which id each place is copied: <bos> <eos> <unk> b c d, and more behind
			places := [][]int{{6, 7, 3, 6}, {3}, {5, 6, 4, 7, 5}, {6, 6}}
			sources := [][]int{{0, 1, 2, 0}, {2}, {0, 0, 3, 0, 0}, {1, 1}}
			var plain []any
			for i, p := range pairs {
				plain = append(plain, map[string]any{"places": places[i], "source": sources[i],
					"target": p.Target})
			}
			given["weights"], given["pairs"] = weights, plain
			in, err := json.Marshal(given)
			require.NoError(t, err)

			task, err := m.Task(seq2seq.Data{Train: pairs})
			require.NoError(t, err)
			b, err := task.Next(1, 0)
			require.NoError(t, err)
			hold := func(data []byte) {
				var want struct {
					Loss  float64
					Grads map[string][]float64
				}
				require.NoError(t, json.Unmarshal(data, &want))
				require.InDelta(t, want.Loss, b.Loss, 1e-12)
				require.Len(t, b.Grads, len(want.Grads))
				for _, g := range b.Grads {
					grad, err := g.Grad()
					require.NoError(t, err)
					testkit.RequireInDelta(t, want.Grads[g.(interface{ Name() string }).Name()],
						grad.Data(), 1e-12, g)
				}
			}
			path := filepath.Join("testdata", "pointer_"+name+".json")
			if *update {
				c := exec.Command("/usr/bin/python3", "testdata/pointer.py")
				c.Stdin = bytes.NewReader(in)
				fresh, err := c.Output()
				require.NoError(t, err, "PyTorch has to be installed")
				require.NoError(t, os.WriteFile(path, append(fresh, '\n'), 0o644))
			}
			kept, err := os.ReadFile(path)
			require.NoError(t, err)
			hold(kept)
		})
	}
}

// Central differences, with every cell configuration that a decoder may have.
func TestPointerGradients(t *testing.T) {
	for i, cfg := range []seq2seq.Config{
		{Encoder: zoo.Recurrent{Hidden: 3, Layers: 2}, Bidirectional: true, Attention: "bahdanau",
			Coverage: 0.3, Peeky: true, Readout: 2},
		{Encoder: zoo.Recurrent{Cell: "gru", Hidden: 1}, Attention: "luong", Tied: true,
			EmbedTarget: 1},
		{Encoder: zoo.Recurrent{Cell: "slstm", Hidden: 4}, Bidirectional: true, Attention: "luong",
			Score: "concat"},
	} {
		cfg.Copy, cfg.Float64 = true, true
		m := newPointer(t, cfg)
		pairs, err := m.Pairs(pointerSources, pointerTargets)
		require.NoError(t, err)
		task, err := m.Task(seq2seq.Data{Train: pairs})
		require.NoError(t, err, i)
		zootest.CheckGradients(t, task)
	}
}

// What a translation is said to be worth, with words from the source, is what the model thinks of
// it as in training, but for the share of what is never written.
func TestPointerTranslations(t *testing.T) {
	ctx := context.Background()
	for name, cfg := range pointers {
		cfg.Float64 = false
		m := newPointer(t, cfg)
		b, _ := m.Params().Get("out/b") // no <bos> and <unk>
		v := b.Value().Float32s()
		v[0], v[2] = -40, -40
		copies := 0
		for _, o := range []decode.SearchOptions{{Max: 6}, {Beam: 4, Best: 3, Max: 6},
			{Sample: decode.Sampler{Temperature: 1.2}, Max: 6}} {
			all, err := m.TranslateAll(ctx, pointerSources, o)
			require.NoError(t, err)
			for i, found := range all {
				for _, f := range found {
					for _, k := range f.Copied {
						require.Contains(t, pointerSources[i], f.Tokens[k])
						copies++
					}
					if !f.Ended {
						continue
					}
					pairs, err := m.Pairs(pointerSources[i:i+1], [][]string{f.Tokens})
					require.NoError(t, err)
					loss, err := m.Loss(ctx, pairs)
					require.NoError(t, err)
					require.InDelta(t, -loss*float64(len(f.Tokens)+1), f.LogProb, 1e-4, name)
				}
			}
		}
		require.Positive(t, copies, name)
	}
}

// The words that may follow a target so far, those behind the vocabulary too, have probabilities
// that sum up to 1: a row of the batch for each.
func TestPointerSumsToOne(t *testing.T) {
	for name, cfg := range pointers {
		m := newPointer(t, cfg)
		const words, S, T = 8, 4, 2 // x a b y: 6 words of the targets, and x and a
		var src, lengths, in, targets, places, are, nll *nodes.Node
		require.NoError(t, nodes.Try(func() {
			g := nodes.NewGraph(nodes.Options{Dtype: m.Params().Dtype()})
			src, lengths = g.IntInput("src", S, words), g.IntInput("lengths", words)
			in, targets = g.IntInput("in", T, words), g.IntInput("targets", T, words)
			places, are = g.Input("places", 1, words, S), g.Input("are", T, words, 1)
			y := m.Forward(src, lengths, in, nil, unroll.Scan)
			nll = nodes.CopyCrossEntropy(y.Logits, y.Gate, y.Weights, nodes.Equal(are, places),
				targets, nodes.CrossEntropyOptions{Ignore: []int{-1}, Reduction: nodes.ReduceNone})
		}))
		step, err := run.New([]*nodes.Node{nll})
		require.NoError(t, err)
		var of run.Inputs
		for _, i := range []struct {
			to   []int
			each []int // of all rows
		}{{of.Ints(src), []int{0, 1, 2, 0}}, {of.Ints(lengths), []int{S}},
			{of.Ints(in), []int{0, 3}}} {
			for k := range i.to {
				i.to[k] = i.each[k/words]
			}
		}
		at, from, is := of.Ints(targets), of.Floats(places), of.Floats(are)
		for w := range words {
			from.Put64(w*S, []float64{6, 7, 3, 6})
			at[w], at[words+w] = 3, w
			is.Set(w, 3)
			if is.Set(words+w, float64(w)); w >= 6 {
				at[words+w] = -1
			}
		}
		require.NoError(t, of.Err())
		require.NoError(t, step.Run(0, 0))
		sum := 0.0
		for _, x := range step.Output(0).Float64s()[words:] {
			sum += math.Exp(-x)
		}
		require.InDelta(t, 1, sum, 1e-12, name)
	}
}

// Names that no vocabulary has are copied, greedily, by a beam and by sampling, also by a model
// that was saved and loaded, and by a target that is written part by part.
func TestPointerCopiesNames(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains")
	}
	sources, targets := named(800, 0)
	vocabulary := func(of [][]string, specials ...string) *text.Vocabulary {
		v, err := text.NewVocabulary(text.VocabularyConfig{MinCount: 5, Specials: specials}, of...)
		require.NoError(t, err)
		return v
	}
	for _, attention := range []seq2seq.Attention{"bahdanau", "luong"} {
		m, err := seq2seq.New(seq2seq.Config{Encoder: zoo.Recurrent{Cell: "gru", Hidden: 24},
			EmbedSource: 12, EmbedTarget: 12, Bidirectional: true, Attention: attention,
			Copy: true},
			vocabulary(sources, text.Unk), vocabulary(targets, text.Unk, text.BOS, text.EOS), 1)
		require.NoError(t, err)
		pairs, err := m.Pairs(sources, targets)
		require.NoError(t, err)
		valid, err := m.Pairs(named(20, 50000))
		require.NoError(t, err)
		fit(t, m, seq2seq.Data{Train: pairs, Valid: valid, BLEU: true, Batch: 32},
			train.Config{Epochs: 10, Clip: train.Clip{Norm: 1}})
		for _, o := range []decode.SearchOptions{{}, {Beam: 3},
			{Sample: decode.Sampler{Temperature: 0.3}}} {
			right, all, copied := rightNames(t, m, o)
			t.Logf("%s, beam %d, temperature %g: %d of %d names right, %d copied",
				attention, o.Beam,
				o.Sample.Temperature, right, all, copied)
			require.GreaterOrEqual(t, float64(right), 0.95*float64(all))
		}
		dir := t.TempDir()
		require.NoError(t, m.Save(dir))
		loaded, err := seq2seq.Load(dir)
		require.NoError(t, err)
		require.True(t, loaded.Config().Copy)
		source := strings.Fields("Zoe sees Bob now")
		found, err := loaded.Translate(context.Background(), source, decode.SearchOptions{})
		require.NoError(t, err)
		require.Equal(t, "maintenant Zoe voit Bob", strings.Join(found[0].Tokens, " "))
		require.Equal(t, []int{1, 3}, found[0].Copied)
		writesNames(t, m, source)
	}
}

// writesNames writes a target part by part, with the state as bytes between.
func writesNames(t *testing.T, m *seq2seq.Model, source []string) {
	w, err := m.NewWriting(source)
	require.NoError(t, err)
	var parts []string
	for range 5 {
		found, err := w.Write(context.Background(), decode.SearchOptions{Max: 1,
			Text: func(_ int, part string) { parts = append(parts, part) }})
		require.NoError(t, err)
		require.LessOrEqual(t, len(found.Tokens), 1)
		b, err := w.State().MarshalBinary()
		require.NoError(t, err)
		var s zoo.State
		require.NoError(t, s.UnmarshalBinary(b))
		w, err = m.Resume(s)
		require.NoError(t, err)
	}
	require.True(t, w.Ended())
	require.Equal(t, "maintenant Zoe voit Bob", strings.Join(parts, ""))
	w, err = m.NewWriting(source)
	require.NoError(t, err)
	require.NoError(t, w.Read([]string{"maintenant", "Bob"}))
	require.ErrorContains(t, w.Read([]string{"Eve"}), "lacks")
	found, err := w.Write(context.Background(), decode.SearchOptions{})
	require.NoError(t, err)
	require.Contains(t, found.Tokens, "voit")

	w, err = m.NewWriting([]string{"\xff", "sees", "\xfe"}) // words that are no UTF-8
	require.NoError(t, err)
	s := w.State()
	b, err := s.MarshalBinary()
	require.NoError(t, err)
	require.NoError(t, s.UnmarshalBinary(b))
	again, err := m.Resume(s)
	require.NoError(t, err)
	for _, w := range []*seq2seq.Writing{w, again} {
		require.NoError(t, w.Read([]string{"\xfe"}))
		require.Equal(t, []string{"\xfe"}, w.Tokens())
	}
}

// What a word of the extended vocabulary is worth is the same in decoding and in the loss, and all
// words together are worth 1, wherever gate and weights are.
func TestMixedSumsToOne(t *testing.T) {
	for _, gate := range []float64{-800, -3, 0, 2, 90} {
		for _, weights := range [][]float64{{1}, {0.2, 0.5, 0.3}, {0, 1, 0}, {1e-300, 0.5, 0.5}} {
			places := []int{4, 1, 4}[:len(weights)]
			all := shared.Mixed(nil, []float64{1, -300, 2000}, gate, weights, places, 3)
			require.Len(t, all, 6)
			sum := 0.0
			for _, x := range all {
				require.False(t, math.IsNaN(x))
				sum += math.Exp(x)
			}
			require.InDelta(t, 1, sum, 1e-12, fmt.Sprint(gate, weights))
			require.True(t, math.IsInf(all[5], -1))
		}
	}
}

func TestPointerErrors(t *testing.T) {
	letters := func(specials ...string) *text.Vocabulary {
		return zootest.Letters(t, 2, specials...)
	}
	full := slices.Concat([]string{text.Unk, text.BOS, text.EOS}, text.Copies(1))
	cfg := seq2seq.Config{Encoder: zoo.Recurrent{Hidden: 2}, Attention: "luong", Copy: true}
	for want, err := range map[string]error{
		"attention is none, which tells what is copied": seq2seq.Config{Encoder: cfg.Encoder,
			Copy: true}.Validate(),
		"vocabulary of the sources needs the special token <unk>": testkit.ErrOf(seq2seq.New(cfg,
			letters(), letters(full...), 1)),
		"vocabulary of the targets needs the special token <unk>": testkit.ErrOf(seq2seq.New(cfg,
			letters(text.Unk), letters(text.BOS, text.EOS), 1)),
		"which is another way to copy": testkit.ErrOf(seq2seq.New(cfg, letters(full...),
			letters(full...), 1)),
	} {
		require.ErrorContains(t, err, want)
	}
	m := newPointer(t, cfg)
	pairs, err := m.Pairs(pointerSources, pointerTargets)
	require.NoError(t, err)
	for _, d := range []seq2seq.Data{{Train: pairs, Smoothing: 0.1},
		{Train: pairs, Teacher: seq2seq.InverseSigmoid(2)}} {
		_, err := m.Task(d)
		require.ErrorContains(t, err, "this one has Copy")
	}
	_, err = m.Translate(context.Background(), []string{"a"},
		decode.SearchOptions{CopyUnknown: true})
	require.ErrorContains(t, err, "copies without it")
}
