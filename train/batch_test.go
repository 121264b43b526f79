package train

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/unroll"
)

// count is the text 0, 1, 2, …, in which the next token is always one more.
func count(n int) []int {
	ids := make([]int, n)
	for i := range ids {
		ids[i] = i
	}
	return ids
}

func (w Window) clone() Window {
	w.IDs, w.Targets = append([]int{}, w.IDs...), append([]int{}, w.Targets...)
	return w
}

func TestStream(t *testing.T) {
	s, err := NewStream(count(12), 2, unroll.Window{Stride: 3}) // 11 steps: two tracks of 5
	require.NoError(t, err)
	require.Equal(t, 2, s.Len())
	for epoch := range 3 {
		require.Equal(t, Position{Epoch: epoch}, s.Position())
		w, ok := s.Next()
		require.True(t, ok)
		require.Equal(t, Window{
			IDs:     []int{0, 5, 1, 6, 2, 7},
			Targets: []int{1, 6, 2, 7, 3, 8},
			T:       3, B: 2, Start: 0, Next: 3,
		}, w)
		w, ok = s.Next()
		require.True(t, ok)
		require.Equal(t, Window{
			IDs:     []int{3, 8, 4, 9},
			Targets: []int{4, 9, 5, 10},
			T:       2, B: 2, Start: 3,
		}, w)
		_, ok = s.Next()
		require.False(t, ok)
	}
}

func TestStreamErrors(t *testing.T) {
	for _, c := range []struct {
		tokens, tracks, window int
		want                   string
	}{
		{0, 1, 1, "stream: the text has 0 tokens; a batch of 1 tracks with a window of 1 steps " +
			"needs at least 2"},
		{1, 1, 1, "the text has 1 tokens"},
		{12, 2, 6, "the text has 12 tokens; a batch of 2 tracks with a window of 6 steps " +
			"needs at least 13"},
		{12, 12, 1, "needs at least 13"},
		{12, math.MaxInt, math.MaxInt, "the text has 12 tokens"},
		{12, 0, 1, "a batch has 0 tracks"},
		{12, -1, 1, "a batch has -1 tracks"},
		{12, 1, 0, "Stride is 0, want at least 1"},
		{12, 1, math.MinInt, "want at least 1"},
	} {
		_, err := NewStream(count(c.tokens), c.tracks, unroll.Window{Stride: c.window})
		require.ErrorContains(t, err, c.want)
	}
	s, err := NewStream(count(12), 2, unroll.Window{Stride: 3})
	require.NoError(t, err)
	for _, p := range []Position{{-1, 0}, {0, -1}, {0, 3}, {0, math.MaxInt}} {
		require.ErrorContains(t, s.Seek(p), "an epoch has batches 0 to 1")
	}
	require.Equal(t, Position{}, s.Position())
}

// Every step but the last few is read once an epoch, each target follows its token, the tracks go
// on from window to window, and a stream that goes on from a saved position reads what the other
// reads.
func TestStreamProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tracks, window := rapid.IntRange(1, 7).Draw(t, "tracks"),
			rapid.IntRange(1, 9).Draw(t, "window")
		n := tracks*window + 1 + rapid.IntRange(0, 100).Draw(t, "more")
		s, err := NewStream(count(n), tracks, unroll.Window{Stride: window})
		require.NoError(t, err)
		resumed, err := NewStream(count(n), tracks, unroll.Window{Stride: window})
		require.NoError(t, err)
		seen := map[int]bool{}
		var before Window
		for range s.Len() {
			saved, err := json.Marshal(s.Position())
			require.NoError(t, err)
			w, ok := s.Next()
			require.True(t, ok)
			var p Position
			require.NoError(t, json.Unmarshal(saved, &p))
			require.NoError(t, resumed.Seek(p))
			again, _ := resumed.Next()
			require.Equal(t, w, again)
			require.Len(t, w.IDs, w.T*w.B)
			for i, id := range w.IDs {
				require.Equal(t, id+1, w.Targets[i])
				require.False(t, seen[id])
				seen[id] = true
			}
			if w.Start > 0 {
				require.Equal(t, before.Targets[(before.T-1)*tracks:], w.IDs[:tracks])
			}
			before = w.clone()
		}
		require.NoError(t, resumed.Seek(s.Position())) // at the end of an epoch, too
		_, ok := s.Next()
		require.False(t, ok)
		_, ok = resumed.Next()
		require.False(t, ok)
		require.Equal(t, s.Position(), resumed.Position())
		require.Greater(t, len(seen), n-1-tracks)
	})
}

func TestBatchesDoNotAllocate(t *testing.T) {
	s, err := NewStream(count(1000), 3, unroll.Window{Stride: 7})
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(100, func() { s.Next() }))

	sequences := [][]int{{1, 2, 3}, {4}, {}, {5, 6}}
	b, err := NewBatches(4, nil, BatchesConfig{Batch: 2})
	require.NoError(t, err)
	var p Padded
	require.NoError(t, p.Fill(sequences, []int{0, 1}, 0))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		examples, _ := b.Next()
		if err := p.Fill(sequences, examples, 0); err != nil {
			panic(err)
		}
	}))
}

// A window longer than its stride reads the steps before again, and scores none of them.
func TestStreamOverlap(t *testing.T) {
	s, err := NewStream(count(8), 1, unroll.Window{Stride: 2, Length: 5})
	require.NoError(t, err)
	var got []Window
	for w, ok := s.Next(); ok; w, ok = s.Next() {
		got = append(got, w.clone())
	}
	require.Equal(t, []Window{
		{IDs: []int{0, 1}, Targets: []int{1, 2}, T: 2, B: 1},
		{IDs: []int{0, 1, 2, 3}, Targets: []int{3, 4}, T: 4, B: 1, Scored: 2, Next: 1},
		{IDs: []int{1, 2, 3, 4, 5}, Targets: []int{5, 6}, T: 5, B: 1, Scored: 3, Start: 1, Next: 2},
		{IDs: []int{3, 4, 5, 6}, Targets: []int{7}, T: 4, B: 1, Scored: 3, Start: 3},
	}, got)
	require.True(t, got[0].First())
	require.False(t, got[1].First())
}
