package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
)

// Config is the cell as data, so that a model can name it: seen,peephole=full,bounded.
type Config struct {
	In, Hidden int
	Peephole   string `json:"peephole,omitempty"` // "", "diagonal" or "full"
	Bounded    bool   `json:"bounded,omitempty"`  // full peepholes see the state normalised
	Gates      string `json:"gates,omitempty"`    // that have a peephole, such as "o"
}

func init() { cells.Register("seen", Config{Gates: "ifo"}) }

// Sized is the configuration for the given widths.
func (c Config) Sized(in, hidden int) cells.Config {
	c.In, c.Hidden = in, hidden
	return c
}

// Validate reports what cannot be.
func (c Config) Validate() error {
	if c.In < 1 || c.Hidden < 1 || !slices.Contains([]string{"", "diagonal", "full"}, c.Peephole) {
		return fmt.Errorf("the cell seen cannot be %+v", c)
	}
	return nil
}

// New declares the cell. All peepholes begin at 0.
func (c Config) New(s *nodes.Scope) cells.Cell {
	H, zeros := c.Hidden, nodes.Zeros()
	l := &LSTM{Config: c, peep: map[string]*nodes.Param{},
		wIH: s.Param("W_ih", nodes.Gates(4, nodes.XavierUniform(1)), c.In, 4*H),
		wHH: s.Param("W_hh", nodes.Gates(4, nodes.Orthogonal(1)), H, 4*H),
		b:   s.Param("b", nodes.Blocks(zeros, nodes.Ones(), zeros, zeros), 4*H)}
	for _, gate := range strings.Split(c.Gates, "") {
		switch c.Peephole {
		case "diagonal":
			l.peep[gate] = s.Param("peephole_"+gate, zeros, H)
		case "full":
			l.peep[gate] = s.Param("peephole_"+gate, zeros, H, H)
		}
	}
	return l
}

// FreeParts are the parts that may start as any numbers.
func (l *LSTM) FreeParts() []string { return []string{"h", "c"} }

// comingBack is the size of the derivative of the last output by the state that each of T steps
// left, of a cell with first weights on noise.
func comingBack(newCell func(s *nodes.Scope) cells.Cell, T int) (sizes []float64, err error) {
	store := nodes.NewStore(nodes.Float64, 1)
	var x *nodes.Node
	var grads []*nodes.Node
	err = nodes.Try(func() {
		cell := newCell(store.Root())
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		x = g.Input("x", T, 1, 1)
		r := unroll.Over(cell).Unroll(x, nil, unroll.Options{Strategy: unroll.Expand})
		carried := len(cell.Parts()) - 1 // c of an LSTM, h of an RNN
		var at []nodes.Operand
		for t := range T {
			at = append(at, r.StateAt(t)[carried])
		}
		grads = g.Gradients(nodes.Sum(r.Final()[carried]), at...)
	})
	if err != nil {
		return nil, err
	}
	step, err := run.New(grads)
	if err != nil {
		return nil, err
	}
	defer step.Close()
	var in run.Inputs
	fillNoise(in.Floats(x), 1)
	if err := errors.Join(in.Err(), step.Run(0, 0)); err != nil {
		return nil, err
	}
	for t := range T {
		sum := 0.0
		for _, v := range step.Output(t).Float64s() {
			sum += v * v
		}
		sizes = append(sizes, math.Sqrt(sum))
	}
	return sizes, nil
}
