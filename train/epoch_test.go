package train_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

func newBatches(t *testing.T) *train.Batches {
	b, err := train.NewBatches(7, nil, train.BatchesConfig{Batch: 2, Seed: 3})
	require.NoError(t, err)
	return b
}

// batchesOf are copies of the batches that a sequence gives, the last of which may be the first n.
func batchesOf(b *train.Batches, n int) (all [][]int) {
	for examples := range b.Epoch() {
		if all = append(all, slices.Clone(examples)); len(all) == n {
			break
		}
	}
	return all
}

// Loops over epochs, steps that take no notice of epochs, and Next give the same batches.
func TestEpochOfBatches(t *testing.T) {
	byNext, byEpoch, byCycle := newBatches(t), newBatches(t), newBatches(t)
	for epoch := range 3 {
		var want [][]int
		for examples, ok := byNext.Next(); ok; examples, ok = byNext.Next() {
			want = append(want, slices.Clone(examples))
			require.Equal(t, examples, byCycle.Cycle())
		}
		require.Len(t, want, 4)
		require.Equal(t, want, batchesOf(byEpoch, 0))
		require.Equal(t, train.Position{Epoch: epoch + 1}, byEpoch.Position())
	}
}

// A loop that is left early, or whose batches were moved to a position, goes on from there.
func TestEpochGoesOn(t *testing.T) {
	all, b := newBatches(t), newBatches(t)
	first, second := batchesOf(all, 0), batchesOf(all, 0)
	for at := 1; at <= 4; at++ {
		require.NoError(t, b.Seek(train.Position{}))
		require.Equal(t, first[:at], batchesOf(b, at))
		require.Equal(t, train.Position{Next: at}, b.Position())
		resumed := newBatches(t)
		require.NoError(t, resumed.Seek(b.Position()))
		want := first[at:]
		if at == 4 {
			want = second // the end of an epoch is the start of the next
		}
		require.Equal(t, want, batchesOf(resumed, 0))
	}
}

// The windows of a stream likewise.
func TestEpochOfStream(t *testing.T) {
	ids := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	streams := make([]*train.Stream, 3)
	for i := range streams {
		s, err := train.NewStream(ids, 2, unroll.Window{Stride: 2})
		require.NoError(t, err)
		streams[i] = s
	}
	for epoch := range 2 {
		var n int
		for w := range streams[0].Epoch() {
			want, ok := streams[1].Next()
			require.True(t, ok)
			require.Equal(t, want, w)
			require.Equal(t, want, streams[2].Cycle())
			n++
		}
		require.Equal(t, 3, n)
		_, ok := streams[1].Next()
		require.False(t, ok)
		require.Equal(t, train.Position{Epoch: epoch + 1}, streams[0].Position())
	}
}
