package zoo

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
)

// The activations of the layers of a feed-forward network: those of the cells, and none.
const (
	linear  = "linear"
	relu    = string(cells.ReLU)
	tanh    = string(cells.Tanh)
	sigmoid = string(cells.Sigmoid)
)

var activations = []string{linear, relu, tanh, sigmoid}

func checkActivation(field, a string, known ...string) error {
	if slices.Contains(known, a) {
		return nil
	}
	return fmt.Errorf("%s is %q, want one of %s", field, a, strings.Join(known, ", "))
}

func activate(a string, x *nodes.Node) *nodes.Node {
	switch a {
	case relu:
		return nodes.ReLU(x)
	case tanh:
		return nodes.Tanh(x)
	case sigmoid:
		return nodes.Sigmoid(x)
	}
	return x
}

// initial is how the weights before an activation are drawn: for rectifiers as by He et al., 2015, else as by Glorot and
// Bengio, 2010.
func initial(a string) nodes.Init {
	if a == relu {
		return nodes.HeNormal(math.Sqrt2)
	}
	return nodes.XavierUniform(1)
}

// dense is a layer x·W + b, W [in, out].
type dense struct {
	w, b       *nodes.Param // b may be nil
	transposed bool         // x·Wᵀ + b, with the W of another layer
}

func newDense(s *nodes.Scope, in, out int, init nodes.Init, noBias bool) dense {
	d := dense{w: s.Param("W", init, in, out)}
	if !noBias {
		d.b = s.Param("b", nodes.Zeros(), out)
	}
	return d
}

// tied declares the layer back from that of d, with the same weights and a bias of its own.
func (d dense) tied(s *nodes.Scope) dense {
	back := dense{w: d.w, transposed: true}
	if d.b != nil {
		back.b = s.Param("b", nodes.Zeros(), d.w.Shape()[0])
	}
	return back
}

func (d dense) of(x *nodes.Node) *nodes.Node {
	if d.transposed {
		x = nodes.MatMulT(x, d.w)
	} else {
		x = nodes.MatMul(x, d.w)
	}
	if d.b == nil {
		return x
	}
	return nodes.Add(x, d.b)
}

// hidden declares layers l0, l1, … of the given widths under s, for inputs of width in.
func hidden(s *nodes.Scope, in int, widths []int, activation string, noBias bool) (layers []dense) {
	for k, out := range widths {
		layers = append(layers, newDense(s.In("l%d", k), in, out, initial(activation), noBias))
		in = out
	}
	return layers
}

// through is x behind all layers, each followed by the activation.
func through(layers []dense, activation string, x *nodes.Node) *nodes.Node {
	for _, d := range layers {
		x = activate(activation, d.of(x))
	}
	return x
}

// checkWidths reports widths of layers that are out of range.
func checkWidths(field string, widths []int) error {
	if len(widths) > MaxLayers {
		return fmt.Errorf("%s names %d layers, want at most %d", field, len(widths), MaxLayers)
	}
	for k, w := range widths {
		if w < 1 || w > cells.MaxWidth {
			return fmt.Errorf("%s: the width of layer %d is %d, want 1 … %d", field, k, w, cells.MaxWidth)
		}
	}
	return nil
}
