package onnx_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	_ "github.com/seqzoo/seqzoo/internal/oddcells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// specs are cells that models are exported with: all that are registered, and the forms of those
// that ONNX has operators for.
func specs() []string {
	return append(cells.Registered(), "lstm,peephole=diagonal", "lstm,coupled", "lstm,projection=4",
		"lstm,no_bias", "gru,reset_before", "gru,no_bias", "rnn,activation=relu", "rnn,no_bias",
		"indrnn,bounded,steps=10000000")
}

// randomise gives every parameter a value that no initialiser would, so that a mistake shows.
func randomise(s *nodes.Store) {
	for _, p := range s.Params() {
		key := rng.New(5).Named(p.Name())
		f := run.ParamFloats(p)
		for i := range f.Len() {
			f.Set(i, 0.4*key.Normal(uint64(i)))
		}
	}
}

func languageModel(t *testing.T, spec string) *lm.Model {
	t.Helper()
	words, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}},
		[]string{"a", "b", "c", "d", "e"})
	require.NoError(t, err)
	m, err := lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: spec, Hidden: 8, Layers: 2}}, words,
		1)
	require.NoError(t, err, spec)
	randomise(m.Params())
	return m
}

// Language models with every cell, exported and imported again, give what a session of the model
// gives, over 20 steps one by one with the state carried, and all at once.
func TestExportLanguageModels(t *testing.T) {
	for _, spec := range specs() {
		for _, scans := range []bool{false, true} {
			t.Run(spec, func(t *testing.T) {
				m := languageModel(t, spec)
				dir := t.TempDir()
				file := filepath.Join(dir, "step.onnx")
				o := onnx.ExportOptions{Scans: scans}
				o.Layout = "step"
				require.NoError(t, onnx.Export(m, file, o))
				step, err := onnx.Import(file)
				require.NoError(t, err)
				file = filepath.Join(dir, "sequence.onnx")
				o.Layout = "sequence"
				require.NoError(t, onnx.Export(m, file, o))
				whole, err := onnx.Import(file)
				require.NoError(t, err)
				native := whole.Operators()["RNN"]+whole.Operators()["GRU"]+whole.Operators()["LSTM"] == 2
				require.Equal(t, !scans && isNative(spec), native)
				checkLanguageModel(t, m, step, whole)
			})
		}
	}
}

// isNative reports whether ONNX has an operator for the cell.
func isNative(spec string) bool {
	name, _, _ := strings.Cut(spec, ",")
	return (name == "rnn" || name == "gru" || name == "lstm") &&
		!strings.Contains(spec, "projection")
}

func checkLanguageModel(t *testing.T, m *lm.Model, step, whole *onnx.Model) {
	t.Helper()
	const T = 20
	s, err := m.NewSession()
	require.NoError(t, err)
	state := onnx.State{}
	var ids []int
	var want []float64
	for k := range T {
		id := k * k % m.Vocabulary().Len()
		ids = append(ids, id)
		logits, err := s.Step(id)
		require.NoError(t, err)
		out, next, err := step.Next(onnx.Values{"ids": onnx.Ints([]int{id}, 1)}, state)
		require.NoError(t, err)
		state = next
		got := out["logits"].Float64s()
		for i, v := range logits {
			require.InDelta(t, v, got[i], 1e-5, "step %d", k)
			want = append(want, float64(v))
		}
	}
	out, _, err := whole.Next(onnx.Values{"ids": onnx.Ints(ids, T, 1)}, onnx.State{})
	require.NoError(t, err)
	got := out["logits"].Float64s()
	require.Len(t, got, len(want))
	for i, v := range want {
		require.InDelta(t, v, got[i], 1e-5)
	}
}
