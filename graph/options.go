package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/graph/internal/exec"
)

// Option changes how a graph is compiled.
type Option func(*config)

type config struct {
	keep    []*gorgonia.Node
	plain   bool
	workers int
	shard   exec.Shard
	without map[string]bool
}

// Keep names the nodes whose values are wanted. Everything that they do not need is left out. Without Keep the wanted
// nodes are the roots of the graph: those that no other node uses.
func Keep(nodes ...*gorgonia.Node) Option {
	return func(c *config) { c.keep = append(c.keep, nodes...) }
}

// Plain runs every operation by its plain definition, one after another, instead of compiling the graph. It is slow,
// and there to compare with.
func Plain() Option { return func(c *config) { c.plain = true } }

// Workers is the number of goroutines that share the work, the caller's included; the default, also for n < 1, is
// GOMAXPROCS. The results do not depend on it.
func Workers(n int) Option { return func(c *config) { c.workers = n } }

// Sharing says how workers share a recurrence.
type Sharing = exec.Shard

const (
	ShareAuto       = exec.ShardAuto // chosen by the sizes: the default
	ShareRows       = exec.ShardRows // each takes its sequences of the batch through all steps
	ShareOperations = exec.ShardTeam // all share every operation of a step, and meet after it
)

// Share sets how workers share recurrences. A way that a recurrence does not allow is not used for it.
func Share(s Sharing) Option { return func(c *config) { c.shard = s } }

// passes are the names that Without takes, and what is lost without each.
var passes = map[string]string{
	"hoist": "one product over all steps for inputs and weight gradients",
	"fuse":  "element-wise operations in one pass over cache-sized tiles",
	"acc":   "products that are added straight to another term",
}

// Without switches passes of the compiler off, for finding out what each does.
func Without(names ...string) Option {
	return func(c *config) {
		for _, n := range names {
			c.without[n] = true
		}
	}
}

func (c *config) check() error {
	for n := range c.without {
		if _, ok := passes[n]; !ok {
			return fmt.Errorf("Without(%q): there is no such pass; there are %s", n, strings.Join(slices.Sorted(maps.Keys(passes)), ", "))
		}
	}
	return nil
}
