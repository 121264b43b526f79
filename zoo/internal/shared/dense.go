package shared

import (
	"fmt"
	"math"
	"path"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
)

// Linear is the activation of a layer that has none.
const Linear cells.Activation = "linear"

// Activations are the activations that a layer of a feed-forward network may have.
var Activations = []cells.Activation{Linear, cells.ReLU, cells.Tanh, cells.Sigmoid}

// Activate applies a to x.
func Activate(a cells.Activation, x *nodes.Node) *nodes.Node {
	switch a {
	case cells.ReLU:
		return nodes.ReLU(x)
	case cells.Tanh:
		return nodes.Tanh(x)
	case cells.Sigmoid:
		return nodes.Sigmoid(x)
	}
	return x
}

// initial is how the weights before an activation are drawn: for rectifiers as by He et al., 2015,
// else as by Glorot and Bengio, 2010.
func Initial(a cells.Activation) nodes.Init {
	if a == cells.ReLU {
		return nodes.HeNormal(math.Sqrt2)
	}
	return nodes.XavierUniform(1)
}

// hidden declares layers l0, l1, … of the given widths under s, for inputs of width in.
func Hidden(s *nodes.Scope, in int, widths []int, activation cells.Activation,
	noBias bool) (layers []nodes.Linear) {
	for k, out := range widths {
		layers = append(layers, nodes.NewLinear(s.In("l%d", k), nodes.LinearConfig{
			In: in, Out: out, Init: Initial(activation), NoBias: noBias,
		}))
		in = out
	}
	return layers
}

// through is x behind all layers, each followed by the activation.
func Through(layers []nodes.Linear, activation cells.Activation, x *nodes.Node) *nodes.Node {
	for _, d := range layers {
		if x = d.Of(x); activation == Linear {
			continue
		}
		x = Activate(activation, x)
		steps.Show(x.Graph(), path.Dir(d.W.Name()), string(activation),
			func() *nodes.Node { return x })
	}
	return x
}

// checkWidths reports widths of layers that are out of range.
func CheckWidths(field string, widths []int) error {
	if len(widths) > MaxLayers {
		return fmt.Errorf("%s names %d layers, want at most %d", field, len(widths), MaxLayers)
	}
	for k, w := range widths {
		if w < 1 || w > cells.MaxWidth {
			return fmt.Errorf("%s: the width of layer %d is %d, want 1 … %d", field, k, w,
				cells.MaxWidth)
		}
	}
	return nil
}
