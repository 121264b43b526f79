package label_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// Scores so large that their differences are lost give no probabilities, not even of 1.
func TestLargeScoresOfACRF(t *testing.T) {
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}}, []string{"a", "b"})
	require.NoError(t, err)
	m, err := label.NewTagger(label.TaggerConfig{CRF: true,
		Config: label.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3}}}, v, v, 1)
	require.NoError(t, err)
	x, err := m.Encode([]string{"a", "b"})
	require.NoError(t, err)
	_, err = m.Predict(x)
	require.NoError(t, err)
	for _, p := range m.Params().Params() {
		for i := range p.Value().Float32s() {
			p.Value().Float32s()[i] = 3e37
		}
	}
	_, err = m.Predict(x)
	require.ErrorContains(t, err, "too large")
	_, err = m.Evaluate(context.Background(), []label.Labelled{{Sequence: x, Labels: []int{1, 1}}})
	require.ErrorContains(t, err, "example 0: ")
	require.ErrorContains(t, err, "too large")
}
