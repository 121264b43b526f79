package pass

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// named returns the names of passes, in their order.
func named(passes []Pass) string {
	var names []string
	for _, p := range passes {
		names = append(names, string(p.Name))
	}
	return strings.Join(names, " ")
}

// The order follows stages and places, and never the order in which passes registered.
func TestOrder(t *testing.T) {
	passes := []Pass{
		{Name: "last", Stage: Emission, Runs: []Place{{After: "wide", Why: "it reads wide"}}},
		{Name: "sum", Stage: Optimising, Runs: []Place{
			{After: "pull", Why: "sums are pulled"}, {After: "gates", Why: "gates make sums"}}},
		{Name: "gates", Stage: Optimising,
			Runs: []Place{{After: "slice", Why: "gates are slices"}}},
		{Name: "slice", Stage: Optimising, Runs: []Place{{After: "sum", Why: "sums come first"}}},
		{Name: "pull", Stage: Optimising, Runs: []Place{{After: "wide", Why: "it takes back"}}},
		{Name: "early", Stage: Emission, Runs: []Place{{Before: "also", Why: "it makes room"}}},
		{Name: "also", Stage: Emission},
		{Name: "wide", Stage: Lowering},
	}
	for range passes {
		table, err := order(passes)
		require.NoError(t, err)
		require.Equal(t, "wide pull sum slice gates sum early also last", named(table))
		passes = append(passes[1:], passes[0])
	}
	slices.Reverse(passes)
	table, err := order(passes)
	require.NoError(t, err)
	require.Equal(t, "wide pull sum slice gates sum early also last", named(table))
	none, err := order(nil)
	require.NoError(t, err)
	require.Empty(t, none)
}

// A list is refused, naming the pass, if it has no order or tells too little of it.
func TestOrderThatCannotBe(t *testing.T) {
	a := func(places ...Place) Pass { return Pass{Name: "a", Stage: Optimising, Runs: places} }
	b := func(places ...Place) Pass { return Pass{Name: "b", Stage: Emission, Runs: places} }
	for want, passes := range map[string][]Pass{
		"two passes are called a":        {a(), a()},
		`a names the pass "c", which`:    {a(Place{After: "c", Why: "it"})},
		`a names the pass "d", which`:    {a(Place{Before: "d", Why: "it"})},
		"a cannot have the order that":   {a(Place{After: "b", Why: "it"}), b()},
		"b cannot have the order that":   {a(), b(Place{Before: "a", Why: "it"})},
		"b does not say why its order":   {a(), b(Place{After: "a"})},
		`a cannot run, as what must com`: {a(Place{After: "a", Why: "it follows itself"})},
	} {
		_, err := order(passes)
		require.ErrorContains(t, err, want)
	}
	_, err := order([]Pass{a(Place{After: "c", Why: "it reads c"}),
		{Name: "c", Stage: Optimising, Runs: []Place{{After: "a", Why: "it reads a"}}}})
	require.ErrorContains(t, err, `it runs behind "c" and before "", as it reads c`)
}
