package metrics_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo/metrics"
)

// What seqeval's definition (conlleval's, by default) makes of sequences that keep the schemes and
// of such that break them.
func TestFindEntities(t *testing.T) {
	type e = metrics.Entity
	for tags, want := range map[string][]e{
		"":                        nil,
		"O O O":                   nil,
		"B-PER I-PER O B-LOC":     {{"PER", 0, 2}, {"LOC", 3, 4}},
		"I-PER I-PER O I-LOC":     {{"PER", 0, 2}, {"LOC", 3, 4}}, // IOB1
		"I-PER B-PER I-PER":       {{"PER", 0, 1}, {"PER", 1, 3}},
		"B-PER B-PER":             {{"PER", 0, 1}, {"PER", 1, 2}},
		"B-PER I-LOC":             {{"PER", 0, 1}, {"LOC", 1, 2}},
		"O I-PER O":               {{"PER", 1, 2}},
		"S-PER S-PER B-LOC E-LOC": {{"PER", 0, 1}, {"PER", 1, 2}, {"LOC", 2, 4}},
		"B-PER I-PER E-PER O":     {{"PER", 0, 3}},
		"B-PER E-PER I-PER":       {{"PER", 0, 2}, {"PER", 2, 3}},
		"E-PER E-PER":             {{"PER", 0, 1}, {"PER", 1, 2}},
		"S-PER I-PER":             {{"PER", 0, 1}, {"PER", 1, 2}},
		"B-PER S-PER":             {{"PER", 0, 1}, {"PER", 1, 2}},
		"B I O B":                 {{"_", 0, 2}, {"_", 3, 4}},
		"B-a-b I-a-b":             {{"a-b", 0, 2}},
		"B- I-":                   {{"_", 0, 2}},
	} {
		got, err := metrics.FindEntities(strings.Fields(tags))
		require.NoError(t, err, tags)
		require.Equal(t, want, got, tags)
	}
	for _, tag := range []string{"", "X", "PER", "O-PER", "BPER", "b-PER", "名"} {
		require.False(t, metrics.IsEntityTag(tag), tag)
		_, err := metrics.FindEntities([]string{"O", tag})
		require.ErrorContains(t, err, "tag 1 is")
	}
}

// The example of seqeval's own README: F1 0.50, MISC 0 of 1, PER 1 of 1.
func TestEntityScores(t *testing.T) {
	var s metrics.EntityScores
	require.Zero(t, s.Micro())
	require.Zero(t, s.Macro())
	require.NoError(t, s.Add(strings.Fields("O O B-MISC I-MISC I-MISC I-MISC O"),
		strings.Fields("O O O B-MISC I-MISC I-MISC O")))
	require.NoError(t, s.Add(strings.Fields("B-PER I-PER O"), strings.Fields("B-PER I-PER O")))
	require.Equal(t, []string{"MISC", "PER"}, s.Types())
	require.Equal(t, metrics.Score{Support: 1}, s.Type("MISC"))
	require.Equal(t, metrics.Score{Precision: 1, Recall: 1, F1: 1, Support: 1}, s.Type("PER"))
	require.Equal(t, metrics.Score{Precision: 0.5, Recall: 0.5, F1: 0.5, Support: 2}, s.Micro())
	require.Equal(t, metrics.Score{Precision: 0.5, Recall: 0.5, F1: 0.5, Support: 2}, s.Macro())
	require.Zero(t, s.Type("LOC"))

	// A type predicted in vain: the micro mean counts it once, the macro mean as a type.
	require.NoError(t, s.Add(strings.Fields("B-LOC O"), strings.Fields("O O")))
	require.InDelta(t, 2*(1./3)*(1./2)/(1./3+1./2), s.Micro().F1, 1e-15)
	require.InDelta(t, 1./3, s.Macro().F1, 1e-15)

	before := s.Micro()
	require.ErrorIs(t, s.Add([]string{"O"}, nil), metrics.ErrLength)
	require.ErrorContains(t, s.Add([]string{"O"}, []string{"x"}), "(true)")
	require.ErrorContains(t, s.Add([]string{"x"}, []string{"O"}), "(predicted)")
	require.Equal(t, before, s.Micro())
}

func TestLabelScores(t *testing.T) {
	var s metrics.LabelScores
	require.Zero(t, s.Exact())
	require.Zero(t, s.Macro())
	for _, c := range []struct{ predicted, truth []int }{{[]int{0, 2}, []int{2, 0}},
		{[]int{0}, []int{0, 3}}, {nil, nil}, {[]int{2}, nil}} {
		require.NoError(t, s.Add(c.predicted, c.truth))
	}
	require.Equal(t, 4, s.Total())
	require.Equal(t, 0.5, s.Exact())
	require.Equal(t, metrics.Score{Precision: 1, Recall: 1, F1: 1, Support: 2}, s.Class(0))
	require.Equal(t, metrics.Score{Precision: 0.5, Recall: 1, F1: 2. / 3, Support: 1}, s.Class(2))
	require.Equal(t, metrics.Score{Support: 1}, s.Class(3))
	require.Zero(t, s.Class(1))
	require.Zero(t, s.Class(-1))
	require.InDelta(t, (1+2./3)/3, s.Macro().F1, 1e-15)
	require.Equal(t, metrics.Score{Precision: 0.75, Recall: 0.75, F1: 0.75, Support: 4}, s.Micro())
	require.ErrorContains(t, s.Add([]int{1, 1}, nil), "twice")
	require.ErrorContains(t, s.Add(nil, []int{-1}), "label -1")
	require.Equal(t, 4, s.Total())
}
