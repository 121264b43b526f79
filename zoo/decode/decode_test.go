package decode_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/internal/testkit" // and one seed

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo/decode"
)

// tree is a model whose logits are a function of what a row has read, and of its source.
type tree struct {
	v, width int
	places   int // of attention; 0: none
	rows     [][]int
	steps    int
	fails    error // after 2 steps
}

func newTree(v, sources, width int) *tree {
	return &tree{v: v, width: width, rows: make([][]int, sources*width)}
}

func (m *tree) Step(from, tokens []int) (p decode.Prediction, err error) {
	if m.steps++; m.fails != nil && m.steps > 2 {
		return p, m.fails
	}
	rows := make([][]int, len(m.rows))
	for i := range rows {
		if from[i]/m.width != i/m.width {
			return p, fmt.Errorf("row %d continues row %d of another source", i, from[i])
		}
		rows[i] = append(slices.Clone(m.rows[from[i]]), tokens[i])
		p.Logits = append(p.Logits, m.logits(i/m.width, rows[i]))
		if m.places > 0 {
			p.Attention = append(p.Attention, m.attention(i/m.width, rows[i]))
		}
	}
	m.rows = rows
	return p, nil
}

func (m *tree) numbers(name string, source int, read []int, n int) []float64 {
	key := rng.New(3).Named(fmt.Sprint(name, source, read))
	out := make([]float64, n)
	for i := range out {
		out[i] = 2 * key.Normal(uint64(i))
	}
	return out
}

func (m *tree) logits(source int, read []int) []float64 {
	return m.numbers("logits", source, read, m.v)
}

func (m *tree) attention(source int, read []int) []float64 {
	w := m.numbers("attention", source, read, m.places)
	logSoftmax(w)
	for i := range w {
		w[i] = math.Exp(w[i])
	}
	return w
}

func logSoftmax(x []float64) {
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(v)
	}
	for i := range x {
		x[i] -= math.Log(sum)
	}
}

// naive is the definition of beam search: everything is ranked, and nothing stops early.
func naive(m *tree, source, start int, o decode.BeamOptions) []decode.Hypothesis {
	type live struct {
		h    decode.Hypothesis
		read []int
	}
	score := func(h decode.Hypothesis) float64 {
		s := h.LogProb / math.Pow(float64(5+len(h.Tokens))/6, o.Alpha)
		if m.places == 0 || o.Beta == 0 {
			return s
		}
		for k := range m.places {
			sum := 0.0
			for _, a := range h.Attention {
				sum += a[k]
			}
			s += o.Beta * math.Log(min(1, sum))
		}
		return s
	}
	beam, done := []live{{read: []int{start}}}, []decode.Hypothesis{}
	for range o.Max {
		var all []live
		for _, l := range beam {
			lp := m.logits(source, l.read)
			logSoftmax(lp)
			for id, p := range lp {
				h := decode.Hypothesis{Tokens: append(slices.Clone(l.h.Tokens), id),
					LogProbs: append(slices.Clone(l.h.LogProbs), p), LogProb: l.h.LogProb + p}
				if m.places > 0 {
					h.Attention = append(slices.Clone(l.h.Attention), m.attention(source, l.read))
				}
				h.Ended = id == o.End
				all = append(all, live{h, append(slices.Clone(l.read), id)})
			}
		}
		slices.SortStableFunc(all, func(a,
			b live) int {
			return cmp.Compare(b.h.LogProb, a.h.LogProb)
		})
		beam = nil
		for i, l := range all {
			if l.h.Ended {
				if i < 2*o.Width {
					done = append(done, l.h)
				}
			} else if len(beam) < o.Width {
				beam = append(beam, l)
			}
		}
	}
	for _, l := range beam {
		done = append(done, l.h)
	}
	for i := range done {
		done[i].Score = score(done[i])
	}
	slices.SortStableFunc(done, func(a,
		b decode.Hypothesis) int {
		return cmp.Compare(b.Score, a.Score)
	})
	return done[:min(o.Width, len(done))]
}

func requireSame(t testkit.T, want, got []decode.Hypothesis) {
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i].Tokens, got[i].Tokens, i)
		require.Equal(t, want[i].Ended, got[i].Ended, i)
		require.InDelta(t, want[i].LogProb, got[i].LogProb, 1e-9, i)
		require.InDelta(t, want[i].Score, got[i].Score, 1e-9, i)
		testkit.RequireInDelta(t, want[i].LogProbs, got[i].LogProbs, 1e-9, i)
		require.Equal(t, len(want[i].Attention), len(got[i].Attention))
		for k := range want[i].Attention {
			testkit.RequireInDelta(t, want[i].Attention[k], got[i].Attention[k], 1e-9)
		}
	}
}

// Stopping when nothing can change, and running sources side by side, changes nothing.
func TestBeamIsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, sources := rapid.IntRange(1, 6).Draw(t, "V"), rapid.IntRange(1, 3).Draw(t, "sources")
		o := decode.BeamOptions{
			Options: decode.Options{KeepAttention: true, End: rapid.IntRange(-1, v-1).Draw(t, "end"),
				Max: rapid.IntRange(1, 6).Draw(t, "max")},
			Width: rapid.IntRange(1, 5).Draw(t, "width"),
			Alpha: rapid.SampledFrom([]float64{0, 0.6, 2}).Draw(t, "alpha"),
		}
		m := newTree(v, sources, o.Width)
		if m.places = rapid.IntRange(0, 3).Draw(t, "places"); m.places > 0 {
			o.Beta = rapid.SampledFrom([]float64{0, 0.3}).Draw(t, "beta")
		}
		starts := make([]int, sources)
		got, err := decode.Beam(context.Background(), m, starts, o)
		require.NoError(t, err)
		for b := range starts {
			requireSame(t, naive(m, b, starts[b], o), got[b])
		}
	})
}

// A beam of 1 without normalisation, and greedy, follow the likeliest token.
func TestGreedy(t *testing.T) {
	o := decode.Options{End: 4, Max: 7}
	var seen []int
	m := newTree(5, 3, 1)
	hs, err := decode.Generate(context.Background(), m, []int{0, 1, 2},
		decode.GenerateOptions{Options: o, Each: func(row, token int) {
			if row == 1 {
				seen = append(seen, token)
			}
		}})
	require.NoError(t, err)
	require.Equal(t, hs[1].Tokens, seen)
	for b, h := range hs {
		read := []int{b}
		for i, id := range h.Tokens {
			lp := m.logits(b, read)
			logSoftmax(lp)
			require.Equal(t, slices.Index(lp, slices.Max(lp)), id)
			require.InDelta(t, lp[id], h.LogProbs[i], 1e-12)
			read = append(read, id)
		}
		require.Equal(t, h.Tokens[len(h.Tokens)-1] == o.End, h.Ended)
		require.True(t, h.Ended || len(h.Tokens) == o.Max)
	}
}

// What a row draws depends on the seed and the row, not on how many there are.
func TestSampling(t *testing.T) {
	o := decode.GenerateOptions{Options: decode.Options{End: -1, Max: 20, Never: []int{2, 99}},
		Sampler: decode.Sampler{Temperature: 3}, Seed: 5}
	many, err := decode.Generate(context.Background(), newTree(4, 3, 1), []int{0, 0, 0}, o)
	require.NoError(t, err)
	one, err := decode.Generate(context.Background(), newTree(4, 1, 1), []int{0}, o)
	require.NoError(t, err)
	require.Equal(t, one[0], many[0])
	require.NotEqual(t, many[0].Tokens, many[1].Tokens)
	require.Len(t, one[0].Tokens, 20)
	for _, h := range many {
		require.NotContains(t, h.Tokens, 2)
	}
	o.Seed = 6
	other, err := decode.Generate(context.Background(), newTree(4, 1, 1), []int{0}, o)
	require.NoError(t, err)
	require.NotEqual(t, one[0].Tokens, other[0].Tokens)
}

func TestBeamOptions(t *testing.T) {
	o := decode.BeamOptions{Options: decode.Options{End: 1, Max: 30, Never: []int{3}}, Width: 3,
		Best: 2, EarlyStop: true}
	m := newTree(5, 1, 3)
	var steps []decode.Hypothesis
	o.Each = func(source int, best decode.Hypothesis) { steps = append(steps, best) }
	early, err := decode.Beam(context.Background(), m, []int{0}, o)
	require.NoError(t, err)
	require.Len(t, early[0], 2)
	require.Len(t, steps, m.steps)
	require.Less(t, m.steps, o.Max)
	require.Equal(t, early[0][0], steps[len(steps)-1])
	for _, h := range early[0] {
		require.NotContains(t, h.Tokens, 3)
	}
}

func TestDecodeCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	g := decode.GenerateOptions{Options: decode.Options{End: -1, Max: 10}, Each: func(int, int) {
		if n++; n == 4 {
			cancel()
		}
	}}
	hs, err := decode.Generate(ctx, newTree(5, 2, 1), []int{0, 0}, g)
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, hs[1].Tokens, 2)
	found, err := decode.Beam(ctx, newTree(5, 1, 2), []int{0},
		decode.BeamOptions{Options: g.Options, Width: 2})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, found, 1)

	broken := newTree(5, 1, 2)
	broken.fails = errors.New("no power")
	found, err = decode.Beam(context.Background(), broken, []int{0},
		decode.BeamOptions{Options: g.Options, Width: 2})
	require.ErrorIs(t, err, broken.fails)
	require.Len(t, found[0][0].Tokens, 2)
}

// rowsOf answers with the same prediction each time.
type rowsOf decode.Prediction

func (r rowsOf) Step(_, _ []int) (decode.Prediction, error) { return decode.Prediction(r), nil }

func TestDecodeErrors(t *testing.T) {
	ok := decode.Options{End: -1, Max: 3}
	inf := math.Inf(-1)
	for want, run := range map[string]func() error{
		"nothing to start from": func() error { return generate(newTree(2, 1, 1), nil, ok) },
		"Max is 0": func() error {
			return generate(newTree(2, 1, 1), []int{0},
				decode.Options{})
		},
		"Seed is 2, and Temperature is 0": func() error {
			_, err := decode.Generate(context.Background(), newTree(2, 1, 1), []int{0},
				decode.GenerateOptions{Options: ok, Seed: 2})
			return err
		},
		"Width is 0": func() error {
			return beam(newTree(2, 1, 1),
				decode.BeamOptions{Options: ok})
		},
		"Best is 2": func() error {
			return beam(newTree(2, 1, 1),
				decode.BeamOptions{Options: ok, Width: 1, Best: 2})
		},
		"Alpha is NaN": func() error {
			return beam(newTree(2, 1, 1), decode.BeamOptions{Options: ok, Width: 1,
				Alpha: math.NaN()})
		},
		"Beta is -1": func() error {
			return beam(newTree(2, 1, 1),
				decode.BeamOptions{Options: ok, Width: 1, Beta: -1})
		},
		"logits for 2 rows": func() error {
			return generate(rowsOf{Logits: make([][]float64, 2)},
				[]int{0}, ok)
		},
		"logits[1] is NaN": func() error {
			return generate(rowsOf{Logits: [][]float64{{0,
				math.NaN()}}}, []int{0}, ok)
		},
		"row 0: logits[0] is +": func() error {
			return beam(rowsOf{Logits: [][]float64{{-inf}}},
				decode.BeamOptions{Options: ok, Width: 1})
		},
		"none of 2 tokens": func() error {
			return generate(rowsOf{Logits: [][]float64{{inf, inf}}},
				[]int{0}, ok)
		},
		"none of 0 tokens": func() error {
			return generate(rowsOf{Logits: [][]float64{{}}},
				[]int{0}, ok)
		},
	} {
		require.ErrorContains(t, run(), want)
	}
}

func generate(s decode.Stepper, starts []int, o decode.Options) error {
	_, err := decode.Generate(context.Background(), s, starts, decode.GenerateOptions{Options: o})
	return err
}

func beam(s decode.Stepper, o decode.BeamOptions) error {
	_, err := decode.Beam(context.Background(), s, []int{0}, o)
	return err
}

// A counter as a recurrence: the state of a row adds up what the row, and those that it continues,
// have read.
func TestRecurrent(t *testing.T) {
	for _, dtype := range []tensor.Dtype{nodes.Float32, nodes.Float64} {
		var g decode.StepGraph
		require.NoError(t, nodes.Try(func() {
			graph := nodes.NewGraph(nodes.Options{Dtype: dtype})
			g.Tokens = graph.IntInput("tokens", 3)
			sum := graph.Input("sum", 3, 1)
			ids := nodes.Mul(nodes.OneHot(g.Tokens, 10), graph.Range(10))
			next := nodes.Add(sum, nodes.SumKeep(ids, -1))
			g.State, g.Next = cells.State{sum}, cells.State{next}
			g.Logits = nodes.Concat(-1, next, nodes.Neg(next))
			g.Attention = nodes.Concat(-1, next, next)
		}))
		r, err := decode.NewRecurrent(g)
		require.NoError(t, err)
		defer r.Close()
		for range 2 {
			for _, part := range r.Start([]int{2, 1, 0}) {
				part.Fill(100)
			}
			p, err := r.Step([]int{0, 1, 2}, []int{1, 2, 3})
			require.NoError(t, err)
			require.Equal(t, [][]float64{{101, -101}, {102, -102}, {103, -103}}, p.Logits)
			require.Equal(t, [][]float64{{101, 101}, {102}, {}}, p.Attention)
			p, err = r.Step([]int{2, 2, 0}, []int{0, 5, 9})
			require.NoError(t, err)
			require.Equal(t, [][]float64{{103, -103}, {108, -108}, {110, -110}}, p.Logits)
		}
		_, err = r.Step([]int{0, 1}, []int{1, 2})
		require.ErrorContains(t, err, "made for 3 rows")
		_, err = r.Step([]int{0, 1, 3}, []int{1, 2, 2})
		require.ErrorContains(t, err, "from[2] is 3")
		_, err = r.Step([]int{0, 1, 2}, []int{1, 10, 2})
		require.ErrorContains(t, err, "10")
		r.Start(nil)
		_, err = r.Step([]int{0, 0, 2}, []int{1, 2, 3})
		require.ErrorContains(t, err, "from[1] is 0")
	}
	_, err := decode.NewRecurrent(decode.StepGraph{})
	require.ErrorContains(t, err, "a step needs tokens")
}
