package metrics_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo/metrics"
)

func TestDistinct(t *testing.T) {
	var d metrics.Distinct
	require.Zero(t, d.Unigrams())
	require.Zero(t, d.Bigrams())
	d.Add(nil)
	d.Add([]string{"a"})
	require.Equal(t, 1.0, d.Unigrams())
	require.Zero(t, d.Bigrams())
	d.Add([]string{"a", "b", "a", "b"}) // a a b a b: 2 of 5; ab ba ab: 2 of 3
	require.Equal(t, 2.0/5, d.Unigrams())
	require.Equal(t, 2.0/3, d.Bigrams())
	d.Add([]string{"a b"}) // one token, not the two
	require.Equal(t, 3.0/6, d.Unigrams())
	require.Equal(t, 2.0/3, d.Bigrams())
}
