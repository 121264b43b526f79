package graph

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/graph/internal/pass"
	"github.com/seqzoo/seqzoo/graph/internal/plan"
	"github.com/seqzoo/seqzoo/graph/internal/vm"
)

// Option changes how a graph is compiled.
type Option func(*config)

type config struct {
	keep    []*gorgonia.Node
	also    []*gorgonia.Node
	all     bool
	reuse   bool
	add     bool
	eval    bool
	plain   bool
	workers int
	shard   plan.Shard
	without map[pass.Name]bool
	moving  map[*gorgonia.Node]bool // what was changed after compiling
	watch   bool
	arena   *vm.Arena
	arenas  *vm.Arenas
	results *vm.Arena
	limit   int // bytes of values at most, if limited: 0 for none
	limited bool
	least   int // of plan.Config, for tests
}

// Keep names the nodes whose values are wanted. Everything that they do not need is left out: a
// Read, or the gradient of an input, is delivered if the Read node, or the input's Deriv, is among
// them. What is wanted without Keep is said at Compile.
func Keep(nodes ...*gorgonia.Node) Option {
	return func(c *config) { c.keep = append(c.keep, nodes...) }
}

// Also names nodes whose values are wanted beside those of Keep, or beside what is wanted without
// it. See KeepAll for all.
func Also(nodes ...*gorgonia.Node) Option {
	return func(c *config) { c.also = append(c.also, nodes...) }
}

// KeepAll has every node of the graph show its value after a run, derivatives included, in place of
// what is said at Compile. Then no operation is fused with the next, and each result is copied: a
// run takes longer and more memory. A program that reads one or two inner nodes had better name
// them with Also.
func KeepAll() Option { return func(c *config) { c.all = true } }

// ReuseValues has Value of a node, and Grad of an input, be the machine's own memory, the same
// after each run, in place of new memory after each: runs allocate nothing. What is to be kept
// beyond the next run must then be copied, also to carry it over to an input of the next run. An
// input's Grad is then its derivative's Value: a solver that sets one to 0 sets the other.
func ReuseValues() Option { return func(c *config) { c.reuse = true } }

// AddGradients has each run add the gradients of inputs to what Grad holds, as Gorgonia's machine
// does with gorgonia.BindDualValues, in place of assigning them: so gradients of several runs are
// summed up until a solver's Step sets them to 0.
func AddGradients() Option { return func(c *config) { c.add = true } }

// EvalMode switches operations that behave differently in training, such as gorgonia.BatchNorm, to
// evaluation, as gorgonia.EvalMode does for Gorgonia's machine. Operations of package nodes decide
// by their graph's Options instead.
func EvalMode() Option { return func(c *config) { c.eval = true } }

// Plain runs every operation by its plain definition, one after another, instead of compiling the
// graph. It is slow, and there to compare with.
func Plain() Option { return func(c *config) { c.plain = true } }

// Workers is the number of goroutines that share the work, the caller's included; the default, also
// for n < 1, is GOMAXPROCS, and there are never more than 1024. The results do not depend on it.
func Workers(n int) Option { return func(c *config) { c.workers = min(n, maxWorkers) } }

// maxWorkers is more than any processor has cores for; each takes memory of its own.
const maxWorkers = 1024

// Sharing says how workers share a recurrence.
type Sharing = plan.Shard

const (
	ShareAuto       = plan.ShardAuto // chosen by the sizes: the default
	ShareRows       = plan.ShardRows // each takes its sequences of the batch through all steps
	ShareOperations = plan.ShardTeam // all share every operation of a step, and meet after it
)

// Share sets how workers share recurrences. A way that a recurrence does not allow is not used for
// it.
func Share(s Sharing) Option { return func(c *config) { c.shard = s } }

// Pass names a pass of the compiler.
type Pass = pass.Name

// Without switches passes of the compiler off, for finding out what each does.
func Without(passes ...Pass) Option {
	return func(c *config) {
		for _, p := range passes {
			c.without[p] = true
		}
	}
}

func (c *config) check() error {
	known := Passes()
	for p := range c.without {
		if !slices.Contains(known, p) {
			names := strings.Join(strings.Fields(strings.Trim(fmt.Sprint(known), "[]")), ", ")
			return fmt.Errorf("Without(%q): there is no such pass; there are %s", p, names)
		}
	}
	return nil
}

// passes are those of pass.Table, which packages of the compiler have registered. A list without an
// order stops any program here, before it compiles a graph.
var passes = pass.Table()

// Passes are all passes, in the order of their names.
func Passes() []Pass {
	var names []Pass
	for _, p := range passes {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
