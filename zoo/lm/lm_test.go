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

	"github.com/seqzoo/seqzoo/internal/rng"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
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

func TestLanguageModelConfigErrors(t *testing.T) {
	for want, change := range map[string]func(c *Config){
		"hidden is 0":                  func(c *Config) { c.Hidden = 0 },
		"hidden is -1":                 func(c *Config) { c.Hidden = -1 },
		"hidden is 1099511627776":      func(c *Config) { c.Hidden = 1 << 40 },
		"2³¹−1 elements":               func(c *Config) { c.Hidden = 1 << 20 },
		"layers is -1":                 func(c *Config) { c.Layers = -1 },
		"layers is 2147483648":         func(c *Config) { c.Layers = 1 << 31 },
		"embed is -1":                  func(c *Config) { c.Embed = -1 },
		"embed is 9223372036854775807": func(c *Config) { c.Embed = math.MaxInt },
		"cell is \"lstn\"":             func(c *Config) { c.Cell = "lstn" },
		"level is \"sentence\"":        func(c *Config) { c.Level = "sentence" },
		"tied: embed is 5":             func(c *Config) { c.Tied, c.Embed = true, 5 },
		"embed_std is -1":              func(c *Config) { c.EmbedStd = -1 },
		"spaced": func(c *Config) {
			c.Level, c.Spaced = "char",
				true
		},
		"no BPE is given":       func(c *Config) { c.Level = "bpe" },
		"and the level is \"\"": func(c *Config) { c.BPE = &text.BPE{} },
		"no tokeniser \"ja\"":   func(c *Config) { c.Level = "ja" },
		"no output layer of the embedding's shape": func(c *Config) {
			c.Tied, c.Cutoffs = true,
				[]int{3}
		},
		"div is set": func(c *Config) { c.Div = 2 },
		"Div is 0.5": func(c *Config) {
			c.Cutoffs, c.Div = []int{3},
				0.5
		},
		"cutoffs are [5 5]": func(c *Config) { c.Cutoffs = []int{5, 5} },
		"cutoffs are [4 11]": func(c *Config) {
			c.Cutoffs = []int{4,
				lmTokens}
		},
		"keep_case": func(c *Config) {
			c.Level, c.KeepCase = "char",
				true
		},
		"io_dropout is 1":            func(c *Config) { c.IODropout = 1 },
		"dropout is -0.1":            func(c *Config) { c.Dropout = -0.1 },
		"hidden_dropout is NaN":      func(c *Config) { c.HiddenDropout = math.NaN() },
		"zoneout is +Inf":            func(c *Config) { c.Zoneout = math.Inf(1) },
		"no option \"activation\"":   func(c *Config) { c.Cell = "gru,activation=relu" },
		"no option \"reset_before\"": func(c *Config) { c.Cell = "lstm,reset_before" },
		"Activation is \"gelu\"":     func(c *Config) { c.Cell = "rnn,activation=gelu" },
		"Peephole is \"some\"":       func(c *Config) { c.Cell = "lstm,peephole=some" },
		"cell names 2 layers": func(c *Config) {
			c.Cell, c.Layers = "gru/lstm",
				3
		},
		"the cell \"\" is not":    func(c *Config) { c.Cell = "gru/" },
		"hidden is \"0\", want 1": func(c *Config) { c.Cell = "gru,hidden=0" },
		"zoneout is 0":            func(c *Config) { c.ZoneoutParts = "h" },
		"rates of the parts [c]": func(c *Config) {
			c.Zoneout,
				c.ZoneoutParts = 0.1, "c"
		},
		"by no matrix": func(c *Config) {
			c.Cell,
				c.HiddenDropout = "mingru", 0.1
		},
		"layer 1 is 4 wide": func(c *Config) {
			c.Cell,
				c.Residual = "gru/gru,hidden=4", true
		},
	} {
		c := smallGRU
		change(&c)
		v := newLM(t, smallGRU).Vocabulary()
		m, err := New(c, v, 1)
		require.ErrorContains(t, err, want)
		require.Nil(t, m)
	}
	c := Config{Recurrent: zoo.Recurrent{Cell: "x", Layers: -1, Dropout: 2}, Embed: -1}
	for range 20 {
		require.Equal(t, c.Validate().Error(), c.Validate().Error(), "in one order")
	}
	_, err := New(smallGRU, nil, 1)
	require.ErrorContains(t, err, "at least 2 tokens")
}

// Every option trains a few steps, and the loss falls.
func TestLanguageModelOptions(t *testing.T) {
	for name, cfg := range map[string]Config{
		"defaults": {Recurrent: zoo.Recurrent{Hidden: 8}},
		"smallest": {Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 1}, Embed: 1},
		"tied":     {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 8}, Tied: true},
		"char": {Recurrent: zoo.Recurrent{Cell: "lstm", Hidden: 8}, Level: "char",
			Embed: 3},
		"zoneout":        {Recurrent: zoo.Recurrent{Cell: "lstm", Hidden: 8, Zoneout: 0.2}},
		"hidden dropout": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 8, HiddenDropout: 0.2}},
		"both": {Recurrent: zoo.Recurrent{Cell: "rnn,activation=sigmoid", Hidden: 8,
			HiddenDropout: 0.1, Zoneout: 0.1}},
		"residual": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 8, Layers: 3,
			Residual: true, Dropout: 0.1}, IODropout: 0.1},
		"reset before": {Recurrent: zoo.Recurrent{Cell: "gru,reset_before", Hidden: 8}},
		"peephole":     {Recurrent: zoo.Recurrent{Cell: "lstm,peephole=full,coupled", Hidden: 8}},
		"adaptive": {Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 8, Dropout: 0.1},
			IODropout: 0.1, Cutoffs: []int{3, 7}, Div: 2},
		"normal": {Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 8}, EmbedStd: 1},
		"layer norm": {Recurrent: zoo.Recurrent{Cell: "lstm,layer_norm=gates,peephole=diagonal",
			Hidden: 8}},
	} {
		for _, strategy := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
			t.Run(fmt.Sprint(name, " ", strategy), func(t *testing.T) {
				m := newLM(t, cfg)
				task, err := m.Task(Data{Train: lmText, Valid: lmText, Batch: 7,
					Window: unroll.Window{Stride: 7, Length: 9}, Unroll: strategy})
				require.NoError(t, err)
				before, err := m.Perplexity(context.Background(), lmText)
				require.NoError(t, err)
				adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
				require.NoError(t, err)
				r, err := train.Fit(context.Background(), task,
					train.Config{Optimizer: adam, Epochs: 3})
				require.NoError(t, err)
				require.Equal(t, 3*15, r.Steps)
				_, after := r.History.Column("valid_perplexity")
				require.Less(t, after[2], before)
				_, loss := r.History.Column("valid_loss")
				require.InDelta(t, after[2], math.Exp(loss[2]), 1e-9)
			})
		}
	}
}

func TestTaskErrors(t *testing.T) {
	m := newLM(t, smallGRU)
	for want, d := range map[string]Data{
		"training text: stream: the text has 0 tokens":                      {},
		"training text: id 11 at position 1; the vocabulary has ids 0 … 10": {Train: []int{1, 11}},
		"validation text: id -1 at position 0": {Train: lmText,
			Valid: []int{-1}},
		"validation text: fewer than 2 tokens": {Train: lmText,
			Valid: []int{1}},
		"a batch has -1 tracks": {Train: lmText,
			Batch: -1},
		"Stride is -1": {Train: lmText,
			Window: unroll.Window{Stride: -1}},
		"Stride is 0": {Train: lmText,
			Window: unroll.Window{Length: 5}},
		"Length is 2, want at least Stride": {Train: lmText,
			Window: unroll.Window{Stride: 3, Length: 2}},
		"needs at least 1121": {Train: lmText,
			Window: unroll.Window{Stride: 35}},
	} {
		_, err := m.Task(d)
		require.ErrorContains(t, err, want)
	}
	task, err := m.Task(Data{Train: lmText, Batch: 2, Unroll: 7})
	require.NoError(t, err)
	_, err = task.Next(1, 0)
	require.ErrorContains(t, err, "no strategy")
	for _, ids := range [][]int{nil, {1}} {
		_, err := m.Perplexity(context.Background(), ids)
		require.ErrorContains(t, err, "fewer than 2 tokens")
	}
	_, err = m.Perplexity(context.Background(), []int{1, 2, 99})
	require.ErrorContains(t, err, "id 99 at position 2")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = m.Perplexity(ctx, lmText)
	require.ErrorIs(t, err, context.Canceled)
}

// crossEntropy is −log p(id) by the meaning of the word.
func crossEntropy(logits []float32, id int) float64 { return -logProb(logits, id) }

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

// Truncated training by hand: the state of every track from sessions, the loss token by token, the
// gradient by finite differences from the state at which a window starts.
func TestWindowsByHand(t *testing.T) {
	const tracks = 3
	ids := lmText[:100] // tracks of 33 steps
	for _, window := range []unroll.Window{{Stride: 5}, {Stride: 5, Length: 8},
		{Stride: 7, Length: 21}, {Stride: 33}, {Stride: 1}, {Stride: 40 - 7, Length: 99}} {
		for _, cfg := range []Config{smallGRU, {Recurrent: zoo.Recurrent{Hidden: 4}, Tied: true},
			smallAdaptive} {
			m := newLM(t, cfg)
			task, err := m.Task(Data{Train: ids, Batch: tracks, Window: window})
			require.NoError(t, err)
			spans, err := window.Plan(33)
			require.NoError(t, err)
			require.Equal(t, len(spans), task.Len())
			sessions := make([]*Session, tracks)
			for b := range sessions {
				sessions[b], err = m.NewSession()
				require.NoError(t, err)
			}
			// lossOf is the mean over what a window scores, its state taken from before its start.
			lossOf := func(s unroll.Span, state [][][]float32) (loss float64) {
				for b, session := range sessions {
					setState(session, state[b])
					for i := s.Start; i < s.End; i++ {
						logits, err := session.Step(ids[b*33+i])
						require.NoError(t, err)
						if i >= s.Scored {
							loss += crossEntropy(logits, ids[b*33+i+1])
						}
					}
				}
				return loss / float64(tracks*(s.End-s.Scored))
			}
			for epoch := range 2 {
				for k, s := range spans {
					state := make([][][]float32, tracks)
					for b, session := range sessions {
						session.Reset()
						for i := range s.Start {
							_, err := session.Step(ids[b*33+i])
							require.NoError(t, err)
						}
						state[b] = getState(session)
					}
					batch, err := task.Next(1, 0)
					require.NoError(t, err)
					require.Equal(t, tracks*(s.End-s.Scored), batch.Count)
					require.InDelta(t, lossOf(s, state), batch.Loss, 2e-5,
						"%+v, epoch %d, window %d", window, epoch, k)
					if epoch > 0 || k > 2 {
						continue
					}
					for _, g := range batch.Grads {
						p, ok := m.store.Get(g.(interface{ Name() string }).Name())
						require.True(t, ok)
						grad, err := g.Grad()
						require.NoError(t, err)
						d := slices.Clone(grad.Data().([]float32))
						w := p.Value().Float32s()
						for _, i := range []int{0, len(w) / 2, len(w) - 1} {
							const h = 1.0 / 512
							old := w[i]
							w[i] = old + h
							up := lossOf(s, state)
							w[i] = old - h
							down := lossOf(s, state)
							w[i] = old
							require.InDelta(t, (up-down)/(2*h), d[i], 2e-3,
								"%+v, window %d: %s[%d]", window, k, p.Name(), i)
						}
					}
				}
			}
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

// Two tasks of one seed give the same batches; a model's weights do not depend on what else was
// declared.
func TestLanguageModelSeed(t *testing.T) {
	cfg := Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3}}
	v := newLM(t, cfg).Vocabulary()
	one, err := New(cfg, v, 1)
	require.NoError(t, err)
	cfg.Layers = 2
	two, err := New(cfg, v, 1)
	require.NoError(t, err)
	other, err := New(cfg, v, 2)
	require.NoError(t, err)
	for _, p := range one.Params().Params() {
		q, ok := two.Params().Get(p.Name())
		require.True(t, ok)
		require.Equal(t, p.Value().Float32s(), q.Value().Float32s())
		q, _ = other.Params().Get(p.Name())
		if !strings.HasPrefix(p.Leaf(), "b") {
			require.NotEqual(t, p.Value().Float32s(), q.Value().Float32s())
		}
	}
	require.Equal(t, nodes.Float32, one.Params().Dtype())
}

// Measure reads a text as one, or in tracks, and counts every token that it predicts once.
func TestMeasure(t *testing.T) {
	for _, cfg := range []Config{smallGRU, smallAdaptive} {
		m := newLM(t, cfg)
		for _, n := range []int{2, 3, 35, 36, 37, 71, 200} {
			ids := lmText[:n]
			logProbs, err := m.LogProbs(context.Background(), ids)
			require.NoError(t, err)
			require.Len(t, logProbs, n-1)
			var sum float64
			for i, logits := range logitsOf(t, m, ids[:n-1]) {
				require.InDelta(t, logProb(logits, ids[i+1]), logProbs[i], 1e-12)
				sum -= logProbs[i]
			}
			for _, window := range []int{0, 1, 7, 1000} {
				got, err := m.Measure(context.Background(), ids, MeasureOptions{Window: window})
				require.NoError(t, err)
				require.Equal(t, n-1, got.Tokens)
				require.InEpsilon(t, sum/float64(n-1), got.Loss, 1e-5, "%d tokens, window %d", n,
					window)
				require.InEpsilon(t, math.Exp(got.Loss), got.Perplexity(), 1e-12)
			}
			if n < 20 {
				continue
			}
			sum = 0
			steps := (n - 1) / 10
			for b := range 10 { // as PyTorch's word_language_model cuts a text for evaluation
				track, err := m.LogProbs(context.Background(), ids[b*steps:(b+1)*steps+1])
				require.NoError(t, err)
				for _, l := range track {
					sum -= l
				}
			}
			got, err := m.Measure(context.Background(), ids, MeasureOptions{Tracks: 10})
			require.NoError(t, err)
			require.Equal(t, 10*steps, got.Tokens)
			require.InEpsilon(t, sum/float64(10*steps), got.Loss, 1e-5)
		}
	}
	m := newLM(t, smallGRU)
	ctx := context.Background()
	for want, o := range map[string]MeasureOptions{"-1 tracks": {Tracks: -1},
		"windows of -2 steps": {Window: -2}, "a batch of 99 tracks": {Tracks: 99}} {
		_, err := m.Measure(ctx, lmText[:50], o)
		require.ErrorContains(t, err, want)
	}
	for _, ids := range [][]int{nil, {1}} {
		_, err := m.Measure(ctx, ids, MeasureOptions{})
		require.ErrorContains(t, err, "fewer than 2 tokens")
		_, err = m.LogProbs(ctx, ids)
		require.ErrorContains(t, err, "fewer than 2 tokens")
	}
	_, err := m.Measure(ctx, []int{1, 99}, MeasureOptions{})
	require.ErrorContains(t, err, "id 99")
	_, err = m.LogProbs(ctx, []int{1, 99})
	require.ErrorContains(t, err, "id 99")
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	_, err = m.LogProbs(ctx, lmText)
	require.ErrorIs(t, err, context.Canceled)
}

// With a sample of the whole vocabulary the sampled softmax is the full one; with a part of it the
// text is learned too, and the whole is measured.
func TestSampledTraining(t *testing.T) {
	for _, tied := range []bool{false, true} {
		cfg := Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 8}, Tied: tied}
		data := Data{Train: lmText, Valid: lmText, Batch: 7,
			Window: unroll.Window{Stride: 7, Length: 9}}
		fit := func(sampled, epochs int) (losses []float64, m *Model) {
			m = newLM(t, cfg)
			data.Sampled = sampled
			task, err := m.Task(data)
			require.NoError(t, err)
			adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
			require.NoError(t, err)
			r, err := train.Fit(context.Background(), task,
				train.Config{Optimizer: adam, Epochs: epochs, Seed: 2})
			require.NoError(t, err)
			_, losses = r.History.Column("valid_loss")
			return losses, m
		}
		want, full := fit(0, 2)
		got, all := fit(lmTokens, 2)
		require.InDeltaSlice(t, want, got, 1e-4)
		for name, w := range zootest.Weights(full) {
			require.InDeltaSlice(t, w, zootest.Weights(all)[name], 2e-3, name)
		}
		part, _ := fit(5, 6)
		require.Less(t, part[5], part[0]-0.1)
		for _, bad := range []int{-1, lmTokens + 1} {
			data.Sampled = bad
			_, err := full.Task(data)
			require.ErrorContains(t, err, "want 1 … V of them")
		}
	}
	_, err := newLM(t, smallAdaptive).Task(Data{Train: lmText, Batch: 2, Sampled: 3})
	require.ErrorContains(t, err, "the model has an adaptive softmax")
}

// Resumed in the midst of an epoch, dropout on, is never stopped, to the bit; for each loss.
func TestLanguageModelResumes(t *testing.T) {
	for name, c := range map[string]struct {
		cfg     Config
		sampled int
	}{
		"full":    {Config{Recurrent: zoo.Recurrent{Hidden: 4}, IODropout: 0.2, Tied: true}, 0},
		"sampled": {Config{Recurrent: zoo.Recurrent{Hidden: 4}, IODropout: 0.2}, 4},
		"adaptive": {Config{Recurrent: zoo.Recurrent{Hidden: 4}, IODropout: 0.2,
			Cutoffs: []int{3, 6}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			run := func(stops ...int) map[string][]float32 {
				dir := t.TempDir()
				var m *Model
				for _, steps := range stops {
					m = newLM(t, c.cfg)
					task, err := m.Task(Data{Train: lmText, Batch: 5,
						Window: unroll.Window{Stride: 9, Length: 12}, Sampled: c.sampled})
					require.NoError(t, err)
					adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
					require.NoError(t, err)
					checkpoints, err := train.OpenCheckpoints(dir, 0)
					require.NoError(t, err)
					_, err = train.Fit(context.Background(), task, train.Config{
						Optimizer: adam, Epochs: 9, MaxSteps: steps, Seed: 3,
						Checkpoints: checkpoints, SaveEvery: 50, Resume: true})
					require.NoError(t, err)
					require.NoError(t, checkpoints.Close())
				}
				return zootest.Weights(m)
			}
			require.Equal(t, run(30), run(7, 8, 30))
		})
	}
}

// The gradients of all weights along a random direction, in float64, of each loss, whole and
// truncated.
func TestLanguageModelGradients(t *testing.T) {
	for name, c := range map[string]struct {
		cfg     Config
		sampled int
	}{
		"tied":           {Config{Recurrent: zoo.Recurrent{Hidden: 5, Layers: 2}, Tied: true}, 0},
		"untied":         {Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 5}, Embed: 3}, 0},
		"adaptive":       {smallAdaptive, 0},
		"sampled tied":   {Config{Recurrent: zoo.Recurrent{Hidden: 5}, Tied: true}, 4},
		"sampled untied": {Config{Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 5}}, 4},
	} {
		for _, window := range []unroll.Window{{Stride: 10}, {Stride: 10, Length: 10}} {
			for seed := range uint64(3) {
				c.cfg.Float64 = true
				m, err := New(c.cfg, newLM(t, smallGRU).Vocabulary(), seed)
				require.NoError(t, err)
				// one window
				task, err := m.Task(Data{Train: lmText[:61], Batch: 6, Window: window,
					Sampled: c.sampled})
				require.NoError(t, err)
				require.Equal(t, 1, task.Len())
				batch, err := task.Next(3, 4)
				require.NoError(t, err)
				along := rng.Stream{Key: rng.New(seed).Named(name)}
				direction := make([][]float64, len(batch.Grads))
				slope := 0.
				for i, g := range batch.Grads {
					d, err := g.Grad()
					require.NoError(t, err)
					for _, x := range d.Data().([]float64) {
						direction[i] = append(direction[i], along.Normal())
						slope += x * direction[i][len(direction[i])-1]
					}
				}
				loss := func(by float64) float64 {
					for i, g := range batch.Grads {
						w := g.Value().Data().([]float64)
						for k := range w {
							w[k] += by * direction[i][k]
						}
					}
					b, err := task.Next(3, 4)
					require.NoError(t, err)
					return b.Loss
				}
				const h = 1e-4
				up, up2, down, down2 := loss(h), loss(h), loss(-3*h), loss(-h)
				require.InEpsilon(t, (8*(up-down)-(up2-down2))/(12*h), slope, 1e-6, "%s, seed %d",
					name, seed)
			}
		}
	}
}

// Random clusters and sizes build and agree with each other, or say what is wrong.
func TestLanguageModelRandomCutoffs(t *testing.T) {
	r := rng.Stream{Key: rng.New(9).Named("cutoffs")}
	rounds := 60
	if testing.Short() {
		rounds = 15
	}
	built := 0
	for range rounds {
		cfg := Config{Recurrent: zoo.Recurrent{Cell: []string{"rnn", "gru", "lstm"}[r.Intn(3)],
			Hidden: 1 + r.Intn(7)}, Div: float64(r.Intn(4))}
		for range 1 + r.Intn(3) {
			cfg.Cutoffs = append(cfg.Cutoffs, r.Intn(lmTokens+1))
		}
		if r.Intn(4) > 0 {
			slices.Sort(cfg.Cutoffs)
		}
		m, err := New(cfg, newLM(t, smallGRU).Vocabulary(), 1)
		if err != nil {
			require.ErrorContains(t, err, "zoo: language model: ")
			continue
		}
		built++
		logProbs, err := m.LogProbs(context.Background(), lmText[:40])
		require.NoError(t, err)
		var sum float64
		for _, l := range logProbs {
			sum -= l / 39
		}
		got, err := m.Measure(context.Background(), lmText[:40],
			MeasureOptions{Window: 1 + r.Intn(40)})
		require.NoError(t, err)
		require.InEpsilon(t, sum, got.Loss, 1e-4, "%+v", cfg)
	}
	require.Greater(t, built, rounds/6)
}
