package onnx_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// laidOut are models that list layouts.
type laidOut interface {
	zoo.Model
	Layouts() []zoo.Layout
}

func models(t *testing.T) []laidOut {
	t.Helper()
	words, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk, text.BOS,
		text.EOS, text.Pad}}, []string{"a", "b", "c"})
	require.NoError(t, err)
	auto, err := reduce.NewAutoencoder(reduce.AutoencoderConfig{Features: 6, Widths: []int{5, 3}}, 1)
	require.NoError(t, err)
	vae, err := reduce.NewVAE(reduce.VAEConfig{Features: 6, Widths: []int{5}, Code: 3}, 1)
	require.NoError(t, err)
	all := []laidOut{auto, vae}
	for _, attention := range []seq2seq.Attention{seq2seq.NoAttention, seq2seq.BahdanauAttention,
		seq2seq.LuongAttention} {
		m, err := seq2seq.New(seq2seq.Config{Encoder: zoo.Recurrent{Cell: "gru", Hidden: 4},
			Bidirectional: true, Attention: attention,
			Copy: attention == seq2seq.LuongAttention}, words, words, 1)
		require.NoError(t, err)
		all = append(all, m)
	}
	return all
}

// Every layout of the other families is written, is read again, and gives what its graph gives.
func TestExportModels(t *testing.T) {
	for _, m := range models(t) {
		randomise(m.Params())
		for _, l := range m.Layouts() {
			t.Run(m.Architecture()+" "+l.Name, func(t *testing.T) { checkLayout(t, m, l) })
		}
	}
}

func checkLayout(t *testing.T, m laidOut, l zoo.Layout) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "m.onnx")
	require.NoError(t, onnx.Export(m, file, onnx.ExportOptions{Layout: l.Name}))
	imported, err := onnx.Import(file)
	require.NoError(t, err)
	for _, base := range []int{2, 5} {
		sizes, named := make([]int, len(l.Sizes)), map[string]int{}
		for i, name := range l.Sizes {
			sizes[i] = base + i
			named[name] = base + i
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
						ids[i] = named["source"] - i%2
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
			require.InDeltaSlice(t, want, got[o.Name].Float64s(), 1e-5, o.Name)
		}
		if os.Getenv("SEQZOO_ORT") != "" {
			startRuntime(t).requireSameRun(t, file, imported, values)
		}
	}
}
