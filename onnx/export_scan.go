package onnx

import (
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
)

type attribute = pb.AttributeProto

// scanned is a recurrence that is written: its results by slot, as all steps [T, ...], and as the
// state after the last step, where that is one.
type scanned struct {
	at   []*G.Node
	all  []string
	last []string
}

func exportScan(c *exported) string {
	s := &scanned{at: c.at}
	c.scans[c.at[0]] = s
	if c.o.Scans || !c.native(s) {
		c.scan(s)
	}
	if len(s.all) == 1 {
		return s.all[0] // is read whole, in place of being cut
	}
	return "-"
}

// cut is a part of what a scan leaves: what View of package ops takes of it.
func (s *scanned) cut(c *exported) string {
	fn := s.at[0].Op().(*ops.Op).Fn.(ops.Scan)
	cut := c.fn.(ops.Slice)
	at := 0
	for i, slot := range fn.Step.Slots() {
		size := ops.TypeOf(slot).Size()
		if cut.From >= at && cut.To <= at+fn.T*size {
			if cut.From == at && cut.To == at+fn.T*size {
				return s.all[i]
			}
			last := fn.T - 1
			if fn.Reverse {
				last = 0
			}
			t := (cut.From - at) / size
			if cut.To-cut.From != size || (cut.From-at)%size != 0 {
				break
			}
			if t == last && s.last[i] != "" {
				return s.last[i]
			}
			step := c.number(c.at, func(n *G.Node) int { return s.timeOf(c, n, i) })
			return c.emit("Gather", []string{s.all[i], c.sizeOf(step)}, attrInt("axis", 0))
		}
		at += fn.T * size
	}
	host.Failf("a part of a recurrence is read that is no state and no output")
	return ""
}

// timeOf is the time that a slice of slot i takes, in one of the graphs.
func (s *scanned) timeOf(c *exported, n *G.Node, slot int) int {
	k := slices.Index(c.at, n)
	fn := s.at[k].Op().(*ops.Op).Fn.(ops.Scan)
	at := 0
	for _, o := range fn.Step.Slots()[:slot] {
		at += fn.T * ops.TypeOf(o).Size()
	}
	return (n.Op().(*ops.Op).Fn.(ops.Slice).From - at) / ops.TypeOf(fn.Step.Slots()[slot]).Size()
}

// scan writes a recurrence as Scan. The body has the states and the sequences as inputs; what does
// not change with time it reads from around it.
func (c *exported) scan(s *scanned) {
	fn := c.fn.(ops.Scan)
	step := fn.Step
	body := &pb.GraphProto{Name: ptr(fmt.Sprintf("step_%d", c.serial))}
	slots := step.Slots()
	var lists [][]*G.Node
	var children []map[*G.Node][]*G.Node
	for _, n := range c.at {
		st := n.Op().(*ops.Op).Fn.(ops.Scan).Step
		ch, err := ops.Children(st.Slots()[0].Graph())
		if err != nil {
			host.Failf("%w", err)
		}
		lists, children = append(lists, ops.Needed(st.Slots(), ch, nil)), append(children, ch)
	}
	nSeq, nState := len(step.Seqs), len(step.States)
	// inner is an input of the step in all graphs, and its description.
	inner := func(i int) (*G.Node, *pb.ValueInfoProto) {
		var at []*G.Node
		for _, n := range c.at {
			at = append(at, n.Op().(*ops.Op).Fn.(ops.Scan).Step.Inputs()[i])
		}
		c.serial++
		name := fmt.Sprintf("in%d", c.serial)
		return at[0], c.info(name, at[0], c.shapes(at))
	}
	var stateInfo, seqInfo []*pb.ValueInfoProto
	for i := range nSeq + nState {
		n, info := inner(i)
		c.names[n] = info.GetName()
		if i < nSeq {
			seqInfo = append(seqInfo, info)
		} else {
			stateInfo = append(stateInfo, info)
		}
	}
	for i, n := range step.Consts {
		c.names[n] = c.in[nSeq+nState+i]
	}
	body.Input = slices.Concat(stateInfo, seqInfo)
	outer, outerChildren := c.graph, c.children
	c.graph, c.exporter.children = body, children
	c.walk(lists, children)
	c.graph, c.exporter.children = outer, outerChildren

	result := func(i int, n *G.Node) {
		var at []*G.Node
		for _, m := range c.at {
			other := m.Op().(*ops.Op).Fn.(ops.Scan).Step
			if i < nState {
				at = append(at, other.Next[i])
			} else {
				at = append(at, other.Slots()[i-nState])
			}
		}
		c.serial++
		name := fmt.Sprintf("out%d", c.serial)
		body.Node = append(body.Node, &pb.NodeProto{OpType: ptr("Identity"),
			Input: []string{c.names[n]}, Output: []string{name}})
		body.Output = append(body.Output, c.info(name, n, c.shapes(at)))
	}
	for i, n := range step.Next {
		result(i, n)
	}
	for i, n := range slots {
		result(nState+i, n)
	}
	c.scanNode(s, fn, body)
}

// scanNode adds the node, and names its results.
func (c *exported) scanNode(s *scanned, fn ops.Scan, body *pb.GraphProto) {
	step := fn.Step
	nSeq, nState, slots := len(step.Seqs), len(step.States), step.Slots()
	node := &pb.NodeProto{OpType: ptr("Scan"), Attribute: []*attribute{
		{Name: ptr("body"), Type: ptr(pb.AttributeProto_GRAPH), G: body},
		attrInt("num_scan_inputs", nSeq)}}
	node.Input = slices.Concat(c.in[nSeq:nSeq+nState], c.in[:nSeq])
	if fn.Reverse {
		back := func(n int) []int { return slices.Repeat([]int{1}, n) }
		node.Attribute = append(node.Attribute, attrList("scan_input_directions", back(nSeq)...),
			attrList("scan_output_directions", back(len(slots))...))
	}
	name := func() string {
		c.serial++
		v := fmt.Sprintf("v%d", c.serial)
		node.Output = append(node.Output, v)
		return v
	}
	s.all, s.last = make([]string, len(slots)), make([]string, len(slots))
	for _, n := range step.Next {
		s.last[slices.Index(slots, n)] = name()
	}
	for i := range slots {
		s.all[i] = name()
	}
	node.Name = ptr("Scan_" + s.all[0])
	c.graph.Node = append(c.graph.Node, node)
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
