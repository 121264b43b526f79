package all_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// The layers of a language model become those of a classifier; what is named and absent changes
// nothing.
func TestTransfer(t *testing.T) {
	for _, name := range []string{"LanguageModel", "LanguageModel, float64"} {
		from, to := every()[name], every()["SequenceClassifier"]
		zootest.Scramble(from)
		before := kept(t, to)
		_, err := zoo.Transfer(to, from, func(p string) string { return "x/" + p })
		require.ErrorIs(t, err, zoo.ErrMisfit)
		require.ErrorContains(t, err, "embed/E asks for x/embed/E")
		_, err = zoo.Transfer(to, from, nil) // the output layers have other shapes
		require.ErrorIs(t, err, zoo.ErrMisfit)
		require.Equal(t, before, kept(t, to))
		taken, err := zoo.Transfer(to, from, func(p string) string {
			if strings.HasPrefix(p, "out/") {
				return ""
			}
			return p
		})
		require.NoError(t, err)
		require.Equal(t, len(to.Params().Params())-2, taken)
		for _, p := range to.Params().Params() {
			q, _ := from.Params().Get(p.Name())
			if strings.HasPrefix(p.Name(), "out/") {
				continue
			}
			for i, v := range p.Value().Float32s() {
				switch w := q.Value().Data().(type) {
				case []float32:
					require.Equal(t, w[i], v)
				case []float64:
					require.Equal(t, float32(w[i]), v)
				}
			}
		}
	}
	_, err := zoo.Transfer(nil, nil, nil)
	require.ErrorContains(t, err, "nil")
}

func TestPretrainedVectors(t *testing.T) {
	m := every()["LanguageModel"].(*lm.Model)
	v := m.Vocabulary()
	last, _ := v.Token(v.Len() - 1)
	words, err := vectors.New([]string{last, "none of it"}, 4, []float32{1, 2, 3, 4, 5, 6, 7, 8})
	require.NoError(t, err)
	embed, ok := m.Params().Get("embed/E")
	require.True(t, ok)
	table := embed.Value().Float32s()
	first := append([]float32{}, table[:4]...)
	found, err := words.Fill(table, v)
	require.NoError(t, err)
	require.Equal(t, 1, found)
	require.Equal(t, []float32{1, 2, 3, 4}, table[len(table)-4:])
	require.Equal(t, first, table[:4])
	_, err = words.Fill(table[:4], v)
	require.ErrorContains(t, err, "as wide as the vectors")
	_, err = words.Fill(nil, nil)
	require.Error(t, err)
}
