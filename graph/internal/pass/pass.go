// Package pass keeps the list of the compiler's passes, each of which can be switched off, and puts
// them in order. A pass registers itself where it is written: its name, what it does, and behind or
// before which others it must run, with the reason.
package pass

import (
	"cmp"
	"fmt"
	"slices"
)

// Name names a pass.
type Name string

// Stage is the part of the compiler that a pass belongs to. The stages follow each other.
type Stage int

const (
	Lowering   Stage = iota // package lower, while it makes values of a graph
	Optimising              // package optimise, one pass after another on all values
	Emission                // package plan, while it makes instructions of values
)

// Pass is an improvement of a program. Those of Lowering and of Emission are decisions made while
// the stage goes through the values.
type Pass struct {
	Name  Name
	Stage Stage
	Does  string // a whole sentence without its full stop, which documents the pass for users
	// Runs is where the pass runs, once for each place. Without one it runs once, anywhere in its
	// stage.
	Runs []Place
}

// Place is what one run of a pass must come behind and before: the first run of After and that of
// Before. Either may be empty.
type Place struct {
	After, Before Name
	Why           string
}

var registered []Pass

// Register adds a pass to the list, and returns its name. It is called while packages are
// initialised.
func Register(p Pass) Name {
	registered = append(registered, p)
	return p.Name
}

// Table is all passes that were registered, in the order in which they run: one that runs twice is
// there twice. The order does not depend on that of registering. A list that has no order panics:
// it is a mistake in a pass, which no program could run with.
func Table() []Pass {
	table, err := order(registered)
	if err != nil {
		panic(err)
	}
	return table
}

// run is one run of a pass.
type run struct {
	pass  Pass
	place Place
	first bool
}

// order sorts the runs of all passes: by stage, then by their places, and by name where these leave
// a choice.
func order(passes []Pass) ([]Pass, error) {
	var left []run
	for _, p := range passes {
		if len(p.Runs) == 0 {
			left = append(left, run{p, Place{}, true})
		}
		for i, place := range p.Runs {
			left = append(left, run{p, place, i == 0})
		}
	}
	slices.SortStableFunc(left, func(a, b run) int {
		return cmp.Or(cmp.Compare(a.pass.Stage, b.pass.Stage),
			cmp.Compare(a.pass.Name, b.pass.Name))
	})
	if err := check(left); err != nil {
		return nil, err
	}
	var table []Pass
	for len(left) > 0 {
		next := slices.IndexFunc(left, func(r run) bool {
			return r.pass.Stage == left[0].pass.Stage && !waits(r, left)
		})
		if next < 0 {
			r := left[0]
			return nil, fmt.Errorf("pass: %s cannot run, as what must come before it waits for "+
				"it: it runs behind %q and before %q, as %s", r.pass.Name, r.place.After,
				r.place.Before, r.place.Why)
		}
		table = append(table, left[next].pass)
		left = slices.Delete(left, next, next+1)
	}
	return table, nil
}

// waits tells whether a run must come behind one of those that are left.
func waits(r run, left []run) bool {
	return slices.ContainsFunc(left, func(other run) bool {
		if !other.first {
			return false
		}
		return r.place.After == other.pass.Name ||
			r.first && other.place.Before == r.pass.Name
	})
}

// check reports names that are there twice, and places beside passes that are not there, without a
// reason, or in an order of stages that cannot be.
func check(runs []run) error {
	stages := map[Name]Stage{}
	for _, r := range runs {
		if _, twice := stages[r.pass.Name]; r.first && twice {
			return fmt.Errorf("pass: two passes are called %s", r.pass.Name)
		}
		stages[r.pass.Name] = r.pass.Stage
	}
	for _, r := range runs {
		for _, beside := range []Name{r.place.After, r.place.Before} {
			stage, known := stages[beside]
			after := beside == r.place.After
			switch {
			case beside == "":
			case !known:
				return fmt.Errorf("pass: %s names the pass %q, which does not exist",
					r.pass.Name, beside)
			case after && stage > r.pass.Stage || !after && stage < r.pass.Stage:
				return fmt.Errorf("pass: %s cannot have the order that it asks for beside %s, "+
					"which belongs to another stage", r.pass.Name, beside)
			case r.place.Why == "":
				return fmt.Errorf("pass: %s does not say why its order beside %s matters",
					r.pass.Name, beside)
			}
		}
	}
	return nil
}
