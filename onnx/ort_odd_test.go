package onnx_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// drawnStack is a stack of one to three layers of any cells in any wrappers, some of them residual.
func drawnStack(s *rng.Stream) zoo.Recurrent {
	all := specs()
	var layers []string
	for range 1 + s.Intn(3) {
		spec := all[s.Intn(len(all))]
		for _, wrapper := range []string{"norm", "weight_drop=0.3", "hidden_dropout=0.2",
			"zoneout=0.1"} {
			if s.Intn(3) == 0 {
				spec += "," + wrapper
			}
		}
		layers = append(layers, spec)
	}
	return zoo.Recurrent{Cell: strings.Join(layers, "/"), Hidden: 8, Residual: s.Intn(2) == 0}
}

// Stacks that mix cells and wrappers, tied and adaptive output layers, both float types and all
// merges of two directions give the same in ONNX Runtime.
func TestRuntimeOddConfigurations(t *testing.T) {
	r := startRuntime(t)
	words, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}},
		[]string{"a", "b", "c", "d", "e"})
	require.NoError(t, err)
	draws := 50
	if *long {
		draws = 400
	}
	for i := range draws {
		s := &rng.Stream{Key: rng.New(uint64(i))}
		stack := drawnStack(s)
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			o := onnx.ExportOptions{Scans: s.Intn(2) == 0}
			if i%2 == 0 {
				oddLanguageModel(t, r, s, stack, words, o)
			} else {
				oddTagger(t, r, s, stack, words, o)
			}
		})
	}
}

// oddLanguageModel is held to the runtime and to its own session; a configuration that is refused,
// such as weight drop around a cell without matrices, is passed over.
func oddLanguageModel(t *testing.T, r *runtime, s *rng.Stream, stack zoo.Recurrent,
	words *text.Vocabulary, o onnx.ExportOptions) {
	c := lm.Config{Recurrent: stack, Tied: s.Intn(2) == 0, Float64: s.Intn(3) == 0}
	if !c.Tied && s.Intn(2) == 0 {
		c.Cutoffs, c.Div = []int{2, 4}, 2
	}
	m, err := lm.New(c, words, 1)
	if err != nil {
		t.Skip("refused: ", err)
	}
	t.Logf("%+v", c)
	randomise(m.Params())
	spec := ""
	if strings.Contains(stack.Cell, "slstm") { // whose states begin at zero
		spec = "slstm"
	}
	models := map[string]*onnx.Model{}
	for _, o.Layout = range []string{"step", "sequence"} {
		file := filepath.Join(t.TempDir(), o.Layout+".onnx")
		require.NoError(t, onnx.Export(m, file, o))
		back, err := onnx.Import(file)
		require.NoError(t, err)
		models[o.Layout] = back
		for _, size := range [][2]int{{1, 1}, {6, 3}, {9, 1}} {
			if o.Layout == "step" {
				size[0] = 1
			}
			in := modelInputs(back, size[0], size[1], spec)
			for range 3 {
				out := r.requireSameRun(t, file, back, in)
				for to, from := range back.Carried() {
					in[to] = out[from]
				}
			}
		}
	}
	checkLanguageModel(t, m, models["step"], models["sequence"])
}

func oddTagger(t *testing.T, r *runtime, s *rng.Stream, stack zoo.Recurrent, words *text.Vocabulary,
	o onnx.ExportOptions) {
	labels, err := text.NewVocabulary(text.VocabularyConfig{}, []string{"x", "y", "z"})
	require.NoError(t, err)
	c := label.TaggerConfig{Config: label.Config{Bidirectional: s.Intn(3) > 0, Embed: 8,
		Recurrent: stack}}
	if c.Bidirectional {
		c.Merge = []unroll.Merge{unroll.Concat, unroll.Sum, unroll.Mean, unroll.Product}[s.Intn(4)]
	}
	m, err := label.NewTagger(c, words, labels, 1)
	if err != nil {
		t.Skip("refused: ", err)
	}
	t.Logf("%+v", c)
	randomise(m.Params())
	file := filepath.Join(t.TempDir(), "m.onnx")
	require.NoError(t, onnx.Export(m, file, o))
	back, err := onnx.Import(file)
	require.NoError(t, err)
	ids := []int{1, 2, 3, 2, 1, 0, 4, 2, 3, 1, 2, 0}
	for _, lengths := range [][]int{{4, 4, 4}, {0, 4, 3}, {2, 0, 0}} {
		r.requireSameRun(t, file, back, onnx.Values{"ids": onnx.Ints(ids, 4, 3),
			"lengths": onnx.Ints(lengths, 3)})
	}
	r.requireSameRun(t, file, back, onnx.Values{"ids": onnx.Ints(ids, 12, 1),
		"lengths": onnx.Ints([]int{7}, 1)})
}
