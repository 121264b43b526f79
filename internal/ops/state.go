package ops

import (
	"fmt"
	"reflect"
	"slices"

	G "gorgonia.org/gorgonia"
)

// stateless are operations of Gorgonia v0.9.18 that another one holds for its settings alone: what
// they compute depends on their operands and is left nowhere else. The others whose derivatives
// hold them leave something for these: BatchNormOp its statistics, GroupNormOp means and
// deviations, ctcLossOp its forward variables, maxPoolOp and avgPoolOp which elements they took.
var stateless = map[string]bool{
	"sliceOp": true, "sliceIncrOp": true, "softmaxOp": true, "softmaxDiffOp": true,
	"byIndicesOp": true, "byIndicesOpDiffOp": true, "dropoutOp": true, "dropoutDiffOp": true,
	"constantScalar": true, "constantTensor": true, "readOp": true, "letOp": true,
}

// Before gives the nodes that have to run before a node although they are not its operands: those
// whose operations leave in memory what the node's own reads. An operation that holds another one,
// or something that both point to, is taken to read what the other leaves, as the derivatives of
// gorgonia.BatchNorm and gorgonia.CTCLoss do.
func Before(g *G.ExprGraph) (map[*G.Node][]*G.Node, error) {
	var nodes []*G.Node // in the order in which they were made
	owners := map[uintptr][]*G.Node{}
	for _, n := range g.AllNodes() {
		if !stateful(n.Op()) {
			continue
		}
		nodes = append(nodes, n)
		if v := reflect.ValueOf(n.Op()); v.Kind() == reflect.Pointer && v.Type().Elem().Size() > 0 {
			owners[v.Pointer()] = append(owners[v.Pointer()], n)
		}
	}
	before := map[*G.Node][]*G.Node{}
	holders := map[uintptr][]*G.Node{}
	for _, n := range nodes {
		for _, p := range held(n.Op(), owners) {
			earlier := owners[p]
			if len(earlier) > 1 {
				return nil, fmt.Errorf("%v and %v are one operation, which leaves in itself "+
					"what %v "+
					"needs: the last of them overwrites what the first has left; each needs an "+
					"operation of its own", earlier[0], earlier[1], n)
			}
			if len(earlier) == 0 {
				earlier = holders[p]
				holders[p] = append(holders[p], n)
			}
			for _, m := range earlier {
				// Two of one type both read, or both write.
				same := reflect.TypeOf(m.Op()) == reflect.TypeOf(n.Op())
				if !same && !slices.Contains(before[n], m) {
					before[n] = append(before[n], m)
				}
			}
		}
	}
	return before, nil
}

func stateful(op G.Op) bool {
	if _, own := op.(*Op); own || op == nil {
		return false
	}
	t := reflect.Indirect(reflect.ValueOf(op)).Type()
	return !(t.PkgPath() == gorgonia && stateless[t.Name()])
}

const gorgonia = "gorgonia.org/gorgonia"

// held are the addresses of all that an operation points to: structs, elements of slices, maps.
// What belongs to an operation that it holds is not looked into, as that operation's own address
// stands for it.
func held(op G.Op, owners map[uintptr][]*G.Node) []uintptr {
	var out []uintptr
	seen := map[uintptr]bool{}
	add := func(p uintptr) bool {
		if p == 0 || seen[p] {
			return false
		}
		seen[p] = true
		out = append(out, p)
		return true
	}
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Interface:
			visit(v.Elem())
		case reflect.Struct:
			for i := range v.NumField() {
				visit(v.Field(i))
			}
		case reflect.Map, reflect.Chan:
			add(v.Pointer())
		case reflect.Slice:
			if v.Len() > 0 && v.Type().Elem().Size() > 0 {
				add(v.Pointer())
			}
		case reflect.Pointer:
			if t := v.Type().Elem(); t.Size() == 0 || t.PkgPath() == "reflect" ||
				slices.Contains(common, t) {
				return
			}
			if add(v.Pointer()) && owners[v.Pointer()] == nil {
				visit(v.Elem())
			}
		}
	}
	v := reflect.ValueOf(op)
	if v.Kind() == reflect.Pointer {
		seen[v.Pointer()] = true
		v = v.Elem()
	}
	visit(v)
	return out
}

// common is what operations may point to without sharing a state: the graph.
var common = []reflect.Type{reflect.TypeFor[G.Node](), reflect.TypeFor[G.ExprGraph]()}

// Needed lists the nodes of a graph that keep needs, operands first.
func Needed(keep []*G.Node, children, before map[*G.Node][]*G.Node) []*G.Node {
	need := map[*G.Node]bool{}
	for _, n := range keep {
		need[n] = true
	}
	// in the order of creation: what a node needs stands before it
	all := keep[0].Graph().AllNodes()
	for i := len(all) - 1; i >= 0; i-- {
		if need[all[i]] {
			for _, m := range slices.Concat(children[all[i]], before[all[i]]) {
				need[m] = true
			}
		}
	}
	var out []*G.Node
	for _, n := range all {
		if need[n] {
			out = append(out, n)
		}
	}
	return out
}
