package graph

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/graph/internal/vm"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// WriteDOT draws a graph in the language of Graphviz: `dot -Tsvg graph.dot > graph.svg`. Inputs are
// boxes, gradients grey, and what was written in one scope of the model stands in a frame. The step
// of a recurrence is drawn beside it, with its state going round.
func WriteDOT(w io.Writer, g *gorgonia.ExprGraph) error {
	if w == nil || g == nil {
		return errors.New("graph.WriteDOT: the writer or the graph is nil")
	}
	d := dot{w: bufio.NewWriter(w)}
	d.line("digraph model {")
	d.line("rankdir=TB; node [fontname=Helvetica fontsize=10 shape=ellipse]; edge " +
		"[fontname=Helvetica fontsize=8];")
	if err := d.graph(g, "n"); err != nil {
		return fmt.Errorf("graph.WriteDOT: %w", err)
	}
	d.line("}")
	return d.w.Flush()
}

type dot struct {
	w    *bufio.Writer
	seen []*ops.Step
}

func (d *dot) line(format string, args ...any) { fmt.Fprintf(d.w, format+"\n", args...) }

// quote is a string in DOT.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// graph draws the nodes of g, whose names begin with prefix.
func (d *dot) graph(g *gorgonia.ExprGraph, prefix string) error {
	children, err := ops.Children(g)
	if err != nil {
		return err
	}
	number := map[*gorgonia.Node]int{}
	scopes := map[string][]*gorgonia.Node{}
	var order []string
	var scans []*gorgonia.Node
	for i, n := range g.AllNodes() {
		number[n] = i
		scope := ops.PlaceOf(n).Path
		if scopes[scope] == nil {
			order = append(order, scope)
		}
		scopes[scope] = append(scopes[scope], n)
		if op, ok := n.Op().(*ops.Op); ok {
			if _, ok := op.Fn.(ops.Scan); ok {
				scans = append(scans, n)
			}
		}
	}
	for i, scope := range order {
		if scope != "" {
			d.line("subgraph cluster_%s_%d { label=%s; color=gray70; "+
				"fontname=Helvetica; fontsize=11;", prefix, i, quote(scope))
		}
		for _, n := range scopes[scope] {
			d.node(n, fmt.Sprintf("%s%d", prefix, number[n]))
		}
		if scope != "" {
			d.line("}")
		}
	}
	for _, n := range g.AllNodes() {
		for _, c := range children[n] {
			d.line("%s%d -> %s%d;", prefix, number[c], prefix, number[n])
		}
	}
	for _, n := range scans {
		if err := d.step(n.Op().(*ops.Op).Fn.(ops.Scan), ops.PlaceOf(n).Path,
			fmt.Sprintf("%s%d", prefix, number[n])); err != nil {
			return err
		}
	}
	return nil
}

func (d *dot) node(n *gorgonia.Node, name string) {
	shape := ""
	if n.Type() != nil {
		shape = "\n" + strings.Join(strings.Fields(fmt.Sprint([]int(n.Shape()))), ", ")
	}
	if n.Op() == nil {
		d.line("%s [shape=box style=filled fillcolor=%q label=%s];", name, "#e8f0fe",
			quote(n.Name()+shape))
		return
	}
	at := ops.PlaceOf(n)
	label, style := at.Name, ""
	if op, ok := n.Op().(*ops.Op); ok {
		label = ops.Title(op.Fn)
		if s, ok := op.Fn.(ops.Scan); ok {
			label, style = fmt.Sprintf("Scan, %d steps", s.T),
				` style=filled fillcolor="#fff4ce" peripheries=2`
		}
		if s, ok := op.Fn.(ops.ScanGrad); ok {
			label, style = fmt.Sprintf("gradient of Scan, %d steps", s.T),
				` style=filled fillcolor="#eeeeee" peripheries=2`
		}
	}
	if at.Grad && style == "" {
		style = ` style=filled fillcolor="#eeeeee"`
	}
	d.line("%s [label=%s%s];", name, quote(label+shape), style)
}

// step draws the graph of a step once, in a frame, tied to its scan.
func (d *dot) step(s ops.Scan, path, scan string) error {
	if slices.Contains(d.seen, s.Step) {
		return nil
	}
	d.seen = append(d.seen, s.Step)
	prefix := fmt.Sprintf("s%d_", len(d.seen))
	inner := s.Step.Inputs()[0].Graph()
	d.line("subgraph cluster_%s { label=%s; style=dashed; fontname=Helvetica; fontsize=11;", prefix,
		quote(strings.TrimSpace(path+" step")))
	if err := d.graph(inner, prefix); err != nil {
		return err
	}
	d.line("}")
	number := map[*gorgonia.Node]int{}
	for i, n := range inner.AllNodes() {
		number[n] = i
	}
	for i, next := range s.Step.Next {
		d.line("%s%d -> %s%d [style=dashed constraint=false label=%s];", prefix, number[next],
			prefix, number[s.Step.States[i]], quote("next step"))
	}
	d.line("%s%d -> %s [style=dotted arrowhead=none];", prefix, number[s.Step.Next[0]], scan)
	return nil
}

// WriteDOT draws the machine's program: its instructions in the order in which they run, with the
// bytes that go from one to the next, and those of a loop in its frame.
func (m *Machine) WriteDOT(w io.Writer) error {
	if err := check.Given("the writer", w); err != nil {
		return fmt.Errorf("graph: %w", err)
	}
	d := dot{w: bufio.NewWriter(w)}
	d.line("digraph plan {")
	d.line("rankdir=TB; node [fontname=Helvetica fontsize=10 shape=box]; edge " +
		"[fontname=Helvetica fontsize=8];")
	if m.usable() == nil {
		for i, in := range m.program.Plan() {
			label := in.What
			if p := places(in.At); p != "" && len(in.Body) == 0 {
				label += "\n" + p
			}
			if len(in.Body) > 0 {
				d.line("subgraph cluster_%d { label=%s; fontname=Helvetica; fontsize=11; "+
					"style=filled; fillcolor=%q;", i, quote(in.What), "#fff4ce")
				label = "each step"
			}
			d.line("i%d [label=%s];", i, quote(label))
			last := fmt.Sprintf("i%d", i)
			n := 0
			var body func(in vm.Planned)
			body = func(in vm.Planned) {
				for _, b := range in.Body {
					name := fmt.Sprintf("i%d_%d", i, n)
					n++
					text := b.What
					if p := places(b.At); p != "" && len(b.Body) == 0 {
						text += "\n" + p
					}
					d.line("%s [label=%s]; %s -> %s;", name, quote(text), last, name)
					last = name
					if len(b.Body) > 0 {
						first := name
						body(b)
						d.line("%s -> %s [style=dashed constraint=false label=%s];", last, first,
							quote("next step"))
					}
				}
			}
			body(in)
			if len(in.Body) > 0 {
				d.line("%s -> i%d [style=dashed constraint=false label=%s]; }", last, i,
					quote("next step"))
			}
			for _, from := range in.From {
				d.line("i%d -> i%d [label=%s];", from.Instruction, i,
					quote(fmt.Sprintf("%d B", from.Bytes)))
			}
		}
	}
	d.line("}")
	return d.w.Flush()
}
