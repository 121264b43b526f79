package nodes

import (
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// NoiseKind is a distribution.
type NoiseKind string

const (
	Bernoulli      NoiseKind = "bernoulli" // 1 with probability P, else 0
	UniformNoise   NoiseKind = "uniform"   // in [0, 1)
	StandardNormal NoiseKind = "normal"
)

// NoiseRequest asks for random numbers.
type NoiseRequest struct {
	Label       string // what they are for, such as "dropout"
	Kind        NoiseKind
	P           float64 // of Bernoulli
	Shape       []int
	PerSequence bool // inside a step: the same numbers at every time
	Whole       bool // the same numbers for all rows of a batch, such as a mask of weights
	// RowAxes are the axes behind that of the rows of a batch: 2 of [B, H, 3]; see Options.Rows.
	// Default: the last one, and in a step all but the first where that has as many as there are
	// rows, but of three, if the second has as many too, the last: it may be a stack of products.
	RowAxes int
}

// Noise is a tensor of random numbers. In the graph of a step it differs from time to time, unless
// PerSequence is set.
func (g *Graph) Noise(r NoiseRequest) *Node {
	r.Shape = slices.Clone(r.Shape)
	g = g.current()
	g.noteScope(nil)
	defer g.locate("Noise")
	axes := len(r.Shape) - 1
	if r.RowAxes < 0 || r.RowAxes > len(r.Shape) {
		ops.Failf("Noise", "%q: RowAxes is %d, and the noise is %s", r.Label, r.RowAxes,
			ops.ShapeString(r.Shape))
	}
	if rows := g.opts.Rows; g.loop != nil && r.RowAxes == 0 && axes > 1 && r.Shape[0] == rows &&
		(axes > 2 || r.Shape[1] != rows) {
		r.RowAxes = axes
	}
	return g.noData(g.noise(r))
}

func (g *Graph) noise(r NoiseRequest) *Node {
	if g.loop != nil {
		return g.loop.Noise(g, r)
	}
	if g.opts.Noise != nil {
		n := g.lift(g.opts.Noise(r))
		if !slices.Equal(n.Shape(), r.Shape) {
			ops.Failf("Noise", "%q: the given noise is %s, want %s", r.Label,
				ops.ShapeString(n.Shape()), ops.ShapeString(r.Shape))
		}
		return n
	}
	g.noises++
	fn := ops.Noise{Dtype: g.Dtype(), Shape: r.Shape, Kind: string(r.Kind), P: r.P,
		Label: fmt.Sprintf("%s %d", r.Label, g.noises), Whole: r.Whole}
	if !r.Whole && ops.RowsDivide(r.Shape, g.opts.Rows, r.RowAxes) {
		fn.Rows, fn.Axes = g.opts.Rows, r.RowAxes
	}
	return g.apply("Noise", fn, g.NoiseKey())
}

// Dropout zeroes elements of x with probability p and divides the others by 1−p (Srivastava et al.,
// 2014). In a graph for evaluation it is x. In the graph of a step every time has a mask of its
// own.
func Dropout(x Operand, p float64) *Node {
	n := one("Dropout", x)
	CheckRate("Dropout", p)
	if !n.g.Training() || p == 0 {
		return n
	}
	keep := n.g.Noise(NoiseRequest{Label: "dropout", Kind: Bernoulli, P: 1 - p, Shape: n.Shape()})
	return Masked(n, keep, p)
}

// Masked is x∘keep/(1−p): dropout with a given mask, in which 1 means keep.
func Masked(x, keep Operand, p float64) *Node {
	CheckRate("Masked", p)
	return Scale(Mul(x, keep), 1/(1-p))
}

// CheckRate refuses a dropout probability outside of [0, 1).
func CheckRate(op string, p float64) {
	if !(p >= 0 && p < 1) {
		ops.Failf(op, "the probability %g: want [0, 1)", p)
	}
}
