package main

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
)

// BlockConfig is a layer of the language models of Feng et al., 2024, around any cell: a causal
// convolution, the cell and a network of two layers (MLP), each beside what it reads.
//
//	u = x + (Σₖ tapₖ∘x₋ₖ)·W_conv + b_conv
//	v = u + cell(norm(u))·W_out + b_out
//	y = v + gelu(norm(v)·W_up + b_up)·W_down + b_down
//
// where norm(u) is gain∘u/√(mean(u²) + 10⁻⁶) and gelu is its form by tanh (Hendrycks and Gimpel,
// 2016). An x of another width than y is multiplied by W_in first.
//
// Its state is {y}, the parts of the cell, and the inputs of the last Conv−1 steps.
type BlockConfig struct {
	In, Hidden int
	Inner      string  `json:"inner"`   // spec of the cell, with + for commas and : for =
	Expand     int     `json:"expand"`  // width of the cell, in widths of the block
	Conv       int     `json:"conv"`    // steps that the convolution reads
	MLP        int     `json:"mlp"`     // width within the MLP, in widths of the block
	Dropout    float64 `json:"dropout"` // of what cell and MLP add
	Last       bool    `json:"last"`    // y is normalised too: for the uppermost block
}

func init() {
	cells.Register("block", BlockConfig{Inner: "mingru+positive", Expand: 1, Conv: 4, MLP: 4})
}

// Sized is the configuration for the given widths.
func (c BlockConfig) Sized(in, hidden int) cells.Config {
	c.In, c.Hidden = in, hidden
	return c
}

// inner is the configuration of the cell inside.
func (c BlockConfig) inner() (cells.Config, error) {
	cfg, err := cells.Parse(strings.NewReplacer("+", ",", ":", "=").Replace(c.Inner))
	if err != nil {
		return nil, fmt.Errorf("inner: %w", err)
	}
	return cfg.Sized(c.Hidden, c.Expand*c.Hidden), nil
}

// Validate reports every field that is out of range.
func (c BlockConfig) Validate() error {
	var errs []error
	for _, n := range []struct {
		name         string
		value, limit int
	}{{"In", c.In, cells.MaxWidth}, {"Hidden", c.Hidden, cells.MaxWidth},
		{"expand", c.Expand, 64}, {"conv", c.Conv, 64}, {"mlp", c.MLP, 64}} {
		if n.value < 1 || n.value > n.limit {
			errs = append(errs, fmt.Errorf("block: %s is %d; want 1 … %d", n.name, n.value,
				n.limit))
		}
	}
	if !(c.Dropout >= 0 && c.Dropout < 1) {
		errs = append(errs, fmt.Errorf("block: dropout is %g; want at least 0 and less than 1",
			c.Dropout))
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	cfg, err := c.inner()
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return fmt.Errorf("block: %w", err)
	}
	return nil
}

// block is the cell of BlockConfig.
type block struct {
	BlockConfig
	cell                  cells.Cell
	wIn, taps, gain, last *nodes.Param // wIn and last may be nil
	conv, out, up, down   linear
	mlpGain               *nodes.Param
}

// linear is a matrix and a bias, uniform in ±1/√in at the start as PyTorch has them.
type linear struct{ w, b *nodes.Param }

func newLinear(s *nodes.Scope, name string, in, out int) linear {
	bound := 1 / math.Sqrt(float64(in))
	return linear{s.Param("W_"+name, nodes.Uniform(-bound, bound), in, out),
		s.Param("b_"+name, nodes.Uniform(-bound, bound), out)}
}

func (l linear) of(x *nodes.Node) *nodes.Node { return nodes.Add(nodes.MatMul(x, l.w), l.b) }

// New declares the parameters under s, and those of the cell under s/inner.
func (c BlockConfig) New(s *nodes.Scope) cells.Cell {
	inner, err := c.inner()
	if err = errors.Join(c.Validate(), err); err != nil {
		nodes.Failf("BlockConfig.New", "%v", err)
	}
	H, bound := c.Hidden, 1/math.Sqrt(float64(c.Conv))
	b := &block{BlockConfig: c, cell: inner.New(s.In("inner")),
		taps:    s.Param("taps", nodes.Uniform(-bound, bound), c.Conv, H),
		gain:    s.Param("gain", nodes.Ones(), H),
		mlpGain: s.Param("gain_mlp", nodes.Ones(), H),
		conv:    newLinear(s, "conv", H, H),
		out:     newLinear(s, "out", c.Expand*H, H),
		up:      newLinear(s, "up", H, c.MLP*H),
		down:    newLinear(s, "down", c.MLP*H, H),
	}
	if c.In != H {
		b.wIn = s.Param("W_in", nodes.LeCunUniform(), c.In, H)
	}
	if c.Last {
		b.last = s.Param("gain_last", nodes.Ones(), H)
	}
	return b
}

// Parts is {y}, the cell's and the last inputs, the latest first.
func (b *block) Parts() []cells.Part {
	parts := []cells.Part{{Name: "y", Width: b.Hidden}}
	for _, p := range b.cell.Parts() {
		p.Name = "inner_" + p.Name
		parts = append(parts, p)
	}
	for k := 1; k < b.Conv; k++ {
		parts = append(parts, cells.Part{Name: fmt.Sprintf("x%d", k), Width: b.Hidden})
	}
	return parts
}

// FreeParts are the cell's: the others are inputs, and computed anew.
func (b *block) FreeParts() (names []string) {
	for _, name := range cells.FreeParts(b.cell) {
		names = append(names, "inner_"+name)
	}
	return names
}

// Step advances one time step.
func (b *block) Step(x *nodes.Node, s cells.State) cells.State {
	n := 1 + len(b.cell.Parts())
	if b.wIn != nil {
		x = nodes.MatMul(x, b.wIn)
	}
	inputs, taps := append(cells.State{x}, s[n:]...), nodes.Split(x.Graph().Param(b.taps), b.Conv, 0)
	sum := nodes.Mul(x, taps[0])
	for k := 1; k < b.Conv; k++ {
		sum = nodes.Add(sum, nodes.Mul(inputs[k], taps[k]))
	}
	u := nodes.Add(x, b.conv.of(sum))
	inner := b.cell.Step(norm(u, b.gain), s[1:n:n])
	v := nodes.Add(u, nodes.Dropout(b.out.of(inner[0]), b.Dropout))
	mlp := b.down.of(gelu(b.up.of(norm(v, b.mlpGain))))
	y := nodes.Add(v, nodes.Dropout(mlp, b.Dropout))
	if b.last != nil {
		y = norm(y, b.last)
	}
	return append(append(cells.State{y}, inner...), inputs[:b.Conv-1]...)
}

// norm divides by the root of the mean square of a row (Zhang and Sennrich, 2019).
func norm(x *nodes.Node, gain *nodes.Param) *nodes.Node {
	size := nodes.Sqrt(nodes.Shift(nodes.MeanKeep(nodes.Square(x), -1), 1e-6))
	return nodes.Mul(nodes.Div(x, size), gain)
}

func gelu(x *nodes.Node) *nodes.Node {
	cubic := nodes.Mul(x, nodes.Affine(nodes.Square(x), 0.044715, 1))
	return nodes.Mul(nodes.Scale(x, 0.5), nodes.Shift(nodes.Tanh(nodes.Scale(cubic,
		math.Sqrt(2/math.Pi))), 1))
}
