package shared

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRounding(t *testing.T) {
	for _, c := range []struct {
		r    Rounding
		n    []int
		want []int
	}{
		{Lengths, []int{-1, 0, 1, 4, 5, 97, 1001}, []int{4, 4, 4, 4, 8, 100, 1004}},
		{Sources, []int{0, 4, 23, 24, 25, 33, 48, 49, 97},
			[]int{4, 4, 24, 24, 32, 40, 48, 64, 128}},
		{Targets, []int{0, 2, 3, 12, 13, 24, 25, 49}, []int{2, 2, 4, 12, 16, 24, 32, 64}},
		{Turns, []int{0, 5, 8, 9, 16, 17, 100}, []int{4, 8, 8, 16, 16, 24, 104}},
		{Outliers, []int{0, 15, 16, 17, 31, 32, 33, 65}, []int{4, 16, 16, 24, 32, 32, 48, 96}},
	} {
		for i, n := range c.n {
			require.Equal(t, c.want[i], c.r.Up(n), "%+v of %d", c.r, n)
		}
	}
	for _, r := range []Rounding{Lengths, Sources, Targets, Turns, Outliers} {
		for n := 1; n < 5000; n++ {
			require.GreaterOrEqual(t, r.Up(n), n)
			require.LessOrEqual(t, r.Up(n-1), r.Up(n))
			require.Equal(t, r.Up(n), r.Up(r.Up(n)))
		}
	}
}
