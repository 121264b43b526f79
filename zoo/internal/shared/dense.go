package shared

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
	Linear  = "linear"
	Relu    = string(cells.ReLU)
	Tanh    = string(cells.Tanh)
	Sigmoid = string(cells.Sigmoid)
)

var Activations = []string{Linear, Relu, Tanh, Sigmoid}

func CheckActivation(field, a string, known ...string) error {
	if slices.Contains(known, a) {
		return nil
	}
	return fmt.Errorf("%s is %q, want one of %s", field, a, strings.Join(known, ", "))
}

func Activate(a string, x *nodes.Node) *nodes.Node {
	switch a {
	case Relu:
		return nodes.ReLU(x)
	case Tanh:
		return nodes.Tanh(x)
	case Sigmoid:
		return nodes.Sigmoid(x)
	}
	return x
}

// initial is how the weights before an activation are drawn: for rectifiers as by He et al., 2015, else as by Glorot and
// Bengio, 2010.
func Initial(a string) nodes.Init {
	if a == Relu {
		return nodes.HeNormal(math.Sqrt2)
	}
	return nodes.XavierUniform(1)
}

// hidden declares layers l0, l1, … of the given widths under s, for inputs of width in.
func Hidden(s *nodes.Scope, in int, widths []int, activation string, noBias bool) (layers []nodes.Linear) {
	for k, out := range widths {
		layers = append(layers, nodes.NewLinear(s.In("l%d", k), nodes.LinearConfig{
			In: in, Out: out, Init: Initial(activation), NoBias: noBias,
		}))
		in = out
	}
	return layers
}

// through is x behind all layers, each followed by the activation.
func Through(layers []nodes.Linear, activation string, x *nodes.Node) *nodes.Node {
	for _, d := range layers {
		x = Activate(activation, d.Of(x))
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
			return fmt.Errorf("%s: the width of layer %d is %d, want 1 … %d", field, k, w, cells.MaxWidth)
		}
	}
	return nil
}
