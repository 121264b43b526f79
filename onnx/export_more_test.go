package onnx_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/emoji"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/series"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// laidOut are models that list layouts.
type laidOut interface {
	zoo.Model
	Layouts() []zoo.Layout
}

// models are those of every family, with every option that changes what is written. Recurrent ones
// have the given cell.
func models(t *testing.T, cell string) []laidOut {
	t.Helper()
	words, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk, text.BOS,
		text.EOS, text.Pad}}, []string{"a", "b", "c"})
	require.NoError(t, err)
	auto, err := reduce.NewAutoencoder(reduce.AutoencoderConfig{Features: 6, Widths: []int{5, 3}},
		1)
	require.NoError(t, err)
	vae, err := reduce.NewVAE(reduce.VAEConfig{Features: 6, Widths: []int{5}, Code: 3}, 1)
	require.NoError(t, err)
	given, err := reduce.NewVAE(reduce.VAEConfig{Features: 6, Widths: []int{5}, Code: 3,
		Condition: 2}, 1)
	require.NoError(t, err)
	all := []laidOut{auto, vae, given}
	for _, attention := range []seq2seq.Attention{seq2seq.NoAttention, seq2seq.BahdanauAttention,
		seq2seq.LuongAttention} {
		m, err := seq2seq.New(seq2seq.Config{Encoder: zoo.Recurrent{Cell: cell, Hidden: 4},
			Bidirectional: true, Attention: attention,
			Copy: attention == seq2seq.LuongAttention}, words, words, 1)
		require.NoError(t, err)
		all = append(all, m)
	}
	return slices.Concat(all, talkers(t, cell, words), labellers(t, cell, words),
		forecasters(t, cell), others(t, cell, words))
}

// talkers are models of dialogues.
func talkers(t *testing.T, cell string, words *text.Vocabulary) (all []laidOut) {
	layer := zoo.Recurrent{Cell: cell, Hidden: 4}
	for _, c := range []dialogue.Config{{Encoder: layer, Bidirectional: true},
		{Encoder: layer, Context: zoo.Recurrent{Cell: cell, Hidden: 5}, ContextInput: true},
		{Encoder: layer, Latent: dialogue.Latent{Width: 2}, ContextInput: true},
		{Encoder: layer, Bidirectional: true, ContextInput: true, Copy: 20}} {
		m, err := dialogue.New(c, words, 1)
		require.NoError(t, err)
		all = append(all, m)
	}
	return all
}

// labellers are classifiers with every way of pooling, taggers that differ in what they put out,
// and models that are both.
func labellers(t *testing.T, cell string, words *text.Vocabulary) (all []laidOut) {
	c := label.Config{Recurrent: zoo.Recurrent{Cell: cell, Hidden: 4}, Bidirectional: true}
	features := c
	features.Features = 3
	for _, of := range []label.ClassifierConfig{{Config: c}, {Config: c, Pool: label.PoolMean},
		{Config: c, Pool: label.PoolMax}, {Config: c, Several: true}, {Config: features}} {
		tokens := words
		if of.Features > 0 {
			tokens = nil
		}
		m, err := label.NewClassifier(of, tokens, words, 1)
		require.NoError(t, err)
		all = append(all, m)
	}
	for _, crf := range []bool{false, true} {
		m, err := label.NewTagger(label.TaggerConfig{Config: c, CRF: crf}, words, words, 1)
		require.NoError(t, err)
		both, err := label.NewJoint(label.JointConfig{Config: c, CRF: crf}, words, words, words, 1)
		require.NoError(t, err)
		all = append(all, m, both)
	}
	return all
}

// forecasters have each way to read a window and to forecast.
func forecasters(t *testing.T, cell string) (all []laidOut) {
	c := forecast.Config{Recurrent: zoo.Recurrent{Cell: cell, Hidden: 4}, Lookback: 6, Horizon: 3,
		Variables: []string{"a", "b", "c"}}
	patches, mean, quantiles, known, alone := c, c, c, c, c
	patches.Patch, mean.Level, alone.Shared = 2, forecast.LevelMean, true
	quantiles.Quantiles, known.Known = []float64{0.1, 0.5, 0.9}, []string{"b"}
	for _, c := range []forecast.Config{c, patches, mean, quantiles, known, alone} {
		m, err := forecast.New(c, &series.Scale{Mean: make([]float64, 3),
			Deviation: []float64{1, 1, 1}}, 1)
		require.NoError(t, err)
		all = append(all, m)
	}
	return all
}

func others(t *testing.T, cell string, words *text.Vocabulary) []laidOut {
	layer := zoo.Recurrent{Cell: cell, Hidden: 4}
	captioner, err := caption.New(caption.Config{Height: 6, Width: 4, Patch: 2, Hidden: 5,
		Features: 4, Decoder: zoo.Recurrent{Cell: cell, Hidden: 4}}, words, 1)
	require.NoError(t, err)
	known, err := vectors.New([]string{"sun", "moon"}, 2, []float32{1, 0, 0, 1})
	require.NoError(t, err)
	pictures, err := emoji.New(emoji.Config{}, known, []emoji.Pair{{Phrase: "sun", Emoji: "🌞",
		Match: true}, {Phrase: "moon", Emoji: "🌝", Match: true}})
	require.NoError(t, err)
	var found []laidOut
	for _, forward := range []bool{false, true} {
		m, err := reduce.NewRecurrentAutoencoder(reduce.RecurrentAutoencoderConfig{Recurrent: layer,
			Variables: 2, Window: 2, Code: 3, Forward: forward}, 1)
		require.NoError(t, err)
		found = append(found, m)
	}
	return append(found, captioner, pictures)
}

// Word vectors are looked up, and compared, as they are here.
func TestExportVectors(t *testing.T) {
	v, err := vectors.New([]string{"sun", "moon", "star"}, 2, []float32{1, 0, 0, 2, 3, 3})
	require.NoError(t, err)
	dir := t.TempDir()
	file := filepath.Join(dir, "lookup.onnx")
	require.NoError(t, onnx.ExportVectors(v, file, onnx.ExportOptions{}))
	m, err := onnx.Import(file)
	require.NoError(t, err)
	require.Equal(t, `["sun","moon","star"]`, m.Metadata()["vocabulary"])
	in := onnx.Values{"ids": onnx.Ints([]int{2, 0, 2, 1}, 4)}
	out, err := m.Run(in)
	require.NoError(t, err)
	require.Equal(t, []float32{3, 3, 1, 0, 3, 3, 0, 2}, out["vectors"].Float32s())
	sims := filepath.Join(dir, "similar.onnx")
	require.NoError(t, onnx.ExportVectors(v, sims, onnx.ExportOptions{Layout: "similar"}))
	s, err := onnx.Import(sims)
	require.NoError(t, err)
	queries := onnx.Values{"queries": onnx.Floats([]float32{2, 0, 0, 0, 1, 1}, 3, 2)}
	out, err = s.Run(queries)
	require.NoError(t, err)
	root := math.Sqrt(0.5)
	testkit.RequireInDelta(t, []float64{1, 0, root, 0, 0, 0, root, root, 1},
		out["cosines"].Float64s(), 1e-6)
	if os.Getenv("SEQZOO_ORT") != "" {
		r := startRuntime(t)
		r.requireSameRun(t, file, m, in)
		r.requireSameRun(t, sims, s, queries)
	}
	require.ErrorContains(t, onnx.ExportVectors(nil, file, onnx.ExportOptions{}), "no vectors")
	require.ErrorContains(t, onnx.ExportVectors(v, file, onnx.ExportOptions{Layout: "x"}),
		"no layout")
}

// Every layout of the other families is written, is read again, and gives what its graph gives, and
// what it gives in ONNX Runtime.
func TestExportModels(t *testing.T) {
	var r *runtime
	if os.Getenv("SEQZOO_ORT") != "" {
		r = startRuntime(t)
	}
	for _, cell := range []string{"gru", "lstm"} {
		checkModels(t, r, cell)
	}
}

// The same with every other cell.
func TestRuntimeModels(t *testing.T) {
	r := startRuntime(t)
	for _, cell := range specs() {
		checkModels(t, r, cell)
	}
}

func checkModels(t *testing.T, r *runtime, cell string) {
	for i, m := range models(t, cell) {
		randomise(m.Params())
		for _, l := range m.Layouts() {
			t.Run(fmt.Sprint(cell, " ", i, " ", m.Architecture(), " ", l.Name),
				func(t *testing.T) { checkLayout(t, r, m, l) })
		}
	}
}

func checkLayout(t *testing.T, r *runtime, m laidOut, l zoo.Layout) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "m.onnx")
	require.NoError(t, onnx.Export(m, file, onnx.ExportOptions{Layout: l.Name}))
	imported, err := onnx.Import(file)
	require.NoError(t, err)
	for _, base := range []int{2, 5} {
		sizes := make([]int, len(l.Sizes))
		for i := range sizes {
			sizes[i] = base + i
		}
		var in, out []zoo.Port
		require.NoError(t, nodes.Try(func() {
			in, out = l.Build(nodes.NewGraph(nodes.Options{Dtype: m.Params().Dtype()}), sizes)
		}))
		var kept []*nodes.Node
		for _, o := range out {
			kept = append(kept, o.Node)
		}
		step, err := run.New(kept)
		require.NoError(t, err)
		defer step.Close()
		var inputs run.Inputs
		values := onnx.Values{}
		for _, p := range in {
			shape, n := p.Node.Shape(), 1
			for _, d := range shape {
				n *= d
			}
			if p.Node.Dtype() == nodes.Int {
				ids := inputs.Ints(p.Node)
				for i := range ids {
					if ids[i] = i % 3; p.Name == "lengths" {
						ids[i] = sizes[0] - i%2 // the steps come first
					}
				}
				values[p.Name] = onnx.Ints(ids, shape...)
				continue
			}
			numbers := make([]float64, n)
			for i := range numbers {
				numbers[i] = float64(i*5%7)/7 + 0.1
			}
			inputs.Floats(p.Node).Put64(0, numbers)
			values[p.Name] = onnx.Of(onnx.Float32, numbers, shape...)
		}
		require.NoError(t, inputs.Err())
		require.NoError(t, step.Run(0, 0))
		got, err := imported.Run(values)
		require.NoError(t, err)
		for i, o := range out {
			want := step.Output(i).Float64s()
			testkit.RequireInDelta(t, want, got[o.Name].Float64s(), 1e-5, o.Name)
		}
		if r != nil {
			r.requireSameRun(t, file, imported, values)
		}
	}
}
