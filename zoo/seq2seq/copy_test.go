package seq2seq_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// named are sentences that hold one or two names, no name twice in all of them.
func named(n, from int) (sources, targets [][]string) {
	r := rng.Stream{Key: rng.New(uint64(from))}
	for i := range n {
		a, b := fmt.Sprint("Name", from+2*i), fmt.Sprint("Name", from+2*i+1)
		switch r.Intn(4) {
		case 0:
			sources = append(sources, []string{"my", "name", "is", a})
			targets = append(targets, []string{"je", "suis", a})
		case 1:
			sources = append(sources, []string{a, "sees", b, "now"})
			targets = append(targets, []string{"maintenant", a, "voit", b})
		case 2:
			sources = append(sources, []string{"does", a, "know", b})
			targets = append(targets, []string{b, "est", "connu", "de", a})
		default:
			sources = append(sources, []string{"where", "is", "the", "house", "of", a})
			targets = append(targets, []string{"la", "maison", "de", a, "est", "ou"})
		}
	}
	return sources, targets
}

// copying is a model of named sentences, with so many numbered copies, and its pairs.
func copying(t *testing.T, copies, epochs int) (*seq2seq.Model, []seq2seq.Pair) {
	sources, targets := named(800, 0)
	vocabulary := func(of [][]string, specials ...string) *text.Vocabulary {
		var tokens []string
		for _, s := range of {
			tokens = append(tokens, s...)
		}
		specials = append(append(specials, text.Unk), text.Copies(copies)...)
		v, err := text.NewVocabulary(text.VocabularyConfig{MinCount: 5, Specials: specials}, tokens)
		require.NoError(t, err)
		return v
	}
	m, err := seq2seq.New(seq2seq.Config{Encoder: zoo.Recurrent{Cell: "gru", Hidden: 24},
		EmbedSource: 12, EmbedTarget: 12, Bidirectional: true, Attention: "bahdanau"},
		vocabulary(sources), vocabulary(targets, text.BOS, text.EOS), 1)
	require.NoError(t, err)
	pairs, err := m.Pairs(sources, targets)
	require.NoError(t, err)
	fit(t, m, seq2seq.Data{Train: pairs, Batch: 32},
		train.Config{Epochs: epochs, Clip: train.Clip{Norm: 1}})
	return m, pairs
}

// rightNames counts the names of sentences kept apart that are translated in their places.
func rightNames(t *testing.T, m *seq2seq.Model, o decode.SearchOptions) (right, all, copied int) {
	test, want := named(100, 100000)
	found, err := m.TranslateAll(context.Background(), test, o)
	require.NoError(t, err)
	for i, f := range found {
		copied += len(f[0].Copied)
		for _, k := range f[0].Copied {
			require.True(t, slices.Contains(test[i], f[0].Tokens[k]))
		}
		for k, token := range want[i] {
			if token[:2] != "Na" {
				continue
			}
			all++
			if k < len(f[0].Tokens) && f[0].Tokens[k] == token {
				right++
			}
		}
	}
	return right, all, copied
}

// Names that no vocabulary has are copied from the source: none is right without, nearly all are
// where unknown words are numbered, and the result says which were copied. The alignment alone does
// less, since two unknown words look alike to the model.
func TestCopies(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains")
	}
	plain, _ := copying(t, 0, 2)
	right, _, copied := rightNames(t, plain, decode.SearchOptions{})
	require.Zero(t, right+copied)
	right, all, copied := rightNames(t, plain, decode.SearchOptions{CopyUnknown: true})
	t.Logf("by the alignment: %d of %d names right, %d copied", right, all, copied)
	require.Positive(t, copied)

	m, pairs := copying(t, 2, 10)
	for _, beam := range []int{0, 3} {
		right, all, copied := rightNames(t, m, decode.SearchOptions{Beam: beam})
		t.Logf("numbered, beam %d: %d of %d names right, %d copied", beam, right, all, copied)
		require.GreaterOrEqual(t, float64(right), 0.95*float64(all))
	}
	require.NotEmpty(t, pairs)
	_, err := m.NewWriting([]string{"my", "name", "is", "Zoe"})
	require.ErrorContains(t, err, "the vocabulary lacks 1 tokens, which the model copies")
	_, err = m.Translate(context.Background(), []string{"Zoe"},
		decode.SearchOptions{Text: func(int, string) {}})
	require.ErrorContains(t, err, "has no words that are copied")
	found, err := m.Translate(context.Background(), strings.Fields("A B C D E A"),
		decode.SearchOptions{Max: 9})
	require.NoError(t, err)
	for _, token := range found[0].Tokens {
		require.NotContains(t, token, "<copy", "more unknown words than can be numbered")
	}
}

func TestCopyUnknownErrors(t *testing.T) {
	made := func(attention seq2seq.Attention, specials ...string) *seq2seq.Model {
		m, err := seq2seq.New(seq2seq.Config{Encoder: zoo.Recurrent{Cell: "gru", Hidden: 2},
			Attention: attention}, zootest.Letters(t, 3),
			zootest.Letters(t, 3, append(specials, text.BOS, text.EOS)...), 1)
		require.NoError(t, err)
		return m
	}
	o := decode.SearchOptions{CopyUnknown: true}
	for _, m := range []*seq2seq.Model{made("none", text.Unk), made("bahdanau")} {
		_, err := m.Translate(context.Background(), []string{"a"}, o)
		require.ErrorContains(t, err, "the option CopyUnknown is set, and the model has no "+
			"attention")
	}
	m := made("bahdanau", text.Unk)
	w, err := m.NewWriting([]string{"a"})
	require.NoError(t, err)
	_, err = w.Write(context.Background(), o)
	require.ErrorContains(t, err, "use Translate")
	o.Text = func(int, string) {}
	_, err = m.Translate(context.Background(), []string{"a"}, o)
	require.ErrorContains(t, err, "CopyUnknown is set, and so is Text")
}
