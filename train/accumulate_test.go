package train

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/rng"
)

func TestAccumulator(t *testing.T) {
	t.Run("float64", testAccumulator[float64])
	t.Run("float32", testAccumulator[float32])
}

func testAccumulator[T float](t *testing.T) {
	for _, sum := range []bool{false, true} {
		a, err := NewAccumulator(AccumulatorConfig{Batches: 3, Sum: sum})
		require.NoError(t, err)
		require.Nil(t, a.Take())
		params := []gorgonia.ValueGrad{newParam("w", normals[T](rng.New(1), 5), 5),
			newParam("s", []T{2})}
		for round, batches := range []int{3, 3, 2, 1, 3} { // some taken before they are full
			want := make([]float64, 6)
			for n := range batches {
				grads := normals[T](rng.New(uint64(100*round+n)), 6)
				copy(dataOf[T](params[0].(*param).grad), grads[:5])
				copy(dataOf[T](params[1].(*param).grad), grads[5:])
				for i, g := range grads {
					want[i] += float64(g)
				}
				full, err := a.Add(params)
				require.NoError(t, err)
				require.Equal(t, n == 2, full)
				require.Equal(t, convert[float64](grads), gradsOf[T](params), "the gradients stay")
			}
			if !sum {
				scale(want, 1/float64(batches))
			}
			taken := a.Take()
			require.Len(t, taken, 2)
			var got []float64
			for i, vg := range taken {
				require.Equal(t, params[i].(*param).name, vg.(gorgonia.Namer).Name())
				require.Same(t, params[i].Value(), vg.Value())
				grad, err := vg.Grad()
				require.NoError(t, err)
				require.IsType(t, vg.Value(), grad)
				got = append(got, convert[float64](dataOf[T](grad))...)
			}
			testkit.RequireInDelta(t, want, got, 1e-6)
			require.Nil(t, a.Take(), "taken once")
		}
	}
}

func TestAccumulatorErrors(t *testing.T) {
	a, err := NewAccumulator(AccumulatorConfig{Batches: 2})
	require.NoError(t, err)
	w, b := newParam("w", []float64{1, 2}, 2), newParam("b", []float64{3}, 1)
	list := func(params ...gorgonia.ValueGrad) []gorgonia.ValueGrad { return params }
	add := func(params ...gorgonia.ValueGrad) error { _, err := a.Add(params); return err }

	require.ErrorContains(t, add(w, nil), "parameter 1 is nil")
	dataOf[float64](w.grad)[0] = 7
	require.NoError(t, add(w, b))
	require.ErrorContains(t, add(w), "1 parameters are listed, but 2 were at first")
	require.ErrorContains(t, add(b, w),
		`parameter 0 is "b", float64 [1], but was "w", float64 [2], at first`)
	require.ErrorContains(t, add(w, newParam("b", []float32{3}, 1)),
		`parameter 1 is "b", float32 [1]`)
	require.NoError(t, add(w, b), "still the second")
	full, err := a.Add(list(w, b))
	require.True(t, full)
	require.ErrorContains(t, err, "all 2 micro-batches are in; Take them first")
	grad, _ := a.Take()[0].Grad()
	require.Equal(t, []float64{7, 0}, grad.Data(), "the mean of 7 and 7")

	one, err := NewAccumulator(AccumulatorConfig{})
	require.NoError(t, err)
	full, err = one.Add(nil)
	require.NoError(t, err)
	require.True(t, full)
	require.Empty(t, one.Take())
}

// Two half batches make the same step as the whole batch, in a plain Gorgonia program, and for
// Gorgonia's solver too.
func TestAccumulatorInGorgonia(t *testing.T) {
	weights := func(rows, times int, solver gorgonia.Solver) []float64 {
		g := gorgonia.NewGraph()
		w := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithName("w"), gorgonia.WithShape(3),
			gorgonia.WithInit(gorgonia.Ones()))
		x := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithName("x"),
			gorgonia.WithShape(rows, 3))
		loss := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Mul(x, w))))))
		_, err := gorgonia.Grad(loss, w)
		require.NoError(t, err)
		vm := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(w))
		defer vm.Close()
		a, err := NewAccumulator(AccumulatorConfig{Batches: times})
		require.NoError(t, err)
		for round := range 5 {
			data := normals[float64](rng.New(uint64(round)), 12)
			for n := range times {
				part := tensor.New(tensor.WithShape(rows, 3),
					tensor.WithBacking(data[3*rows*n:3*rows*(n+1)]))
				require.NoError(t, gorgonia.Let(x, part))
				require.NoError(t, vm.RunAll())
				_, err := a.Add(gorgonia.NodesToValueGrads(gorgonia.Nodes{w}))
				require.NoError(t, err)
				vm.Reset()
			}
			require.NoError(t, solver.Step(a.Take()))
		}
		return w.Value().Data().([]float64)
	}
	sgd := func() gorgonia.Solver {
		o, err := NewSGD(SGDConfig{LR: 0.05})
		require.NoError(t, err)
		return o
	}
	want := weights(4, 1, sgd())
	testkit.RequireInDelta(t, want, weights(2, 2, sgd()), 1e-12)
	testkit.RequireInDelta(t, want, weights(2, 2,
		gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.05))), 1e-12)
}
