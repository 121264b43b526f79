package main

import (
	"cmp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the page does: it trains in slices, draws the points, and asks for sums in between.
func TestSession(t *testing.T) {
	s, err := begin("tanh", "xavier", 1)
	require.NoError(t, err)
	defer s.close()
	var points []point
	for slice := 0; s.done < 3000; slice++ {
		left := 1 + slice%70
		more, err := s.learn(func() bool { left--; return left < 0 })
		require.NoError(t, err)
		points = append(points, more...)
		before := s.done
		_, err = s.network.Add(slice%128, 3)
		require.NoError(t, err)
		require.Equal(t, before, s.done)
	}
	require.Len(t, points, s.done/each)
	for i, p := range points {
		require.Equal(t, (i+1)*each, p.at)
	}
	require.Less(t, points[len(points)-1].loss, points[0].loss/5)
	right, of := s.lately()
	require.Equal(t, recent, of)
	require.Equal(t, recent, right)
	digits, err := s.network.Add(27, 38)
	require.NoError(t, err)
	require.Len(t, digits, 8)
	for i, p := range digits {
		if one := 65>>i&1 == 1; one {
			require.Greater(t, p, 0.5)
		} else {
			require.LessOrEqual(t, p, 0.5)
		}
	}
	for _, bad := range [][2]int{{-1, 0}, {0, 128}} {
		_, err := s.network.Add(bad[0], bad[1])
		require.ErrorContains(t, err, "0 to 127")
	}
}

// Asking for sums changes nothing of the training.
func TestAskingTeachesNothing(t *testing.T) {
	curve := func(ask bool) (points []point) {
		s, err := begin("sigmoid", "normal", 3)
		require.NoError(t, err)
		defer s.close()
		for range 4 {
			left := 60
			more, err := s.learn(func() bool { left--; return left < 0 })
			require.NoError(t, err)
			points = append(points, more...)
			if ask {
				_, err := s.network.Add(100, 27)
				require.NoError(t, err)
			}
		}
		return points
	}
	require.Equal(t, curve(false), curve(true))
}

// Every cell of the page learns to add. A spike may come at any time, so the best loss counts.
func TestCells(t *testing.T) {
	for cell := range kinds {
		s, err := begin(cell, "he", 1)
		require.NoError(t, err, cell)
		points, err := s.learn(func() bool { return s.done >= 8000 })
		require.NoError(t, err, cell)
		best := slices.MinFunc(points, func(a, b point) int { return cmp.Compare(a.loss, b.loss) })
		require.Less(t, best.loss, 0.1, cell)
		require.NoError(t, s.close())
	}
}

func TestBadSettings(t *testing.T) {
	_, err := begin("softmax", "xavier", 1)
	require.ErrorContains(t, err, "sigmoid, tanh, relu, gru or lstm")
	_, err = begin("tanh", "", 1)
	require.ErrorContains(t, err, "normal, xavier or he")
}
