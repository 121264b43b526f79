package all_test

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/forecast"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/series"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// throughBytes is a state that was bytes in between.
func throughBytes(t testing.TB, s zoo.State) (back zoo.State) {
	b, err := s.MarshalBinary()
	require.NoError(t, err)
	require.NoError(t, back.UnmarshalBinary(b))
	again, err := back.MarshalBinary()
	require.NoError(t, err)
	require.True(t, bytes.Equal(b, again))
	return back
}

func writers(t *testing.T) map[string]*seq2seq.Model {
	v := zootest.Letters(t, 9, text.Unk, text.BOS, text.EOS, text.Pad)
	models := map[string]*seq2seq.Model{}
	for name, c := range map[string]seq2seq.Config{
		"plain": {Encoder: zoo.Recurrent{Cell: "gru", Hidden: 4}},
		"bahdanau": {Encoder: zoo.Recurrent{Hidden: 3, Layers: 2}, Bidirectional: true,
			Attention: "bahdanau", Peeky: true, Coverage: 1},
		"luong": {Encoder: zoo.Recurrent{Cell: "gru", Hidden: 4}, Attention: "luong",
			Float64: true},
	} {
		c.Text.Level = "char"
		m, err := seq2seq.New(c, v, v, 1)
		require.NoError(t, err)
		zootest.Scramble(m)
		models[name] = m
	}
	return models
}

// A target that is written part by part, each from the bytes of the state before, and one that a
// person writes along with the model, is the target that is written at once.
func TestWritingGoesOn(t *testing.T) {
	ctx := context.Background()
	for name, m := range writers(t) {
		source := strings.Split("abcdefg", "")
		for _, max := range []int{1, 2, 5, 17} {
			whole, err := m.Translate(ctx, source, decode.SearchOptions{Max: 17})
			require.NoError(t, err)
			w, err := m.NewWriting(source)
			require.NoError(t, err)
			var streamed strings.Builder
			o := decode.SearchOptions{Max: max,
				Text: func(_ int, part string) { streamed.WriteString(part) }}
			var logProb float64
			for len(w.Tokens()) < len(whole[0].Tokens) {
				o.Max = min(max, 17-len(w.Tokens()))
				found, err := w.Write(ctx, o)
				require.NoError(t, err)
				logProb += found.LogProb
				w, err = m.Resume(throughBytes(t, w.State()))
				require.NoError(t, err)
			}
			require.Equal(t, whole[0].Tokens, w.Tokens(), "%s by %d", name, max)
			require.Equal(t, strings.Join(whole[0].Tokens, ""), streamed.String())
			if w.Ended() == whole[0].Ended {
				require.InDelta(t, whole[0].LogProb, logProb, 1e-9)
			}
			said, err := w.Text()
			require.NoError(t, err)
			require.Equal(t, streamed.String(), said)

			with, err := m.NewWriting(source)
			require.NoError(t, err)
			half := len(whole[0].Tokens) / 2
			require.NoError(t, with.Read(whole[0].Tokens[:half]))
			_, err = with.Write(ctx, decode.SearchOptions{Max: 17 - half})
			require.NoError(t, err)
			require.Equal(t, whole[0].Tokens, with.Tokens())
		}
		w, err := m.NewWriting(source)
		require.NoError(t, err)
		fork, err := m.Resume(w.State())
		require.NoError(t, err)
		require.NoError(t, fork.Read([]string{"b"}))
		require.Empty(t, w.Tokens())
		require.ErrorContains(t, w.Read([]string{"?"}), "lacks")
		_, err = w.Write(ctx, decode.SearchOptions{Beam: 2})
		require.ErrorContains(t, err, "no beam")
		_, err = m.NewWriting(nil)
		require.ErrorContains(t, err, "empty")
		for other, n := range writers(t) {
			_, err := n.Resume(w.State())
			if other != name {
				require.ErrorIs(t, err, zoo.ErrMisfit)
			}
		}
	}
	var none seq2seq.Writing
	require.True(t, none.State().Empty())
	require.Error(t, none.Read(nil))
}

func TestConversationGoesOn(t *testing.T) {
	v := zootest.Letters(t, 9, text.Unk, text.BOS, text.EOS)
	m, err := dialogue.New(dialogue.Config{Encoder: zoo.Recurrent{Hidden: 4, Layers: 2},
		Latent: dialogue.Latent{Width: 2}}, v, 1)
	require.NoError(t, err)
	zootest.Scramble(m)
	whole, c := m.NewConversation(), m.NewConversation()
	empty, err := c.State()
	require.NoError(t, err)
	require.True(t, empty.Empty())
	for i, turn := range []string{"abc", "", "hgf", "iiiiii", "a"} {
		tokens := strings.Split(turn, "")
		require.NoError(t, whole.Read(tokens))
		require.NoError(t, c.Read(tokens))
		state, err := c.State()
		require.NoError(t, err)
		c = m.NewConversation()
		require.NoError(t, c.SetState(throughBytes(t, state)))
		require.Equal(t, i+1, c.Turns())
		o := dialogue.ReplyOptions{Max: 7, Seed: uint64(i)}
		want, err := whole.Reply(context.Background(), o)
		require.NoError(t, err)
		got, err := c.Reply(context.Background(), o)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	state, err := c.State()
	require.NoError(t, err)
	m.Params().Params()[0].Value().Float32s()[0]++
	require.ErrorIs(t, whole.SetState(state), zoo.ErrMisfit)
	require.Equal(t, 5, whole.Turns())
	require.NoError(t, whole.SetState(zoo.State{}))
	require.Zero(t, whole.Turns())
}

// What a tagger says of a sequence that comes in parts is what it says of the whole.
func TestTaggingGoesOn(t *testing.T) {
	v := zootest.Letters(t, 9, text.Unk)
	for name, c := range map[string]label.Config{
		"tokens":   {Recurrent: zoo.Recurrent{Cell: "lstm", Hidden: 4, Layers: 2}},
		"features": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4}, Features: 3, Float64: true},
	} {
		tokens, read := v, label.Sequence{IDs: []int{3, 1, 4, 1, 5, 9, 2}}
		if c.Features > 0 {
			tokens = nil
			read = label.Sequence{}
			for i := range 7 * c.Features {
				read.Features = append(read.Features, float32(math.Sin(float64(i))))
			}
		}
		m, err := label.NewTagger(label.TaggerConfig{Config: c}, tokens, twoLabels(), 1)
		require.NoError(t, err)
		zootest.Scramble(m)
		want, err := m.Predict(read)
		require.NoError(t, err)
		for _, n := range []int{1, 2, 7} {
			s, err := m.NewSession()
			require.NoError(t, err)
			require.True(t, s.State().Empty())
			var got []label.Prediction
			for from := 0; from < 7; from += n {
				part := label.Sequence{}
				if c.Features > 0 {
					part.Features = read.Features[3*from : 3*min(7, from+n)]
				} else {
					part.IDs = read.IDs[from:min(7, from+n)]
				}
				found, err := s.Read(part)
				require.NoError(t, err)
				got = append(got, found...)
				state := throughBytes(t, s.State())
				s.Reset()
				require.NoError(t, s.SetState(state))
				require.Equal(t, min(7, from+n), s.Steps())
			}
			for i := range want {
				testkit.RequireInDelta(t, want[i].Probs, got[i].Probs, 1e-6, "%s, %d at a time", name,
					n)
			}
			_, err = s.Read(label.Sequence{IDs: []int{99}, Features: []float32{1}})
			require.Error(t, err)
			require.Equal(t, 7, s.Steps())
		}
	}
	both, err := label.NewTagger(label.TaggerConfig{Config: label.Config{Bidirectional: true,
		Recurrent: zoo.Recurrent{Hidden: 2}}}, v, twoLabels(), 1)
	require.NoError(t, err)
	_, err = both.NewSession()
	require.ErrorContains(t, err, "reads both ways")
}

func TestForecastingGoesOn(t *testing.T) {
	m, err := forecast.New(forecast.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4},
		Variables: []string{"a", "b"}, Lookback: 5, Horizon: 2}, &series.Scale{
		Mean: []float64{1, 2}, Deviation: []float64{1, 3}}, 1)
	require.NoError(t, err)
	zootest.Scramble(m)
	var rows [][]float64
	s := m.NewSession()
	for i := range 12 {
		row := []float64{math.Sin(float64(i)), 0.1 * float64(i)}
		rows = append(rows, slices.Clone(row))
		require.NoError(t, s.Push(row))
		row[0] = 99 // what a caller does to his row is his own affair
		state, err := s.State()
		require.NoError(t, err)
		s = m.NewSession()
		require.NoError(t, s.SetState(throughBytes(t, state)))
		require.Equal(t, i >= 4, s.Ready())
		got, err := s.Forecast()
		if i < 4 {
			require.ErrorContains(t, err, "it reads 5")
			continue
		}
		require.NoError(t, err)
		want, err := m.Forecast(rows)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	require.ErrorContains(t, s.Push([]float64{1}), "1 values")
	require.ErrorContains(t, s.Push([]float64{1, math.NaN()}), "NaN")
	other := every()["Forecaster"].(*forecast.Model)
	state, err := s.State()
	require.NoError(t, err)
	require.ErrorIs(t, other.NewSession().SetState(state), zoo.ErrMisfit)
	require.ErrorIs(t, other.NewSession().SetState(stateOfWords(t)), zoo.ErrMisfit)
	var none forecast.Session
	require.Error(t, none.Push(nil))
	require.False(t, none.Ready())
}

// stepping is a model that has read something.
type stepping struct {
	state func() (zoo.State, error)
	goOn  func(zoo.State) error
}

// A state is of the words and the scale of its model, and not of numbers alone: a model with the
// same configuration and the same weights that reads or writes other words refuses it.
func TestStateOfOtherWords(t *testing.T) {
	vocabulary := func(letters string, specials ...string) *text.Vocabulary {
		v, err := text.NewVocabulary(text.VocabularyConfig{Specials: specials},
			strings.Split(letters, ""))
		require.NoError(t, err)
		return v
	}
	r := zoo.Recurrent{Hidden: 4}
	tag := func(tokens, labels string) stepping {
		m, err := label.NewTagger(label.TaggerConfig{Config: label.Config{Recurrent: r}},
			vocabulary(tokens), vocabulary(labels), 1)
		require.NoError(t, err)
		s, err := m.NewSession()
		require.NoError(t, err)
		_, err = s.Read(label.Sequence{IDs: []int{1, 2}})
		require.NoError(t, err)
		return stepping{func() (zoo.State, error) { return s.State(), nil }, s.SetState}
	}
	write := func(sources, targets string) stepping {
		m, err := seq2seq.New(seq2seq.Config{Encoder: r}, vocabulary(sources),
			vocabulary(targets, text.BOS, text.EOS), 1)
		require.NoError(t, err)
		w, err := m.NewWriting([]string{sources[:1]})
		require.NoError(t, err)
		return stepping{func() (zoo.State, error) { return w.State(), nil },
			func(s zoo.State) error { _, err := m.Resume(s); return err }}
	}
	for name, model := range map[string]func(words string) stepping{
		"LanguageModel": func(words string) stepping {
			m, err := lm.New(lm.Config{Recurrent: r}, vocabulary(words), 1)
			require.NoError(t, err)
			s, err := m.NewSession()
			require.NoError(t, err)
			_, err = s.Step(1)
			require.NoError(t, err)
			return stepping{func() (zoo.State, error) { return s.State(), nil }, s.SetState}
		},
		"tokens":  func(words string) stepping { return tag(words, "xyz") },
		"labels":  func(words string) stepping { return tag("xyz", words) },
		"sources": func(words string) stepping { return write(words, "xyz") },
		"targets": func(words string) stepping { return write("xyz", words) },
		"dialogue": func(words string) stepping {
			m, err := dialogue.New(dialogue.Config{Encoder: r}, vocabulary(words, text.BOS,
				text.EOS),
				1)
			require.NoError(t, err)
			c := m.NewConversation()
			require.NoError(t, c.Read([]string{words[:1]}))
			return stepping{c.State, c.SetState}
		},
		"scale": func(words string) stepping {
			m, err := forecast.New(forecast.Config{Recurrent: r, Variables: []string{"x"},
				Lookback: 2, Horizon: 1}, &series.Scale{Mean: []float64{float64(words[0])},
				Deviation: []float64{1}}, 1)
			require.NoError(t, err)
			s := m.NewSession()
			require.NoError(t, s.Push([]float64{1}))
			return stepping{s.State, s.SetState}
		},
	} {
		state, err := model("abc").state()
		require.NoError(t, err, name)
		require.NoError(t, model("abc").goOn(throughBytes(t, state)), name)
		for _, other := range []string{"abd", "abcc"} {
			if name == "scale" {
				other = "b"
			}
			require.ErrorIs(t, model(other).goOn(state), zoo.ErrMisfit, "%s: %s", name, other)
		}
	}
}

// stateOfWords is one of a language model.
func stateOfWords(t *testing.T) zoo.State {
	s, err := every()["LanguageModel"].(*lm.Model).NewSession()
	require.NoError(t, err)
	_, err = s.Step(1)
	require.NoError(t, err)
	return s.State()
}
