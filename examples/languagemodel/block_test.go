package main

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/lm"
)

// unrolled is a block over a sequence, in double precision, with all numbers sines of their place.
type unrolled struct {
	names         []string
	inputs, grads []*gorgonia.Node
	y, loss       *nodes.Node
	ds            []*nodes.Node
}

func unrollBlock(
	t *testing.T, spec string, in int, shift float64, strategy unroll.Strategy,
) (u unrolled) {
	t.Helper()
	const T, B, H = 5, 2, 3
	cfg, err := cells.Parse(spec)
	require.NoError(t, err)
	cfg = cfg.Sized(in, H)
	require.NoError(t, cfg.Validate())
	store := nodes.NewStore(nodes.Float64, 1)
	var x, probe *nodes.Node
	require.NoError(t, nodes.Try(func() {
		cell := cfg.New(store.Root())
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
		x, probe = g.Input("x", T, B, in), g.Input("probe", T, B, H)
		u.y = unroll.Over(cell).Unroll(x, nil, unroll.Options{Strategy: strategy}).Y()
		u.loss = nodes.Sum(nodes.Mul(u.y, probe))
		of := []nodes.Operand{x}
		u.names, u.inputs = []string{"x"}, []*gorgonia.Node{x.Gorgonia()}
		for _, p := range store.Params() {
			of = append(of, p)
			u.names = append(u.names, p.Name())
			u.inputs = append(u.inputs, g.Param(p).Gorgonia())
		}
		u.ds = g.Gradients(u.loss, of...)
		for _, d := range u.ds {
			u.grads = append(u.grads, d.Gorgonia())
		}
	}))
	for k, p := range store.Params() {
		w := run.ParamFloats(p)
		for i := range w.Len() {
			w.Set(i, math.Sin(float64(k+1)+0.7*float64(i)))
		}
	}
	var ports run.Inputs
	xs, probes := ports.Floats(x), ports.Floats(probe)
	require.NoError(t, ports.Err())
	for i := range xs.Len() {
		xs.Set(i, shift+math.Sin(float64(len(store.Params())+1)+0.7*float64(i)))
	}
	for i := range probes.Len() {
		probes.Set(i, math.Cos(0.3*float64(i)))
	}
	return u
}

// values are what the loss, y and the gradients come to.
func (u unrolled) values(t *testing.T) (loss float64, y []float64, grads [][]float64) {
	t.Helper()
	step, err := run.New(append([]*nodes.Node{u.loss, u.y}, u.ds...))
	require.NoError(t, err)
	defer step.Close()
	require.NoError(t, step.Run(0, 0))
	for i := range u.ds {
		grads = append(grads, append([]float64(nil), step.Output(2+i).Float64s()...))
	}
	return step.Output(0).Float64s()[0], append(y, step.Output(1).Float64s()...), grads
}

// requireNear wants as many numbers as there are wanted, each within delta of its own.
func requireNear(t *testing.T, want, got []float64, delta float64, about ...any) {
	t.Helper()
	require.Len(t, got, len(want), about...)
	for i, x := range want {
		require.InDelta(t, x, got[i], delta, about...)
	}
}

// PyTorch 1.13 gives these numbers for the same equations: its depthwise conv1d, padded at the
// left, for the convolution, and for the states the authors' sums in log space.
func TestBlockAsInPyTorch(t *testing.T) {
	u := unrollBlock(t, "block,expand=2,mlp=2,last", 3, 0, unroll.Scan)
	loss, y, grads := u.values(t)
	require.InDelta(t, 4.3716610818249855, loss, 1e-11)
	requireNear(t, []float64{0.708484003176, 0.984240020871, 0.322812694415,
		1.408875941233, 0.833015230769, 0.025590013976}, y[len(y)-6:], 1e-11)
	norms := map[string]float64{
		"inner/W_ih": 7.317522394467548, "inner/b": 4.9756175806938385,
		"taps": 21.426277503392875, "gain": 1.8656794965697199, "gain_mlp": 2.9555723284803284,
		"W_conv": 27.300711562389342, "b_conv": 35.159587445224986, "W_out": 7.01699570239706,
		"b_out": 2.236510235537648, "W_up": 7.0038963443447875, "b_up": 2.880555805151866,
		"W_down": 5.49742492284224, "b_down": 2.719951029514719, "gain_last": 3.2996078244075266,
		"x": 49.96953214154661,
	}
	require.Len(t, grads, len(norms))
	for i, name := range u.names {
		sum := 0.0
		for _, d := range grads[i] {
			sum += d * d
		}
		require.InDelta(t, norms[name], math.Sqrt(sum), 1e-9, name)
	}
}

// Around cells of all kinds, for inputs of another width too, both ways to unroll give the
// gradients of finite differences.
func TestGradientsOfBlocks(t *testing.T) {
	const shift = 2 // from inputs near 0, where normalising them bends too much for differences
	for _, spec := range []string{"block", "block,inner=minlstm,conv=1,last",
		"block,inner=lstm+peephole:diagonal,conv=2", "block,inner=mlstm+heads:3,expand=2,mlp=1",
		"block,inner=block,conv=3"} {
		for _, in := range []int{3, 1} {
			scan := unrollBlock(t, spec, in, shift, unroll.Scan)
			r, err := graph.CheckGradients(scan.loss.Gorgonia(), scan.inputs, scan.grads,
				graph.GradientCheck{Samples: 6, Directions: 2, Tolerance: 1e-6})
			require.NoError(t, err)
			require.NoError(t, r.Err(), spec)
			_, y, grads := scan.values(t)
			_, alsoY, alsoGrads := unrollBlock(t, spec, in, shift, unroll.Expand).values(t)
			requireNear(t, alsoY, y, 1e-10, spec)
			for i := range grads {
				requireNear(t, alsoGrads[i], grads[i], 1e-8, spec)
			}
		}
	}
}

func TestBlocksRefuse(t *testing.T) {
	for spec, message := range map[string]string{
		"block,inner=nonsense": `the cell "nonsense" is not registered`,
		"block,conv=0":         "conv is 0; want 1 … 64",
		"block,mlp=-1":         "mlp is -1; want 1 … 64",
		"block,expand=65":      "expand is 65; want 1 … 64",
		"block,dropout=1":      "dropout is 1; want at least 0 and less than 1",
		"block,inner=gru+odd":  "has no option",
	} {
		cfg, err := cells.Parse(spec)
		require.NoError(t, err)
		require.ErrorContains(t, cfg.Sized(4, 4).Validate(), message)
	}
}

// A model of blocks is saved and loaded by the names of its cells, and writes as before, a
// character at a time: the inputs that the convolution reads are in the state.
func TestBlocksAreSaved(t *testing.T) {
	path, dir := write(t, story), filepath.Join(t.TempDir(), "model")
	spec := "block,dropout=0.2/block,inner=mlstm+heads:2,last"
	_, messages, err := do("", "train", "-quick", "-data", path, "-save", dir, "-cell", spec,
		"-init", "", "-layers", "2")
	require.NoError(t, err, messages)
	m, err := lm.Load(dir)
	require.NoError(t, err)
	require.Equal(t, spec, m.Config().Cell)
	ids, err := m.Encode(strings.Repeat("the cat sat on the dog", 2))
	require.NoError(t, err)
	whole, err := m.LogProbs(t.Context(), ids)
	require.NoError(t, err)
	for _, window := range []int{1, 2, 7} {
		r, err := m.Measure(t.Context(), ids, lm.MeasureOptions{Tracks: 1, Window: window})
		require.NoError(t, err)
		sum := 0.0
		for _, p := range whole {
			sum -= p
		}
		require.InDelta(t, sum/float64(len(whole)), r.Loss, 1e-4)
	}
}
