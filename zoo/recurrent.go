package zoo

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

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

// withDefaults fills in what is not set.
func (r Recurrent) withDefaults() Recurrent {
	r.Cell = cmp.Or(r.Cell, "lstm")
	r.Layers = cmp.Or(r.Layers, 1)
	return r
}

// Validate reports every field that is out of range, or that the cell does not have.
func (r Recurrent) Validate() error {
	r = r.withDefaults()
	var errs []error
	report := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	report(r.Hidden >= 1 && r.Hidden <= cells.MaxWidth, "hidden is %d, want 1 … %d", r.Hidden, cells.MaxWidth)
	report(r.Layers >= 1 && r.Layers <= MaxLayers, "layers is %d, want 1 … %d", r.Layers, MaxLayers)
	if !slices.Contains([]string{"rnn", "gru", "lstm"}, r.Cell) {
		report(false, "cell is %q, want rnn, gru or lstm", r.Cell)
	} else {
		for _, f := range []struct {
			name, cell string
			set        bool
		}{
			{"activation", "rnn", r.Activation != ""}, {"reset_before", "gru", r.ResetBefore}, {"peephole", "lstm", r.Peephole != ""},
			{"coupled", "lstm", r.Coupled}, {"layer_norm", "lstm", r.LayerNorm != ""},
		} {
			report(!f.set || f.cell == r.Cell, "%s is set, and only the cell %s has it, not %s", f.name, f.cell, r.Cell)
		}
		if r.Hidden >= 1 && r.Hidden <= cells.MaxWidth {
			errs = append(errs, r.rnn(1).Validate(), r.lstm(1).Validate())
		}
	}
	for _, f := range []struct {
		name string
		rate float64
	}{{"dropout", r.Dropout}, {"hidden_dropout", r.HiddenDropout}, {"zoneout", r.Zoneout}} {
		report(f.rate >= 0 && f.rate < 1, "%s is %g, want at least 0 and less than 1", f.name, f.rate)
	}
	return errors.Join(errs...)
}

func (r Recurrent) rnn(in int) cells.RNNConfig {
	return cells.RNNConfig{In: in, Hidden: r.Hidden, Activation: r.Activation}
}

func (r Recurrent) gru(in int) cells.GRUConfig {
	return cells.GRUConfig{In: in, Hidden: r.Hidden, ResetBefore: r.ResetBefore}
}

func (r Recurrent) lstm(in int) cells.LSTMConfig {
	return cells.LSTMConfig{In: in, Hidden: r.Hidden, Peephole: r.Peephole, Coupled: r.Coupled, LayerNorm: r.LayerNorm}
}

// cell declares layer k under s.
func (r Recurrent) cell(s *nodes.Scope, in int) (c cells.Cell) {
	switch r.Cell {
	case "rnn":
		c = cells.NewRNN(s, r.rnn(in))
	case "gru":
		c = cells.NewGRU(s, r.gru(in))
	default:
		c = cells.NewLSTM(s, r.lstm(in))
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
	for k := range r.Layers {
		stack.Layers = append(stack.Layers, unroll.Over(r.cell(s.In("l%d", k), in)))
		in = r.Hidden
	}
	return stack
}
