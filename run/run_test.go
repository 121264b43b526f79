package run_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/sysmem"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
)

var dtypes = []tensor.Dtype{nodes.Float32, nodes.Float64}

// squares is a step without a loss: the squares of x [T, 2], rows of a table by ids, and their sum.
func squares(t testing.TB, dtype tensor.Dtype, T int, o ...graph.Option) (*run.Step, run.Floats,
	[]int) {
	var x, ids *nodes.Node
	var outputs []*nodes.Node
	require.NoError(t, nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: dtype})
		x, ids = g.Input("x", T, 2), g.IntInput("ids", T)
		square := nodes.Square(x)
		outputs = []*nodes.Node{square, nodes.Embedding(square, ids, -1), nodes.Sum(square)}
	}))
	s, err := run.New(outputs, o...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	var in run.Inputs
	f, k := in.Floats(x), in.Ints(ids)
	require.NoError(t, in.Err())
	return s, f, k
}

func TestStep(t *testing.T) {
	for _, dtype := range dtypes {
		s, x, ids := squares(t, dtype, 3)
		require.Zero(t, s.Output(0).Len(), "nothing has run yet")
		for run := range 2 {
			x.Put64(0, []float64{1, 2, 3, 4, 5, 6 + float64(run)})
			copy(ids, []int{2, 0, 0})
			require.NoError(t, s.Run(1, run))
			last := (6 + float64(run)) * (6 + float64(run))
			require.Equal(t, []float64{1, 4, 9, 16, 25, last}, s.Output(0).Float64s())
			require.Equal(t, []float64{25, last, 1, 4, 1, 4}, s.Output(1).Float64s())
			require.Equal(t, []int{3, 2}, s.Output(1).Shape())
			require.Equal(t, 55+last, s.Output(2).At(0))
			require.Empty(t, s.Output(2).Shape())
		}
		ids[1] = 3
		require.ErrorContains(t, s.Run(0, 0), "3")
		require.Positive(t, s.Machine().Memory())
		require.NotEmpty(t, s.Machine().Explain())
	}
}

// A run, its inputs and its outputs take no memory.
func TestStepDoesNotAllocate(t *testing.T) {
	for _, dtype := range dtypes {
		s, x, _ := squares(t, dtype, 3, graph.Workers(1))
		from, to, sum := make([]float64, 6), make([]float32, 6), 0.0
		require.NoError(t, s.Run(0, 0))
		require.Zero(t, testing.AllocsPerRun(50, func() {
			x.Put64(0, from)
			x.Put32(0, to)
			if s.Run(0, 0) != nil {
				panic("failed")
			}
			s.Output(0).Read32(0, to)
			sum += s.Output(2).At(0)
		}))
	}
}

// The noise of a run is that of its seed and counter.
func TestStepNoise(t *testing.T) {
	var y *nodes.Node
	require.NoError(t, nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Training: true})
		y = nodes.Dropout(g.Const(1), 0.5)
		for range 6 {
			y = nodes.Concat(0, nodes.Reshape(y, -1),
				nodes.Reshape(nodes.Dropout(g.Const(1), 0.5), -1))
		}
	}))
	s, err := run.New([]*nodes.Node{y})
	require.NoError(t, err)
	defer s.Close()
	draw := func(seed uint64, counter int) []float64 {
		require.NoError(t, s.Run(seed, counter))
		return s.Output(0).Float64s()
	}
	differ := 0
	for i := range 20 {
		a, b, c := draw(1, i), draw(2, i), draw(1, i)
		require.Equal(t, a, c)
		for k := range a {
			if a[k] != b[k] {
				differ++
			}
		}
	}
	require.Positive(t, differ)
}

func TestStepErrors(t *testing.T) {
	g, other := nodes.NewGraph(nodes.Options{}), nodes.NewGraph(nodes.Options{})
	for want, outputs := range map[string][]*nodes.Node{
		"at least one output":            nil,
		"output 1 is nil":                {g.Const(1), nil},
		"output 0 is nil":                {new(nodes.Node)},
		"outputs 0 and 1 are of two":     {g.Const(1), other.Const(1)},
		"more than the limit of 1048576": {nodes.Exp(g.Input("large", 1<<20))},
	} {
		_, err := run.New(outputs, graph.MemoryLimit(1<<20))
		require.ErrorContains(t, err, want)
	}
	before := sysmem.Available
	defer func() { sysmem.Available = before }()
	sysmem.Available = func() int { return 1 << 20 }
	_, err := run.New([]*nodes.Node{nodes.Exp(g.Input("larger", 1<<20))})
	require.ErrorIs(t, err, run.ErrMemory)
}

func TestInputErrors(t *testing.T) {
	g := nodes.NewGraph(nodes.Options{})
	for want, feed := range map[string]func(in *run.Inputs){
		"the input is nil":                    func(in *run.Inputs) { in.Ints(nil); in.Ints(g.Input("x", 1)) },
		"input y is of float32, not of integ": func(in *run.Inputs) { in.Ints(g.Input("y", 1)) },
		"want float32 or float64": func(in *run.Inputs) {
			in.Floats(g.IntInput("ids",
				1))
		},
	} {
		var in run.Inputs
		require.NoError(t, in.Err())
		feed(&in)
		require.ErrorContains(t, in.Err(), want)
	}
}

func TestFloats(t *testing.T) {
	third := 1. / 3
	for _, dtype := range dtypes {
		round := func(x float64) float64 { return x }
		if dtype == nodes.Float32 {
			round = func(x float64) float64 { return float64(float32(x)) }
		}
		make := func(shape ...int) run.Floats {
			f, err := run.FloatsOf(tensor.New(tensor.Of(dtype), tensor.WithShape(shape...)))
			require.NoError(t, err)
			return f
		}
		f := make(3, 2)
		f.Fill(third)
		f.Set(5, 2)
		f.Put64(1, []float64{-third})
		f.Put32(2, []float32{7, 8})
		want := []float64{round(third), round(-third), 7, 8, round(third), 2}
		require.Equal(t, want, f.Float64s())
		require.Equal(t, float32(third), f.Float32s()[0])
		require.Equal(t, 7., f.At(2))
		some := []float64{0, 0}
		f.Read64(4, some)
		require.Equal(t, want[4:], some)
		require.Equal(t, []int{2, 2}, f.Rows(1, 3).Shape())
		require.Equal(t, want[2:], f.Rows(1, 3).Float64s())
		require.Equal(t, 6, f.Len())

		g := make(2, 2)
		require.NoError(t, g.Gather(f, []int{2, 1}))
		require.Equal(t, []float64{want[4], want[5], 7, 8}, g.Float64s())
		require.ErrorContains(t, g.Gather(f, []int{0, 3}), "has no row 3: there are 3")
		require.ErrorContains(t, g.Gather(f, []int{0, -1}), "no row -1")
		require.ErrorContains(t, g.Gather(f, []int{0, 0, 0}), "does not take 3 rows")
		require.ErrorContains(t, g.Gather(f, nil), "does not take 0 rows")
		require.ErrorContains(t, g.Copy(f),
			dtype.String()+" [2 2] does not take "+dtype.String()+" [3 2]")
		require.NoError(t, g.Copy(f.Rows(0, 2)))
		require.Equal(t, want[:4], g.Float64s())
		require.Panics(t, func() { f.Put32(5, []float32{1, 2}) }, "not half of it")
		require.NotPanics(t, func() { require.NoError(t, make(0, 3).Gather(make(0, 3), []int{0})) })
	}
	x := gorgonia.NewF64(3)
	f, err := run.FloatsOf(x)
	require.NoError(t, err)
	f.Set(0, math.Pi)
	require.Equal(t, math.Pi, x.Data())

	turned := tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float64{1, 2, 3, 4, 5, 6}))
	require.NoError(t, turned.T())
	column, err := tensor.New(tensor.WithShape(2, 3), tensor.Of(tensor.Float32)).Slice(nil,
		gorgonia.S(1))
	require.NoError(t, err)
	for want, v := range map[string]gorgonia.Value{
		"the value is <nil>":        nil,
		"value is *tensor.Dense":    (*tensor.Dense)(nil),
		"(3, 2) is transposed":      turned,
		"(2) is transposed, masked": column,
		"is of int, want":           tensor.New(tensor.Of(tensor.Int), tensor.WithShape(2)),
	} {
		_, err := run.FloatsOf(v)
		require.Error(t, err)
		require.ErrorContains(t, err, want)
	}
}

func TestState(t *testing.T) {
	parts := []cells.Part{{Name: "h", Width: 3}, {Name: "c", Width: 1}}
	for _, dtype := range dtypes {
		s, err := run.NewState(parts, 2, dtype)
		require.NoError(t, err)
		h := s.Parts()[0]
		h.Fill(1)
		require.Equal(t, []int{2, 3}, h.Shape())
		require.NoError(t, s.Reset(1))
		require.Equal(t, []float64{1, 1, 1, 0, 0, 0}, h.Float64s())
		require.ErrorContains(t, s.Reset(2), "sequence 2 in a batch of 2")
		require.ErrorContains(t, s.Reset(-1), "sequence -1")
		f, err := run.FloatsOf(s.Tensors()[0])
		require.NoError(t, err)
		require.Equal(t, h, f, "the same memory")
		s.Zero()
		require.Equal(t, make([]float64, 6), f.Float64s())
	}
	_, err := run.NewState(parts, 1<<40, nodes.Float32)
	require.ErrorContains(t, err, "more than")
	_, err = run.NewState(parts, 1, tensor.Int)
	require.ErrorContains(t, err, `state "h" is of int`)
}
