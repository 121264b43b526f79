package all_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
)

func TestSummary(t *testing.T) {
	for name, m := range every() {
		s := zoo.Summarise(m)
		require.Equal(t, m.Architecture(), s.Architecture)
		require.Equal(t, m.Params().Count(), s.Parameters, name)
		numbers, bytes := 0, 0
		for _, l := range s.Layers {
			numbers, bytes = numbers+l.Parameters, bytes+l.Bytes
			require.Contains(t, s.String(), l.Path)
		}
		require.Equal(t, s.Parameters, numbers)
		require.Equal(t, s.Bytes, bytes)
		require.Contains(t, []int{4 * numbers, 8 * numbers}, bytes)
	}
	require.Equal(t, 8, zoo.Summarise(every()["LanguageModel, float64"]).Bytes/
		zoo.Summarise(every()["LanguageModel, float64"]).Parameters)
	require.Contains(t, zoo.Summarise(every()["LanguageModel"]).String(), "layers/l0  W_ih [4, 12]")
	require.Empty(t, zoo.Summarise(nil).Layers)
}

// The products of a layer and its output are counted as one counts them by hand, in training three
// times: forward, for the inputs and for the weights.
func TestCosts(t *testing.T) {
	const T, B = 24, 8
	for name, m := range every() {
		s, err := zoo.SummariseFor(m, T, B)
		require.NoError(t, err, name)
		require.Equal(t, m.Architecture() != "PCA", len(s.Costs) > 0,
			"%s says what it costs by TrainingStep or Layouts; a PCA is not trained", name)
		for i, c := range s.Costs {
			require.Positive(t, c.Memory, "%s: %s", name, c.What)
			require.Contains(t, s.String(), c.What)
			require.Equal(t, i == 0, c.What == "training step", "%s: %s", name, c.What)
			// which multiplies number by number
			if c.What != "start" && m.Architecture() != "Emoji2Vec" {
				require.Positive(t, c.Flop, "%s: %s", name, c.What)
			}
		}
		if len(s.Costs) == 0 {
			continue
		}
		want := []int{1, T} // 1 of a model of rows
		if overTime(m) {
			want = []int{T}
		}
		require.Contains(t, want, s.Costs[0].Steps, name)
		more, err := zoo.SummariseFor(m, 2*T, 2*B)
		require.NoError(t, err, name)
		require.Greater(t, more.Costs[0].Memory, s.Costs[0].Memory, name)
		require.GreaterOrEqual(t, more.Costs[0].Flop, s.Costs[0].Flop, name)
	}
	m := every()["LanguageModel"]
	V, H, E := m.(*lm.Model).Vocabulary().Len(), 4, 4
	s, err := zoo.SummariseFor(m, T, B)
	require.NoError(t, err)
	products := float64(2 * (E*3*H + H*3*H + H*V)) // of a token
	found := map[string]float64{}
	for _, c := range s.Costs {
		found[c.What] = c.Flop
	}
	require.Equal(t, T*products, found["sequence"])
	require.Equal(t, products, found["step"])
	require.InEpsilon(t, 3*T*B*products, found["training step"], 0.05)

	for _, sizes := range [][2]int{{0, 1}, {1, 0}, {-1, 1}, {1 << 40, 1}, {1 << 20, 1 << 20}} {
		_, err := zoo.SummariseFor(m, sizes[0], sizes[1])
		require.Error(t, err, sizes)
	}
	_, err = zoo.SummariseFor(nil, 1, 1)
	require.Error(t, err)
	little(t, 1<<20)
	_, err = zoo.SummariseFor(m, 1<<15, 64)
	require.ErrorIs(t, err, train.ErrMemory)
}

// overTime reports whether a layout of a model has a length beside the number of sequences.
func overTime(m zoo.Model) bool {
	laid, ok := m.(interface{ Layouts() []zoo.Layout })
	return ok && slices.ContainsFunc(laid.Layouts(), func(l zoo.Layout) bool {
		return slices.ContainsFunc(l.Sizes, func(size string) bool { return size != "batch" })
	})
}
