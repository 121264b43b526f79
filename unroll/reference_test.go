package unroll_test

import (
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/unroll"
)

// leaf is the layer of one cell that still knows its cell, for the reference.
type leaf struct {
	unroll.Layer
	cell cells.Cell
}

func over(c cells.Cell) unroll.Layer { return leaf{unroll.Over(c), c} }

// reference runs layers the plain way: a cell's step, compiled once for one time, is run again and
// again by the loop of the package's documentation. Layers of layers are done on slices.
type reference struct {
	t        testkit.T
	store    *nodes.Store
	T, B     int
	training bool
	lengths  []int // nil: all T
	asked    int   // noises so far
}

// seq is a sequence: T rows of B·width numbers.
type seq [][]float64

func (r *reference) layer(l unroll.Layer, x seq, init [][]float64, reverse bool) (y seq,
	final [][]float64, at [][][]float64) {
	switch l := l.(type) {
	case leaf:
		return r.cell(l.cell, x, init, reverse)
	case unroll.Bidirectional:
		n := len(l.Forward.Parts())
		f, ff, _ := r.layer(l.Forward, x, init[:n], reverse)
		b, bf, _ := r.layer(l.Backward, x, init[n:], !reverse)
		return r.merge(l, f, b), append(ff, bf...), nil
	case unroll.Stack:
		at = make([][][]float64, r.T)
		y = x
		for i, layer := range l.Layers {
			in := y
			if i > 0 && r.training && l.Dropout > 0 {
				mask := r.draw(nodes.Bernoulli, 1-l.Dropout, r.T*len(y[0]))
				in = apply(y, func(t, k int) float64 { return y[t][k] * mask[t*len(y[0])+k] / (1 - l.Dropout) })
			}
			var f [][]float64
			var states [][][]float64
			n := len(layer.Parts())
			y, f, states = r.layer(layer, in, init[:n], reverse)
			init, final = init[n:], append(final, f...)
			for t := range states {
				at[t] = append(at[t], states[t]...)
			}
			if l.Residual && i > 0 {
				out := y
				y = apply(y, func(t, k int) float64 { return out[t][k] + in[t][k] })
			}
		}
		return y, final, at
	}
	panic("no reference for this layer")
}

func apply(like seq, f func(t, k int) float64) seq {
	y := make(seq, len(like))
	for t := range y {
		y[t] = make([]float64, len(like[t]))
		for k := range y[t] {
			y[t][k] = f(t, k)
		}
	}
	return y
}

func (r *reference) merge(l unroll.Bidirectional, f, b seq) seq {
	switch l.Merge {
	case unroll.Sum:
		return apply(f, func(t, k int) float64 { return f[t][k] + b[t][k] })
	case unroll.Mean:
		return apply(f, func(t, k int) float64 { return (f[t][k] + b[t][k]) / 2 })
	case unroll.Product:
		return apply(f, func(t, k int) float64 { return f[t][k] * b[t][k] })
	}
	wf, wb := l.Forward.Width(), l.Backward.Width()
	y := make(seq, r.T)
	for t := range y {
		for row := range r.B {
			y[t] = append(y[t], f[t][row*wf:(row+1)*wf]...)
			y[t] = append(y[t], b[t][row*wb:(row+1)*wb]...)
		}
	}
	return y
}

// cell is the loop that unrolling means.
func (r *reference) cell(c cells.Cell, x seq, init [][]float64, reverse bool) (y seq,
	final [][]float64, at [][][]float64) {
	type noise struct {
		n      *nodes.Node
		steady bool
		values []float64
	}
	var noises []noise
	var g *nodes.Graph
	g = nodes.NewGraph(nodes.Options{Dtype: r.store.Dtype(), Training: r.training,
		Noise: func(q nodes.NoiseRequest) *nodes.Node {
			n := product(q.Shape)
			z := noise{steady: q.PerSequence, n: input(g, fmt.Sprint("noise ", len(noises)),
				make([]float64, n), q.Shape...)}
			if !q.PerSequence {
				n *= r.T
			}
			z.values = r.draw(q.Kind, q.P, n)
			noises = append(noises, z)
			return z.n
		}})
	var in *nodes.Node
	var state, next cells.State
	try(r.t, func() {
		in = input(g, "x", x[0], r.B, len(x[0])/r.B)
		for i, p := range c.Parts() {
			state = append(state, input(g, fmt.Sprint("s", i), init[i], r.B, p.Width))
		}
		next = cells.Advance(c, in, append(cells.State{}, state...))
	})
	m, err := graph.Compile(g.Expr(), graph.Plain(), keep(next...))
	require.NoError(r.t, err)

	s := make([][]float64, len(init))
	for i := range init {
		s[i] = append([]float64{}, init[i]...)
	}
	y, at = make(seq, r.T), make([][][]float64, r.T)
	for i := range r.T {
		t := i
		if reverse {
			t = r.T - 1 - i
		}
		set(in.Value(), x[t])
		for k := range s {
			set(state[k].Value(), s[k])
		}
		for _, z := range noises {
			n := product(z.n.Shape())
			v := z.values
			if !z.steady {
				v = v[t*n : (t+1)*n]
			}
			set(z.n.Value(), v)
		}
		require.NoError(r.t, m.RunAll())
		out := values(next)
		y[t] = make([]float64, len(out[0]))
		for row := range r.B {
			if r.lengths != nil && t >= r.lengths[row] {
				continue
			}
			for k := range s {
				w := len(s[k]) / r.B
				copy(s[k][row*w:(row+1)*w], out[k][row*w:(row+1)*w])
			}
			w := len(y[t]) / r.B
			copy(y[t][row*w:(row+1)*w], out[0][row*w:(row+1)*w])
		}
		for _, v := range s {
			at[t] = append(at[t], append([]float64{}, v...))
		}
	}
	return y, s, at
}

func (r *reference) draw(kind nodes.NoiseKind, p float64, n int) []float64 {
	r.asked++
	return draw(r.asked, kind, p, n)
}

// draw is the noise that request number k of a graph gets.
func draw(k int, kind nodes.NoiseKind, p float64, n int) []float64 {
	if kind != nodes.Bernoulli {
		panic("only masks are drawn here")
	}
	key := rng.New(23).Numbered(uint64(k))
	v := make([]float64, n)
	for i := range v {
		if key.Float64(uint64(i)) < p {
			v[i] = 1
		}
	}
	return v
}
