package pass

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A table is refused if it breaks an order, lacks a pass that an order names, or mixes stages.
func TestCheck(t *testing.T) {
	require.NoError(t, check(Table))
	at := func(n Name) int {
		return slices.IndexFunc(Table,
			func(p Pass) bool { return p.Name == n })
	}
	swapped := func(a, b Name) []Pass {
		table := slices.Clone(Table)
		table[at(a)], table[at(b)] = table[at(b)], table[at(a)]
		return table
	}
	require.ErrorContains(t, check(swapped(Slice, Gates)),
		"slice must run before gates: gates looks for products")
	require.ErrorContains(t, check(swapped(Accumulate, Slice)), "accumulate must run before slice")
	require.ErrorContains(t, check(swapped(Hoist, Pull)),
		"hoist, of an earlier stage, stands behind pull")
	last := len(Table) - 1 - 3 // the second accumulate
	require.ErrorContains(t, check(slices.Delete(slices.Clone(Table), last, last+1)),
		"gates must run before accumulate")
	require.ErrorContains(t, check(nil), "hoist must run before pull")
}
