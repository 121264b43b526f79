package zoo

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// A registered cell is code of another program. Whatever it panics with or gives that no cell can
// be is an error here, where a model is made, that names the cell.

// layer is one layer of a Recurrent.
type layer struct {
	wrappers
	name string       // of the cell
	cfg  cells.Config // not sized yet
}

// layerOf is layer k, which must be one.
func (r Recurrent) layerOf(k int) layer {
	l, err := r.layer(k)
	if err != nil {
		nodes.Failf("Recurrent", "%w", err)
	}
	return l
}

// NewCell declares the cell of layer k under s for inputs of width in.
func (r Recurrent) NewCell(s *nodes.Scope, k, in int) (c cells.Cell) {
	l := r.layerOf(k)
	c = l.wrapped(s, in)
	if got, want := c.Parts()[0].Width, r.LayerWidth(k); got != want {
		nodes.Failf("Recurrent", "the cell %s gives outputs %d wide for inputs of %d, and %d wide "+
			"for others: want a width that does not depend on the inputs", l.name, got, in, want)
	}
	return c
}

// try makes layer k in a store of its own, whose weights are never drawn.
func (r Recurrent) try(k int) error {
	return nodes.Try(func() {
		l := r.layerOf(k)
		in, err := l.someInput()
		if err != nil {
			nodes.Failf("Recurrent", "%w", err)
		}
		l.wrapped(nodes.NewStore(nodes.Float32, 0).Root(), in)
	})
}

// widest bounds the widths of inputs that are tried where no model says one.
const widest = 1024

// someInput is a width of inputs that the cell takes, for what does not depend on it. Most take any
// width; some want that of their state, or a multiple of something.
func (l layer) someInput() (in int, err error) {
	for _, in := range []int{l.hidden, 2 * l.hidden, 4} {
		if l.sized(in).err == nil {
			return in, nil
		}
	}
	for in := range widest {
		if l.sized(in+1).err == nil {
			return in + 1, nil
		}
	}
	return l.hidden, l.sized(l.hidden).err
}

// sized is a configuration for certain widths, and what is wrong with it.
type sized struct {
	cells.Config
	err error
}

// sized is the configuration for inputs of a width.
func (l layer) sized(in int) (s sized) {
	l.call("Sized", func() { s.Config = l.cfg.Sized(in, l.hidden) })
	// of an embedded configuration whose Sized is used, it would silently be that one's cell
	is, want := reflect.TypeOf(s.Config), reflect.TypeOf(l.cfg)
	if is != want && (is == nil || is.Kind() != reflect.Pointer || is.Elem() != want ||
		reflect.ValueOf(s.Config).IsNil()) {
		nodes.Failf("Recurrent", "the cell %s: its Sized gives %T, want %v", l.name,
			s.Config, want)
	}
	l.call("Validate", func() { s.err = s.Validate() })
	return s
}

// call runs a method of the cell.
func (l layer) call(method string, f func()) {
	defer ops.Guard("Recurrent", fmt.Sprintf("the cell %s: its %s", l.name, method))
	f()
}

// declared declares the parameters of the cell, without what stands around it.
func (l layer) declared(s *nodes.Scope, in int) (c cells.Cell) {
	cfg := l.sized(in)
	if cfg.err != nil {
		nodes.Failf("Recurrent", "%w", cfg.err)
	}
	l.call("New", func() { c = cfg.New(s) })
	if v := reflect.ValueOf(c); c == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		nodes.Failf("Recurrent", "the cell %s: its New gives nil, want a cell", l.name)
	}
	var parts []cells.Part
	l.call("Parts", func() { parts = c.Parts() })
	if err := cells.CheckParts(parts); err != nil {
		nodes.Failf("Recurrent", "the cell %T says %w", c, err)
	}
	var free []string
	l.call("FreeParts", func() { free = cells.FreeParts(c) })
	for _, name := range free {
		if !slices.ContainsFunc(parts, func(p cells.Part) bool { return p.Name == name }) {
			nodes.Failf("Recurrent", "the cell %T says that its part %q is free, and has %v", c,
				name, parts)
		}
	}
	return c
}

// wrapped declares the cell and what stands around it.
func (l layer) wrapped(s *nodes.Scope, in int) cells.Cell {
	c := l.declared(s, in)
	l.tried(c, s, in)
	if l.norm {
		l.call("Step", func() { c = cells.NewLayerNormed(s, c, in, 0) })
	}
	drops := func(option string, rate float64, wrap func(cells.Cell) cells.Cell, label string) {
		if rate == 0 {
			return
		}
		c = wrap(c)
		if !slices.ContainsFunc(l.tried(c, s, in), func(drawn string) bool {
			return strings.HasPrefix(drawn, label)
		}) {
			nodes.Failf("Recurrent", "%s is %g, and the cell %s multiplies its state by no "+
				"matrix whose products it could be of", option, rate, l.name)
		}
	}
	drops("weight_drop", l.weightDrop, func(c cells.Cell) cells.Cell {
		return cells.WeightDrop{Cell: c, P: l.weightDrop}
	}, "weight drop")
	drops("hidden_dropout", l.hiddenDropout, func(c cells.Cell) cells.Cell {
		return cells.Variational{Cell: c, Hidden: l.hiddenDropout}
	}, "variational hidden")
	return l.around(c)
}

// around is the cell with its zoneout.
func (w wrappers) around(c cells.Cell) cells.Cell {
	switch w.zoneoutParts {
	case "":
		if w.zoneout == 0 {
			return c
		}
		return cells.Zoneout{Cell: c, Rates: []float64{w.zoneout}}
	case "all":
		return zoneout(c, w.zoneout, cells.FreeParts(c))
	}
	return zoneout(c, w.zoneout, strings.FieldsFunc(w.zoneoutParts,
		func(r rune) bool { return r == ',' || r == '+' || r == ' ' }))
}

// zoneout keeps the named parts of a state at a rate.
func zoneout(c cells.Cell, rate float64, names []string) cells.Cell {
	rates := map[string]float64{}
	for _, name := range names {
		rates[name] = rate
	}
	z := cells.Zoneout{Cell: c, ByPart: rates}
	z.Check()
	return z
}

// tried runs steps of a cell in graphs that are thrown away, so that a cell that is not one, or a
// wrapper that can do nothing with it, is an error where a model is made. It says which noises a
// step draws.
func (l layer) tried(c cells.Cell, s *nodes.Scope, in int) (drawn []string) {
	trial := func(batch int, again bool) {
		g := nodes.NewGraph(nodes.Options{Dtype: s.Dtype(), Training: true})
		steps.Sketch(g) // or every weight would be drawn, and that for nothing where a file is read
		state := cells.State{}
		for i, p := range c.Parts() {
			state = append(state, g.Input(fmt.Sprintf("part %d", i), batch, p.Width))
		}
		x, noises := g.Input("x", batch, in), &noiseless{}
		steps.WithLoop(g, noises, func() {
			next := l.step(c, x, state)
			if drawn = noises.drawn; again {
				l.checkSame(c, next, l.step(c, x, state))
			}
		})
		for _, p := range g.Parameters() {
			if !declaredAt(s, p) {
				nodes.Failf("Recurrent", "the step of the cell %T uses the parameter %s, which "+
					"its New has not declared: it would be no part of the model", c, p.Name())
			}
		}
	}
	trial(1, false) // or what holds for one size of a batch alone would fail much later
	trial(3, true)
	return drawn
}

// noiseless gives a trial 0 for every noise.
type noiseless struct{ drawn []string }

// Noise notes what is asked for.
func (n *noiseless) Noise(g *nodes.Graph, r nodes.NoiseRequest) *nodes.Node {
	n.drawn = append(n.drawn, r.Label)
	return g.Zeros(r.Shape...)
}

// step is a step of a trial, which must give what the cell says.
func (l layer) step(c cells.Cell, x *nodes.Node, state cells.State) cells.State {
	parts := c.Parts()
	var next cells.State
	l.call("Step", func() { next = cells.Advance(c, x, state) })
	if len(next) != len(parts) {
		nodes.Failf("Recurrent", "the cell %T has %d parts, and its step gives %d", c, len(parts),
			len(next))
	}
	for i, p := range parts {
		n := next[i]
		if n == nil || !slices.Equal(n.Shape(), []int{x.Dim(0), p.Width}) {
			nodes.Failf("Recurrent", "the step of the cell %T gives the part %s as %v, "+
				"want [B, %d]", c, p.Name, shapeOf(n), p.Width)
		}
		if n.Graph() != x.Graph() || n.Dtype() != x.Dtype() {
			nodes.Failf("Recurrent", "the step of the cell %T gives the part %s as %v, of another "+
				"graph or another type than its input, which is %v", c, p.Name, n.Dtype(), x.Dtype())
		}
	}
	return next
}

func shapeOf(n *nodes.Node) any {
	if n == nil {
		return "nil"
	}
	return n.Shape()
}

// checkSame refuses a step that is another one each time: a saved model would be another one too.
// A graph has one node for one expression.
func (l layer) checkSame(c cells.Cell, once, again cells.State) {
	for i, p := range c.Parts() {
		if once[i].Gorgonia() != again[i].Gorgonia() {
			nodes.Failf("Recurrent", "the step of the cell %T gives another %s when it is called "+
				"once more: want the same every time", c, p.Name)
		}
	}
}

// declaredAt reports whether p is a parameter of the store of s, as far as s can tell: what is
// declared elsewhere in a store may be shared.
func declaredAt(s *nodes.Scope, p *nodes.Param) bool {
	path := strings.Split(p.Name(), "/")
	if s.Path() != "" {
		at := strings.Split(s.Path(), "/")
		if len(path) <= len(at) || !slices.Equal(path[:len(at)], at) {
			return true
		}
		path = path[len(at):]
	}
	same := false
	nodes.Try(func() {
		for _, name := range path[:len(path)-1] {
			s = s.In("%s", name)
		}
		same = s.Shared(path[len(path)-1]) == p
	})
	return same
}
