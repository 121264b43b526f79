package all_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/seq2seq"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// manyWords is a vocabulary of n words.
func manyWords(b *testing.B, n int) (*text.Vocabulary, []string) {
	words := make([]string, n)
	for i := range words {
		words[i] = fmt.Sprintf("w%d", i)
	}
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk, text.BOS,
		text.EOS}}, words)
	require.NoError(b, err)
	return v, words
}

// What a language model of 20,000 words is asked for, one request after another.
func BenchmarkLanguage(b *testing.B) {
	v, words := manyWords(b, 20_000)
	m, err := lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 64}}, v, 1)
	require.NoError(b, err)
	ids := []int{4, 5, 6, 7, 8}
	ctx := context.Background()
	for name, ask := range map[string]func() error{
		"next":      func() error { _, _, err := m.Next(words[7], 5); return err },
		"log-probs": func() error { _, err := m.LogProbs(ctx, ids); return err },
		"generate": func() error {
			_, err := m.Generate(ctx, words[7], lm.GenerateOptions{Max: 5})
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, ask())
			}
		})
	}
}

// A translation of 1 to 64 words into at most 5.
func BenchmarkTranslate(b *testing.B) {
	v, words := manyWords(b, 1000)
	m, err := seq2seq.New(seq2seq.Config{Encoder: zoo.Recurrent{Cell: "gru", Hidden: 32},
		Attention: "luong"}, v, v, 1)
	require.NoError(b, err)
	draw := rand.New(rand.NewPCG(1, 2))
	text := strings.Fields(strings.Join(words[:64], " "))
	b.ReportAllocs()
	for b.Loop() {
		_, err := m.Translate(context.Background(), text[:1+draw.IntN(64)], decode.SearchOptions{Max: 5})
		require.NoError(b, err)
	}
}
