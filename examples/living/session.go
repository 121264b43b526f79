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

var activations = map[string]cells.Activation{"sigmoid": cells.Sigmoid, "tanh": cells.Tanh,
	"relu": cells.ReLU}

func begin(activation, init string, seed uint64) (*session, error) {
	a, ok := activations[activation]
	if !ok {
		return nil, fmt.Errorf("the activation is %q; want sigmoid, tanh or relu", activation)
	}
	n, err := adder.New(adder.Setting{Activation: a, Init: init, LR: rate}, seed)
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
