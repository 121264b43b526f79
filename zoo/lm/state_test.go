package lm

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// asBytes is a state that was bytes in between.
func asBytes(t testing.TB, s zoo.State) (back zoo.State) {
	b, err := s.MarshalBinary()
	require.NoError(t, err)
	require.NoError(t, back.UnmarshalBinary(b))
	again, err := back.MarshalBinary()
	require.NoError(t, err)
	require.True(t, bytes.Equal(b, again))
	return back
}

// Wherever a text is cut, a session that goes on from the state's bytes says the same to the bit.
func TestStateGoesOn(t *testing.T) {
	for name, cfg := range map[string]Config{
		"gru": smallGRU, "adaptive": smallAdaptive,
		"lstm":  {Recurrent: zoo.Recurrent{Hidden: 5, Layers: 2, Residual: true}, Tied: true},
		"mlstm": {Recurrent: zoo.Recurrent{Cell: "mlstm", Hidden: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newLM(t, cfg)
			ids := lmText[:150]
			want := logitsOf(t, m, ids)
			s, err := m.NewSession()
			require.NoError(t, err)
			require.True(t, s.State().Empty())
			for i, id := range ids {
				if i%7 == 3 {
					state := asBytes(t, s.State())
					s, err = m.NewSession()
					require.NoError(t, err)
					require.NoError(t, s.SetState(state))
				}
				got, err := s.Step(id)
				require.NoError(t, err)
				require.Equal(t, want[i], got, "token %d", i)
			}
		})
	}
}

// A text that is written in parts, each from the state of the one before as bytes, is the text that
// is written at once, and so are its pieces.
func TestGenerateGoesOn(t *testing.T) {
	m := newLM(t, smallGRU)
	const n = 40
	prompt := prompted(m)
	var pieces strings.Builder
	all, err := m.Generate(context.Background(), prompt, GenerateOptions{Max: n,
		Text: func(part string) { pieces.WriteString(part) }})
	require.NoError(t, err)
	require.Equal(t, all.Added, pieces.String())
	joined := strings.TrimSpace(m.tokeniser.Join(all.Tokens)) + all.Added
	require.Equal(t, all.Text, strings.TrimSpace(joined))
	for _, step := range []int{1, 3, 7, 39} {
		var state zoo.State
		var tokens []string
		var added string
		for from := prompt; len(tokens) < n; from = "" {
			g, err := m.Generate(context.Background(), from, GenerateOptions{From: state,
				Max: min(step, n-len(tokens))})
			require.NoError(t, err)
			tokens, added = append(tokens, g.New...), added+g.Added
			state = asBytes(t, g.State)
		}
		require.Equal(t, all.New, tokens)
		require.Equal(t, all.Added, added, "steps of %d", step)
	}
	// A fork: two continuations of one state do not know of each other.
	one := GenerateOptions{From: all.State, Max: 5, Sample: decode.Sampler{Temperature: 1}}
	a, err := m.Generate(context.Background(), "", one)
	require.NoError(t, err)
	_, err = m.Generate(context.Background(), prompt, GenerateOptions{From: all.State})
	require.NoError(t, err)
	b, err := m.Generate(context.Background(), "", one)
	require.NoError(t, err)
	require.Equal(t, a.New, b.New)
}

// prompted is a prompt of two tokens that the model knows.
func prompted(m *Model) string {
	var tokens []string
	for id := m.specials; len(tokens) < 2; id++ {
		token, _ := m.vocabulary.Token(id)
		tokens = append(tokens, token)
	}
	return strings.Join(tokens, " ")
}

// Pieces of bytes are streamed as whole characters, and one that Max cuts comes whole afterwards.
func TestStreamOfBytePairs(t *testing.T) {
	const s = "猫が好き。😀 café naïve 猫が好き。"
	bpe, err := text.TrainBPE(context.Background(), text.BPEConfig{Size: 258}, s)
	require.NoError(t, err)
	tokens, err := bpe.Tokens(s)
	require.NoError(t, err)
	v, err := text.NewVocabulary(text.VocabularyConfig{
		Specials: []string{text.Unk, text.BOS, text.Pad, "<sep>"}}, tokens)
	require.NoError(t, err)
	m, err := New(Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 8}, Level: BytePairs,
		BPE: bpe}, v, 1)
	require.NoError(t, err)
	for seed := range uint64(20) {
		o := GenerateOptions{Max: 60, Seed: seed, Sample: decode.Sampler{Temperature: 3}}
		o.Text = func(part string) { require.Equal(t, strings.ToValidUTF8(part, "?"), part) }
		whole, err := m.Generate(context.Background(), "猫", o)
		require.NoError(t, err)
		for _, special := range v.Specials() {
			require.NotContains(t, whole.Added, special)
		}
		require.NotContains(t, whole.New, text.BOS)
		require.NotContains(t, whole.New, text.Unk)
	}
	// All of s, token by token, as a model that knows it would write it.
	session, err := m.NewSession()
	require.NoError(t, err)
	stream, said := text.NewStream(bpe), ""
	for _, token := range tokens {
		id, _ := v.ID(token)
		said += session.part(stream, id)
	}
	require.Equal(t, s, said)
}

// A state is refused by all but the model and the weights that it is of.
func TestStateOfAnother(t *testing.T) {
	m := newLM(t, smallGRU)
	s, err := m.NewSession()
	require.NoError(t, err)
	_, err = s.Step(3)
	require.NoError(t, err)
	state := s.State()
	require.Equal(t, "LanguageModel", state.Kind())
	refused := func(by *Model, want string) {
		other, err := by.NewSession()
		require.NoError(t, err)
		_, err = other.Step(5)
		require.NoError(t, err)
		before := other.State()
		err = other.SetState(state)
		require.ErrorIs(t, err, zoo.ErrMisfit)
		require.ErrorContains(t, err, want)
		require.Equal(t, before, other.State())
		_, err = by.Generate(context.Background(), "", GenerateOptions{From: state})
		require.ErrorIs(t, err, zoo.ErrMisfit)
	}
	refused(newLM(t, smallAdaptive), "another LanguageModel")
	deeper := smallGRU
	deeper.IODropout = 0.5 // the same weights
	refused(newLM(t, deeper), "another LanguageModel")
	for _, p := range m.Params().Params() {
		p.Value().Float32s()[0]++
	}
	refused(m, "other weights")
	var cut zoo.State
	b, err := state.MarshalBinary()
	require.NoError(t, err)
	require.Error(t, cut.UnmarshalBinary(b[:len(b)-1]))
	require.True(t, cut.Empty())
}

func TestSessionReadsText(t *testing.T) {
	m := newLM(t, smallGRU)
	prompt := prompted(m)
	want, p, err := m.Next(prompt, 3)
	require.NoError(t, err)
	words := strings.Fields(prompt)
	s, err := m.NewSession()
	require.NoError(t, err)
	for _, w := range words {
		_, err := s.Read(w)
		require.NoError(t, err)
	}
	_, err = s.Read("")
	require.NoError(t, err)
	got, err := s.Next(3)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, words, p.Tokens)
	_, err = s.Next(0)
	require.ErrorContains(t, err, "k is 0")
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	s.Reset()
	require.True(t, s.State().Empty())
	_, err = s.Read("x")
	require.ErrorContains(t, err, "closed")
	require.ErrorContains(t, s.SetState(zoo.State{}), "closed")
}

// Many goroutines go on from one state.
func TestStateOfManyGoroutines(t *testing.T) {
	m := newLM(t, smallGRU)
	g, err := m.Generate(context.Background(), prompted(m), GenerateOptions{Max: 3})
	require.NoError(t, err)
	var wg sync.WaitGroup
	results := make([][]string, 16)
	for i := range results {
		wg.Go(func() {
			out, err := m.Generate(context.Background(), "", GenerateOptions{From: g.State,
				Max: 20})
			if err == nil {
				results[i] = out.New
			}
		})
	}
	wg.Wait()
	for _, r := range results {
		require.Len(t, r, 20)
		require.True(t, slices.Equal(results[0], r))
	}
}

func TestGenerateOptionsThatCannotBe(t *testing.T) {
	m := newLM(t, smallGRU)
	for want, o := range map[string]GenerateOptions{
		"Max is -1":            {Max: -1},
		"the vocabulary lacks": {Stop: "<no such>"},
		"never written":        {Stop: text.Unk},
		"TopP is 0.5, and":     {Sample: decode.Sampler{TopP: 0.5}},
		"TopK is 3, and":       {Sample: decode.Sampler{TopK: 3}},
		"Temperature is -1":    {Sample: decode.Sampler{Temperature: -1}},
		"Seed is 7, and":       {Seed: 7},
	} {
		_, err := m.Generate(context.Background(), "a", o)
		require.ErrorContains(t, err, want, fmt.Sprintf("%+v", o))
	}
}
