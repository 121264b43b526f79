package ops

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/rng"
)

// Noise is random numbers drawn from the stream of its operand, [seed, counter], and of Label.
//
// If Rows is set, the leading axes are [..., Rows] with the rows of a batch last, and the operand
// is [seed, counter, first, of]: the rows are those from first on of a batch of so many, and have
// the numbers that the noise of the whole batch has for them. Where of is 0 they are the whole
// batch.
type Noise struct {
	Dtype tensor.Dtype
	Shape []int
	// "bernoulli": 1 with probability P, else 0; "uniform" in [0, 1); "normal" with mean 0,
	// variance 1
	Kind  string
	P     float64 // of bernoulli
	Label string
	Rows  int  // 0: it knows nothing of rows
	Axes  int  // behind that of the rows; 0: one
	Whole bool // all parts of a batch have the same numbers, such as a mask of weights
}

func (n Noise) Key() string {
	key := fmt.Sprintf("noise{%v %v %s %g %q %d}", n.Dtype, n.Shape, n.Kind, n.P, n.Label, n.Rows)
	if n.Whole {
		key += " whole"
	}
	if n.Axes > 1 {
		key += fmt.Sprintf(" %d axes", n.Axes)
	}
	return key
}

func (n Noise) Infer(in []Type) (Type, error) {
	if len(in) != 1 || in[0].Dtype != tensor.Int || len(in[0].Shape) != 1 ||
		in[0].Shape[0] != 2 && in[0].Shape[0] != 4 {
		return Type{}, fmt.Errorf("the key of a noise is [seed, counter] or [seed, counter, " +
			"first, of]")
	}
	switch {
	case n.Rows < 0 || n.Rows > 0 && (in[0].Shape[0] != 4 || !RowsDivide(n.Shape, n.Rows, n.Axes)):
		return Type{}, fmt.Errorf("the noise %s has no %d rows a batch", ShapeString(n.Shape),
			n.Rows)
	case n.Kind == "bernoulli" && !(n.P >= 0 && n.P <= 1):
		return Type{}, fmt.Errorf("the probability %g: want [0, 1]", n.P)
	case n.Kind != "bernoulli" && n.Kind != "uniform" && n.Kind != "normal":
		return Type{}, fmt.Errorf("no noise %q: there are bernoulli, uniform and normal", n.Kind)
	}
	return Type{n.Dtype, n.Shape}, nil
}

// RowsDivide reports whether what stands before the last axes, of which there are so many (0: one),
// can be [..., rows].
func RowsDivide(shape []int, rows, axes int) bool {
	k := len(shape) - max(axes, 1)
	return k >= 1 && rows > 0 && Size(shape[:k])%rows == 0
}

func (n Noise) Eval(in []Tensor, out Tensor) error {
	key := rng.New(uint64(in[0].Int[0])).Numbered(uint64(in[0].Int[1])).Named(n.Label)
	first, of := 0, 0
	if k := in[0].Int; len(k) == 4 {
		first, of = k[2], k[3]
	}
	if of == 0 || n.Rows == 0 {
		if first > 0 && !n.Whole { // another part of the batch, of which this noise knows no rows
			key = key.Named("rows").Numbered(uint64(first))
		}
		n.fill(key, 0, 0, Size(n.Shape), out)
		return nil
	}
	width := Size(n.Shape[len(n.Shape)-max(n.Axes, 1):])
	part := n.Rows * width
	for t := range Size(n.Shape) / max(part, 1) {
		n.fill(key, t*part, (t*of+first)*width, part, out)
	}
	return nil
}

// fill writes count numbers of the stream, from number from on, to out, from place at on.
func (n Noise) fill(key rng.Key, at, from, count int, out Tensor) {
	if out.F32 != nil {
		n.draw(key, from, count, func(i int, v float64) { out.F32[at+i] = float32(v) })
	} else {
		n.draw(key, from, count, func(i int, v float64) { out.F64[at+i] = v })
	}
}

// draw visits count numbers in order, those from number from on. A coin takes one 32-bit word of
// the generator, of which a block has four; the others take a block each.
func (n Noise) draw(key rng.Key, from, count int, visit func(i int, v float64)) {
	switch n.Kind {
	case "bernoulli":
		below := uint64(n.P * (1 << 32)) // of 2³² values
		for i := 0; i < count; {
			block, word := key.Block(uint64((from+i)/4)), (from+i)%4
			for ; word < 4 && i < count; word, i = word+1, i+1 {
				visit(i, truth[float64](uint64(block[word]) < below))
			}
		}
	case "uniform":
		for i := range count {
			visit(i, key.Float64(uint64(from+i)))
		}
	case "normal":
		for i := range count {
			visit(i, key.Normal(uint64(from+i)))
		}
	}
}
