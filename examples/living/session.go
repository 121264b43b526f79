package main

import (
	"fmt"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/examples/binaryaddition/adder"
)

const (
	rate   = 0.1 // as in the chapter on first weights
	each   = 50  // additions, whose mean loss is a point of the curve
	recent = 100 // additions, of which the page says how many were right
)

// session is one training on the page.
type session struct {
	network *adder.Adder
	done    int
	loss    float64      // of the additions since the last point
	right   [recent]bool // by the number of the addition modulo recent
}

// point is the mean loss of the additions before one.
type point struct {
	at   int
	loss float64
}

// kinds are the cells by the page's names for them: a simple one's is that of its activation.
var kinds = map[string]adder.Setting{"sigmoid": {Activation: cells.Sigmoid},
	"tanh": {Activation: cells.Tanh}, "relu": {Activation: cells.ReLU},
	"gru": {Cell: "gru"}, "lstm": {Cell: "lstm"}}

func begin(cell, init string, seed uint64) (*session, error) {
	setting, ok := kinds[cell]
	if !ok {
		return nil, fmt.Errorf("the cell is %q; want sigmoid, tanh, relu, gru or lstm", cell)
	}
	setting.Init, setting.LR = init, rate
	n, err := adder.New(setting, seed)
	if err != nil {
		return nil, err
	}
	return &session{network: n}, nil
}

// learn learns one addition after another until it is told to pause. The points are those of the
// curve that came up meanwhile.
func (s *session) learn(pause func() bool) (points []point, err error) {
	for !pause() {
		e, err := s.network.Learn()
		if err != nil {
			return points, err
		}
		s.right[s.done%recent] = e.Right()
		s.done++
		s.loss += e.Loss / each
		if s.done%each == 0 {
			points = append(points, point{s.done, s.loss})
			s.loss = 0
		}
	}
	return points, nil
}

// lately is how many of the last additions, up to recent, were right, and how many these are.
func (s *session) lately() (right, of int) {
	for _, is := range s.right {
		if is {
			right++
		}
	}
	return right, min(s.done, recent)
}

func (s *session) close() error { return s.network.Step.Close() }
