package rng

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// The known answers of Random123's kat_vectors for philox4x32 with 10 rounds.
func TestPhiloxKnownAnswers(t *testing.T) {
	require.Equal(t, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}, Key(0).Block(0))
}

func TestMoments(t *testing.T) {
	const n = 200_000
	k := New(1).Named("moments")
	var mean, square, normal, normal2 float64
	for i := range uint64(n) {
		u, z := k.Float64(i), k.Normal(i)
		require.True(t, u >= 0 && u < 1)
		mean, square = mean+u/n, square+u*u/n
		normal, normal2 = normal+z/n, normal2+z*z/n
	}
	require.InDelta(t, 0.5, mean, 5*math.Sqrt(1./12/n))
	require.InDelta(t, 1./3, square, 0.005)
	require.InDelta(t, 0, normal, 5/math.Sqrt(n))
	require.InDelta(t, 1, normal2, 0.02)
}

func TestStreamsDiffer(t *testing.T) {
	seen := map[uint64]string{}
	for _, seed := range []uint64{0, 1, 2} {
		for _, name := range []string{"", "a", "b", "a/b"} {
			for _, n := range []uint64{0, 1, 2, 1 << 40} {
				v := New(seed).Named(name).Numbered(n).Uint64(0)
				require.Empty(t, seen[v])
				seen[v] = "drawn"
			}
		}
	}
}

func TestStreamResumes(t *testing.T) {
	a := Stream{Key: New(3)}
	a.Perm(make([]int, 10))
	b := a
	require.Equal(t, a.Perm(make([]int, 7)), b.Perm(make([]int, 7)))
	seen := map[int]bool{}
	for _, v := range a.Perm(make([]int, 100)) {
		seen[v] = true
	}
	require.Len(t, seen, 100)
	require.Empty(t, a.Perm(nil))
	require.Zero(t, a.Intn(0))
	require.Zero(t, a.Intn(-1))
}
