package dialogue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/dialogue"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/text"
)

var update = flag.Bool("update", false, "write what PyTorch gives to testdata")

// strangers are dialogues with words that the vocabulary of newHRED lacks, some of which are no
// UTF-8.
var strangers = [][][]string{
	{{"a", "x"}, {"x", "b", "\xfe"}, {}, {"\xfe", "\xff", "x", "a"}},
	{{}, {"x", "c"}, {"c", "c", "x"}},
	{{"d", "e", "\xff", "x", "a", "b"}, {"a", "\xff", "d", "e"}},
}

// copyingRNN is small enough for plain loops.
var copyingRNN = dialogue.Config{Encoder: zoo.Recurrent{Cell: "rnn", Hidden: 3}, Embed: 2,
	ContextInput: true, Copy: 5, Float64: true}

// encoded are the ids of dialogues.
func encoded(t *testing.T, m *dialogue.Model, turns [][][]string) []dialogue.Dialogue {
	out := make([]dialogue.Dialogue, len(turns))
	for i := range out {
		var err error
		out[i], err = m.Dialogue(turns[i])
		require.NoError(t, err)
	}
	return out
}

// Words that the vocabulary lacks are numbered as they come first in a dialogue.
func TestCopyIDs(t *testing.T) {
	m := newHRED(t, copyingRNN)
	// <bos> <eos> <unk> a … e are 0 … 7.
	require.Equal(t, []dialogue.Dialogue{
		{{3, 8}, {8, 4, 9}, {}, {9, 10, 8, 3}},
		{{}, {8, 5}, {5, 5, 8}},
		{{6, 7, 8, 9, 3, 4}, {3, 8, 6, 7}},
	}, encoded(t, m, strangers))
	_, err := m.Evaluate(context.Background(), []dialogue.Dialogue{{{-1}, {3}}},
		dialogue.EvaluateOptions{})
	require.ErrorContains(t, err, "has id -1")
	_, err = m.Evaluate(context.Background(), []dialogue.Dialogue{{{3}, {1 << 40}}},
		dialogue.EvaluateOptions{})
	require.ErrorContains(t, err, "turn 1: the utterance has id 1099511627776")
}

// Loss and gradients are those of PyTorch, in plain loops, in a batch and one by one.
func TestCopyIsPyTorchs(t *testing.T) {
	m := newHRED(t, copyingRNN)
	ds := encoded(t, m, strangers)
	weights := map[string]any{}
	for _, p := range m.Params().Params() {
		weights[p.Name()] = map[string]any{"shape": p.Shape(), "data": p.Value().Data()}
	}
	in, err := json.Marshal(map[string]any{"weights": weights, "dialogues": ds,
		"config": map[string]int{"hidden": 3, "bos": 0, "eos": 1, "unk": 2,
			"copy": copyingRNN.Copy}})
	require.NoError(t, err)
	path := filepath.Join("testdata", "copying.json")
	if *update {
		c := exec.Command("/usr/bin/python3", "testdata/copying.py")
		c.Stdin = bytes.NewReader(in)
		c.Stderr = os.Stderr
		fresh, err := c.Output()
		require.NoError(t, err, "PyTorch has to be installed")
		require.NoError(t, os.WriteFile(path, append(fresh, '\n'), 0o644))
	}
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var want struct {
		Loss  float64
		Grads map[string][]float64
	}
	require.NoError(t, json.Unmarshal(data, &want))
	task, err := m.Task(dialogue.Data{Train: ds})
	require.NoError(t, err)
	b, err := task.Next(1, 0)
	require.NoError(t, err)
	require.InDelta(t, want.Loss, b.Loss, 1e-12)
	require.Len(t, b.Grads, len(want.Grads))
	for _, g := range b.Grads {
		grad, err := g.Grad()
		require.NoError(t, err)
		testkit.RequireInDelta(t, want.Grads[g.(interface{ Name() string }).Name()], grad.Data(),
			1e-12, g)
	}
	sum, tokens := 0.0, 0
	for _, d := range ds {
		s, err := m.Evaluate(context.Background(), []dialogue.Dialogue{d},
			dialogue.EvaluateOptions{})
		require.NoError(t, err)
		sum, tokens = sum+s.Bound*float64(s.Tokens), tokens+s.Tokens
	}
	require.InDelta(t, want.Loss, sum/float64(tokens), 1e-12)
}

// What a reply is said to be worth, with words that were said before, is what the model thinks of
// it as in training; a conversation that goes on from a state as bytes replies as one that was
// never put away; and only what was said, within the last tokens, is copied.
func TestCopyReplies(t *testing.T) {
	ctx := context.Background()
	for _, cfg := range []dialogue.Config{copyingRNN, {Encoder: zoo.Recurrent{Hidden: 3, Layers: 2},
		Bidirectional: true, Copy: 2}, {Encoder: zoo.Recurrent{Cell: "gru", Hidden: 3}, Copy: 50}} {
		m := newHRED(t, cfg)
		b, ok := m.Params().Get("out/b") // no <bos>, <unk>: replies leave them out
		require.True(t, ok)
		for _, id := range []int{0, 2} {
			if v, ok := b.Value().Data().([]float32); ok {
				v[id] = -40
			} else {
				b.Value().Data().([]float64)[id] = -40
			}
		}
		copies := 0
		for _, turns := range strangers {
			c := m.NewConversation()
			var said []string
			for n, turn := range turns {
				require.NoError(t, c.Read(turn))
				said = append(said, turn...)
				state, err := c.State()
				require.NoError(t, err)
				data, err := state.MarshalBinary()
				require.NoError(t, err)
				require.NoError(t, state.UnmarshalBinary(data))
				again := m.NewConversation()
				require.NoError(t, again.SetState(state))
				for _, o := range []dialogue.ReplyOptions{{Max: 6}, {Beam: 4, Best: 3, Max: 6},
					{Sample: decode.Sampler{Temperature: 1.3}, Seed: 3, Max: 6}} {
					found, err := c.Reply(ctx, o)
					require.NoError(t, err)
					other, err := again.Reply(ctx, o)
					require.NoError(t, err)
					require.Equal(t, found, other)
					for _, r := range found {
						for _, k := range r.Copied {
							require.Contains(t, said[max(0, len(said)-cfg.Copy):], r.Tokens[k])
							copies++
						}
						if !r.Ended {
							continue
						}
						ds := encoded(t, m, [][][]string{turns[:n+1],
							append(slices.Clone(turns[:n+1]), r.Tokens)})
						sum := -r.LogProb
						for i, d := range ds {
							if len(d) < 2 {
								continue
							}
							s, err := m.Evaluate(ctx, []dialogue.Dialogue{d},
								dialogue.EvaluateOptions{})
							require.NoError(t, err)
							sum += []float64{1, -1}[i] * s.Bound * float64(s.Tokens)
						}
						require.InDelta(t, 0, sum, 2e-4)
					}
				}
			}
		}
		require.Positive(t, copies)
		c := m.NewConversation()
		require.NoError(t, c.Read([]string{"a"}))
		state, err := c.State()
		require.NoError(t, err)
		require.ErrorContains(t, new(dialogue.Conversation).SetState(state), "NewConversation")
	}
}

// Central differences, with words to copy and with such as cannot be copied any more.
func TestCopyGradients(t *testing.T) {
	for _, cfg := range []dialogue.Config{copyingRNN,
		{Encoder: zoo.Recurrent{Cell: "gru", Hidden: 2, Layers: 2}, Bidirectional: true, Copy: 3,
			Latent: dialogue.Latent{Width: 2}, Float64: true}} {
		m := newHRED(t, cfg)
		task, err := m.Task(dialogue.Data{Train: encoded(t, m, strangers), WordDropout: 0.2})
		require.NoError(t, err)
		zootest.CheckGradients(t, task)
	}
}

// introduced are dialogues in which names are told that are asked for turns later.
func introduced(n, from int) [][][]string {
	r := rng.Stream{Key: rng.New(uint64(from))}
	var out [][][]string
	for i := range n {
		name, town := fmt.Sprint("Name", from+i), fmt.Sprint("Town", from+i)
		d := [][]string{{"i", "am", name, "of", town}, {"hello", name}}
		for range r.Intn(3) {
			d = append(d, [][]string{{"is", "it", "cold"}, {"is", "it", "far"}}[r.Intn(2)],
				[]string{"it", "is"})
		}
		if r.Intn(2) == 0 {
			d = append(d, []string{"who", "am", "i"}, []string{"you", "are", name})
		} else {
			d = append(d, []string{"where", "do", "i", "live"}, []string{"in", town, "i", "think"})
		}
		out = append(out, d)
	}
	return out
}

// Names that the vocabulary lacks are said again, turns after they were told: of HRED and VHRED, by
// a model that was saved and loaded. Without Copy none is.
func TestDialoguesCopyNames(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains")
	}
	ctx, learn, held := context.Background(), introduced(300, 0), introduced(60, 50000)
	var all [][]string
	for _, d := range learn {
		all = append(all, d...)
	}
	v, err := text.NewVocabulary(text.VocabularyConfig{MinCount: 5, Specials: []string{text.BOS,
		text.EOS, text.Unk}}, all...)
	require.NoError(t, err)
	layer := zoo.Recurrent{Cell: "gru", Hidden: 16}
	for name, cfg := range map[string]dialogue.Config{
		"HRED":         {Encoder: layer, Embed: 12, Bidirectional: true, Copy: 40},
		"VHRED":        {Encoder: layer, Embed: 12, Copy: 40, Latent: dialogue.Latent{Width: 4}},
		"without copy": {Encoder: layer, Embed: 12},
	} {
		m, err := dialogue.New(cfg, v, 1)
		require.NoError(t, err)
		epochs := 9
		if cfg.Copy == 0 {
			epochs = 1
		}
		fitHRED(t, m, dialogue.Data{Train: encoded(t, m, learn), Batch: 16},
			train.Config{Epochs: epochs, Clip: train.Clip{Norm: 1}})
		dir := t.TempDir()
		require.NoError(t, m.Save(dir))
		m, err = dialogue.Load(dir)
		require.NoError(t, err)
		right := 0
		for _, d := range held {
			last := d[len(d)-1]
			found, err := m.Reply(ctx, d[:len(d)-1], dialogue.ReplyOptions{})
			require.NoError(t, err)
			if strings.Join(found[0].Tokens, " ") == strings.Join(last, " ") {
				right++
				require.Len(t, found[0].Copied, 1)
			}
		}
		t.Logf("%s: %d of %d replies right", name, right, len(held))
		if cfg.Copy == 0 {
			require.Zero(t, right)
			continue
		}
		require.GreaterOrEqual(t, right, 57)
	}
}
