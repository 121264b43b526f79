package onnx

import (
	"fmt"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
	"github.com/seqzoo/seqzoo/unroll"
)

// form is a cell that ONNX has an operator for with exactly the same meaning.
type form struct {
	op    string
	cell  func(s *nodes.Scope, in, hidden int) cells.Cell
	attrs []*attribute
	// The gates of ONNX, in its order, as places in W_ih, in W_hh and in b; −1 is zeros.
	gates, hidden []int
}

// forms are all of them. A step is compared with the step that each makes, so nothing here says
// what a cell computes.
func forms() []form {
	var all []form
	for _, noBias := range []bool{false, true} {
		for act, name := range map[cells.Activation]string{cells.Tanh: "Tanh", cells.ReLU: "Relu",
			cells.Sigmoid: "Sigmoid"} {
			all = append(all, form{op: "RNN", attrs: []*attribute{attrTexts("activations", name)},
				gates: []int{0}, hidden: []int{0},
				cell: func(s *nodes.Scope, in, hidden int) cells.Cell {
					return cells.NewRNN(s, cells.RNNConfig{In: in, Hidden: hidden, NoBias: noBias,
						Activation: act})
				}})
		}
		for before, hidden := range map[bool][]int{false: {1, 0, 2}, true: {1, 0, -2}} {
			linear := 1
			if before {
				linear = 0
			}
			all = append(all, form{op: "GRU", gates: []int{1, 0, 2}, hidden: hidden,
				attrs: []*attribute{attrInt("linear_before_reset", linear)},
				cell: func(s *nodes.Scope, in, hidden int) cells.Cell {
					return cells.NewGRU(s, cells.GRUConfig{In: in, Hidden: hidden, NoBias: noBias,
						ResetBefore: before})
				}})
		}
		for _, peep := range []cells.Peephole{cells.NoPeephole, cells.Diagonal} {
			for coupled, gates := range map[bool][]int{false: {0, 3, 1, 2}, true: {0, 2, -1, 1}} {
				var attrs []*attribute
				if coupled {
					attrs = []*attribute{attrInt("input_forget", 1)}
				}
				all = append(all, form{op: "LSTM", gates: gates, hidden: gates, attrs: attrs,
					cell: func(s *nodes.Scope, in, hidden int) cells.Cell {
						return cells.NewLSTM(s, cells.LSTMConfig{In: in, Hidden: hidden,
							NoBias: noBias, Coupled: coupled, Peephole: peep})
					}})
			}
		}
	}
	return all
}

func attrTexts(name string, texts ...string) *attribute {
	a := &attribute{Name: &name, Type: ptr(pb.AttributeProto_STRINGS)}
	for _, t := range texts {
		a.Strings = append(a.Strings, []byte(t))
	}
	return a
}

// signature is what a step computes, as a text that tells steps apart, with its inputs in the order
// in which they are met.
func signature(s *ops.Step) (text string, inputs []*G.Node) {
	children, err := ops.Children(s.Slots()[0].Graph())
	if err != nil {
		host.Failf("%w", err)
	}
	number := map[*G.Node]int{}
	var b strings.Builder
	role := map[*G.Node]string{}
	for i, n := range s.Seqs {
		role[n] = fmt.Sprint("sequence ", i)
	}
	for i, n := range s.States {
		role[n] = fmt.Sprint("state ", i)
	}
	var visit func(n *G.Node)
	visit = func(n *G.Node) {
		if _, ok := number[n]; ok {
			return
		}
		for _, c := range children[n] {
			visit(c)
		}
		number[n] = len(number)
		switch op, own := n.Op().(*ops.Op); {
		case own:
			b.WriteString(op.Key())
		case n.Op() == nil:
			fmt.Fprint(&b, role[n], ops.TypeOf(n))
			if role[n] == "" && n.Name() != "noise/key" {
				inputs = append(inputs, n)
			}
		default:
			fmt.Fprintf(&b, "%p", n) // never the same
		}
		for _, c := range children[n] {
			fmt.Fprint(&b, " ", number[c])
		}
		b.WriteString("\n")
	}
	for _, n := range slices.Concat(s.Next, s.Ys) {
		visit(n)
		fmt.Fprintln(&b, "result", number[n])
	}
	return b.String(), inputs
}

// candidate is the step that a form makes of the sizes of another step.
func (f form) candidate(fn ops.Scan) (step *ops.Step, err error) {
	x, h := ops.TypeOf(fn.Step.Seqs[0]), ops.TypeOf(fn.Step.States[0])
	if len(x.Shape) != 2 || len(h.Shape) != 2 || !x.IsFloat() {
		return nil, fmt.Errorf("a step on %v", x)
	}
	err = nodes.Try(func() {
		store := nodes.NewStore(x.Dtype, 0)
		g := nodes.NewGraph(nodes.Options{Dtype: x.Dtype})
		cell := f.cell(store.Root(), x.Shape[1], h.Shape[1])
		if len(cell.Parts()) != len(fn.Step.States) {
			return
		}
		o := unroll.Options{Reverse: fn.Reverse}
		if fn.Step.Mask >= 0 {
			o.Lengths = g.IntInput("lengths", x.Shape[0])
		}
		y := unroll.Over(cell).Unroll(g.Input("x", fn.T, x.Shape[0], x.Shape[1]), nil, o).Y()
		for _, n := range y.Graph().Expr().AllNodes() {
			if op, ok := n.Op().(*ops.Op); ok {
				if scan, ok := op.Fn.(ops.Scan); ok {
					step = scan.Step
				}
			}
		}
	})
	return step, err
}

// native writes a recurrence as ONNX's own operator if it is one; false if not.
func (c *exported) native(s *scanned) bool {
	fn := c.fn.(ops.Scan)
	step := fn.Step
	lengths, ok := c.lengths(step)
	if c.double() || !ok || len(step.Seqs) == 0 || len(step.States) == 0 || len(step.States) > 2 {
		return false
	}
	text, inputs := signature(step)
	for _, f := range forms() {
		like, err := f.candidate(fn)
		if err != nil || like == nil {
			continue
		}
		other, names := signature(like)
		if other != text {
			continue
		}
		weights := map[string]*nodes.Param{}
		for i, n := range inputs {
			k := slices.Index(step.Consts, n)
			if k < 0 {
				return false
			}
			p := c.params[c.operands[len(step.Seqs)+len(step.States)+k]]
			if p == nil {
				return false
			}
			weights[names[i].Name()] = p
		}
		if !c.readsOnlyResults(fn) {
			return false
		}
		c.writeNative(s, f, weights, lengths)
		return true
	}
	return false
}

// lengths is the input of lengths behind a step's mask; "" if there is no mask.
func (c *exported) lengths(step *ops.Step) (name string, ok bool) {
	if step.Mask < 0 {
		return "", len(step.Seqs) == 1
	}
	if len(step.Seqs) != 2 || step.Mask != 1 {
		return "", false
	}
	mask := c.operands[1]
	op, own := mask.Op().(*ops.Op)
	if !own {
		return "", false
	}
	if _, is := op.Fn.(ops.LengthMask); !is {
		return "", false
	}
	return c.names[c.children[0][mask][0]], true
}

// outputSlot is the slot of a step's output, which ONNX gives for all steps.
func outputSlot(s *ops.Step) int {
	y := s.Next[0]
	if len(s.Ys) > 0 {
		y = s.Ys[0]
	}
	return slices.Index(s.Slots(), y)
}

// readsOnlyResults reports whether nothing is read of the recurrence but its output and its last
// states.
func (c *exported) readsOnlyResults(fn ops.Scan) bool {
	last := fn.T - 1
	if fn.Reverse {
		last = 0
	}
	for n, operands := range c.children[0] {
		if !slices.Contains(operands, c.at[0]) {
			continue
		}
		cut, ok := n.Op().(*ops.Op).Fn.(ops.Slice)
		if !ok {
			if len(fn.Step.Slots()) == 1 {
				continue // read whole
			}
			return false
		}
		at := 0
		for i, slot := range fn.Step.Slots() {
			size := ops.TypeOf(slot).Size()
			if cut.From >= at && cut.To <= at+fn.T*size && i != outputSlot(fn.Step) &&
				(cut.From != at+last*size || cut.To != at+(last+1)*size) {
				return false
			}
			at += fn.T * size
		}
	}
	return true
}

func (c *exported) writeNative(s *scanned, f form, weights map[string]*nodes.Param,
	lengths string) {
	fn := c.fn.(ops.Scan)
	step := fn.Step
	H := ops.TypeOf(step.States[0]).Shape[1]
	name := strings.TrimSuffix(weights["W_ih"].Name(), "W_ih")
	in := []string{c.in[0], c.initialiser(name+"W", f.matrix(weights["W_ih"], nil, f.gates, H)),
		c.initialiser(name+"R", f.matrix(weights["W_hh"], weights["W_hh_n"], f.hidden, H)), "", "",
		"", "", ""}
	if b := weights["b"]; b != nil {
		in[3] = c.initialiser(name+"B", f.bias(b, weights["b_hn"], H))
	}
	if lengths != "" {
		in[4] = c.emit("Cast", []string{lengths}, attrInt("to", int(host.Int32)))
	}
	for i := range step.States {
		in[5+i] = c.emit("Unsqueeze", []string{c.in[len(step.Seqs)+i], c.ints(0)})
	}
	if weights["peephole_i"] != nil {
		in[7] = c.initialiser(name+"P", c.peepholes(weights, H))
	}
	for in[len(in)-1] == "" {
		in = in[:len(in)-1]
	}
	attrs := append(slices.Clone(f.attrs), attrInt("hidden_size", H))
	if fn.Reverse {
		attrs = append(attrs, attrText("direction", "reverse"))
	}
	y := c.emit(f.op, in, attrs...)
	node := c.graph.Node[len(c.graph.Node)-1]
	slots := step.Slots()
	s.all, s.last = make([]string, len(slots)), make([]string, len(slots))
	for i, n := range step.Next {
		state := fmt.Sprintf("%s_state%d", y, i)
		node.Output = append(node.Output, state)
		s.last[slices.Index(slots, n)] = c.emit("Squeeze", []string{state, c.ints(0)})
	}
	s.all[outputSlot(step)] = c.emit("Squeeze", []string{y, c.ints(1)})
}

// initialiser writes weights [1, ...] under a name.
func (c *exported) initialiser(name string, t *host.Tensor) string {
	for _, p := range c.root.Initializer {
		if p.GetName() == name {
			c.serial++
			name = fmt.Sprintf("%s_%d", name, c.serial)
		}
	}
	t.Shape = append([]int{1}, t.Shape...)
	c.root.Initializer = append(c.root.Initializer, host.Encode(name, t))
	return name
}

func typeOf(p *nodes.Param) host.Type {
	if p.Value().Dtype() == nodes.Float64 {
		return host.Float64
	}
	return host.Float32
}

// matrix is weights [In, gates·H] as [G·H, In] with ONNX's gates. A place of −2 takes the second
// matrix, [H, H].
func (f form) matrix(w, second *nodes.Param, gates []int, H int) *host.Tensor {
	in, width := w.Shape()[0], w.Shape()[1]
	t := host.New(typeOf(w), len(gates)*H, in)
	for k, g := range gates {
		for j := range H {
			for i := range in {
				switch {
				case g >= 0:
					t.F[(k*H+j)*in+i] = paramAt(w, i*width+g*H+j)
				case g == -2:
					t.F[(k*H+j)*in+i] = paramAt(second, i*H+j)
				}
			}
		}
	}
	return t
}

// bias is [2·G·H]: that of the input, then that of the state, which is 0 but for a GRU's last gate.
func (f form) bias(b, ofState *nodes.Param, H int) *host.Tensor {
	G := len(f.gates)
	t := host.New(typeOf(b), 2*G*H)
	for k, g := range f.gates {
		for j := range H {
			if g >= 0 {
				t.F[k*H+j] = paramAt(b, g*H+j)
			}
		}
	}
	if ofState != nil {
		for j := range H {
			t.F[(2*G-1)*H+j] = paramAt(ofState, j)
		}
	}
	return t
}

// peepholes are those of i, o and f; there is none of f where it is coupled.
func (c *exported) peepholes(weights map[string]*nodes.Param, H int) *host.Tensor {
	t := host.New(typeOf(weights["peephole_i"]), 3*H)
	for k, leaf := range []string{"peephole_i", "peephole_o", "peephole_f"} {
		if p := weights[leaf]; p != nil {
			for j := range H {
				t.F[k*H+j] = paramAt(p, j)
			}
		}
	}
	return t
}
