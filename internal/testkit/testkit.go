// Package testkit has what tests of several packages read and compare values with.
package testkit

import (
	"fmt"
	"math"
	"reflect"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
)

// T is what *testing.T, *testing.B and *rapid.T have in common.
type T interface {
	require.TestingT
	Helper()
}

// Floats returns a copy of a value's elements, of any type, and nil if they are no numbers.
func Floats(v gorgonia.Value) []float64 {
	switch d := v.Data().(type) {
	case float32:
		return []float64{float64(d)}
	case float64:
		return []float64{d}
	case int:
		return []float64{float64(d)}
	case []float32:
		return converted(d)
	case []float64:
		return converted(d)
	case []int:
		return converted(d)
	}
	return nil
}

func converted[N float32 | float64 | int](numbers []N) []float64 {
	out := make([]float64, len(numbers))
	for i, x := range numbers {
		out[i] = float64(x)
	}
	return out
}

// RequireClose wants |got − want| ≤ tol·max(1, |want|) of each element; a NaN is close to nothing.
func RequireClose(t T, want, got []float64, tol float64, what string) {
	t.Helper()
	require.Len(t, got, len(want), what)
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= tol*max(1, math.Abs(want[i]))) {
			require.FailNow(t, fmt.Sprintf("%s[%d]: got %.17g, want %.17g",
				what, i, got[i], want[i]))
		}
	}
}

// RequireInDelta wants as many numbers as there are wanted, each within delta of its own. Both are
// slices. It is require.InDeltaSlice, which takes a slice that is too short, or empty.
func RequireInDelta(t T, want, got any, delta float64, about ...any) {
	t.Helper()
	require.Len(t, got, reflect.ValueOf(want).Len(), about...)
	require.InDeltaSlice(t, want, got, delta, about...)
}
