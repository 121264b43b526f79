package train

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// epoch is a copy of all batches up to the end of the epoch.
func epoch(b *Batches) [][]int {
	all := [][]int{}
	for examples, ok := b.Next(); ok; examples, ok = b.Next() {
		all = append(all, slices.Clone(examples))
	}
	return all
}

func TestBatchesInOrder(t *testing.T) {
	b, err := NewBatches(5, nil, BatchesConfig{Batch: 2, InOrder: true})
	require.NoError(t, err)
	for range 2 {
		require.Equal(t, [][]int{{0, 1}, {2, 3}, {4}}, epoch(b))
	}
	b, err = NewBatches(5, []int{3, 1, 2, 9, 1}, BatchesConfig{Batch: 2, InOrder: true,
		Bucket: math.MaxInt})
	require.NoError(t, err)
	require.Equal(t, [][]int{{1, 4}, {2, 0}, {3}}, epoch(b))
	b, err = NewBatches(3, nil, BatchesConfig{Batch: math.MaxInt, InOrder: true})
	require.NoError(t, err)
	require.Equal(t, [][]int{{0, 1, 2}}, epoch(b))
}

func TestBatchesDependOnSeedAndEpoch(t *testing.T) {
	first, err := NewBatches(50, nil, BatchesConfig{Batch: 7, Seed: 1})
	require.NoError(t, err)
	same, err := NewBatches(50, nil, BatchesConfig{Batch: 7, Seed: 1})
	require.NoError(t, err)
	other, err := NewBatches(50, nil, BatchesConfig{Batch: 7, Seed: 2})
	require.NoError(t, err)
	e0, e1 := epoch(first), epoch(first)
	require.NotEqual(t, e0, e1)
	require.NotEqual(t, e0, epoch(other))
	require.Equal(t, e0, epoch(same))
	require.NoError(t, same.Seek(Position{Epoch: 1, Next: 3}))
	require.Equal(t, e1[3:], epoch(same))
	require.NoError(t, same.Seek(Position{}))
	require.Equal(t, e0, epoch(same))
}

// Each example comes once an epoch, and an epoch that is taken up in the middle goes on as it would
// have.
func TestBatchesProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SliceOfN(rapid.IntRange(0, 30), 1, 60).Draw(t, "lengths")
		n := len(lengths)
		b, err := NewBatches(n, lengths, BatchesConfig{
			Batch:   rapid.IntRange(1, 9).Draw(t, "batch"),
			Bucket:  rapid.IntRange(0, 8).Draw(t, "bucket"),
			InOrder: rapid.Bool().Draw(t, "in order"),
			Seed:    rapid.Uint64().Draw(t, "seed"),
		})
		require.NoError(t, err)
		all := epoch(b)
		require.Len(t, all, b.Len())
		require.Equal(t, Position{Epoch: 1}, b.Position())
		flat := slices.Sorted(slices.Values(slices.Concat(all...)))
		require.Equal(t, count(n), flat)

		resume := rapid.IntRange(0, b.Len()).Draw(t, "resume at")
		require.NoError(t, b.Seek(Position{Next: resume}))
		require.Equal(t, all[resume:], epoch(b))
	})
}

// Batches of so many tokens keep to that, hold each example once, are as many in every epoch, and
// resume. In order, none could take in the first example of the next batch.
func TestBatchesOfTokens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SliceOfN(rapid.IntRange(0, 30), 1, 60).Draw(t, "lengths")
		n := len(lengths)
		sizes := make([]int, n)
		for i := range sizes {
			sizes[i] = lengths[i] + rapid.IntRange(0, 5).Draw(t, "more")
		}
		c := BatchesConfig{
			Tokens: rapid.IntRange(35, 200).Draw(t, "tokens"), Sizes: sizes,
			Batch: rapid.IntRange(0, 9).Draw(t, "batch"), InOrder: rapid.Bool().Draw(t, "in order"),
			Seed: rapid.Uint64().Draw(t, "seed"),
		}
		b, err := NewBatches(n, lengths, c)
		require.NoError(t, err)
		for range 2 {
			at := b.Position().Epoch
			all := epoch(b)
			require.Len(t, all, b.Len())
			require.Equal(t, count(n), slices.Sorted(slices.Values(slices.Concat(all...))))
			for k, batch := range all {
				longest := 1
				for _, i := range batch {
					longest = max(longest, sizes[i])
				}
				require.NotEmpty(t, batch)
				require.LessOrEqual(t, len(batch)*longest, c.Tokens)
				require.True(t, c.Batch == 0 || len(batch) <= c.Batch)
				if c.InOrder && k+1 < len(all) && len(batch) != c.Batch {
					more := max(longest, sizes[all[k+1][0]])
					require.Greater(t, (len(batch)+1)*more, c.Tokens)
				}
			}
			resume := rapid.IntRange(0, b.Len()).Draw(t, "resume at")
			require.NoError(t, b.Seek(Position{Epoch: at, Next: resume}))
			require.Equal(t, all[resume:], epoch(b))
		}
	})
	b, err := NewBatches(5, []int{1, 1, 1, 1, 4}, BatchesConfig{Tokens: 4, InOrder: true})
	require.NoError(t, err)
	require.Equal(t, [][]int{{0, 1, 2, 3}, {4}}, epoch(b))
}

// One bucket for the whole epoch leaves no batch whose lengths interleave with those of another.
func TestOneBucketSortsTheEpoch(t *testing.T) {
	lengths := []int{5, 1, 4, 4, 2, 9, 7, 3, 8, 6, 0}
	b, err := NewBatches(len(lengths), lengths, BatchesConfig{Batch: 3, Bucket: 4})
	require.NoError(t, err)
	all := epoch(b)
	for _, batch := range all {
		require.True(t, slices.IsSortedFunc(batch, b.byLength))
	}
	slices.SortFunc(all, func(x, y []int) int { return b.byLength(x[0], y[0]) })
	require.True(t, slices.IsSortedFunc(slices.Concat(all...), b.byLength))
}

func TestBatchesErrors(t *testing.T) {
	for _, c := range []struct {
		n       int
		lengths []int
		cfg     BatchesConfig
		want    string
	}{
		{0, nil, BatchesConfig{Batch: 1}, "there are 0 examples"},
		{math.MaxInt, nil, BatchesConfig{Batch: 1}, "examples; it takes 1 to"},
		{1, nil, BatchesConfig{}, "Batch is 0"},
		{1, nil, BatchesConfig{Batch: -3}, "Batch is -3"},
		{1, nil, BatchesConfig{Batch: 1, Bucket: -1}, "Bucket is -1"},
		{3, []int{1}, BatchesConfig{Batch: 1, Bucket: 2},
			"Bucket is 2, and there are 1 lengths for 3 examples"},
		{1, []int{1}, BatchesConfig{Tokens: -1}, "Tokens is -1"},
		{3, []int{1, 9, 2}, BatchesConfig{Tokens: 8}, "example 1: it has 9 tokens, and Tokens is 8"},
		{3, nil, BatchesConfig{Tokens: 8}, "Tokens is 8, and there are 0 lengths for 3 examples"},
		{1, []int{1}, BatchesConfig{Tokens: 8, Bucket: 2}, "Bucket is 2, and Tokens sorts"},
		{1, []int{1}, BatchesConfig{Tokens: 8, Batch: -1}, "Batch is -1"},
		{1, []int{1}, BatchesConfig{Batch: 8, Sizes: []int{1}}, "they go together"},
	} {
		_, err := NewBatches(c.n, c.lengths, c.cfg)
		require.ErrorContains(t, err, c.want)
	}
	b, err := NewBatches(5, nil, BatchesConfig{Batch: 2})
	require.NoError(t, err)
	require.ErrorContains(t, b.Seek(Position{Next: 4}), "an epoch has batches 0 to 2")
}

func TestPadded(t *testing.T) {
	sequences := [][]int{{1, 2, 3}, {4}, {}, {5, 6}}
	var p Padded
	require.NoError(t, p.Fill(sequences, []int{3, 0, 2}, -1))
	require.Equal(t, Padded{
		IDs:     []int{5, 1, -1, 6, 2, -1, -1, 3, -1},
		Lengths: []int{2, 3, 0}, T: 3, B: 3,
	}, p)
	require.NoError(t, p.Fill(sequences, []int{1, 1}, 0))
	require.Equal(t, Padded{IDs: []int{4, 4}, Lengths: []int{1, 1}, T: 1, B: 2}, p)
	require.NoError(t, p.Fill(sequences, []int{2}, 7)) // nothing but an empty one
	require.Equal(t, Padded{IDs: []int{7}, Lengths: []int{0}, T: 1, B: 1}, p)
	require.NoError(t, p.Fill(sequences, nil, 7))
	require.Empty(t, p.IDs)
	require.EqualError(t, p.Fill(sequences, []int{0, 4}, 0),
		"pad: examples[1] is 4; there are 4 sequences")
	require.EqualError(t, p.Fill(nil, []int{-1}, 0),
		"pad: examples[0] is -1; there are 0 sequences")
}
