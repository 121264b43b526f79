package golden_test

import (
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// part says where a PyTorch parameter lies in one of the library's. PyTorch's first axis is that of
// the outputs, as the library's last is: rows from … from+n−1 of the one are columns at … at+n−1 of
// the other, transposed. Both biases of a cell lie in the same place, where they are added.
type part struct {
	param       *nodes.Param
	from, n, at int
	as          layout
}

type layout int

const (
	transposed layout = iota
	same              // as PyTorch has it: a table [V, E], a vector
)

// all is the whole of a parameter.
func all(p *nodes.Param) []part {
	s := p.Shape()
	return []part{{param: p, n: s[len(s)-1]}}
}

// verbatim is the whole of a parameter that PyTorch lays out as the library does.
func verbatim(p *nodes.Param) []part { return []part{{param: p, as: same}} }

// place says where the parameter of a name is.
func (r *goldenRun) place(name string, parts []part) { r.theirs[name] = parts }

// spare takes a parameter that a case may have and that its model does not use: its gradient is 0.
func (r *goldenRun) spare(name string) {
	if v, ok := r.Params[name]; ok {
		s := r.store.Root().In("spare%d", len(r.theirs))
		r.place(name, verbatim(s.Param("unused", nodes.Zeros(), v.Shape...)))
	}
}

// each calls f with the places of all elements of a parameter in PyTorch's tensor and in the
// library's.
func (r *goldenRun) each(name string, f func(p *nodes.Param, theirs, ours int)) {
	want, ok := r.Params[name]
	require.True(r, ok, "there is no parameter %q", name)
	covered := 0
	for _, p := range r.theirs[name] {
		ours := p.param.Shape()
		if p.as == same {
			require.Equal(r, want.Shape, ours, "parameter %q", name)
			for k := range want.Data {
				f(p.param, k, k)
			}
			return
		}
		width, columns := size(want.Shape[1:]), ours[len(ours)-1]
		require.Equal(r, size(ours)/columns, width, "parameter %q %v in %v", name, want.Shape, ours)
		require.LessOrEqual(r, p.from+p.n, want.Shape[0], "parameter %q", name)
		for o := range p.n {
			for i := range width {
				f(p.param, (p.from+o)*width+i, i*columns+p.at+o)
			}
		}
		covered += p.n
	}
	require.Equal(r, want.Shape[0], covered, "rows of parameter %q", name)
}

// load gives the library's parameters the values of PyTorch's. Every parameter of either side must
// have its counterpart.
func (r *goldenRun) load(values map[string]array) {
	sums := map[*nodes.Param][]float64{}
	for _, p := range r.store.Params() {
		sums[p] = make([]float64, size(p.Shape()))
	}
	placed := map[*nodes.Param]bool{}
	for name, v := range values {
		require.Contains(r, r.theirs, name, "an unknown parameter")
		r.each(name, func(p *nodes.Param, theirs, ours int) {
			sums[p][ours] += v.Data[theirs]
			placed[p] = true
		})
	}
	require.Len(r, values, len(r.theirs), "parameters of the case")
	for p, v := range sums {
		require.True(r, placed[p], "nothing is given for %s", p.Name())
		fill(p.Value(), v)
	}
}

// gather is PyTorch's view of something that the library has for each of its parameters, such as
// the gradient. What is true of a sum of two biases is true of each.
func (r *goldenRun) gather(ours map[*nodes.Param][]float64) map[string]array {
	theirs := map[string]array{}
	for name := range r.theirs {
		shape := r.Params[name].Shape
		v := array{Shape: shape, Data: make([]float64, size(shape))}
		r.each(name, func(p *nodes.Param, i, k int) { v.Data[i] = ours[p][k] })
		theirs[name] = v
	}
	return theirs
}

// stack is a stack of recurrent layers as a cell configuration describes it.
type stack struct {
	unroll.Stack
	in     int
	states []string       // the names of PyTorch's tensors of a state
	slots  []slot         // where the parts of a state are in them
	rows   map[string]int // how many rows each of them has …
	widths map[string]int // … and how wide it is
}

// slot is where a part of a state is in PyTorch's tensor [rows, B, width] of its name: columns at
// and further of a row.
type slot struct {
	name           string
	row, at, width int
}

// newStack declares the cells of a configuration and places their parameters. Wrap, if not nil,
// goes around each cell.
func newStack(r *goldenRun, c settings, wrap func(cells.Cell) cells.Cell) *stack {
	layers, mixed := layersOf(c)
	s := &stack{in: c.whole("In"), rows: map[string]int{}, widths: map[string]int{}}
	bidirectional, merge := c.flag("bidirectional"), mergeOf(c)
	if mixed {
		s.Residual = c.flag("residual")
	}
	width := s.in
	for l, cell := range layers {
		one := func(direction int, suffix string) unroll.Layer {
			built := cell.build(r, width, fmt.Sprintf("_l%d%s", l, suffix))
			if wrap != nil {
				built = wrap(built)
			}
			s.add(built, cell.states(), direction, mixed)
			return unroll.Over(built)
		}
		layer := one(0, "")
		if bidirectional {
			layer = unroll.Bidirectional{Forward: layer, Backward: one(1, "_reverse"), Merge: merge}
		}
		s.Layers = append(s.Layers, layer)
		width = layer.Width()
	}
	return s
}

// layersOf reads the cell of each layer, and whether they differ, so that their states stand side
// by side. What stands beside a list of them is the top layer's.
func layersOf(c settings) (layers []goldenCell, mixed bool) {
	top, n := readCell(c), c.whole("layers")
	if !c.has("stack") {
		return slices.Repeat([]goldenCell{top}, n), false
	}
	list, ways := take[[]any](c, "stack"), []string(nil)
	require.Len(c.t, list, n, "config: stack")
	for _, l := range list {
		layer, ok := l.(map[string]any)
		require.True(c.t, ok, "config: stack has %v", l)
		own := settings{c.t, layer}
		layers = append(layers, readCell(own))
		require.Equal(c.t, 1, own.whole("layers"))
		own.whole("In")
		ways = append(ways, fmt.Sprint(own.flag("bidirectional"), mergeOf(own)))
		own.done()
	}
	require.Equal(c.t, top, layers[n-1], "the top layer")
	require.Len(c.t, slices.Compact(ways), 1, "the directions of all layers")
	return layers, true
}

// add says where the state of the next cell is: in a row of its own, or in its direction's row on
// the right of the cells before it.
func (s *stack) add(cell cells.Cell, names []string, direction int, beside bool) {
	for i, p := range cell.Parts() {
		name := names[i]
		if !slices.Contains(s.states, name) {
			s.states = append(s.states, name)
		}
		at := slot{name: name, row: s.rows[name], width: p.Width}
		if beside {
			at.row = direction
			for _, other := range s.slots {
				if other.name == name && other.row == direction {
					at.at += other.width
				}
			}
		}
		s.slots = append(s.slots, at)
		s.rows[name] = max(s.rows[name], at.row+1)
		s.widths[name] = max(s.widths[name], at.at+at.width)
	}
}

// shape is that of PyTorch's tensor of a name.
func (s *stack) shape(name string, B int) []int { return []int{s.rows[name], B, s.widths[name]} }

// each calls f with the row of each sequence of a part of the state, in the values of PyTorch's
// tensor of its name.
func (s *stack) each(part int, values []float64, B int, f func(b int, row []float64)) {
	at := s.slots[part]
	for b := range B {
		f(b, values[(at.row*B+b)*s.widths[at.name]+at.at:][:at.width])
	}
}

// part is a part of the state [B, width] of PyTorch's tensor of its name.
func (s *stack) part(part int, values []float64, B int) (of []float64) {
	s.each(part, values, B, func(_ int, row []float64) { of = append(of, row...) })
	return of
}

func mergeOf(c settings) unroll.Merge {
	return unroll.Merge(c.word("merge", "concat", "sum", "mean", "product"))
}

// goldenCell is what a configuration says of its cell.
type goldenCell struct {
	kind, spec      string // of cells.Parse
	hidden          int
	noBias          bool
	peephole        string
	coupled, before bool
	projection      int
}

func readCell(c settings) goldenCell {
	cell := goldenCell{kind: c.word("cell", "rnn", "lstm", "gru"), hidden: c.whole("H"),
		noBias: !c.flag("bias"), peephole: "none"}
	cell.spec = cell.kind
	option := func(on bool, text string) {
		if on {
			cell.spec += "," + text
		}
	}
	option(cell.noBias, "no_bias")
	switch cell.kind {
	case "rnn":
		option(true, "activation="+c.word("activation", "tanh", "relu", "sigmoid"))
	case "lstm":
		cell.peephole = c.word("peephole", "none", "diagonal", "full")
		cell.coupled, cell.projection = c.flag("coupled"), c.whole("proj_size")
		option(cell.peephole != "none", "peephole="+cell.peephole)
		option(cell.coupled, "coupled")
		option(cell.projection > 0, fmt.Sprintf("projection=%d", cell.projection))
	case "gru":
		cell.before = c.word("reset", "after", "before") == "before"
		option(cell.before, "reset_before")
	}
	return cell
}

// states are the names of the parts of its state.
func (c goldenCell) states() []string {
	if c.kind == "lstm" {
		return []string{"h", "c"}
	}
	return []string{"h"}
}

// build declares the cell for inputs of width in. Suffix is that of PyTorch's parameters, such as
// _l0_reverse.
func (c goldenCell) build(r *goldenRun, in int, suffix string) cells.Cell {
	cfg, err := cells.Parse(c.spec)
	require.NoError(r, err)
	s := r.store.Root().In("cell%s", suffix)
	cell := cfg.Sized(in, c.hidden).New(s)
	c.place(r, s, "", suffix)
	return cell
}

// place says where the parameters of the cell under s are, whose names in PyTorch have a prefix and
// a suffix.
func (c goldenCell) place(r *goldenRun, s *nodes.Scope, prefix, suffix string) {
	put := func(name string, parts []part) { r.place(prefix+name+suffix, parts) }
	put("weight_ih", all(s.Shared("W_ih")))
	put("weight_hh", all(s.Shared("W_hh")))
	if !c.noBias {
		put("bias_ih", all(s.Shared("b")))
		put("bias_hh", all(s.Shared("b")))
	}
	if c.projection > 0 {
		put("weight_hr", all(s.Shared("W_hr")))
	}
	for _, gate := range []string{"i", "f", "o"} {
		if c.peephole != "none" && (gate != "f" || !c.coupled) {
			put("peephole_"+gate, all(s.Shared("peephole_"+gate)))
		}
	}
	if c.kind != "gru" {
		return
	}
	// The gate n, whose product with h stands alone.
	H := c.hidden
	if c.before {
		put("weight_hh", []part{{param: s.Shared("W_hh"), n: 2 * H},
			{param: s.Shared("W_hh_n"), from: 2 * H, n: H}})
	} else if !c.noBias {
		put("bias_hh", []part{{param: s.Shared("b"), n: 2 * H},
			{param: s.Shared("b_hn"), from: 2 * H, n: H}})
	}
}

// initial is the state given as inputs h0 and c0.
func (s *stack) initial(r *goldenRun, B int) (state cells.State) {
	inputs := map[string]*nodes.Node{}
	for _, name := range s.states {
		inputs[name] = r.input(name+"0", s.shape(name, B)...)
	}
	for _, at := range s.slots {
		row := nodes.TimeSlice(inputs[at.name], at.row)
		state = append(state, nodes.Slice(row, 1, at.at, at.at+at.width))
	}
	return state
}

// final is a state as outputs h_n and c_n.
func (s *stack) final(state cells.State) map[string]*nodes.Node {
	out := map[string]*nodes.Node{}
	for _, name := range s.states {
		rows := make([][]*nodes.Node, s.rows[name])
		for i, at := range s.slots {
			if at.name == name {
				rows[at.row] = append(rows[at.row], state[i])
			}
		}
		var of []*nodes.Node
		for _, row := range rows {
			of = append(of, nodes.Concat(-1, row...))
		}
		out[name+"_n"] = nodes.Stack(of...)
	}
	return out
}

// run unrolls the stack over x, names the outputs and checks everything.
func (s *stack) run(r *goldenRun, x *nodes.Node, init cells.State, o unroll.Options) {
	o.Strategy = r.strategy
	result := s.Unroll(x, init, o)
	r.output("y", result.Y())
	for name, n := range s.final(result.Final()) {
		r.output(name, n)
	}
	r.check(r.cotangentLoss())
}

// runRecurrent runs the families rnn, lstm, gru and lengths.
func runRecurrent(r *goldenRun) {
	if r.family != "lengths" {
		require.Equal(r, r.family, r.config.keys["cell"])
	}
	B, T := r.config.whole("B"), r.config.whole("T")
	given := r.config.word("initial_state", "given", "zero") == "given"
	s := newStack(r, r.config, nil)

	r.start(nodes.Options{})
	x := r.input("x", T, B, s.in)
	var init cells.State
	if given {
		init = s.initial(r, B)
	}
	var o unroll.Options
	if r.family == "lengths" {
		o.Lengths = r.ints("lengths", B)
	}
	s.run(r, x, init, o)
}
