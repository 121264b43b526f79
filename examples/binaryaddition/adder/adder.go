// Package adder is a small recurrent network that learns to add two binary numbers, one addition at
// a time. The program binaryaddition and the living page of the course train it.
package adder

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

// Setting is how a network is made and trained.
type Setting struct {
	Cell       string           // rnn, which "" is too, gru or lstm
	Activation cells.Activation // of a cell rnn
	Init       string           // normal, xavier or he
	LR         float64
	Clip       float64 // of the norm of the gradient; 0: none
}

func (s Setting) String() string {
	out := s.kind()
	if out == rnn {
		out = string(s.Activation)
	}
	out += ", " + s.Init
	if s.Clip > 0 {
		out += fmt.Sprintf(", clipped at %g", s.Clip)
	}
	return out
}

// What every network adds, and its size.
const (
	Bits   = 8               // of a sum
	Below  = 1 << (Bits - 1) // the numbers that are added are from 0 up to, but not, this
	Hidden = 16              // values of h
)

// inits draw a weight [fan_in, fan_out] with these standard deviations.
var inits = map[string]func(fanIn int) nodes.Init{
	"normal": func(int) nodes.Init { return nodes.Normal(0, 1) },
	"xavier": func(in int) nodes.Init { return nodes.Normal(0, 1/math.Sqrt(float64(in))) },
	"he":     func(in int) nodes.Init { return nodes.Normal(0, math.Sqrt(2/float64(in))) },
}

const rnn = "rnn"

func (s Setting) kind() string { return cmp.Or(s.Cell, rnn) }

// cell is that of a setting, whose first weights are as given; no cell has biases.
func (s Setting) cell(input, hidden nodes.Init) (cells.Config, error) {
	switch s.kind() {
	case rnn:
		return cells.RNNConfig{Activation: s.Activation, NoBias: true, InitInput: input,
			InitHidden: hidden}, nil
	case "gru":
		return cells.GRUConfig{NoBias: true, InitInput: input, InitHidden: hidden}, nil
	case "lstm":
		return cells.LSTMConfig{NoBias: true, InitInput: input, InitHidden: hidden}, nil
	}
	return nil, fmt.Errorf("adder: the cell is %q; want rnn, gru or lstm", s.Cell)
}

// Adder is a network with everything that a step of its training needs:
//
//	h_t = cell(x_t, h_{t−1}), of a cell rnn act(x_t·W_ih + h_{t−1}·W_hh)
//	y_t = σ(h_t·W_out)
//
// where x_t are the two digits of step t, the least significant first, with the loss ½Σ(y_t − d_t)²
// of one addition.
type Adder struct {
	Setting
	Step   *train.Step
	sgd    train.Optimizer
	x, d   run.Floats // digits
	random *rand.Rand
	a, b   int // what is added now
	done   int // examples
}

// New makes a network whose weights and examples the seed decides. The caller closes its Step.
func New(s Setting, seed uint64) (*Adder, error) {
	init := inits[s.Init]
	if init == nil {
		return nil, fmt.Errorf("adder: the first weights are %q; want normal, xavier or he", s.Init)
	}
	config, err := s.cell(init(2), init(Hidden))
	if err != nil {
		return nil, err
	}
	n := &Adder{Setting: s, random: rand.New(rand.NewPCG(seed, 1))}
	if n.sgd, err = train.NewSGD(train.SGDConfig{LR: s.LR}); err != nil {
		return nil, err
	}
	var loss, x, d, y *nodes.Node
	err = nodes.Try(func() {
		root := nodes.NewStore(nodes.Float32, seed).Root()
		cell := config.Sized(2, Hidden).New(root.In("%s", s.kind()))
		out := root.Param("W_out", init(Hidden), Hidden, 1)
		g := nodes.NewGraph(nodes.Options{Training: true})
		x, d = g.Input("x", Bits, 1, 2), g.Input("d", Bits, 1, 1)
		h := unroll.Over(cell).Unroll(x, nil, unroll.Options{}).Y()
		y = nodes.Sigmoid(nodes.MatMul(h, out))
		loss = nodes.Scale(nodes.Sum(nodes.Square(nodes.Sub(y, d))), 0.5)
	})
	if err != nil {
		return nil, err
	}
	var in run.Inputs
	if n.x, n.d = in.Floats(x), in.Floats(d); in.Err() != nil {
		return nil, in.Err()
	}
	n.Step, err = train.NewStep(loss, y)
	return n, err
}

func (n *Adder) put(a, b int) {
	n.a, n.b = a, b
	for t := range Bits {
		n.x.Set(2*t, float64(a>>t&1))
		n.x.Set(2*t+1, float64(b>>t&1))
		n.d.Set(t, float64((a+b)>>t&1))
	}
}

// Example is what is kept of an addition that was learned from.
type Example struct {
	A, B, Answer int
	Loss, Norm   float64 // norm of the gradient, before clipping
}

// Right says whether the answer, before the update, was the sum.
func (e Example) Right() bool { return e.Answer == e.A+e.B }

// Learn draws an addition and learns from it: Look and Update.
func (n *Adder) Learn() (Example, error) {
	e, err := n.Look()
	if err == nil {
		e.Norm, err = n.Update()
	}
	return e, err
}

// Look draws an addition, and runs the network forward and back.
func (n *Adder) Look() (e Example, err error) {
	n.put(n.random.IntN(Below), n.random.IntN(Below))
	if e.Loss, err = n.Step.Run(0, n.done); err != nil {
		return e, err
	}
	n.done++
	e.A, e.B, e.Answer = n.a, n.b, Sum(n.digits())
	return e, nil
}

// Update takes a step down the gradient, and returns the gradient's norm before clipping. Where the
// gradient is not finite, the error is [NotFinite], and the weights stay as they were.
func (n *Adder) Update() (norm float64, err error) {
	norm, err = train.Clip{Norm: n.Clip}.Apply(n.Step.Grads())
	if err != nil {
		return norm, err
	}
	if norm-norm != 0 {
		if err = n.Step.Check(); err == nil {
			err = errors.New("adder: the gradient is not finite")
		}
		return norm, NotFinite{err}
	}
	return norm, n.sgd.Step(n.Step.Grads())
}

// NotFinite is the end of a training whose loss or gradient is no longer finite.
type NotFinite struct{ error }

// Add asks for a + b, and learns nothing. It returns the probability of a 1 in each digit of the
// sum, the least significant first.
func (n *Adder) Add(a, b int) ([]float64, error) {
	if min(a, b) < 0 || max(a, b) >= Below {
		return nil, fmt.Errorf("adder: %d + %d; want numbers from 0 to %d", a, b, Below-1)
	}
	n.put(a, b)
	if _, err := n.Step.Run(0, n.done); err != nil {
		return nil, err
	}
	return n.digits(), nil
}

// digits are the probabilities of a 1 in each digit of the sum, as the last step gave them.
func (n *Adder) digits() []float64 { return n.Step.Output(0).Float64s() }

// Sum is the number whose digits are those that are more probably 1 than 0.
func Sum(digits []float64) int {
	sum := 0
	for t, y := range digits {
		if y > 0.5 {
			sum |= 1 << t
		}
	}
	return sum
}
