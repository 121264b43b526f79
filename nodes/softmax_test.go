package nodes_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/gradcheck"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
)

// drawn are n numbers between −1 and 1.
func drawn(name string, n int) []float64 {
	r, out := rng.Stream{Key: rng.New(4).Named(name)}, make([]float64, n)
	for i := range out {
		out[i] = 2*r.Float64() - 1
	}
	return out
}

// bound are the values of input nodes, to be filled.
func bound(inputs []*nodes.Node) (values [][]int) {
	for _, n := range inputs {
		values = append(values, memory(n).Ints())
	}
	return values
}

// memory gives an input a value.
func memory(n *nodes.Node) *tensor.Dense {
	v := tensor.New(tensor.Of(n.Dtype()), tensor.WithShape(n.Shape()...))
	must(G.Let(n.Gorgonia(), v))
	return v
}

// sampled gives the inputs of a sampled softmax of float64 their memory.
func sampled(inputs []*nodes.Node) nodes.SampledBatch {
	return nodes.SampledBatch{IDs: memory(inputs[0]).Ints(), Shifts: memory(inputs[1]).Float64s(),
		Places: memory(inputs[2]).Ints()}
}

// set writes values to a parameter.
func set(p *nodes.Param, values []float64) {
	switch d := p.Value().Data().(type) {
	case []float64:
		copy(d, values)
	case []float32:
		for i := range d {
			d[i] = float32(values[i])
		}
	}
}

// adaptive is an adaptive softmax with strong weights.
func adaptive(t testing.TB, dtype tensor.Dtype, c nodes.AdaptiveSoftmaxConfig) (*nodes.Store,
	*nodes.AdaptiveSoftmax) {
	s := nodes.NewStore(dtype, 1)
	var a *nodes.AdaptiveSoftmax
	require.NoError(t, nodes.Try(func() { a = nodes.NewAdaptiveSoftmax(s.Root(), c) }))
	for _, p := range s.Params() {
		set(p, drawn(p.Name(), len(testkit.Floats(p.Value()))))
	}
	return s, a
}

// The numbers of PyTorch.
func TestAdaptiveSoftmaxGolden(t *testing.T) {
	raw, err := os.ReadFile("testdata/adaptive_softmax.json")
	require.NoError(t, err)
	var golden struct {
		X, Dx   []float64
		Targets []int
		Loss    float64
		LogProb []float64 `json:"log_prob"`
		Params  map[string][]float64
		Grads   map[string][]float64
	}
	require.NoError(t, json.Unmarshal(raw, &golden))
	for _, c := range []struct {
		dtype tensor.Dtype
		tol   float64
	}{{nodes.Float64, 1e-12}, {nodes.Float32, 2e-6}} {
		s, a := adaptive(t, c.dtype, nodes.AdaptiveSoftmaxConfig{In: 6, V: 17,
			Cutoffs: []int{5, 11}, Div: 2})
		require.Len(t, s.Params(), len(golden.Params))
		for _, p := range s.Params() {
			require.Len(t, testkit.Floats(p.Value()), len(golden.Params[p.Name()]), p.Name())
			set(p, golden.Params[p.Name()])
		}
		g := nodes.NewGraph(nodes.Options{Dtype: c.dtype})
		x := in(g, "x", golden.X, 7, 6)
		inputs := a.Inputs(g, 7, a.Level(golden.Targets))
		require.NoError(t, a.Fill(bound(inputs), golden.Targets))
		loss := a.Loss(x, inputs)
		names, wrt := []string{"x"}, []nodes.Operand{x}
		for _, p := range s.Params() {
			names, wrt = append(names, p.Name()), append(wrt, p)
		}
		got := run(t, g, append([]*nodes.Node{loss, a.LogProb(x)}, g.Gradients(loss, wrt...)...)...)
		gradcheck.Close(t, []float64{golden.Loss}, got[0], c.tol, "loss")
		gradcheck.Close(t, golden.LogProb, got[1], c.tol, "log probabilities")
		golden.Grads["x"] = golden.Dx
		for i, name := range names {
			gradcheck.Close(t, golden.Grads[name], got[2+i], 4*c.tol, "gradient of "+name)
		}
	}
}

// slowAdaptive is the definition, in loops: the log probabilities of all tokens for one x.
func slowAdaptive(s *nodes.Store, c nodes.AdaptiveSoftmaxConfig, x []float64) []float64 {
	param := func(name string) []float64 { p, _ := s.Get(name); return testkit.Floats(p.Value()) }
	times := func(x, w []float64) []float64 {
		y := make([]float64, len(w)/len(x))
		for i := range y {
			for k, v := range x {
				y[i] += v * w[k*len(y)+i]
			}
		}
		return y
	}
	logSoftmax := func(y []float64) []float64 {
		var sum float64
		for _, v := range y {
			sum += math.Exp(v)
		}
		for i := range y {
			y[i] -= math.Log(sum)
		}
		return y
	}
	head := times(x, param("W_head"))
	for i, b := range param("b") {
		head[i] += b
	}
	head = logSoftmax(head)
	out := head[:c.Cutoffs[0]:c.Cutoffs[0]]
	for i := range c.Cutoffs {
		for _, l := range logSoftmax(times(times(x, param(fmt.Sprintf("tail%d/P", i))),
			param(fmt.Sprintf("tail%d/W", i)))) {
			out = append(out, head[c.Cutoffs[0]+i]+l)
		}
	}
	return out
}

// Sizes of 1, tails of one token, batches that are all in one cluster; at every level that holds
// the batch.
func TestAdaptiveSoftmaxAgainstLoops(t *testing.T) {
	for _, c := range []nodes.AdaptiveSoftmaxConfig{
		{In: 1, V: 2, Cutoffs: []int{1}},
		{In: 3, V: 7, Cutoffs: []int{1, 2, 6}},
		{In: 7, V: 13, Cutoffs: []int{12}, Div: 1},
		{In: 17, V: 31, Cutoffs: []int{5, 11}, Shares: []float64{0.2, 0}},
	} {
		s, a := adaptive(t, nodes.Float64, c)
		for name, targets := range map[string][]int{
			"one": {c.V - 1}, "head": {0, 0, 0}, "last": {c.V - 1, c.V - 1, c.V - 1, c.V - 1},
			"all": {0, c.V - 1, c.Cutoffs[0], c.V / 2, c.Cutoffs[0] - 1, 1, 1, 0, 0, 0, 0, 0, 0},
		} {
			n := len(targets)
			xs := drawn(name, n*c.In)
			want := 0.
			var all []float64
			for i, id := range targets {
				p := slowAdaptive(s, c, xs[i*c.In:(i+1)*c.In])
				require.Len(t, p, c.V)
				var sum float64
				for _, l := range p {
					sum += math.Exp(l)
				}
				require.InDelta(t, 1, sum, 1e-12)
				want -= p[id] / float64(n)
				all = append(all, p...)
			}
			for level := a.Level(targets); level <= a.Level(targets)+2; level++ {
				g := f64()
				x := in(g, "x", xs, n, 1, c.In)
				inputs := a.Inputs(g, n, level)
				values := bound(inputs)
				require.NoError(t, a.Fill(values, make([]int, n)),
					"what was there before is forgotten")
				require.NoError(t, a.Fill(values, targets))
				got := run(t, g, a.Loss(x, inputs), a.LogProb(x))
				gradcheck.Close(t, []float64{want}, got[0], 1e-12, name)
				gradcheck.Close(t, all, got[1], 1e-12, name)
			}
			if level := a.Level(targets); level > 0 {
				g := f64()
				require.ErrorContains(t, a.Fill(bound(a.Inputs(g, n, level-1)), targets),
					"build the graph for the level that Level gives")
			}
		}
	}
}

func TestAdaptiveSoftmaxGradients(t *testing.T) {
	c := nodes.AdaptiveSoftmaxConfig{In: 5, V: 11, Cutoffs: []int{3, 6}, Div: 2}
	targets := []int{0, 10, 3, 5, 2, 6}
	gradcheck.Check(t, func(g *nodes.Graph, x []*nodes.Node) *nodes.Node {
		_, a := adaptive(t, g.Dtype(), c)
		inputs := a.Inputs(g, len(targets), a.Level(targets))
		must(a.Fill(bound(inputs), targets))
		return nodes.Add(a.Loss(x[0], inputs), nodes.Scale(gradcheck.Weigh(a.LogProb(x[0])), 0.1))
	}, gradcheck.Between(-1, 1, 3, len(targets), c.In))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func TestAdaptiveSoftmaxMistakes(t *testing.T) {
	good := nodes.AdaptiveSoftmaxConfig{In: 4, V: 10, Cutoffs: []int{3, 6}}
	for want, change := range map[string]func(c *nodes.AdaptiveSoftmaxConfig){
		"In is 0":    func(c *nodes.AdaptiveSoftmaxConfig) { c.In = 0 },
		"V is 1":     func(c *nodes.AdaptiveSoftmaxConfig) { c.V = 1 },
		"no cutoffs": func(c *nodes.AdaptiveSoftmaxConfig) { c.Cutoffs = nil },
		"cutoffs are [6 3]": func(c *nodes.AdaptiveSoftmaxConfig) {
			c.Cutoffs = []int{6,
				3}
		},
		"cutoffs are [3 3]": func(c *nodes.AdaptiveSoftmaxConfig) {
			c.Cutoffs = []int{3,
				3}
		},
		"cutoffs are [0 3]": func(c *nodes.AdaptiveSoftmaxConfig) {
			c.Cutoffs = []int{0,
				3}
		},
		"rising ones in 1 … 9": func(c *nodes.AdaptiveSoftmaxConfig) {
			c.Cutoffs = []int{3,
				10}
		},
		"Div is 0.5":           func(c *nodes.AdaptiveSoftmaxConfig) { c.Div = 0.5 },
		"Div is NaN":           func(c *nodes.AdaptiveSoftmaxConfig) { c.Div = math.NaN() },
		"1 shares for 2 tails": func(c *nodes.AdaptiveSoftmaxConfig) { c.Shares = []float64{1} },
		"a share is -1": func(c *nodes.AdaptiveSoftmaxConfig) {
			c.Shares = []float64{-1,
				0}
		},
		"a share is NaN": func(c *nodes.AdaptiveSoftmaxConfig) {
			c.Shares = []float64{0,
				math.NaN()}
		},
		"its size overflows an int": func(c *nodes.AdaptiveSoftmaxConfig) {
			c.In, c.V,
				c.Cutoffs = 1<<40, 1<<40, []int{1 << 39}
		},
	} {
		c := good
		change(&c)
		err := nodes.Try(func() {
			nodes.NewAdaptiveSoftmax(nodes.NewStore(nodes.Float32, 1).Root(),
				c)
		})
		var be *nodes.BuildError
		require.ErrorAs(t, err, &be, want)
		if want != "its size overflows an int" {
			require.ErrorContains(t, err, want)
		}
	}
	_, a := adaptive(t, nodes.Float32, good)
	g := nodes.NewGraph(nodes.Options{})
	x := g.Input("x", 5, 4)
	inputs := a.Inputs(g, 5, 0)
	values := bound(inputs)
	for _, id := range []int{-1, 10} {
		require.ErrorContains(t, a.Fill(values, []int{0, id, 0, 0, 0}),
			fmt.Sprintf("target %d at position 1", id))
	}
	require.ErrorContains(t, a.Fill(values, []int{0}), "not those of Inputs for 1 targets")
	require.ErrorContains(t, a.Fill(nil, []int{0}), "not those of Inputs")
	values[2] = values[2][:0]
	require.ErrorContains(t, a.Fill(values, make([]int, 5)), "not those of Inputs for 5 targets")
	for _, build := range []func(){
		func() { a.Loss(g.Input("narrow", 5, 3), inputs) },
		func() { a.Loss(g.Input("short", 4, 4), inputs) },
		func() { a.Loss(x, inputs[1:]) },
		func() { a.LogProb(g.Const(1)) },
		func() { a.Inputs(g, 0, 0) },
		func() { a.Inputs(g, 1, -1) },
	} {
		var be *nodes.BuildError
		require.ErrorAs(t, nodes.Try(build), &be)
	}
	require.Zero(t, a.Level(nil))
}

// slowSampled is the definition of SampledSoftmax.Loss for given inputs.
func slowSampled(s nodes.SampledSoftmax, xs, table, bias []float64, targets, samples []int,
	logPi func(id int) float64) float64 {
	n, h := len(targets), len(table)/s.V
	var sum float64
	for i, target := range targets {
		score := func(id int) float64 {
			y := bias[id] - logPi(id)
			for k := range h {
				y += xs[i*h+k] * table[id*h+k]
			}
			return y
		}
		z := math.Exp(score(target))
		for _, id := range samples {
			if id != target {
				z += math.Exp(score(id))
			}
		}
		sum += math.Log(z) - score(target)
	}
	return sum / float64(n)
}

func TestSampledSoftmaxAgainstLoops(t *testing.T) {
	for _, c := range []struct{ v, samples, h int }{{1, 1, 1}, {2, 1, 3}, {17, 5, 7}, {17, 16, 2},
		{17, 17, 4}, {1000, 100, 5}} {
		s := nodes.SampledSoftmax{V: c.v, Samples: c.samples}
		targets := []int{0, c.v - 1, c.v / 2, 0, c.v / 3}
		xs, table, bias := drawn("x", len(targets)*c.h), drawn("table", c.v*c.h), drawn("bias", c.v)
		g := f64()
		x, e, b := in(g, "x", xs, len(targets), c.h), in(g, "E", table, c.v, c.h),
			in(g, "b", bias, c.v)
		inputs := s.Inputs(g, len(targets))
		batch := sampled(inputs)
		require.NoError(t, s.Fill(batch, targets, 1, 2))
		ids, shifts, places := batch.IDs, batch.Shifts, batch.Places
		n := len(targets)
		samples := ids[n:]
		pi := map[int]float64{}
		for i, id := range samples {
			require.NotContains(t, pi, id, "the samples are distinct")
			pi[id] = -shifts[n+i]
		}
		for i, id := range targets {
			require.Equal(t, id, ids[i])
			if at := places[i]; at > 0 {
				require.Equal(t, id, samples[at-1])
			} else {
				require.NotContains(t, samples, id)
				pi[id] = -shifts[i]
			}
		}
		want := slowSampled(s, xs, table, bias, targets, samples,
			func(id int) float64 { return pi[id] })
		gradcheck.Close(t, []float64{want}, run(t, g, s.Loss(x, e, b, inputs))[0], 1e-12,
			fmt.Sprint(c))
		if c.samples == c.v { // all of them: the full softmax
			full := nodes.CrossEntropy(nodes.Add(nodes.MatMulT(x, e), b),
				gradcheck.Ints(g, "targets", targets, len(targets)), nodes.CrossEntropyOptions{})
			gradcheck.Close(t, run(t, g, full)[0], []float64{want}, 1e-12, "the full softmax")
		}
	}
}

func TestSampledSoftmaxGradients(t *testing.T) {
	s, targets := nodes.SampledSoftmax{V: 11, Samples: 4}, []int{0, 7, 10, 0}
	gradcheck.Check(t, func(g *nodes.Graph, x []*nodes.Node) *nodes.Node {
		inputs := s.Inputs(g, len(targets))
		batch := nodes.SampledBatch{IDs: memory(inputs[0]).Ints(),
			Shifts: make([]float64, len(targets)+s.Samples), Places: memory(inputs[2]).Ints()}
		must(s.Fill(batch, targets, 5, 6))
		switch shifts := memory(inputs[1]).Data().(type) {
		case []float64:
			copy(shifts, batch.Shifts)
		case []float32:
			for i, x := range batch.Shifts {
				shifts[i] = float32(x)
			}
		}
		return s.Loss(x[0], x[1], x[2], inputs)
	}, gradcheck.Between(-1, 1, 1, 4, 3), gradcheck.Between(-1, 1, 2, 11, 3),
		gradcheck.Between(-1, 1, 3, 11))
}

// The corrections make the estimate of the sum over the vocabulary right: the mean over many
// samples of Σ 1/π is V, and each id is in a sample as often as π says.
func TestSampledSoftmaxCorrection(t *testing.T) {
	s := nodes.SampledSoftmax{V: 50, Samples: 10}
	g := f64()
	batch := sampled(s.Inputs(g, 1))
	const rounds = 20000
	seen, expected := make([]float64, s.V), make([]float64, s.V)
	for k := range rounds {
		require.NoError(t, s.Fill(batch, []int{0}, 1, k))
		for i, id := range batch.IDs[1:] {
			seen[id]++
			expected[id] += math.Exp(-batch.Shifts[1+i])
		}
	}
	for id := range seen {
		require.Positive(t, seen[id])
		mean := expected[id] / seen[id] // of π over the samples that hold it
		require.InEpsilon(t, mean, seen[id]/rounds, 0.06, "id %d", id)
	}
}

func TestSampledSoftmaxRepeats(t *testing.T) {
	s := nodes.SampledSoftmax{V: 100, Samples: 20}
	draw := func(seed uint64, counter int) []int {
		batch := sampled(s.Inputs(f64(), 3))
		require.NoError(t, s.Fill(batch, []int{1, 2, 99}, seed, counter))
		return batch.IDs[3:]
	}
	require.Equal(t, draw(1, 5), draw(1, 5))
	require.NotEqual(t, draw(1, 5), draw(1, 6))
	require.NotEqual(t, draw(1, 5), draw(2, 5))
}

func TestSampledSoftmaxMistakes(t *testing.T) {
	for _, s := range []nodes.SampledSoftmax{{V: 0, Samples: 1}, {V: 5}, {V: 5, Samples: -1},
		{V: 5, Samples: 6}} {
		require.ErrorContains(t, s.Validate(), "want 1 … V of them")
		var be *nodes.BuildError
		require.ErrorAs(t, nodes.Try(func() { s.Inputs(f64(), 3) }), &be)
		require.Error(t, s.Fill(nodes.SampledBatch{}, nil, 0, 0))
	}
	s := nodes.SampledSoftmax{V: 5, Samples: 2}
	g := f64()
	inputs := s.Inputs(g, 2)
	batch := sampled(inputs)
	require.ErrorContains(t, s.Fill(batch, []int{0, 5}, 0, 0),
		"target 5 at position 1 is outside 0 … 4")
	require.ErrorContains(t, s.Fill(batch, []int{0}, 0, 0), "not those of Inputs for 1 targets")
	batch.Shifts = nil
	require.ErrorContains(t, s.Fill(batch, []int{0, 1}, 0, 0),
		"4 ids, 0 shifts and 2 places are not those of Inputs")
	for _, build := range []func(){
		func() { s.Loss(g.Input("x", 2, 3), g.Input("E", 4, 3), g.Input("b", 5), inputs[1:]) },
		func() { s.Loss(g.Input("x1", 3, 3), g.Input("E1", 5, 3), g.Input("b1", 5), inputs) },
		func() { s.Loss(g.Input("x2", 2, 3), g.Input("E2", 5, 3), g.Input("b2", 4), inputs) },
		func() { s.Loss(g.Input("x3", 2, 3), g.Input("E3", 5, 2), g.Input("b3", 5), inputs) },
	} {
		var be *nodes.BuildError
		require.ErrorAs(t, nodes.Try(build), &be)
	}
}
