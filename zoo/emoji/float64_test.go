package emoji_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	zooemoji "github.com/seqzoo/seqzoo/zoo/emoji"
)

// A model of double precision learns the same as one of single precision, more exactly, and comes
// back from its file as it was.
func TestEmoji2VecFloat64(t *testing.T) {
	pairs := parsePairs(t, moodPairs)
	learned := func(float64s bool) *zooemoji.Model {
		m, err := zooemoji.New(zooemoji.Config{Float64: float64s}, moods(t), pairs)
		require.NoError(t, err)
		fitEmoji(t, m, zooemoji.Data{Train: pairs, Batch: 4}, train.Config{Epochs: 20})
		return m
	}
	single, double := learned(false), learned(true)
	require.Equal(t, nodes.Float64, double.Params().Dtype())
	again, err := zoo.Clone(double)
	require.NoError(t, err)
	for _, e := range single.Emoji() {
		want, err := single.Vector(e)
		require.NoError(t, err)
		got, err := double.Vector(e)
		require.NoError(t, err)
		testkit.RequireInDelta(t, want, got, 1e-3)
		p, err := double.Probability("joy", e)
		require.NoError(t, err)
		q, err := again.Probability("joy", e)
		require.NoError(t, err)
		require.Equal(t, p, q)
		q, err = single.Probability("joy", e)
		require.NoError(t, err)
		require.InDelta(t, p, q, 1e-3)
		require.NotEqual(t, float64(float32(p)), p)
	}
	pairs = append(pairs, zooemoji.Pair{Phrase: "joy", Emoji: "😢"})
	a, err := single.Evaluate(pairs)
	require.NoError(t, err)
	b, err := double.Evaluate(pairs)
	require.NoError(t, err)
	require.InDelta(t, a.Loss, b.Loss, 1e-3)
	found, _, err := double.Similar([]string{"😢", "joy"}, nil, 2)
	require.NoError(t, err)
	require.Len(t, found, 2)
}
