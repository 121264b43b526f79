package lm_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// TestInitUniform: every weight and bias of the cells lies in ±1/√hidden, and they fill that range.
func TestInitUniform(t *testing.T) {
	v, err := text.NewVocabulary(text.VocabularyConfig{}, []string{"a", "b"})
	require.NoError(t, err)
	for _, cell := range []string{"rnn", "gru", "lstm"} {
		m, err := lm.New(lm.Config{Recurrent: zoo.Recurrent{Cell: cell + ",uniform", Hidden: 64,
			Layers: 2}}, v, 1)
		require.NoError(t, err)
		seen := 0
		for _, p := range m.Params().Params() {
			if !strings.Contains(p.Name(), "/l0/") && !strings.Contains(p.Name(), "/l1/") ||
				p.Leaf() == "b_hn" {
				continue
			}
			seen++
			most := 0.0
			for _, x := range p.Value().Float32s() {
				most = max(most, math.Abs(float64(x)))
			}
			require.LessOrEqual(t, most, 1./8, "%s %s", cell, p.Name())
			require.Greater(t, most, 0.11, "%s %s", cell, p.Name())
		}
		require.Equal(t, 6, seen, cell)
	}
}
