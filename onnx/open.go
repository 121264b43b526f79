package onnx

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/onnx/internal/host"
)

// openSizes are what a layout leaves open, and the sizes for which its graphs are built to find out
// how every number in them depends on those.
type openSizes struct {
	names  []string
	sizes  [][]int // of each graph: two of each open size in all combinations, and one more
	values [][2]int
}

// probes are the sizes that stand for open ones: primes, so that they equal no width by chance, and
// no sum or product of others.
var probes = [][3]int{{23, 29, 31}, {37, 41, 43}, {47, 53, 59}, {61, 67, 71}}

func newOpenSizes(names []string) (*openSizes, error) {
	if len(names) > len(probes) {
		return nil, fmt.Errorf("%d open sizes: want at most %d", len(names), len(probes))
	}
	o := &openSizes{names: names}
	for i := range names {
		o.values = append(o.values, [2]int{probes[i][0], probes[i][1]})
	}
	for mask := range 1 << len(names) {
		var sizes []int
		for i, v := range o.values {
			sizes = append(sizes, v[mask>>i&1])
		}
		o.sizes = append(o.sizes, sizes)
	}
	var last []int
	for i := range names {
		last = append(last, probes[i][2])
	}
	o.sizes = append(o.sizes, last)
	return o, nil
}

// size is a number as a function of the open sizes: the sum over sets of them, as bits of an index,
// of a coefficient times their product.
type size []int

// fit finds the function whose values for all graphs are given.
func (o *openSizes) fit(values []int) size {
	c := slices.Clone(values[:len(values)-1])
	for i, v := range o.values {
		for mask := range c {
			if mask>>i&1 == 0 {
				low, high := c[mask], c[mask|1<<i]
				slope := (high - low) / (v[1] - v[0])
				if slope*(v[1]-v[0]) != high-low {
					host.Failf("a size depends on the open sizes in another way than a sum of "+
						"products: %v", values)
				}
				c[mask], c[mask|1<<i] = low-slope*v[0], slope
			}
		}
	}
	s := size(c)
	if s.of(o.sizes[len(o.sizes)-1]) != values[len(values)-1] {
		host.Failf("a size depends on the open sizes in another way than a sum of products: %v",
			values)
	}
	return s
}

// of is the value for given sizes.
func (s size) of(sizes []int) int {
	sum := 0
	for mask, c := range s {
		for i, v := range sizes {
			if mask>>i&1 == 1 {
				c *= v
			}
		}
		sum += c
	}
	return sum
}

// known is the value if it depends on no open size.
func (s size) known() (int, bool) {
	for _, c := range s[1:] {
		if c != 0 {
			return 0, false
		}
	}
	return s[0], true
}

// name is a dimension's name in a file: "batch", "2*time"; a number if it is known.
func (o *openSizes) name(s size) string {
	var terms []string
	for mask, c := range s {
		if c == 0 {
			continue
		}
		var factors []string
		if c != 1 || mask == 0 {
			factors = append(factors, fmt.Sprint(c))
		}
		for i, name := range o.names {
			if mask>>i&1 == 1 {
				factors = append(factors, name)
			}
		}
		terms = append(terms, strings.Join(factors, "*"))
	}
	if terms == nil {
		return "0"
	}
	return strings.Join(terms, "+")
}

// only is the index of the open size that s is, or −1.
func (s size) only() int {
	for i := 0; 1<<i < len(s); i++ {
		want := make(size, len(s))
		want[1<<i] = 1
		if slices.Equal(s, want) {
			return i
		}
	}
	return -1
}

// sizeOf is a number as a vector [1] of the graph: a constant, or computed from the inputs' shapes
// outside of all steps.
func (e *exporter) sizeOf(s size) string {
	if v, ok := s.known(); ok {
		return e.ints(v)
	}
	key := "size " + e.name(s)
	if name := e.consts[key]; name != "" {
		return name
	}
	sum := ""
	for mask, c := range s {
		if c == 0 {
			continue
		}
		term := ""
		if c != 1 || mask == 0 {
			term = e.ints(c)
		}
		for i := range e.sizes[0] {
			if mask>>i&1 == 0 {
				continue
			}
			if f := e.source(i); term == "" {
				term = f
			} else {
				term = e.emitTo(e.root, "Mul", []string{term, f})
			}
		}
		if sum == "" {
			sum = term
		} else {
			sum = e.emitTo(e.root, "Add", []string{sum, term})
		}
	}
	e.consts[key] = sum
	return sum
}

// source is an open size, read from the shape of an input.
func (e *exporter) source(i int) string {
	if e.sources[i] != "" {
		return e.sources[i]
	}
	for _, p := range e.ports {
		for axis, s := range p.shape {
			if s.only() != i {
				continue
			}
			shape := e.emitTo(e.root, "Shape", []string{p.name})
			e.sources[i] = e.emitTo(e.root, "Gather", []string{shape, e.ints(axis)},
				attrInt("axis", 0))
			return e.sources[i]
		}
	}
	host.Failf("no input has an axis of the size %s, from which it could be read",
		e.openSizes.names[i])
	return ""
}

// shapeOf is a shape as a vector of the graph.
func (e *exporter) shapeOf(shape []size) string {
	known := make([]int, len(shape))
	all := true
	var parts []string
	for i, s := range shape {
		v, ok := s.known()
		known[i], all = v, all && ok
	}
	if all {
		return e.ints(known...)
	}
	for _, s := range shape {
		parts = append(parts, e.sizeOf(s))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return e.emitTo(e.root, "Concat", parts, attrInt("axis", 0))
}
