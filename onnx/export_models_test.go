package onnx_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func tagger(t *testing.T, spec string) *label.Tagger {
	t.Helper()
	words, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}},
		[]string{"a", "b", "c", "d", "e"})
	require.NoError(t, err)
	labels, err := text.NewVocabulary(text.VocabularyConfig{}, []string{"x", "y", "z"})
	require.NoError(t, err)
	m, err := label.NewTagger(label.TaggerConfig{Config: label.Config{Bidirectional: true, Embed: 3,
		Recurrent: zoo.Recurrent{Cell: spec, Hidden: 4, Layers: 2}}}, words, labels, 1)
	require.NoError(t, err)
	randomise(m.Params())
	return m
}

// Taggers, which are bidirectional and take lengths, export, import and export again: the same
// numbers and the same weights each time.
func TestExportTaggers(t *testing.T) {
	for _, spec := range []string{"lstm", "gru", "gru,reset_before", "rnn", "mingru",
		"lstm,coupled"} {
		t.Run(spec, func(t *testing.T) {
			m := tagger(t, spec)
			dir := t.TempDir()
			first, second := filepath.Join(dir, "1.onnx"), filepath.Join(dir, "2.onnx")
			require.NoError(t, onnx.Export(m, first, onnx.ExportOptions{}))
			a, err := onnx.Import(first)
			require.NoError(t, err)
			require.NoError(t, a.Save(second))
			x, err := os.ReadFile(first)
			require.NoError(t, err)
			y, err := os.ReadFile(second)
			require.NoError(t, err)
			require.Equal(t, x, y)
			b, err := onnx.Import(second)
			require.NoError(t, err)
			require.Equal(t, "Tagger", a.Metadata()["seqzoo.architecture"])
			ids := []int{1, 2, 3, 2, 1, 0, 4, 2, 3, 1, 2, 0}
			for _, lengths := range [][]int{{4, 4, 4}, {4, 2, 1}, {0, 4, 3}} {
				in := onnx.Values{"ids": onnx.Ints(ids, 4, 3), "lengths": onnx.Ints(lengths, 3)}
				p, err := a.Run(in)
				require.NoError(t, err)
				q, err := b.Run(in)
				require.NoError(t, err)
				require.Equal(t, p["probabilities"].Float32s(), q["probabilities"].Float32s())
			}
		})
	}
}

// The same in ONNX Runtime, sequences of length 0 among them.
func TestRuntimeTaggers(t *testing.T) {
	r := startRuntime(t)
	for _, spec := range specs() {
		for _, scans := range []bool{false, true} {
			t.Run(fmt.Sprint(spec, " ", scans), func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "m.onnx")
				require.NoError(t, onnx.Export(tagger(t, spec), file,
					onnx.ExportOptions{Scans: scans}))
				m, err := onnx.Import(file)
				require.NoError(t, err)
				ids := []int{1, 2, 3, 2, 1, 0, 4, 2, 3, 1, 2, 0}
				for _, lengths := range [][]int{{4, 4, 4}, {4, 2, 1}, {0, 4, 3}, {2, 0, 0}} {
					r.requireSameRun(t, file, m, onnx.Values{"ids": onnx.Ints(ids, 4, 3),
						"lengths": onnx.Ints(lengths, 3)})
				}
			})
		}
	}
}
