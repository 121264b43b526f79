package zoo

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
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

	// Memory, for gru and lstm, is how many steps the cells are to remember at the start: their units are spread over all
	// times up to it (nodes.Chrono). 0: biases of 0, and of 1 for the forget gate of an LSTM.
	Memory int `json:"memory,omitempty"`

	// Init is how the weights of the cells begin: "" is Xavier for those of the input, orthogonal for those of the state, and
	// biases as Memory says; "uniform" draws all of them, biases too, from ±1/√hidden, as PyTorch does (b_hn of a GRU begins at 0).
	Init string `json:"init,omitempty"`

	Dropout       float64 `json:"dropout,omitempty"`        // between layers
	HiddenDropout float64 `json:"hidden_dropout,omitempty"` // variational, on the state inside the cells
	Zoneout       float64 `json:"zoneout,omitempty"`        // of h, in every layer
	Residual      bool    `json:"residual,omitempty"`       // see unroll.Stack
}

// MaxLayers bounds a stack; a deeper one is a slip.
const MaxLayers = shared.MaxLayers

// maxMemory bounds the steps that gates are to remember; the sigmoid of a larger bias is 1.
const maxMemory = 1 << 20

// withDefaults fills in what is not set.
func (r Recurrent) WithDefaults() Recurrent {
	r.Cell = cmp.Or(r.Cell, "lstm")
	r.Layers = cmp.Or(r.Layers, 1)
	return r
}

// Validate reports every field that is out of range, or that the cell does not have.
func (r Recurrent) Validate() error {
	r = r.WithDefaults()
	var errs []error
	report := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	report(r.Hidden >= 1 && r.Hidden <= cells.MaxWidth, "hidden is %d, want 1 … %d", r.Hidden, cells.MaxWidth)
	report(r.Layers >= 1 && r.Layers <= shared.MaxLayers, "layers is %d, want 1 … %d", r.Layers, shared.MaxLayers)
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
	report(r.Memory == 0 || r.Memory >= 2 && r.Memory <= maxMemory, "memory is %d, want 2 … %d steps, or 0", r.Memory, maxMemory)
	report(r.Init == "" || r.Init == "uniform", "init is %q, want uniform, or nothing", r.Init)
	report(r.Init == "" || r.Memory == 0, "init %q and memory %d both say how biases begin; set one of them", r.Init, r.Memory)
	report(r.Memory == 0 || r.Cell != "rnn", "memory is set, and the cell rnn has no gates to remember with")
	for _, f := range []struct {
		name string
		rate float64
	}{{"dropout", r.Dropout}, {"hidden_dropout", r.HiddenDropout}, {"zoneout", r.Zoneout}} {
		report(f.rate >= 0 && f.rate < 1, "%s is %g, want at least 0 and less than 1", f.name, f.rate)
	}
	return errors.Join(errs...)
}

func (r Recurrent) rnn(in int) cells.RNNConfig {
	init := r.init()
	return cells.RNNConfig{In: in, Hidden: r.Hidden, Activation: r.Activation, InitInput: init, InitHidden: init, InitBias: init}
}

// init is the first weights and biases that Init asks for; the zero value leaves them to the cell.
func (r Recurrent) init() nodes.Init {
	if r.Init == "" {
		return nodes.Init{}
	}
	bound := 1 / math.Sqrt(float64(r.Hidden))
	return nodes.Uniform(-bound, bound)
}

func (r Recurrent) gru(in int) cells.GRUConfig {
	init := r.init()
	c := cells.GRUConfig{In: in, Hidden: r.Hidden, ResetBefore: r.ResetBefore, InitInput: init, InitHidden: init, InitBias: init}
	if r.Memory > 0 {
		c.InitBias = nodes.Blocks(nodes.Zeros(), nodes.Chrono(float64(r.Memory), 1), nodes.Zeros())
	}
	return c
}

func (r Recurrent) lstm(in int) cells.LSTMConfig {
	init := r.init()
	c := cells.LSTMConfig{In: in, Hidden: r.Hidden, Peephole: r.Peephole, Coupled: r.Coupled, LayerNorm: r.LayerNorm,
		InitInput: init, InitHidden: init, InitBias: init}
	if r.Memory > 0 {
		input, zeros := nodes.Chrono(float64(r.Memory), -1), nodes.Zeros()
		c.InitBias = nodes.Blocks(input, nodes.Chrono(float64(r.Memory), 1), zeros, zeros)
		if r.Coupled {
			c.InitBias = nodes.Blocks(input, zeros, zeros)
		}
	}
	return c
}

// cell declares layer k under s.
func (r Recurrent) NewCell(s *nodes.Scope, in int) (c cells.Cell) {
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
func (r Recurrent) Build(s *nodes.Scope, in int) unroll.Layer { return r.Stack(s, in, false) }

// layers declares the layers l0, l1, … under s for inputs of width in. One that reads both ways has its cells below it, in
// forward and backward, and is twice as wide.
func (r Recurrent) Stack(s *nodes.Scope, in int, bothWays bool) unroll.Stack {
	stack := unroll.Stack{Dropout: r.Dropout, Residual: r.Residual}
	for k := range max(r.Layers, 1) {
		s := s.In("l%d", k)
		if bothWays {
			stack.Layers = append(stack.Layers, unroll.Bidirectional{
				Forward: unroll.Over(r.NewCell(s.In("forward"), in)), Backward: unroll.Over(r.NewCell(s.In("backward"), in)),
			})
		} else {
			stack.Layers = append(stack.Layers, unroll.Over(r.NewCell(s, in)))
		}
		in = stack.Width()
	}
	return stack
}
