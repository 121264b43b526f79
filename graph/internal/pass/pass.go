// Package pass names the compiler's passes, each of which can be switched off, and says in which
// order they run and why.
package pass

import "fmt"

// Name names a pass.
type Name string

// The passes. A pass is declared here and in Table, and is a function where its stage is.
const (
	Hoist      Name = "hoist"
	Pull       Name = "pull"
	Accumulate Name = "accumulate"
	Slice      Name = "slice"
	Gates      Name = "gates"
	Skip       Name = "skip"
	Fuse       Name = "fuse"
	Pack       Name = "pack"
)

// Stage is the part of the compiler that a pass belongs to. The stages follow each other.
type Stage int

const (
	Lowering   Stage = iota // package lower, while it makes values of a graph
	Optimising              // package optimise, one pass after another on all values
	Emission                // package plan, while it makes instructions of values
)

// Pass is an improvement of a program.
type Pass struct {
	Name  Name
	Stage Stage
	Does  string
}

// Table is all passes in the order in which they run. Those of Lowering and of Emission are
// decisions made while the stage goes through the values.
var Table = []Pass{
	{Hoist, Lowering,
		"products of inputs, and the gradients of weights and inputs, are one product over all steps"},
	{Pull, Optimising,
		"element-wise operations whose only reader is a loop are computed in it, step by step"},
	{Accumulate, Optimising,
		"products that are terms of a sum are added straight to another term"},
	{Slice, Optimising,
		"slices of element-wise results become element-wise operations on slices, so that gates fuse"},
	{Gates, Optimising,
		"products of which only slices are read become a product for each slice"},
	{Accumulate, Optimising,
		"once more, for the products of single gates"},
	{Skip, Emission,
		"rows of a batch whose sequences have ended are left out of the steps of a recurrence"},
	{Fuse, Emission,
		"element-wise operations are computed in one pass over cache-sized tiles"},
	{Pack, Emission,
		"weights are laid out once for all the products with them"},
}

// order is what the order of Table must keep to: some run of the first pass comes before some run
// of the second.
var order = []struct {
	first, second Name
	why           string
}{
	{Hoist, Pull, "pull takes back into a loop what was computed before it, where the loop alone reads it"},
	{Pull, Accumulate, "a sum that pull brings into a loop is to have its products added in place, too"},
	{Accumulate, Slice, "accumulate looks for whole sums, which slices divide"},
	{Slice, Gates, "gates looks for products that are read in slices, which slice has moved down to them"},
	{Gates, Accumulate, "the products of single gates are terms of sums anew"},
}

func init() {
	if err := check(Table); err != nil {
		panic(err)
	}
}

// check reports a table whose order does not hold.
func check(table []Pass) error {
	firstAt, lastAt := map[Name]int{}, map[Name]int{}
	for i, p := range table {
		if i > 0 && p.Stage < table[i-1].Stage {
			return fmt.Errorf("pass: %s, of an earlier stage, stands behind %s", p.Name,
				table[i-1].Name)
		}
		if _, ok := firstAt[p.Name]; !ok {
			firstAt[p.Name] = i
		}
		lastAt[p.Name] = i
	}
	for _, o := range order {
		a, hasA := firstAt[o.first]
		b, hasB := lastAt[o.second]
		if !hasA || !hasB || a >= b {
			return fmt.Errorf("pass: %s must run before %s: %s", o.first, o.second, o.why)
		}
	}
	return nil
}
