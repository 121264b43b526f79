package dialogue_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// newHRED is a model over 5 letters with weights that are not small, so that its predictions are
// not all alike.
func newHRED(t testing.TB, cfg dialogue.Config) *dialogue.Model {
	var tokens []string
	for i := range 5 {
		tokens = append(tokens, string(rune('a'+i)))
	}
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.BOS, text.EOS,
		text.Unk}}, tokens)
	require.NoError(t, err)
	m, err := dialogue.New(cfg, v, 1)
	require.NoError(t, err)
	for _, p := range m.Params().Params() {
		key := rng.New(5).Named(p.Name())
		switch v := p.Value().Data().(type) {
		case []float32:
			for i := range v {
				v[i] = float32(0.6 * key.Normal(uint64(i)))
			}
		case []float64:
			for i := range v {
				v[i] = 0.6 * key.Normal(uint64(i))
			}
		}
	}
	return m
}

var hredConfigs = map[string]dialogue.Config{
	"plain": {Encoder: zoo.Recurrent{Cell: "rnn", Hidden: 4}},
	"both ways": {Encoder: zoo.Recurrent{Cell: "gru", Hidden: 3},
		Context: zoo.Recurrent{Hidden: 2}, Bidirectional: true, ContextInput: true, Embed: 2},
	"stacked": {Encoder: zoo.Recurrent{Hidden: 3, Layers: 2},
		Context: zoo.Recurrent{Cell: "gru", Hidden: 4, Layers: 2}, Bidirectional: true},
	"latent": {Encoder: zoo.Recurrent{Cell: "gru", Hidden: 3}, Bidirectional: true,
		ContextInput: true, Latent: dialogue.Latent{Width: 2}},
	"latent exp": {Encoder: zoo.Recurrent{Hidden: 4},
		Latent: dialogue.Latent{Width: 1, Hidden: 3, Variance: "exp"}},
	"copying": {Encoder: zoo.Recurrent{Cell: "gru", Hidden: 3}, Bidirectional: true,
		ContextInput: true, Embed: 2, Copy: 4},
	"copying latent": {Encoder: zoo.Recurrent{Hidden: 2, Layers: 2},
		Latent: dialogue.Latent{Width: 2}, Copy: 50},
	"in float64": {Encoder: zoo.Recurrent{Hidden: 1}, Latent: dialogue.Latent{Width: 1},
		Float64: true},
}

// dialogues are drawn at random, of 2 … turns turns of 0 … longest tokens.
func dialogues(n, turns, longest int, seed uint64) []dialogue.Dialogue {
	r := rng.Stream{Key: rng.New(seed)}
	out := make([]dialogue.Dialogue, n)
	for i := range out {
		out[i] = make(dialogue.Dialogue, 2+r.Intn(turns-1))
		for k := range out[i] {
			out[i][k] = []int{}
			for range r.Intn(longest + 1) {
				out[i][k] = append(out[i][k], 3+r.Intn(5))
			}
		}
	}
	return out
}

// spoken are the tokens of a dialogue.
func spoken(t *testing.T, m *dialogue.Model, d dialogue.Dialogue) (turns [][]string) {
	for _, ids := range d {
		tokens, err := m.Vocabulary().Decode(ids)
		require.NoError(t, err)
		turns = append(turns, tokens)
	}
	return turns
}

// A conversation that is read turn by turn replies as the model does that reads it whole, and what
// a reply is said to be worth is what the model, laid out plainly, thinks of it.
func TestConversation(t *testing.T) {
	ctx := context.Background()
	for name, cfg := range hredConfigs {
		t.Run(name, func(t *testing.T) {
			m := newHRED(t, cfg)
			c := m.NewConversation()
			for _, d := range dialogues(2, 6, 6, 4) {
				c.Reset()
				for n, turn := range spoken(t, m, d) {
					require.NoError(t, c.Read(turn))
					require.Equal(t, n+1, c.Turns())
					for _, o := range []dialogue.ReplyOptions{
						{Max: 8, Seed: 2}, {Max: 8, Beam: 3, Best: 2, Seed: 2},
						{Max: 5, Sample: decode.Sampler{Temperature: 1}, Seed: 2},
					} {
						got, err := c.Reply(ctx, o)
						require.NoError(t, err)
						require.NotEmpty(t, got)
						whole, err := m.Reply(ctx, spoken(t, m, d[:n+1]), o)
						require.NoError(t, err)
						require.Equal(t, whole, got)
						for _, r := range got {
							require.Len(t, r.LogProbs, len(r.Tokens))
						}
					}
				}
			}
		})
	}

	m := newHRED(t, hredConfigs["both ways"])
	b, ok := m.Params().Get("out/b") // no <bos>, <unk>: replies leave them out
	require.True(t, ok)
	copy(b.Value().Data().([]float32), []float32{-40, 2, -40})
	d := dialogues(1, 6, 6, 4)[0]
	for _, beam := range []int{0, 3} {
		found, err := m.Reply(ctx, spoken(t, m, d), dialogue.ReplyOptions{Beam: beam, Max: 40})
		require.NoError(t, err)
		require.True(t, found[0].Ended)
		ids, err := m.Vocabulary().Encode(found[0].Tokens)
		require.NoError(t, err)
		nll, _ := oracle(t, m, append(slices.Clone(d), ids), unroll.Scan)
		require.InDelta(t, -nll[len(nll)-1], found[0].LogProb, 1e-4)
	}

	m = newHRED(t, hredConfigs["latent"]) // another draw, another reply
	said := map[string]bool{}
	for seed := range uint64(20) {
		found, err := m.Reply(ctx, spoken(t, m, d), dialogue.ReplyOptions{Seed: seed, Max: 10})
		require.NoError(t, err)
		said[strings.Join(found[0].Tokens, " ")] = true
		mean, err := m.Reply(ctx, spoken(t, m, d),
			dialogue.ReplyOptions{Seed: seed, Max: 10, MeanLatent: true})
		require.NoError(t, err)
		said["mean: "+strings.Join(mean[0].Tokens, " ")] = true
	}
	require.Greater(t, len(said), 2)
	means := 0
	for s := range said {
		if strings.HasPrefix(s, "mean: ") {
			means++
		}
	}
	require.Equal(t, 1, means)
}

// Many conversations of one model go on at once as they do alone.
func TestConversationsSideBySide(t *testing.T) {
	for _, name := range []string{"both ways", "latent"} {
		m := newHRED(t, hredConfigs[name])
		ds := dialogues(8, 5, 5, 6)
		talk := func(d dialogue.Dialogue) (said []string, err error) {
			c := m.NewConversation()
			for _, ids := range d {
				tokens, err := m.Vocabulary().Decode(ids)
				if err != nil {
					return nil, err
				}
				if err := c.Read(tokens); err != nil {
					return nil, err
				}
				found, err := c.Reply(context.Background(),
					dialogue.ReplyOptions{Max: 6, Beam: 1 + len(ids)%2})
				if err != nil {
					return nil, err
				}
				said = append(said, fmt.Sprint(found))
			}
			return said, nil
		}
		var want [8][]string
		for i, d := range ds {
			var err error
			want[i], err = talk(d)
			require.NoError(t, err)
		}
		var wg sync.WaitGroup
		var got [32][]string
		var errs [32]error
		for i := range got {
			wg.Go(func() { got[i], errs[i] = talk(ds[i%8]) })
		}
		wg.Wait()
		for i := range got {
			require.NoError(t, errs[i])
			require.Equal(t, want[i%8], got[i])
		}
	}
}

func TestHREDConfigErrors(t *testing.T) {
	gru := zoo.Recurrent{Cell: "gru", Hidden: 3}
	v := newHRED(t, hredConfigs["plain"]).Vocabulary()
	for want, cfg := range map[string]dialogue.Config{
		"encoder: hidden is 0": {},
		"context: cell is \"elman\"": {Encoder: gru,
			Context: zoo.Recurrent{Cell: "elman", Hidden: 1}},
		"decoder: layers is -1":      {Encoder: gru, Decoder: zoo.Recurrent{Hidden: 1, Layers: -1}},
		"embed is -1":                {Encoder: gru, Embed: -1},
		"io_dropout is 1":            {Encoder: gru, IODropout: 1},
		"copy is -1":                 {Encoder: gru, Copy: -1},
		"copy is 8193":               {Encoder: gru, Copy: 8193},
		"io_dropout is NaN":          {Encoder: gru, IODropout: math.NaN()},
		"but width 0, which is none": {Encoder: gru, Latent: dialogue.Latent{Hidden: 3}},
		"width is -2":                {Encoder: gru, Latent: dialogue.Latent{Width: -2}},
		"hidden is -1":               {Encoder: gru, Latent: dialogue.Latent{Width: 2, Hidden: -1}},
		"variance is \"linear\"": {Encoder: gru,
			Latent: dialogue.Latent{Width: 2, Variance: "linear"}},
	} {
		_, err := dialogue.New(cfg, v, 1)
		require.ErrorContains(t, err, want)
	}
	_, err := dialogue.New(dialogue.Config{Encoder: gru}, nil, 1)
	require.ErrorContains(t, err, "it needs a vocabulary")
	_, err = dialogue.New(dialogue.Config{Encoder: gru, Copy: 1}, zootest.Letters(t, 2, text.BOS,
		text.EOS), 1)
	require.ErrorContains(t, err, "copy is set; the vocabulary needs the special token <unk>")
	_, err = dialogue.New(dialogue.Config{Encoder: gru}, zootest.Letters(t, 2, text.EOS), 1)
	require.ErrorContains(t, err, "needs the special tokens <bos> and <eos>")
}

// What cannot be read, replied to, measured or trained on is refused by what is wrong with it.
func TestHREDErrors(t *testing.T) {
	gru := zoo.Recurrent{Cell: "gru", Hidden: 3}
	m, latent := newHRED(t, hredConfigs["plain"]), newHRED(t, hredConfigs["latent"])
	strict, err := dialogue.New(dialogue.Config{Encoder: gru, Latent: dialogue.Latent{Width: 1}},
		zootest.Letters(t, 2, text.BOS, text.EOS), 1)
	require.NoError(t, err)
	ctx := context.Background()
	long, many := strings.Split(strings.Repeat("a", shared.MaxTokens+1), ""),
		make([][]string, dialogue.MaxTurns+1)
	ok := []dialogue.Dialogue{{{3}, {4}}}
	task := func(m *dialogue.Model, d dialogue.Data) error { _, err := m.Task(d); return err }
	reply := func(o dialogue.ReplyOptions) error {
		_, err := m.Reply(ctx, [][]string{{"a"}}, o)
		return err
	}
	for want, err := range map[string]error{
		"nothing to reply to": testkit.ErrOf(
			m.Reply(ctx, nil, dialogue.ReplyOptions{})),
		"turn 1: the utterance has 8193 tokens": testkit.ErrOf(
			m.Reply(ctx, [][]string{{"a"}, long}, dialogue.ReplyOptions{})),
		"has 1025 turns": testkit.ErrOf(
			m.Reply(ctx, many, dialogue.ReplyOptions{})),
		"1025 turns; at most":            testkit.ErrOf(m.Dialogue(many)),
		"turn 0: the utterance has 8193": testkit.ErrOf(m.Dialogue([][]string{long})),
		"zebra": testkit.ErrOf(
			strict.Dialogue([][]string{{"zebra"}})),
		"Max is -1":    reply(dialogue.ReplyOptions{Max: -1}),
		"Beam is 5000": reply(dialogue.ReplyOptions{Beam: 5000}),
		"Temperature is -1": reply(
			dialogue.ReplyOptions{Sample: decode.Sampler{Temperature: -1}}),
		"Alpha is -1": reply(dialogue.ReplyOptions{Beam: 2, Alpha: -1}),
		"training: batches: there are 0 examples": task(m, dialogue.Data{}),
		"training: dialogue 1: 1 turns": task(m,
			dialogue.Data{Train: append(ok, dialogue.Dialogue{{3}})}),
		"validation: dialogue 0: turn 1: the utt": task(m,
			dialogue.Data{Train: ok, Valid: []dialogue.Dialogue{{{3}, {8}}}}),
		"the model has none": task(m,
			dialogue.Data{Train: ok, FreeBits: 1}),
		"FreeBits is NaN": task(latent,
			dialogue.Data{Train: ok, FreeBits: math.NaN()}),
		"WordDropout is 1": task(m,
			dialogue.Data{Train: ok, WordDropout: 1}),
		"has no <unk> to read instead": task(strict,
			dialogue.Data{Train: []dialogue.Dialogue{{{2}, {3}}}, WordDropout: 0.5}),
		"KLWeight(0) is -1": func() error {
			task, err := latent.Task(dialogue.Data{Train: ok,
				KLWeight: func(int) float64 { return -1 }})
			require.NoError(t, err)
			_, err = task.Next(0, 0)
			return err
		}(),
		"Samples is -1": testkit.ErrOf(
			m.Evaluate(ctx, ok, dialogue.EvaluateOptions{Samples: -1})),
		"batches: there are 0 examples": testkit.ErrOf(m.Evaluate(ctx, nil,
			dialogue.EvaluateOptions{})),
		"turn 0: the utterance has id -1": testkit.ErrOf(
			m.Evaluate(ctx, []dialogue.Dialogue{{{-1}, {3}}}, dialogue.EvaluateOptions{})),
	} {
		require.ErrorContains(t, err, want)
	}

	dir := t.TempDir()
	other, err := seq2seq.New(seq2seq.Config{Encoder: zoo.Recurrent{Hidden: 2}},
		zootest.Letters(t, 3, text.Unk), zootest.Letters(t, 3, text.BOS, text.EOS, text.Unk), 1)
	require.NoError(t, err)
	require.NoError(t, other.Save(dir))
	_, err = dialogue.Load(dir)
	require.ErrorContains(t, err, "holds a Seq2Seq, not an HRED")
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{})
		m.Forward(dialogue.Inputs{Words: g.IntInput("words", 3, 1, 2)}, unroll.Scan)
	})
	require.ErrorContains(t, err, "N at least 2")
}

// A cancelled context ends a measurement and a reply.
func TestHREDCancelled(t *testing.T) {
	m := newHRED(t, hredConfigs["plain"])
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := m.Evaluate(cancelled, []dialogue.Dialogue{{{3}, {4}}}, dialogue.EvaluateOptions{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = m.Reply(cancelled, [][]string{{"a"}}, dialogue.ReplyOptions{})
	require.ErrorIs(t, err, context.Canceled)
}

// A turn that cannot be read changes nothing.
func TestConversationAfterARefusedTurn(t *testing.T) {
	ctx, m := context.Background(), newHRED(t, hredConfigs["plain"])
	long := strings.Split(strings.Repeat("a", shared.MaxTokens+1), "")
	c := m.NewConversation()
	require.NoError(t, c.Read([]string{"a", "zebra"}))
	before, err := c.Reply(ctx, dialogue.ReplyOptions{Max: 5})
	require.NoError(t, err)
	require.Error(t, c.Read(long))
	after, err := c.Reply(ctx, dialogue.ReplyOptions{Max: 5})
	require.NoError(t, err)
	require.Equal(t, before, after)
}
