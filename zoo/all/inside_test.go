package all_test

import (
	"image"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/caption"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/reduce"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
)

// linear is row t of h·W + b, computed in plain loops.
func linear(m zoo.Model, path string, h run.Floats, t int) (y []float64) {
	get := func(leaf string) run.Floats {
		p, ok := m.Params().Get(path + "/" + leaf)
		if !ok {
			panic(path + "/" + leaf)
		}
		return run.ParamFloats(p)
	}
	W, b := get("W"), get("b")
	in, out := W.Shape()[0], W.Shape()[1]
	for j := range out {
		sum := b.At(j)
		for i := range in {
			sum += h.At(t*in+i) * W.At(i*out+j)
		}
		y = append(y, sum)
	}
	return y
}

func row(x run.Floats, t int) []float64 {
	n := x.Shape()[len(x.Shape())-1]
	return x.Rows(t, t+1).Float64s()[:n]
}

// What is inside a model is what its outputs are made of.
func TestInside(t *testing.T) {
	models := every()
	for _, m := range models {
		zootest.Scramble(m)
	}
	near := func(t *testing.T, want, got []float64) {
		t.Helper()
		testkit.RequireInDelta(t, want, got, 1e-4)
	}
	t.Run("language model", func(t *testing.T) {
		m := models["LanguageModel"].(*lm.Model)
		ids := []int{2, 3, 1, 2}
		in, err := m.Inside(ids)
		require.NoError(t, err)
		require.Equal(t, []int{4, 4}, in["layers/l0/h"].Shape())
		require.Equal(t, []int{4, 4}, in["embed"].Shape())
		s, err := m.NewSession()
		require.NoError(t, err)
		for i, id := range ids {
			logits, err := s.Step(id)
			require.NoError(t, err)
			near(t, row(in["out"], i), linear(m, "out", in["layers/l0/h"], i))
			for j, l := range logits {
				require.InDelta(t, float64(l), row(in["out"], i)[j], 1e-4)
			}
		}
	})
	t.Run("classifier", func(t *testing.T) {
		m := models["SequenceClassifier"].(*label.Classifier)
		s := label.Sequence{IDs: []int{1, 2, 3}}
		in, err := m.Inside(s)
		require.NoError(t, err)
		logits := linear(m, "out", in["layers/l0/h"], 2)
		near(t, in["out"].Float64s(), logits)
		p, err := m.Predict(s)
		require.NoError(t, err)
		near(t, []float64{math.Exp(logits[0]-logits[1]) / (1 + math.Exp(logits[0]-logits[1]))},
			p.Probs[:1])
	})
	t.Run("seq2seq", func(t *testing.T) {
		m := models["Seq2Seq"].(*seq2seq.Model)
		p := seq2seq.Pair{Source: []int{3, 4, 5}, Target: []int{4}}
		in, err := m.Inside(p)
		require.NoError(t, err)
		require.Equal(t, []int{3, 4}, in["encoder/l0/h"].Shape())
		require.Equal(t, []int{2, 3}, in["decoder/weights"].Shape())
		require.Contains(t, in, "decoder/l0/h")
		_, words := m.Vocabularies()
		var source []string
		for _, id := range p.Source {
			token, _ := words.Token(id)
			source = append(source, token)
		}
		found, err := m.Translate(t.Context(), source, decode.SearchOptions{KeepAttention: true})
		require.NoError(t, err)
		near(t, found[0].Alignment[0], row(in["decoder/weights"], 0)) // after <bos>, in both
	})
}

// insides are what is inside a model of each family, by what there must be at least.
func insides(models map[string]zoo.Model) map[string]func() (zoo.Inside, error) {
	return map[string]func() (zoo.Inside, error){
		"HRED": func() (zoo.Inside, error) {
			return models["HRED"].(*dialogue.Model).Inside(dialogue.Dialogue{{3, 4}, {}, {5, 3, 4}})
		},
		"JointLabeller": func() (zoo.Inside, error) {
			return models["JointLabeller"].(*label.Joint).Inside(label.Sequence{IDs: []int{1, 2}})
		},
		"Tagger": func() (zoo.Inside, error) {
			return models["Tagger"].(*label.Tagger).Inside(label.Sequence{Features: make([]float32, 6)})
		},
		"Forecaster": func() (zoo.Inside, error) {
			return models["Forecaster"].(*forecast.Model).Inside([][]float64{{1}, {2}, {3}})
		},
		"Captioner": func() (zoo.Inside, error) {
			return models["Captioner"].(*caption.Model).Inside(caption.Captioned{
				Picture: image.NewGray(image.Rect(0, 0, 4, 4)), Caption: []int{3, 4}})
		},
		"Autoencoder": func() (zoo.Inside, error) {
			return models["Autoencoder"].(*reduce.Autoencoder).Inside([]float32{1, 2, 3, 4})
		},
		"VAE": func() (zoo.Inside, error) {
			return models["VAE"].(*reduce.VAE).Inside([]float32{1, 0, 1, 0})
		},
		"RecurrentAutoencoder": func() (zoo.Inside, error) {
			return models["RecurrentAutoencoder"].(*reduce.RecurrentAutoencoder).Inside([]float32{1, 2, 3, 4})
		},
	}
}

func TestInsideOfEveryFamily(t *testing.T) {
	models := every()
	for _, m := range models {
		zootest.Scramble(m)
	}
	wants := map[string][]string{
		"HRED":                 {"encoder/l0/h", "context/l0/h", "decoder/l0/h", "out"},
		"JointLabeller":        {"embed", "layers/l0/h", "out", "tags/out"},
		"Tagger":               {"layers/l0/h", "out"},
		"Forecaster":           {"layers/l0/h", "out"},
		"Captioner":            {"words", "decoder/l0/h", "decoder/weights", "out"},
		"Autoencoder":          {"encoder/l0", "decoder/l0"},
		"VAE":                  {"encoder/l0"},
		"RecurrentAutoencoder": {"encoder/l0/h", "code", "decoder/l0/h", "out"},
	}
	for name, look := range insides(models) {
		in, err := look()
		require.NoError(t, err, name)
		for _, want := range wants[name] {
			require.Contains(t, in, want, name)
			for _, x := range in[want].Float64s() {
				require.False(t, x-x != 0, "%s: %s", name, want)
			}
		}
	}
}
