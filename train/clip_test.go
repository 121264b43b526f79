package train

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/internal/testkit"
)

// withGrads lists parameters with the gradients given.
func withGrads[T float](grads ...[]T) (params []gorgonia.ValueGrad) {
	for i, g := range grads {
		p := newParam(string(rune('a'+i)), make([]T, len(g)), len(g))
		copy(dataOf[T](p.grad), g)
		params = append(params, p)
	}
	return params
}

func gradsOf[T float](params []gorgonia.ValueGrad) (all []float64) {
	for _, p := range params {
		all = append(all, convert[float64](dataOf[T](p.(*param).grad))...)
	}
	return all
}

func TestClip(t *testing.T) {
	for _, c := range []struct {
		name string
		clip Clip
		want []float64
	}{
		{"none", Clip{}, []float64{3, 0, -12, 4}},
		{"norm", Clip{Norm: 6.5, Eps: Zero}, []float64{1.5, 0, -6, 2}},
		{"norm with eps", Clip{Norm: 7, Eps: 1}, []float64{1.5, 0, -6, 2}},
		{"norm with the default eps", Clip{Norm: 1},
			[]float64{3 / 13.000001, 0, -12 / 13.000001, 4 / 13.000001}},
		{"norm within the limit", Clip{Norm: 13.1}, []float64{3, 0, -12, 4}},
		{"norm at the limit", Clip{Norm: 13, Eps: Zero}, []float64{3, 0, -12, 4}},
		{"value", Clip{Value: 3.5}, []float64{3, 0, -3.5, 3.5}},
		{"Zero is 0", Clip{Norm: Zero}, []float64{0, 0, 0, 0}},
		{"each", Clip{Norm: 6, Eps: Zero, Each: true},
			[]float64{3, 0, -12 * 6 / math.Sqrt(160), 4 * 6 / math.Sqrt(160)}},
		{"each within the limit", Clip{Norm: 12.9, Each: true}, []float64{3, 0, -12, 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			params := withGrads([]float64{3, 0}, []float64{-12, 4})
			norm, err := c.clip.Apply(params)
			require.NoError(t, err)
			require.InDelta(t, 13, norm, 1e-12)
			testkit.RequireInDelta(t, c.want, gradsOf[float64](params), 1e-12)

			params = withGrads([]float32{3, 0}, []float32{-12, 4})
			norm, err = c.clip.Apply(params)
			require.NoError(t, err)
			require.InDelta(t, 13, norm, 1e-12)
			testkit.RequireInDelta(t, c.want, gradsOf[float32](params), 1e-5)
		})
	}
	a, b := newParam("a", []float64{1, 1}, 2), newParam("b", []float64{1, 1}, 2)
	b.grad = a.grad // as of a and b in a + b
	copy(dataOf[float64](a.grad), []float64{3, 4})
	norm, err := Clip{Norm: 1, Eps: Zero}.Apply([]gorgonia.ValueGrad{a, b})
	require.NoError(t, err)
	require.InDelta(t, math.Sqrt(50), norm, 1e-12)
	testkit.RequireInDelta(t, []float64{3 / norm, 4 / norm}, a.grad.Data(), 1e-12)

	norm, err = Clip{Norm: 1}.Apply(nil)
	require.NoError(t, err)
	require.Zero(t, norm)

	norm, err = Clip{Norm: 1, Eps: Zero}.Apply(withGrads([]float64{0, 0}))
	require.NoError(t, err, "0/0")
	require.Zero(t, norm)
}

func TestClipNotFinite(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, clip := range []Clip{{Norm: 1}, {Value: 1}} {
		for _, bad := range []float64{nan, inf, -inf} {
			params := withGrads([]float64{3, 5}, []float64{bad, 4})
			norm, err := clip.Apply(params)
			require.NoError(t, err)
			require.True(t, math.IsNaN(norm) || math.IsInf(norm, 1))
			require.Equal(t, []float64{3, 5}, gradsOf[float64](params[:1]),
				"the gradients stay as they are")
			require.Equal(t, 4.0, gradsOf[float64](params)[3])
		}
	}
}

// Squares overflow, the norm does not.
func TestClipExplodedGradient(t *testing.T) {
	params := withGrads([]float64{3e200, 0}, []float64{4e200})
	norm, err := Clip{Norm: 1}.Apply(params)
	require.NoError(t, err)
	require.InEpsilon(t, 5e200, norm, 1e-12)
	testkit.RequireInDelta(t, []float64{0.6, 0, 0.8}, gradsOf[float64](params), 1e-12)

	params = withGrads([]float32{3e38, 0}, []float32{3e38})
	norm, err = Clip{Norm: 1}.Apply(params)
	require.NoError(t, err)
	require.InEpsilon(t, 3e38*math.Sqrt2, norm, 1e-6)
	testkit.RequireInDelta(t, []float64{math.Sqrt2 / 2, 0, math.Sqrt2 / 2}, gradsOf[float32](params),
		1e-6)
}

func TestClipProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		grads := rapid.SliceOfN(rapid.SliceOfN(rapid.Float64Range(-100, 100), 1, 9), 1, 4).Draw(t,
			"grads")
		limit := rapid.Float64Range(0.01, 100).Draw(t, "limit")
		params := withGrads(grads...)
		before := gradsOf[float64](params)

		norm, err := Clip{Norm: limit}.Apply(params)
		require.NoError(t, err)
		require.InDelta(t, math.Sqrt(dot(before, before)), norm, 1e-9)
		after, err := Clip{}.Apply(params)
		require.NoError(t, err)
		require.InDelta(t, min(norm, limit), after, 2e-6*max(1, limit/max(norm, 1e-3)))
		for i, g := range gradsOf[float64](params) {
			require.InDelta(t, before[i]*after, g*norm, 1e-6*max(1, norm), "the direction stays")
		}
	})
}

func TestClipErrors(t *testing.T) {
	_, err := Clip{Norm: -1}.Apply(nil)
	require.ErrorContains(t, err, "Clip.Norm is -1")
	_, err = Clip{Norm: 1}.Apply([]gorgonia.ValueGrad{&broken{*newParam("w", []float64{1, 2}, 2)}})
	require.ErrorContains(t, err, `parameter "w" has no gradient: not run yet`)

	// Without BindDualValues two nodes can share the value of one derivative node: scaling it twice
	// would be wrong.
	g := gorgonia.NewGraph()
	x := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(3), gorgonia.WithName("x"),
		gorgonia.WithInit(gorgonia.Ones()))
	y := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(3), gorgonia.WithName("y"),
		gorgonia.WithInit(gorgonia.Ones()))
	sum := gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Add(x, y))))
	_, err = gorgonia.Grad(gorgonia.Must(gorgonia.Sum(sum)), x, y)
	require.NoError(t, err)
	params := gorgonia.NodesToValueGrads(gorgonia.Nodes{x, y})
	for _, opts := range [][]gorgonia.VMOpt{nil, {gorgonia.BindDualValues(x, y)}} {
		vm := gorgonia.NewTapeMachine(g, opts...)
		require.NoError(t, vm.RunAll())
		norm, err := Clip{}.Apply(params)
		require.NoError(t, err)
		require.InDelta(t, 4*math.Sqrt(6), norm, 1e-12)
		if _, err = (Clip{Norm: 1}).Apply(params); opts == nil {
			require.ErrorContains(t, err, `"x": its gradient is the derivative node's own value`)
		} else {
			require.NoError(t, err)
		}
		require.NoError(t, vm.Close())
	}
}
