// Package lower turns a Gorgonia graph into the engine's form. Most nodes become one value each; a
// scan becomes a loop and whatever of its step can be computed for all steps at once (see
// recurrence).
package lower

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/graph/internal/ir"
	"github.com/seqzoo/seqzoo/graph/internal/native"
	"github.com/seqzoo/seqzoo/graph/internal/pass"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// Hoist is the pass that Options.NoHoist switches off.
var Hoist = pass.Register(pass.Pass{Name: "hoist", Stage: pass.Lowering,
	Does: "products of inputs, and the gradients of weights and inputs, " +
		"are one product over all steps"})

// Result is a graph in the engine's form.
type Result struct {
	Region *ir.Region
	Of     map[*G.Node]*ir.Value // of every node that is needed
	Boxes  map[*G.Node]*Box      // of those whose values the engine cannot hold
	Fixed  []*Fixed              // what can still be changed
	Moving []*Moving             // what has to be looked up before each run
	// operations that run through their Do, products left in loops, and why
	Notes *ir.Notes
}

// Options say what a program changes, and switch single transformations off.
type Options struct {
	Moving map[*G.Node]bool // those of Fixed that were changed, and will be again
	// leave in the loop what could be computed for all steps at once before or after it
	NoHoist bool
}

// Graph lowers what the nodes keep need. All are of one graph.
func Graph(keep []*G.Node, o Options) (res *Result, err error) {
	defer ops.Catch(&err)
	res = &Result{Region: ir.NewRegion(), Notes: &ir.Notes{}, Of: map[*G.Node]*ir.Value{},
		Boxes: map[*G.Node]*Box{}}
	if len(keep) == 0 {
		return res, nil
	}
	all, children, before, err := needed(keep)
	if err != nil {
		return nil, err
	}
	l := &lowering{Result: res, opts: o, children: children, before: before,
		scans: map[*ir.Value]*scan{}, grads: map[*ir.Value]*scanGrad{},
		backs: map[[2]*ir.Value]back{}, steps: map[*ops.Step]*step{}, learned: learned(all)}
	foreign := newForeignTypes(all)
	for _, n := range all {
		if foreign.has(n) || slices.ContainsFunc(children[n], foreign.has) {
			res.Of[n] = l.box(n, children[n], foreign)
			continue
		}
		args := make([]*ir.Value, len(children[n]))
		for i, c := range children[n] {
			args[i] = res.Of[c]
		}
		v, err := l.node(n, args)
		if err != nil {
			return nil, err
		}
		res.Of[n] = v
	}
	for _, n := range keep {
		res.Of[n] = l.plain(res.Of[n])
	}
	return res, nil
}

// learned are the steps of scans that a gradient goes through.
func learned(all []*G.Node) map[*ops.Step]bool {
	steps := map[*ops.Step]bool{}
	for _, n := range all {
		if op, ok := n.Op().(*ops.Op); ok {
			switch fn := op.Fn.(type) {
			case ops.ScanGrad:
				steps[fn.Step] = true
			case ops.ScanFlow:
				steps[fn.Step] = true
			}
		}
	}
	return steps
}

// needed lists the nodes that keep depends on, operands first, the operands of each, and those
// nodes that have to run before it for the state that they leave.
func needed(keep []*G.Node) (all []*G.Node, children, before map[*G.Node][]*G.Node, err error) {
	g := keep[0].Graph()
	if children, err = ops.Children(g); err != nil {
		return nil, nil, nil, err
	}
	if before, err = ops.Before(g); err != nil {
		return nil, nil, nil, err
	}
	return ops.Needed(keep, children, before), children, before, nil
}

type lowering struct {
	*Result
	opts     Options
	children map[*G.Node][]*G.Node
	before   map[*G.Node][]*G.Node   // of ops.Before
	inner    bool                    // a step: scans in it are left to their plain definition
	scans    map[*ir.Value]*scan     // by the value that stands for what a scan packs
	grads    map[*ir.Value]*scanGrad // by the value that stands for what its gradient packs
	backs    map[[2]*ir.Value]back
	steps    map[*ops.Step]*step
	learned  map[*ops.Step]bool // those that a gradient goes through
}

func (l *lowering) node(n *G.Node, args []*ir.Value) (*ir.Value, error) {
	l.Region.At = ops.PlaceOf(n)
	if t := ops.TypeOf(n); !storable(t) {
		return nil, fmt.Errorf("%v is %v: a step of a recurrence has float32, float64 and int only",
			n, t)
	}
	switch op := n.Op().(type) {
	case nil:
		v := l.Region.Leaf(ir.Input{Node: n}, ops.TypeOf(n))
		v.Name = n.Name()
		return v, nil
	case *ops.Op:
		return l.apply(op, args)
	default:
		types := make([]ops.Type, len(args))
		for i := range args {
			args[i] = l.plain(args[i])
			types[i] = args[i].Type
		}
		if l.opts.Moving[n] {
			return l.moves(n, args, types)
		}
		e, err := native.Translate(op, types, ops.TypeOf(n))
		switch {
		case err == nil:
			if changed := native.Changed(op, types); changed != nil {
				l.Fixed = append(l.Fixed, &Fixed{n, l.inner, changed})
			}
			return native.Apply(e, args, l.operation), nil
		case native.IsConstant(op):
			return l.Region.Leaf(ir.Input{Node: n}, ops.TypeOf(n)), nil
		}
		if before := l.earlier(n); len(before) > 0 {
			return l.foreign(firstOperands{op, len(args)}, ops.TypeOf(n), append(args, before...),
				err), nil
		}
		return l.foreign(op, ops.TypeOf(n), args, err), nil
	}
}

// earlier are the values that have to be there while n is computed, beside those of its operands:
// what runs before it for the state that it leaves, and the operands of that, whose memory may be a
// part of this state.
func (l *lowering) earlier(n *G.Node) []*ir.Value {
	var vs []*ir.Value
	for _, m := range l.before[n] {
		vs = append(vs, l.plain(l.Of[m]))
		for _, c := range l.children[m] {
			vs = append(vs, l.plain(l.Of[c]))
		}
	}
	return vs
}

// firstOperands is an operation whose value has operands beside its own, so that it runs after
// them.
type firstOperands struct {
	G.Op
	n int
}

func (f firstOperands) Do(in ...G.Value) (G.Value, error) { return f.Op.Do(in[:f.n]...) }

// operation is the value of an operation on values.
func (l *lowering) operation(fn ops.Operation, args ...*ir.Value) *ir.Value {
	return l.Region.Apply(fn, args...)
}

// foreign is a value that an op's Do computes; why says why the engine does not.
func (l *lowering) foreign(op ir.Doer, t ops.Type, args []*ir.Value, why error) *ir.Value {
	l.Notes.Add("runs through its own Do: %v", why)
	return l.Region.Leaf(ir.Foreign{Op: op}, t, args...)
}

func (l *lowering) apply(op *ops.Op, args []*ir.Value) (*ir.Value, error) {
	if l.inner {
		return l.Region.Apply(op.Fn, args...), nil
	}
	switch fn := op.Fn.(type) {
	case ops.Scan:
		return l.scan(fn, op.Out, args)
	case ops.ScanGrad:
		return l.scanGrad(fn, op.Out, args)
	case ops.ScanFlow:
		return l.scanFlow(fn, args)
	case ops.Slice:
		if s := l.scans[args[0]]; s != nil {
			return s.cut(fn.From, fn.To), nil
		}
		if s := l.grads[args[0]]; s != nil {
			return s.cut(fn.From, fn.To), nil
		}
	}
	for i := range args {
		args[i] = l.plain(args[i])
	}
	return l.Region.Apply(op.Fn, args...), nil
}

// packed stands for the vector in which a scan or its gradient packs its values. It is never
// computed unless something other than a slice of it is asked for.
type packed struct {
	ir.Foreign
	what string
}

func (p packed) Key() string { return p.what }

// plain is v as a value that is computed: a packed vector is put together.
func (l *lowering) plain(v *ir.Value) *ir.Value {
	if s := l.scans[v]; s != nil {
		return s.cut(0, v.Size())
	}
	if s := l.grads[v]; s != nil {
		return s.cut(0, v.Size())
	}
	return v
}

// cutPieces is [from, to) of the vector that joins pieces, which are made when they are needed.
func cutPieces(r *ir.Region, sizes []int, piece func(i int) *ir.Value, from, to int) *ir.Value {
	var parts []*ir.Value
	at := 0
	for i, n := range sizes {
		a, b := max(from-at, 0), min(to-at, n)
		if a < b {
			flat := r.Apply(ops.Reshape{Shape: []int{n}}, piece(i))
			parts = append(parts, r.Apply(ops.Slice{Axis: 0, From: a, To: b}, flat))
		}
		at += n
	}
	return r.Apply(ops.Concat{Axis: 0}, parts...)
}

func failf(what, format string, args ...any) error {
	return fmt.Errorf("%s: %s", what, fmt.Sprintf(format, args...))
}
