package all_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
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
