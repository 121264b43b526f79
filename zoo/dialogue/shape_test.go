package dialogue

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// A shape has room for what it was made for, and not much more, whatever the data are like.
func TestDialogueShapes(t *testing.T) {
	usual := profile{T: [turnGroups]float64{10, 17, 27, 41}, tokens: 10}
	for _, p := range []profile{usual, {T: [turnGroups]float64{1, 1, 1, 1}, tokens: 0.8}} {
		shapes := map[dialogueShape]bool{}
		for n := 1; n < 9000; n = n*5/4 + 1 {
			for _, need := range []dialogueShape{
				{N: 8, B: 8, T: [turnGroups]int{n/4 + 1, n/3 + 1, n/2 + 1, n}, Tokens: 20 * n},
				{N: 8, B: 8, T: [turnGroups]int{3, 5, 7, n}, Tokens: 64*5 + n},
				{N: 4, B: 1, T: [turnGroups]int{0, 0, 0, n}, Tokens: n},
				{N: 4, B: 1, T: [turnGroups]int{0, 0, 0, n}},
			} {
				got := p.fit(need)
				shapes[got] = true
				rows := need.rows()
				for k := range need.T {
					require.Equal(t, rows[k] == 0, got.T[k] == 0)
					require.GreaterOrEqual(t, got.T[k], need.T[k])
					require.LessOrEqual(t, got.T[k], 2*need.T[k]+8)
				}
				require.GreaterOrEqual(t, got.Tokens, max(need.Tokens, 1))
				require.LessOrEqual(t, got.Tokens, 2*need.Tokens+8)
			}
		}
		require.Less(t, len(shapes), 160)
	}
	for n := 2; n <= MaxTurns; n++ {
		require.GreaterOrEqual(t, shared.Turns.Up(n), n)
		require.Less(t, shared.Turns.Up(n), n+8)
	}
	require.Zero(t, profileOf(nil))
}
