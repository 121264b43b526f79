package graph

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Profile is where the time of a run goes.
type Profile struct {
	Total        time.Duration
	Instructions []Timing // in the order in which they run; those in a loop follow it
}

// Timing is the time of one instruction, or of several that have something in common.
type Timing struct {
	What string        // the instruction, or what the several have in common
	Path string        // the scopes in the model that it computes for, and which operations
	Time time.Duration // in one run; in a loop, of all steps together
	// floating-point operations of matrix products in one run; 0 if it has none
	Flop float64
	// bytes of its operands and results in one run, each element counted once whether it comes from
	// memory or a cache; 0 if that is not known
	Bytes  float64
	Share  float64 // of the total
	InLoop bool    // it runs once a step of the loop before it
	loop   bool
	depth  int
	scopes string // those of Path alone
}

// Gflops is the achieved rate of matrix products, in 10⁹ floating-point operations a second; 0 if
// there are none.
func (t Timing) Gflops() float64 {
	if t.Time <= 0 {
		return 0
	}
	return t.Flop / float64(t.Time.Nanoseconds())
}

// Profile runs the machine n times on one worker with a clock around every instruction, and keeps
// the shortest time of each. That of an instruction in a loop is its shortest step times the number
// of steps: what it takes when nothing disturbs it. What runs through the Do of an operation of
// Gorgonia's, or of a user's own, is "foreign" with its name.
func (m *Machine) Profile(n int) (*Profile, error) {
	if err := m.usable(); err != nil {
		return nil, err
	}
	if err := m.follow(); err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	ts, err := m.program.Profile(max(n, 1))
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	return newProfile(ts), nil
}

func newProfile(ts []vm.Timing) *Profile {
	p := &Profile{}
	for i, t := range ts {
		if t.Depth == 0 {
			p.Total += t.Time
		}
		loop := i+1 < len(ts) && ts[i+1].Depth > t.Depth
		p.Instructions = append(p.Instructions, Timing{What: t.What, Path: places(t.At),
			Time: t.Time, Flop: t.Flop, Bytes: t.Bytes,
			InLoop: t.Depth > 0, loop: loop, depth: t.Depth, scopes: scopes(t.At)})
	}
	p.share(p.Instructions)
	return p
}

func (p *Profile) share(ts []Timing) {
	for i := range ts {
		ts[i].Share = float64(ts[i].Time) / float64(max(p.Total, 1))
	}
}

// places says what an instruction computes: "encoder/l0 step: MatMul, Add". Operations of one scope
// are listed after it.
func places(at []ops.Place) string {
	var paths []string
	names := map[string][]string{}
	for _, a := range at {
		path, name := a.Path, a.Name
		switch {
		case a.Grad && path != "":
			path = "gradient of " + path
		case a.Grad:
			name = "gradient of " + name
		}
		if !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
		if name != "" && !slices.Contains(names[path], name) {
			names[path] = append(names[path], name)
		}
	}
	for i, path := range paths {
		list := names[path]
		if len(list) > 4 {
			list = append(list[:3:3], "…")
		}
		if paths[i] = strings.Join(list, ", "); path != "" {
			paths[i] = strings.TrimSuffix(path+": "+paths[i], ": ")
		}
	}
	return strings.Join(paths, "; ")
}

// scopes are the scopes of places, each once.
func scopes(at []ops.Place) string {
	var out []string
	for _, a := range at {
		scope := a.Path
		switch {
		case scope == "":
			scope = "(no scope)"
		case a.Grad:
			scope = "gradient of " + scope
		}
		if !slices.Contains(out, scope) {
			out = append(out, scope)
		}
	}
	if len(out) == 0 {
		return "(no scope)"
	}
	return strings.Join(out, "; ")
}

// ByKernel adds the times up by what kind of instruction it was: gemm, fused and so on, each
// foreign operation for itself; the most expensive first.
func (p *Profile) ByKernel() []Timing {
	return p.by(func(t Timing) string {
		if op, ok := strings.CutPrefix(t.What, "foreign "); ok {
			if i := strings.IndexAny(op, "{<(["); i > 0 {
				op = op[:i]
			}
			return "foreign " + op
		}
		for _, w := range strings.Fields(t.What) {
			if w[0] < '0' || w[0] > '9' { // "4 × gemm …" is gemm too
				if w != "×" {
					return strings.Trim(w, ":,")
				}
			}
		}
		return t.What
	})
}

// ByPath adds the times up by the scope in the model, such as "encoder/l0 step"; the most expensive
// first. What computes for several scopes counts for all of them together.
func (p *Profile) ByPath() []Timing {
	return p.by(func(t Timing) string { return t.scopes })
}

func (p *Profile) by(key func(Timing) string) []Timing {
	at := map[string]int{}
	var out []Timing
	for _, t := range p.Instructions {
		if t.loop {
			continue // its instructions are listed
		}
		k := key(t)
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k], out = i, append(out, Timing{What: k})
		}
		out[i].Time += t.Time
		out[i].Flop += t.Flop
		out[i].Bytes += t.Bytes
	}
	slices.SortStableFunc(out, func(a, b Timing) int { return int(b.Time - a.Time) })
	p.share(out)
	return out
}

// String is three tables: every instruction, then the sums by kernel and by scope.
func (p *Profile) String() string {
	var b strings.Builder
	table := func(title string, ts []Timing) {
		fmt.Fprintf(&b, "%s\n", title)
		for _, t := range ts {
			fmt.Fprintf(&b, "%10.1f µs %5.1f %%  ", float64(t.Time.Nanoseconds())/1e3, 100*t.Share)
			if g := t.Gflops(); g > 0 {
				fmt.Fprintf(&b, "%6.1f GFLOP/s  ", g)
			} else {
				b.WriteString(strings.Repeat(" ", 16))
			}
			b.WriteString(strings.Repeat("    ", t.depth))
			b.WriteString(t.What)
			if t.Path != "" && !t.loop {
				b.WriteString("   — " + t.Path)
			}
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
	table("instructions", p.Instructions)
	table("by kernel", p.ByKernel())
	table("by scope", p.ByPath())
	fmt.Fprintf(&b, "%10.1f µs in all\n", float64(p.Total.Nanoseconds())/1e3)
	return b.String()
}
