package shared

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestContains(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	digits := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "ab"[r.IntN(2)]
		}
		return string(b)
	}
	for range 2000 {
		whole, part := digits(r.IntN(14)), digits(r.IntN(6))
		require.Equal(t, strings.Contains(whole, part), contains([]byte(whole), []byte(part)),
			"%q in %q", part, whole)
	}
}
