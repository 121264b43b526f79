package label

import (
	"context"
	"math"
	"testing"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/stretchr/testify/require"
)

// Weights that are not finite give no label, no probability and no loss.
func TestLabelsOfNaN(t *testing.T) {
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		labels, err := text.NewVocabulary(text.VocabularyConfig{}, []string{"no", "yes"})
		require.NoError(t, err)
		m, err := NewClassifier(ClassifierConfig{Config: Config{Features: 2,
			Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3}}},
			nil, labels, 1)
		require.NoError(t, err)
		m.out.W.Value().Float32s()[0] = bad
		s := Sequence{Features: []float32{1, 2, 3, 4}}
		_, err = m.Predict(s)
		require.ErrorContains(t, err, "the probability of label")
		_, err = m.Evaluate(context.Background(), []Labelled{{Sequence: s, Labels: []int{1}}})
		require.ErrorContains(t, err, "the loss is")
	}
}
