package lm

import (
	"iter"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
)

// pieces are a text in pieces of so many tokens.
func pieces(ids []int, n int) iter.Seq2[[]int, error] {
	return func(yield func([]int, error) bool) {
		for piece := range slices.Chunk(ids, n) {
			if !yield(piece, nil) {
				return
			}
		}
	}
}

// A text that comes in pieces and fits is read as one that is all there, to the bit; one that does
// not fit is read in blocks, each as a text of its own that goes on to the first token of the next.
func TestStreamIsTheText(t *testing.T) {
	v := zootest.Letters(t, 9)
	ids := make([]int, 1001)
	for i := range ids {
		ids[i] = i * i % 9
	}
	losses := func(d Data) (all []float64, counted int) {
		m, err := New(Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4}}, v, 1)
		require.NoError(t, err)
		d.Batch, d.Window = 3, unroll.Window{Stride: 7}
		task, err := m.Task(d)
		require.NoError(t, err)
		for i := range task.Len() {
			b, err := task.Next(1, i)
			require.NoError(t, err)
			all, counted = append(all, b.Loss), counted+b.Count
		}
		return all, counted
	}
	want, _ := losses(Data{Train: ids})
	for _, n := range []int{1, 5, 1000, 5000} {
		got, _ := losses(Data{Stream: pieces(ids, n)})
		require.Equal(t, want, got, n)
	}
	want = nil
	counted := 0
	for k := range 4 { // 1000 targets in blocks of 250
		part, n := losses(Data{Train: ids[250*k : 250*k+251]})
		want, counted = append(want, part...), counted+n
	}
	got, n := losses(Data{Stream: pieces(ids, 11), Buffer: 250})
	require.Equal(t, want, got)
	require.Equal(t, counted, n)
	require.GreaterOrEqual(t, n, 1000-4*3)

	// blocks that are too small for a window are as small as they may be
	_, n = losses(Data{Stream: pieces(ids, 11), Buffer: 1})
	require.Greater(t, n, 900)
}

// What cannot be is told before a text is read, which may take hours.
func TestStreamErrorsComeFirst(t *testing.T) {
	m, err := New(Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 4}}, zootest.Letters(t, 3),
		1)
	require.NoError(t, err)
	for want, d := range map[string]Data{
		"Batch is -1":  {Batch: -1},
		"Buffer is -1": {Buffer: -1},
		"Stride":       {Window: unroll.Window{Stride: -1}},
	} {
		d.Stream = func(func([]int, error) bool) { t.Error("the text is read") }
		_, err := m.Task(d)
		require.ErrorContains(t, err, want)
	}
}

// Recomputation takes less memory.
func TestRecomputeSavesMemory(t *testing.T) {
	m, err := New(Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 24}}, zootest.Letters(t, 5),
		1)
	require.NoError(t, err)
	memory := func(recompute int) int {
		r, err := newWindowRunner(m, m.out.loss(), 2, true, unroll.Options{Recompute: recompute})
		require.NoError(t, err)
		defer r.close()
		c, err := r.windows.Window(train.WindowShape{T: 400})
		require.NoError(t, err)
		return c.Step.Machine().Memory()
	}
	// Each worker has memory of its own: not as many as there are cores.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	require.Less(t, float64(memory(unroll.SqrtT)), 0.7*float64(memory(0)))
}
