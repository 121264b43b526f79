package zoo

import (
	"errors"
	"fmt"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// Recurrent describes a stack of recurrent layers of one kind. The zero value of a field is its default.
type Recurrent struct {
	Cell   string `json:"cell"`   // "rnn", "gru" or "lstm"; default lstm
	Hidden int    `json:"hidden"` // width of a layer
	Layers int    `json:"layers"` // default 1

	Activation  cells.Activation `json:"activation,omitempty"`   // rnn: tanh (default), relu, sigmoid
	ResetBefore bool             `json:"reset_before,omitempty"` // gru: see cells.GRUConfig
	Peephole    cells.Peephole   `json:"peephole,omitempty"`     // lstm: diagonal, full
	Coupled     bool             `json:"coupled,omitempty"`      // lstm: f = 1 − i
	LayerNorm   cells.Norm       `json:"layer_norm,omitempty"`   // lstm: gates, gate

	Dropout       float64 `json:"dropout,omitempty"`        // between layers
	HiddenDropout float64 `json:"hidden_dropout,omitempty"` // variational, on the state inside the cells
	Zoneout       float64 `json:"zoneout,omitempty"`        // of h, in every layer
	Residual      bool    `json:"residual,omitempty"`       // see unroll.Stack
}

// MaxLayers bounds a stack; a deeper one is a slip.
const MaxLayers = 64

// Validate reports every field that is out of range.
func (r Recurrent) Validate() error {
	var errs []error
	switch r.Cell {
	case "", "rnn", "gru", "lstm":
	default:
		errs = append(errs, fmt.Errorf("cell is %q, want rnn, gru or lstm", r.Cell))
	}
	if r.Hidden < 1 || r.Hidden > cells.MaxWidth {
		errs = append(errs, fmt.Errorf("hidden is %d, want 1 … %d", r.Hidden, cells.MaxWidth))
	}
	if r.Layers < 0 || r.Layers > MaxLayers {
		errs = append(errs, fmt.Errorf("layers is %d, want 1 … %d", r.Layers, MaxLayers))
	}
	for name, p := range map[string]float64{"dropout": r.Dropout, "hidden_dropout": r.HiddenDropout, "zoneout": r.Zoneout} {
		if !(p >= 0 && p < 1) {
			errs = append(errs, fmt.Errorf("%s is %g, want [0, 1)", name, p))
		}
	}
	return errors.Join(errs...)
}

// cell declares layer k under s.
func (r Recurrent) cell(s *nodes.Scope, in int) (c cells.Cell) {
	switch r.Cell {
	case "rnn":
		c = cells.NewRNN(s, cells.RNNConfig{In: in, Hidden: r.Hidden, Activation: r.Activation})
	case "gru":
		c = cells.NewGRU(s, cells.GRUConfig{In: in, Hidden: r.Hidden, ResetBefore: r.ResetBefore})
	default:
		c = cells.NewLSTM(s, cells.LSTMConfig{In: in, Hidden: r.Hidden, Peephole: r.Peephole, Coupled: r.Coupled, LayerNorm: r.LayerNorm})
	}
	if r.HiddenDropout > 0 {
		c = cells.Variational{Cell: c, Hidden: r.HiddenDropout}
	}
	if r.Zoneout > 0 {
		c = cells.Zoneout{Cell: c, Rates: []float64{r.Zoneout}}
	}
	return c
}

// build declares the layers l0, l1, … under s for inputs of width in.
func (r Recurrent) build(s *nodes.Scope, in int) unroll.Layer {
	stack := unroll.Stack{Dropout: r.Dropout, Residual: r.Residual}
	for k := range max(r.Layers, 1) {
		stack.Layers = append(stack.Layers, unroll.Over(r.cell(s.In("l%d", k), in)))
		in = r.Hidden
	}
	return stack
}
