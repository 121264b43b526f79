package zoo

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Recurrent describes a stack of recurrent layers of any registered cells. The zero value of a
// field is its default.
type Recurrent struct {
	// Cell is the spec of the cells as cells.Parse reads it, such as "gru,reset_before"; default
	// "lstm". Specs parted by slashes are of a layer each, from the bottom up:
	// "gru/lstm,peephole=diagonal". Besides the options of its cell every spec has hidden, which
	// takes the place of Hidden for its layer: "gru,hidden=32/lstm".
	Cell   string `json:"cell"`
	Hidden int    `json:"hidden"` // width of a layer
	Layers int    `json:"layers"` // default 1, or as many as Cell names

	Dropout float64 `json:"dropout,omitempty"` // between layers
	// variational, on the state inside the cells; see cells.Variational
	HiddenDropout float64 `json:"hidden_dropout,omitempty"`
	// see cells.Zoneout; of the output, in every layer, …
	Zoneout float64 `json:"zoneout,omitempty"`
	// … or of these parts of the state: names parted by commas, or "all"
	ZoneoutParts string `json:"zoneout_parts,omitempty"`
	Residual     bool   `json:"residual,omitempty"` // see unroll.Stack
}

// MaxLayers bounds a stack; a deeper one is a slip.
const MaxLayers = shared.MaxLayers

// WithDefaults fills in what is not set.
func (r Recurrent) WithDefaults() Recurrent {
	r.Cell = cmp.Or(r.Cell, "lstm")
	r.Layers = cmp.Or(r.Layers, strings.Count(r.Cell, "/")+1)
	return r
}

// Validate reports every field that is out of range, and every cell that is unknown or cannot be as
// it is asked for.
func (r Recurrent) Validate() error {
	r = r.WithDefaults()
	var bad check.Problems
	bad.Int("hidden", r.Hidden, 1, cells.MaxWidth)
	bad.Int("layers", r.Layers, 1, MaxLayers)
	specs := strings.Count(r.Cell, "/") + 1
	bad.That(specs == 1 || specs == r.Layers,
		"cell names %d layers, and layers is %d; want as many, or one for all", specs, r.Layers)
	for k := range min(specs, MaxLayers) {
		if _, _, err := r.layer(k); err != nil {
			bad.Add(err)
		}
	}
	bad.Rate("dropout", r.Dropout)
	bad.Rate("hidden_dropout", r.HiddenDropout)
	bad.Rate("zoneout", r.Zoneout)
	bad.That(r.ZoneoutParts == "" || r.Zoneout != 0,
		"zoneout_parts is %q, and zoneout is 0: nothing of them would be kept", r.ZoneoutParts)
	if !bad.None() {
		return bad.Err()
	}
	for k := range specs {
		_, err := r.probe(k)
		bad.That(err == nil, "cell is %q: %w", r.Cell, err)
		if k > 0 && err == nil && r.Residual {
			below, here := r.LayerWidth(k-1), r.LayerWidth(k)
			bad.That(below == here, "residual: layer %d is %d wide and the one below it %d; want as wide", k, here, below)
		}
	}
	return bad.Err()
}

// layer is the configuration of layer k's cell, not sized yet, and the width that it is to have.
func (r Recurrent) layer(k int) (cfg cells.Config, hidden int, err error) {
	specs := strings.Split(cmp.Or(r.Cell, "lstm"), "/")
	fields := strings.Split(specs[max(min(k, len(specs)-1), 0)], ",")
	hidden = r.Hidden
	rest := fields[:1]
	for _, field := range fields[1:] {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		if name != "hidden" {
			rest = append(rest, field)
			continue
		}
		if hidden, err = strconv.Atoi(value); err != nil || hidden < 1 || hidden > cells.MaxWidth {
			return nil, 0, fmt.Errorf("cell is %q: hidden is %q, want 1 … %d", r.Cell, value,
				cells.MaxWidth)
		}
	}
	if cfg, err = cells.Parse(strings.Join(rest, ",")); err != nil {
		return nil, 0, fmt.Errorf("cell is %q: %w", r.Cell, err)
	}
	return cfg, hidden, nil
}

// Same reports whether layer k of both stacks has the same kind of cell, whatever its options, so
// that the parts of its state mean the same.
func (r Recurrent) Same(k int, other Recurrent) bool {
	a, _, err := r.layer(k)
	b, _, err2 := other.layer(k)
	return err == nil && err2 == nil && fmt.Sprintf("%T", a) == fmt.Sprintf("%T", b)
}

// probe declares layer k in a store of its own, whose weights are never drawn. How wide its inputs
// are does not matter to what is asked of it.
func (r Recurrent) probe(k int) (c cells.Cell, err error) {
	err = nodes.Try(func() { c = r.NewCell(nodes.NewStore(nodes.Float32, 0).Root(), k, 4) })
	return c, err
}

// LayerWidth is how wide the outputs of layer k are, in one direction: its hidden width, unless its
// cell says otherwise, as a projected LSTM does.
func (r Recurrent) LayerWidth(k int) int {
	c, err := r.probe(k)
	if err != nil {
		return r.Hidden // Validate says what is wrong
	}
	return c.Parts()[0].Width
}

// Width is how wide the outputs of the top layer are, in one direction.
func (r Recurrent) Width() int { return r.LayerWidth(r.WithDefaults().Layers - 1) }

// NewCell declares the cell of layer k under s for inputs of width in.
func (r Recurrent) NewCell(s *nodes.Scope, k, in int) (c cells.Cell) {
	cfg, hidden, err := r.layer(k)
	if err == nil {
		cfg = cfg.Sized(in, hidden)
		err = cfg.Validate()
	}
	if err != nil {
		nodes.Failf("Recurrent", "%w", err)
	}
	c = cfg.New(s)
	tried(c, s, in)
	if r.HiddenDropout > 0 {
		c = cells.Variational{Cell: c, Hidden: r.HiddenDropout}
		if drawn := tried(c, s, in); !slices.Contains(drawn, "variational hidden") {
			nodes.Failf("Recurrent", "hidden_dropout is %g, and the cell %s multiplies its state by no matrix whose products it could be of",
				r.HiddenDropout, r.Cell)
		}
	}
	if r.Zoneout > 0 {
		c = r.zoneout(c)
	}
	return c
}

// zoneout wraps a cell.
func (r Recurrent) zoneout(c cells.Cell) cells.Cell {
	if r.ZoneoutParts == "" {
		return cells.Zoneout{Cell: c, Rates: []float64{r.Zoneout}}
	}
	rates := map[string]float64{}
	if r.ZoneoutParts == "all" {
		for _, name := range cells.FreeParts(c) {
			rates[name] = r.Zoneout
		}
	} else {
		for _, name := range strings.Split(r.ZoneoutParts, ",") {
			rates[strings.TrimSpace(name)] = r.Zoneout
		}
	}
	z := cells.Zoneout{Cell: c, ByPart: rates}
	z.Check()
	return z
}

// tried runs one step of a cell in a graph that is thrown away, so that a cell that is not one, or
// a wrapper that can do nothing with it, is an error where a model is made. It says which noises
// the step draws.
func tried(c cells.Cell, s *nodes.Scope, in int) (drawn []string) {
	parts := c.Parts()
	if len(parts) == 0 {
		nodes.Failf("Recurrent", "the cell %T has a state of no parts; want one at least, its output", c)
	}
	seen := map[string]bool{}
	for _, p := range parts {
		if p.Name == "" || seen[p.Name] || p.Width < 1 || p.Width > 1<<30 {
			nodes.Failf("Recurrent", "the cell %T has the parts %v; want each with a name of its own and a width of 1 or more", c, parts)
		}
		seen[p.Name] = true
	}
	const B = 2
	var g *nodes.Graph
	g = nodes.NewGraph(nodes.Options{Dtype: s.Dtype(), Training: true,
		Noise: func(n nodes.NoiseRequest) *nodes.Node {
			drawn = append(drawn, n.Label)
			return g.Zeros(n.Shape...)
		}})
	steps.Sketch(g) // or every weight would be drawn, and that for nothing where a file is read
	state := cells.State{}
	for i, p := range parts {
		state = append(state, g.Input(fmt.Sprintf("part %d", i), B, p.Width))
	}
	next := c.Step(g.Input("x", B, in), state)
	if len(next) != len(parts) {
		nodes.Failf("Recurrent", "the cell %T has %d parts, and its step gives %d", c, len(parts),
			len(next))
	}
	for i, p := range parts {
		if next[i] == nil || !slices.Equal(next[i].Shape(), []int{B, p.Width}) {
			nodes.Failf("Recurrent", "the step of the cell %T gives the part %s as %v, want [B, %d]", c, p.Name, shapeOf(next[i]), p.Width)
		}
	}
	return drawn
}

func shapeOf(n *nodes.Node) any {
	if n == nil {
		return "nil"
	}
	return n.Shape()
}

// Build declares the layers l0, l1, … under s for inputs of width in.
func (r Recurrent) Build(s *nodes.Scope, in int) unroll.Layer { return r.Stack(s, in, false) }

// Stack declares the layers l0, l1, … under s for inputs of width in. One that reads both ways has
// its cells below it, in forward and backward, and is twice as wide.
func (r Recurrent) Stack(s *nodes.Scope, in int, bothWays bool) unroll.Stack {
	stack := unroll.Stack{Dropout: r.Dropout, Residual: r.Residual}
	for k := range r.WithDefaults().Layers {
		stack.Layers = append(stack.Layers, r.Layer(s.In("l%d", k), k, in, bothWays))
		in = stack.Width()
	}
	return stack
}

// Layer declares layer k under s, as Stack does.
func (r Recurrent) Layer(s *nodes.Scope, k, in int, bothWays bool) unroll.Layer {
	if !bothWays {
		return unroll.Over(r.NewCell(s, k, in))
	}
	return unroll.Bidirectional{
		Forward:  unroll.Over(r.NewCell(s.In("forward"), k, in)),
		Backward: unroll.Over(r.NewCell(s.In("backward"), k, in)),
	}
}
