package decode_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo/decode"
)

// A context or a model that is nil is an error that says so.
func TestNil(t *testing.T) {
	o := decode.Options{End: -1, Max: 2}
	for want, ctx := range map[string]context.Context{"the context is nil": nil,
		"the model is nil": context.Background()} {
		_, err := decode.Generate(ctx, nil, []int{0}, decode.GenerateOptions{Options: o})
		require.ErrorContains(t, err, want)
		_, err = decode.Beam(ctx, nil, []int{0}, decode.BeamOptions{Options: o, Width: 1})
		require.ErrorContains(t, err, want)
	}
	_, err := decode.Sample[float64](nil, []float64{1}, nil)
	require.ErrorContains(t, err, "it is nil")
	_, err = decode.Filter[float64](nil, []float64{1})
	require.ErrorContains(t, err, "it is nil")
}
