package graph_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

var update = flag.Bool("update", false, "write the golden files anew")

// training is the step of training that benchmarks time: an LSTM, the mean of its squared outputs,
// all gradients.
func training(t require.TestingT, kind string, T, B, I, H int) model {
	return recomputing(t, kind, T, B, I, H, 0)
}

// Each pass leaves its mark on the program: the golden files are programs with all passes, and
// without each.
func TestExplain(t *testing.T) {
	for _, kind := range []string{"lstm", "gru", "mgu"} {
		for _, off := range append([]graph.Pass{""}, graph.Passes()...) {
			name := kind
			opts := []graph.Option{graph.Workers(1)}
			if off != "" {
				name += "-without-" + string(off)
				opts = append(opts, graph.Without(off))
			}
			m := training(t, kind, 10, 4, 3, 5)
			if kind == "lstm" {
				m = training(t, kind, 10, 32, 24, 16)
			}
			vm, err := graph.Compile(m.g.Expr(), append(opts, graph.Keep(m.keep...))...)
			require.NoError(t, err)
			got := vm.Explain()
			require.NoError(t, vm.Close())
			golden(t, filepath.Join("testdata", "explain", name+".txt"), got)
		}
	}
}

// golden holds a text to a file.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "run the test with -update to write it")
	require.Equal(t, string(want), got, "%s; if this is meant, run the test with -update", file)
}

func TestProfile(t *testing.T) {
	m := training(t, "lstm", 3, 2, 2, 2)
	vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...))
	require.NoError(t, err)
	defer vm.Close()
	p, err := vm.Profile(2)
	require.NoError(t, err)
	require.Contains(t, p.String(), "loop scan, 3 times")
	require.Contains(t, p.String(), "µs in all")
	var flop, share float64
	var total time.Duration
	for _, e := range p.ByKernel() {
		flop, total, share = flop+e.Flop, total+e.Time, share+e.Share
	}
	require.EqualValues(t, 3*2*3*2*(2*8+2*8), flop,
		"three products of 2·B·(I·4H + H·4H) at each of three steps")
	require.LessOrEqual(t, total, p.Total,
		"the least times of a loop's instructions may belong to different runs")
	require.InDelta(t, float64(total)/float64(p.Total), share, 1e-3)
	var paths []string
	for _, e := range p.ByPath() {
		paths = append(paths, e.What)
		require.NotEmpty(t, e.What)
	}
	require.Contains(t, paths, "step")
	require.Contains(t, paths, "gradient of step")
}

func TestBuffers(t *testing.T) {
	m := training(t, "lstm", 7, 3, 5, 4)
	vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...))
	require.NoError(t, err)
	defer vm.Close()
	bs := vm.Buffers()
	end, states := 0, 0
	for i, b := range bs {
		require.NotEmpty(t, b.String())
		end = max(end, b.Offset+b.Bytes)
		if slices.Equal(b.Shape, []int{8, 3, 4}) {
			states++
		}
		for _, c := range bs[:i] { // what is needed at one time lies apart
			apart := b.Offset+b.Bytes <= c.Offset || c.Offset+c.Bytes <= b.Offset ||
				b.Last < c.First || c.Last < b.First
			require.True(t, apart, "%v\n%v", b, c)
		}
	}
	require.Equal(t, 2, states, "h and c, before the first step and after each")
	require.InDelta(t, vm.Memory(), end, 128)
}

func TestRunContext(t *testing.T) {
	m := training(t, "lstm", 20000, 8, 16, 16)
	for _, workers := range []int{1, 2} {
		vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.Workers(workers))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(context.Background())
		require.NoError(t, vm.RunContext(ctx))
		time.AfterFunc(time.Millisecond, cancel)
		for err == nil { // a busy machine may cancel after the first of these
			err = vm.RunContext(ctx)
		}
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, vm.RunContext(ctx), context.Canceled)
		require.NoError(t, vm.RunContext(context.Background()))
		require.NoError(t, vm.Close())
	}
}

// awkward is a cell that the compiler can do little with.
type awkward struct {
	hidden        int
	w, u, v, rows *nodes.Param
}

func (c *awkward) Parts() []cells.Part { return []cells.Part{{Name: "h", Width: c.hidden}} }

func (c *awkward) Step(x *nodes.Node, s cells.State) cells.State {
	mixed := nodes.MatMul(c.rows, x) // mixes the sequences of a batch
	input := nodes.MatMul(x, c.w)    // hoisted
	// read twice: by the sum, and as it is
	read := nodes.MatMul(s[0], c.u)
	column := nodes.Sigmoid(nodes.SumKeep(nodes.Mul(x, x), -1)) // [B, 1]
	sum := nodes.Add(input, read, nodes.Mul(read, column))      // column is repeated
	// a softmax between element-wise operations
	scaled := nodes.Mul(nodes.Softmax(nodes.Tanh(sum)), sum)
	return cells.State{nodes.Add(nodes.MatMul(scaled, c.v), mixed)}
}

// What was not done has its reason in the listing, once.
func TestExplainSaysWhyNot(t *testing.T) {
	const T, B, H, V = 6, 4, 5, 7
	var m model
	require.NoError(t, nodes.Try(func() {
		store := nodes.NewStore(nodes.Float32, 1)
		p := func(name string, shape ...int) *nodes.Param {
			return store.Root().In("layer").Param(name, nodes.Normal(0, 0.4), shape...)
		}
		m.g = nodes.NewGraph(nodes.Options{})
		x, ids := m.g.Input("x", T, B, H), m.g.IntInput("ids", T*B)
		y := unroll.Over(&awkward{H, p("W", H, H), p("U", H, H), p("V", H, H),
			p("R", B, B)}).Unroll(x, nil, unroll.Options{}).Y()
		logits := nodes.MatMul(nodes.Reshape(y, T*B, H),
			store.Root().Param("out", nodes.Normal(0, 0.4), H, V))
		loss := nodes.CrossEntropy(logits, ids, nodes.CrossEntropyOptions{})
		m.keep = append(m.keep, loss.Gorgonia(), logits.Gorgonia())
		for _, d := range m.g.Gradients(loss, store.Params()[0],
			store.Params()[len(store.Params())-1]) {
			m.keep = append(m.keep, d.Gorgonia())
		}
	}))
	vm, err := graph.Compile(m.g.Expr(), graph.Keep(m.keep...), graph.Workers(1))
	require.NoError(t, err)
	defer vm.Close()
	got := vm.Explain()
	golden(t, filepath.Join("testdata", "explain", "why-not.txt"), got)
	for _, reason := range []string{
		"layer step: MatMul, a product of inputs, stays in the loop: ",
		"layer step: MatMul is added to its neighbours afterwards, not while it is computed: " +
			"something else reads it too",
		"layer step: Sigmoid is not fused with layer step: Mul, which reads it: [4, 1] is " +
			"repeated to [4, 5]",
		"which needs all of it",
		"gradient of CrossEntropy is not written over the logits: something else reads the logits",
	} {
		require.Contains(t, got, reason)
	}
}
