package lm

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// lmText is ids of a text in which each token depends on the one before.
var lmText = func() []int {
	r, ids, last := rng.Stream{Key: rng.New(3).Named("text")}, make([]int, 700), 0
	for i := range ids {
		if last = (2*last + 1) % lmTokens; r.Float64() < 0.3 {
			last = r.Intn(lmTokens)
		}
		ids[i] = last
	}
	return ids
}()

const lmTokens = 11

// newLM makes a model of lmText. Its weights are larger than a fresh model's, so that its opinions
// are strong.
func newLM(t testing.TB, cfg Config) *Model {
	tokens := make([]string, lmTokens)
	for i := range tokens {
		tokens[i] = string(rune('a' + i))
	}
	tokens[lmTokens-1] = "\n"
	if cfg.Level != "char" {
		tokens[lmTokens-1] = text.EOS
	}
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: append([]string{text.Unk},
		tokens[lmTokens-1])}, tokens[:lmTokens-2])
	require.NoError(t, err)
	require.Equal(t, lmTokens, v.Len())
	m, err := New(cfg, v, 1)
	require.NoError(t, err)
	for _, p := range m.Params().Params() {
		w := p.Value().Float32s()
		for i := range w {
			w[i] *= 3
		}
	}
	return m
}

func logitsOf(t testing.TB, m *Model, ids []int) (all [][]float32) {
	s, err := m.NewSession()
	require.NoError(t, err)
	defer s.Close()
	for _, id := range ids {
		l, err := s.Step(id)
		require.NoError(t, err)
		all = append(all, slices.Clone(l))
	}
	return all
}

var smallGRU = Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 6, Layers: 2}}

var smallAdaptive = Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 5},
	Cutoffs: []int{3, 6, 9}, Div: 2}

// Perplexity equals what a session gives, token by token, track by track.
func TestPerplexityBySession(t *testing.T) {
	for _, cfg := range []Config{smallGRU,
		{Recurrent: zoo.Recurrent{Hidden: 5, Dropout: 0.5, HiddenDropout: 0.3, Zoneout: 0.2},
			IODropout: 0.5, Tied: true}, smallAdaptive} {
		m := newLM(t, cfg)
		for _, n := range []int{2, 3, 33, 34, 65, 66, 513, 530, 700} {
			ids := lmText[:n]
			tracks := min(16, max(1, (n-1)/32))
			steps := (n - 1) / tracks
			var sum float64
			for b := range tracks {
				track := ids[b*steps:]
				for i, logits := range logitsOf(t, m, track[:steps]) {
					sum += crossEntropy(logits, track[i+1])
				}
			}
			got, err := m.Perplexity(context.Background(), ids)
			require.NoError(t, err)
			want := math.Exp(sum / float64(tracks*steps))
			require.InEpsilon(t, want, got, 1e-5, "%d tokens", n)
		}
	}
}

func getState(s *Session) (parts [][]float32) {
	for _, v := range s.after.Parts() {
		parts = append(parts, v.Float32s())
	}
	return parts
}

func setState(s *Session, parts [][]float32) {
	for i, v := range s.after.Parts() {
		v.Put32(0, parts[i])
	}
}

func TestSession(t *testing.T) {
	m := newLM(t, smallGRU)
	s, err := m.NewSession()
	require.NoError(t, err)
	first, err := s.Step(3)
	require.NoError(t, err)
	first = slices.Clone(first)
	second, err := s.Step(3)
	require.NoError(t, err)
	require.NotEqual(t, first, second, "there is a state")
	for i := range second {
		second[i] = float32(math.NaN()) // what a caller does to the logits is his own affair
	}
	s.Reset()
	again, err := s.Step(3)
	require.NoError(t, err)
	require.Equal(t, first, again)
	for _, id := range []int{-1, lmTokens} {
		_, err := s.Step(id)
		require.ErrorContains(t, err, fmt.Sprintf("id %d", id))
	}
	require.NoError(t, s.Close())
	_, err = s.Step(3)
	require.ErrorContains(t, err, "closed")
}

func TestPrompt(t *testing.T) {
	m := newLM(t, smallGRU)
	char := newLM(t, Config{Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 2}, Level: "char"})
	for _, c := range []struct {
		m               *Model
		prompt          string
		tokens, unknown []string
		err             string
	}{
		{m, "A b, c\n", []string{"a", "b", ",", "c"}, []string{","}, ""},
		{m, "a xx b xx yy", []string{"a", "xx", "b", "xx", "yy"}, []string{"xx", "yy"}, ""},
		{m, "", []string{}, nil, ""},
		{m, " \n", []string{}, nil, ""},
		{m, "xx yy xx", nil, nil, `the vocabulary has no word of the prompt: ["xx" "yy"]`},
		{m, "\xff", nil, nil, "not UTF-8"},
		{char, "ab日\n", []string{"a", "b", "日", "\n"}, []string{"日"}, ""},
		{char, "", []string{}, nil, ""},
		{char, "日本", nil, nil, "no word of the prompt"},
	} {
		p, err := c.m.Prompt(c.prompt)
		if c.err != "" {
			require.ErrorContains(t, err, c.err)
			_, _, err = c.m.Next(c.prompt, 1)
			require.ErrorContains(t, err, c.err)
			_, err = c.m.Generate(context.Background(), c.prompt, GenerateOptions{})
			require.ErrorContains(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.tokens, p.Tokens)
		require.Equal(t, c.unknown, p.Unknown)
	}
	v, err := text.NewVocabulary(text.VocabularyConfig{}, []string{"a", "b"})
	require.NoError(t, err)
	bare, err := New(smallGRU, v, 1)
	require.NoError(t, err)
	_, err = bare.Prompt("")
	require.ErrorContains(t, err, "the prompt is empty")
	_, err = bare.Prompt("a z")
	require.ErrorContains(t, err, `"z"`, "there is no <unk> to read it as")
}

func TestNext(t *testing.T) {
	m := newLM(t, smallGRU)
	ids, err := m.Encode("a b c")
	require.NoError(t, err)
	ids = ids[:3] // without the end of the line
	logits := logitsOf(t, m, ids)[2]
	next, p, err := m.Next("a b c", 100)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, p.Tokens)
	require.Len(t, next, lmTokens-1, "all but <unk>")
	unk, _ := m.Vocabulary().ID(text.Unk)
	rest := 1 - math.Exp(logProb(logits, unk))
	sum, last := 0., 1.
	for _, n := range next {
		id, _ := m.Vocabulary().ID(n.Token)
		require.InDelta(t, math.Exp(logProb(logits, id))/rest, n.Prob, 1e-6)
		require.LessOrEqual(t, n.Prob, last)
		last = n.Prob
		sum += n.Prob
	}
	require.InDelta(t, 1, sum, 1e-9)
	two, _, err := m.Next("a b c", 2)
	require.NoError(t, err)
	require.Equal(t, next[:2], two)
	_, _, err = m.Next("a", 0)
	require.ErrorContains(t, err, "k is 0")
}

func TestGenerate(t *testing.T) {
	m := newLM(t, smallGRU)
	ctx := context.Background()
	sample := decode.Sampler{Temperature: 1, TopP: 0.95}
	var streamed []string
	one, err := m.Generate(ctx, "a b", GenerateOptions{Max: 40, Seed: 5, Sample: sample,
		Each: func(s string) { streamed = append(streamed, s) }})
	require.NoError(t, err)
	require.Len(t, one.New, 40)
	require.Equal(t, one.New, streamed)
	require.NotContains(t, one.New, text.Unk)
	require.True(t, strings.HasPrefix(one.Text, "a b"))

	again, err := m.Generate(ctx, "a b", GenerateOptions{Max: 40, Seed: 5, Sample: sample})
	require.NoError(t, err)
	require.Equal(t, one, again)
	other, err := m.Generate(ctx, "a b", GenerateOptions{Max: 40, Seed: 6, Sample: sample})
	require.NoError(t, err)
	require.NotEqual(t, one.New, other.New)
	require.Equal(t, decode.Sampler{Temperature: 1, TopP: 0.95}, sample,
		"the options are not changed")

	// Its probability, by a session.
	ids, err := m.Vocabulary().Encode(append([]string{"a", "b"}, one.New...))
	require.NoError(t, err)
	unk, _ := m.Vocabulary().ID(text.Unk)
	want := 0.
	for i, logits := range logitsOf(t, m, ids) {
		if i >= 1 && i+1 < len(ids) {
			logits[unk] = float32(math.Inf(-1))
			want += logProb(logits, ids[i+1])
		}
	}
	require.InDelta(t, want, one.LogProb, 1e-4)

	// Greedy is Next, one by one, and 50 tokens by default.
	greedy, err := m.Generate(ctx, "a", GenerateOptions{})
	require.NoError(t, err)
	require.Len(t, greedy.New, 50)
	best, _, err := m.Next("a", 1)
	require.NoError(t, err)
	require.Equal(t, best[0].Token, greedy.New[0])

	// It stops before a token.
	stop := one.New[len(one.New)/2]
	at := slices.Index(one.New, stop)
	short, err := m.Generate(ctx, "a b", GenerateOptions{Max: 40, Seed: 5, Sample: sample,
		Stop: stop})
	require.NoError(t, err)
	require.Equal(t, one.New[:at], append([]string{}, short.New...))

	// It stops when it is told to, and keeps what there is.
	ctx, cancel := context.WithCancel(ctx)
	cut, err := m.Generate(ctx, "a b", GenerateOptions{Max: 40, Seed: 5, Sample: sample,
		Each: func(string) { cancel() }})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, one.New[:1], cut.New)

	_, err = m.Generate(context.Background(), "a", GenerateOptions{Max: -1})
	require.ErrorContains(t, err, "Max is -1")
	_, err = m.Generate(context.Background(), "a", GenerateOptions{Sample: decode.Sampler{TopP: 2}})
	require.ErrorContains(t, err, "TopP is 2")
}

// 32 goroutines use one model at once.
func TestLanguageModelConcurrently(t *testing.T) {
	for name, cfg := range map[string]Config{"full": {Recurrent: zoo.Recurrent{Hidden: 7,
		Layers: 2}}, "adaptive": smallAdaptive} {
		t.Run(name, func(t *testing.T) { testConcurrently(t, newLM(t, cfg)) })
	}
}

func testConcurrently(t *testing.T, m *Model) {
	rounds := 5
	if testing.Short() {
		rounds = 2
	}
	prompt := func(i int) string { return string(rune('a' + i%9)) }
	work := func(i int) (out []any, err error) {
		g, err := m.Generate(context.Background(), prompt(i),
			GenerateOptions{Max: 20, Seed: uint64(i), Sample: decode.Sampler{Temperature: 1}})
		if err != nil {
			return nil, err
		}
		next, _, err := m.Next(prompt(i), 5)
		if err != nil {
			return nil, err
		}
		ppl, err := m.Perplexity(context.Background(), lmText[i:i+60])
		return []any{*g, next, ppl}, err
	}
	const n = 32
	want := make([][]any, n)
	for i := range want {
		var err error
		want[i], err = work(i)
		require.NoError(t, err)
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for range rounds {
				got, err := work(i)
				if err != nil || !reflect.DeepEqual(got, want[i]) {
					t.Errorf("goroutine %d: %v, %v; alone it was %v", i, got, err, want[i])
					return
				}
			}
		})
	}
	wg.Wait()
}
