package zoo

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Recurrent describes a stack of recurrent layers of any registered cells. The zero value of a
// field is its default.
type Recurrent struct {
	// Cell is the spec of the cells as cells.Parse reads it, such as "gru,reset_before"; default
	// "lstm". Specs parted by slashes are of a layer each, from the bottom up:
	// "gru/lstm,peephole=diagonal". Besides the options of its cell every spec has hidden and the
	// wrappers hidden_dropout, weight_drop, norm, zoneout and zoneout_parts (names parted by +),
	// which take the place of the fields here for their layer: "gru,hidden=32,norm/lstm". Where a
	// cell has an option of the same name, that is meant.
	Cell   string `json:"cell"`
	Hidden int    `json:"hidden"` // width of a layer
	Layers int    `json:"layers"` // default 1, or as many as Cell names

	Dropout float64 `json:"dropout,omitempty"` // between layers
	// variational, on the state inside the cells; see cells.Variational
	HiddenDropout float64 `json:"hidden_dropout,omitempty"`
	// of the weights that multiply the state; see cells.WeightDrop
	WeightDrop float64 `json:"weight_drop,omitempty"`
	// normalise the products inside the cells; see cells.LayerNormed
	Norm bool `json:"norm,omitempty"`
	// see cells.Zoneout; of the output, in every layer, …
	Zoneout float64 `json:"zoneout,omitempty"`
	// … or of these parts of the state: names parted by commas, or "all"
	ZoneoutParts string `json:"zoneout_parts,omitempty"`
	Residual     bool   `json:"residual,omitempty"` // see unroll.Stack
	// of the outputs of both directions, of layers that read both ways; default concat
	Merge unroll.Merge `json:"merge,omitempty"`
}

// MaxLayers bounds a stack; a deeper one is a slip.
const MaxLayers = shared.MaxLayers

// WithDefaults fills in the defaults of fields that are not set.
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
		l, err := r.layer(k)
		if err != nil {
			bad.Add(err)
			continue
		}
		l.check(&bad)
		if specs == 1 {
			break
		}
	}
	bad.Rate("dropout", r.Dropout)
	check.OneOf(&bad, "merge", cmp.Or(r.Merge, unroll.Concat), unroll.Concat, unroll.Sum,
		unroll.Mean, unroll.Product)
	if !bad.None() {
		return bad.Err()
	}
	for k := range specs {
		err := r.try(k)
		bad.That(err == nil, "cell is %q: %w", r.Cell, err)
		if k > 0 && err == nil && r.Residual {
			below, here := r.LayerWidth(k-1), r.LayerWidth(k)
			bad.That(below == here, "residual: layer %d is %d wide and the one below it %d; "+
				"want as wide", k, here, below)
		}
	}
	return bad.Err()
}

// CheckMerge refuses a Merge of layers that do not read both ways.
func (r Recurrent) CheckMerge(bothWays bool) error {
	if bothWays || r.Merge == "" || r.Merge == unroll.Concat {
		return nil
	}
	return fmt.Errorf("merge is %q, and nothing reads both ways whose outputs it could merge",
		r.Merge)
}

// Idle names the fields that are set and have no effect, which is likely a mistake.
func (r Recurrent) Idle() (doubts []string) {
	if r.WithDefaults().Layers > 1 {
		return nil
	}
	if r.Dropout > 0 {
		doubts = append(doubts, fmt.Sprintf("dropout is %g, and is between layers, of "+
			"which there is one: it does nothing", r.Dropout))
	}
	if r.Residual {
		doubts = append(doubts, "residual is set, and is around the layers above the "+
			"first, of which there is none: it does nothing")
	}
	return doubts
}

// wrappers are the wrappers around a cell that a spec of a layer names.
type wrappers struct {
	hidden                             int
	hiddenDropout, weightDrop, zoneout float64
	zoneoutParts                       string
	norm                               bool
}

// check reports every rate that is out of range.
func (w wrappers) check(bad *check.Problems) {
	bad.Rate("hidden_dropout", w.hiddenDropout)
	bad.Rate("weight_drop", w.weightDrop)
	bad.Rate("zoneout", w.zoneout)
	bad.That(w.zoneoutParts == "" || w.zoneout != 0,
		"zoneout_parts is %q, and zoneout is 0: nothing of them would be kept", w.zoneoutParts)
}

// set reads one of the fields of a spec. It reports whether there is one of this name.
func (w *wrappers) set(name, value string, given bool) (known bool, err error) {
	rate := func(to *float64) {
		if *to, err = strconv.ParseFloat(value, 64); err != nil {
			err = fmt.Errorf("%s is %q, want a number in [0, 1)", name, value)
		}
	}
	switch name {
	case "hidden":
		w.hidden, err = strconv.Atoi(value)
		if err != nil || w.hidden < 1 || w.hidden > cells.MaxWidth {
			err = fmt.Errorf("hidden is %q, want 1 … %d", value, cells.MaxWidth)
		}
	case "hidden_dropout":
		rate(&w.hiddenDropout)
	case "weight_drop":
		rate(&w.weightDrop)
	case "zoneout":
		rate(&w.zoneout)
	case "zoneout_parts":
		w.zoneoutParts = value
	case "norm":
		if w.norm = true; given {
			if w.norm, err = strconv.ParseBool(value); err != nil {
				err = fmt.Errorf("norm is %q, want true or false", value)
			}
		}
	default:
		return false, nil
	}
	return true, err
}

// layer is what layer k is made of: what stands around its cell, and the configuration of the cell,
// not sized yet.
func (r Recurrent) layer(k int) (l layer, err error) {
	l.wrappers = wrappers{r.Hidden, r.HiddenDropout, r.WeightDrop, r.Zoneout, r.ZoneoutParts, r.Norm}
	specs := strings.Split(cmp.Or(r.Cell, "lstm"), "/")
	fields := strings.Split(specs[max(min(k, len(specs)-1), 0)], ",")
	l.name = strings.TrimSpace(fields[0])
	own := cells.Options(l.name)
	rest, seen := fields[:1:1], map[string]bool{}
	for _, field := range fields[1:] {
		name, value, given := strings.Cut(strings.TrimSpace(field), "=")
		known := false
		if !slices.Contains(own, name) {
			if known, err = l.set(name, value, given); err == nil && known && seen[name] {
				err = fmt.Errorf("%s comes twice", name)
			}
			if err != nil {
				return l, fmt.Errorf("cell is %q: %w", r.Cell, err)
			}
			seen[name] = true
		}
		if !known {
			rest = append(rest, field)
		}
	}
	if l.cfg, err = cells.Parse(strings.Join(rest, ",")); err != nil {
		return l, fmt.Errorf("cell is %q: %w", r.Cell, err)
	}
	return l, nil
}

// Same reports whether layer k of both stacks has the same kind of cell, whatever its options, so
// that the parts of its state mean the same.
func (r Recurrent) Same(k int, other Recurrent) bool {
	a, err := r.layer(k)
	b, err2 := other.layer(k)
	return err == nil && err2 == nil && reflect.TypeOf(a.cfg) == reflect.TypeOf(b.cfg)
}

// LayerWidth is how wide the outputs of layer k are, in one direction: its hidden width, unless its
// cell says otherwise, as a projected LSTM does.
func (r Recurrent) LayerWidth(k int) int {
	width := r.Hidden // where there is no such layer, Validate says what is wrong
	nodes.Try(func() {
		l := r.layerOf(k)
		in, _ := l.someInput()
		width = l.declared(nodes.NewStore(nodes.Float32, 0).Root(), in).Parts()[0].Width
	})
	return width
}

// Width is how wide the outputs of the top layer are, in one direction.
func (r Recurrent) Width() int { return r.LayerWidth(r.WithDefaults().Layers - 1) }

// BothWays is how wide the outputs of layer k are if it reads both ways.
func (r Recurrent) BothWays(k int) int {
	if cmp.Or(r.Merge, unroll.Concat) == unroll.Concat {
		return 2 * r.LayerWidth(k)
	}
	return r.LayerWidth(k)
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
		Merge:    r.Merge,
	}
}
