package nodes_test

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
)

func TestStoreAndScopes(t *testing.T) {
	s := nodes.NewStore(nodes.Float32, 1)
	root := s.Root()
	l0 := root.In("encoder").In("l%d", 0)
	w := l0.Param("W_ih", nodes.XavierUniform(1), 3, 4)
	b := root.Param("b", nodes.Zeros(), 5)
	percent := root.In("100%%").Param("%d", nodes.Ones(), 1)
	require.Equal(t, "", root.Path())
	require.Equal(t, "encoder/l0", l0.Path())
	require.Equal(t, "encoder/l0/W_ih", w.Name())
	require.Equal(t, "W_ih", w.Leaf())
	require.Equal(t, "b", b.Leaf())
	require.Equal(t, "100%/%d", percent.Name())
	require.Equal(t, []int{3, 4}, w.Shape())
	require.Equal(t, []*nodes.Param{w, b, percent}, s.Params())
	require.Equal(t, 18, s.Count())
	require.Equal(t, nodes.Float32, s.Dtype())
	require.Same(t, w, root.In("encoder").In("l0").Shared("W_ih"))
	got, ok := s.Get("encoder/l0/W_ih")
	require.True(t, ok)
	require.Same(t, w, got)
	_, ok = s.Get("encoder/l0")
	require.False(t, ok)

	// What is handed out is a copy.
	w.Shape()[0] = 99
	s.Params()[0] = nil
	require.Equal(t, []int{3, 4}, w.Shape())
	require.Same(t, w, s.Params()[0])
}

func TestDeclarationMistakes(t *testing.T) {
	scope := nodes.NewStore(nodes.Float64, 1).Root().In("encoder")
	scope.Param("W", nodes.Zeros(), 2, 3)
	for want, build := range map[string]func(){
		"encoder: Param: encoder/W is declared already; to use one parameter twice, ask for it " +
			"with Shared": func() {
			scope.Param("W", nodes.Zeros(), 2, 3)
		},
		"encoder: Shared: encoder/V is not declared; declare it with Param first": func() {
			scope.Shared("V")
		},
		"encoder: Param: encoder/V has no shape: want at least one axis": func() {
			scope.Param("V", nodes.Zeros())
		},
		"encoder: Param: encoder/V: shape [2, 0]: every size must be at least 1": func() {
			scope.Param("V", nodes.Zeros(), 2, 0)
		},
		"encoder: Param: encoder/V: shape [-1]: every size must be at least 1": func() {
			scope.Param("V", nodes.Zeros(), -1)
		},
		"encoder: Param: encoder/V: shape [1099511627776] has more than 2³¹−1 elements": func() {
			scope.Param("V", nodes.Zeros(), 1<<40)
		},
		"encoder: Param: encoder/V: shape [4294967296, 4294967296] has more than 2³¹−1 " +
			"elements": func() {
			scope.Param("V", nodes.Zeros(), 1<<32, 1<<32)
		},
		"encoder: Param: encoder/V: initialiser orthogonal(1) wants a matrix": func() {
			scope.Param("V", nodes.Orthogonal(1), 3)
		},
		"encoder: Param: encoder/V: initialiser blocks(zeros, constant(1)): 2 parts do not " +
			"divide a last axis of 3": func() {
			scope.Param("V", nodes.Blocks(nodes.Zeros(), nodes.Ones()), 3)
		},
		"encoder: Param: encoder/V: initialiser blocks(): 0 parts do not divide a last axis of " +
			"3": func() {
			scope.Param("V", nodes.Blocks(), 3)
		},
		"encoder: Param: encoder/V: initialiser uniform(1, -1): the bounds are in the wrong " +
			"order": func() {
			scope.Param("V", nodes.Uniform(1, -1), 3)
		},
		"encoder: Param: encoder/V: initialiser normal(0, -1): the standard deviation is " +
			"negative": func() {
			scope.Param("V", nodes.Normal(0, -1), 3)
		},
		"encoder: Param: encoder/V: initialiser constant(NaN) is not finite": func() {
			scope.Param("V", nodes.Constant(math.NaN()), 3)
		},
		"encoder: Param: encoder/V: initialiser uniform(-Inf, 0) is not finite": func() {
			scope.Param("V", nodes.Uniform(math.Inf(-1), 0), 3)
		},
		"encoder: Param: encoder/V: initialiser he normal(NaN) is not finite": func() {
			scope.Param("V", nodes.Gates(3, nodes.HeNormal(math.NaN())), 3)
		},
		"encoder: Param: the name \"\": want one or more printable characters, no slash and no " +
			"space": func() {
			scope.Param("", nodes.Zeros(), 1)
		},
		"encoder: Param: the name \"a/b\": want one or more printable characters, no slash and " +
			"no space": func() {
			scope.Param("a/b", nodes.Zeros(), 1)
		},
		"encoder: Param: the name \"a b\": want one or more printable characters, no slash and " +
			"no space": func() {
			scope.Param("a b", nodes.Zeros(), 1)
		},
		"encoder: Param: the name \"a\\x00\": want one or more printable characters, no slash " +
			"and no space": func() {
			scope.Param("a\x00", nodes.Zeros(), 1)
		},
		"encoder: Param: the name \"\\xff\": want one or more printable characters, no slash and " +
			"no space": func() {
			scope.Param("\xff", nodes.Zeros(), 1)
		},
		"encoder: Scope: the name \"\": want one or more printable characters, no slash and no " +
			"space": func() {
			scope.In("")
		},
		"encoder: Scope: the name \"l\\n\": want one or more printable characters, no slash and " +
			"no space": func() {
			scope.In("l%s", "\n")
		},
		"NewStore: dtype int: want Float32 or Float64": func() { nodes.NewStore(nodes.Int, 1) },
	} {
		t.Run(want, func(t *testing.T) { fails(t, want, build) })
	}
	require.NoError(t, nodes.Try(func() { scope.Param("größe_日本語", nodes.Zeros(), 1) }))
}

// A value depends on the seed and the path alone: not on the order of declaration, on what else
// there is, on what was looked at first, or on the float type.
func TestInitialValuesDependOnSeedAndPathAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		inits := []nodes.Init{nodes.XavierUniform(1), nodes.Normal(0, 1), nodes.Orthogonal(1),
			nodes.Gates(2, nodes.HeNormal(1)), nodes.Uniform(-1, 1)}
		seed := rapid.Uint64().Draw(t, "seed")
		names := []string{"a", "b", "c/W", "c/d/W", "W"}
		declare := func(s *nodes.Store, order []int) map[string]*nodes.Param {
			m := map[string]*nodes.Param{}
			for _, i := range order {
				scope, leaf := s.Root(), names[i]
				for k := slices.Index([]byte(leaf), '/'); k >= 0; k = slices.Index([]byte(leaf),
					'/') {
					scope, leaf = scope.In("%s", leaf[:k]), leaf[k+1:]
				}
				m[names[i]] = scope.Param(leaf, inits[i], 3, 4)
			}
			return m
		}
		all := []int{0, 1, 2, 3, 4}
		want := declare(nodes.NewStore(nodes.Float64, seed), all)
		some := rapid.Permutation(all).Draw(t, "order")[:rapid.IntRange(1, 5).Draw(t, "how many")]
		other := nodes.NewStore(nodes.Float64, seed)
		half := declare(nodes.NewStore(nodes.Float32, seed), some)
		got := declare(other, some)
		slices.Reverse(some)
		for _, i := range some {
			w := testkit.Floats(want[names[i]].Value())
			if !slices.Equal(w, testkit.Floats(got[names[i]].Value())) {
				t.Fatalf("%s depends on more than its path", names[i])
			}
			for k, v := range testkit.Floats(half[names[i]].Value()) {
				if v != float64(float32(w[k])) {
					t.Fatalf("%s in float32 is %v, want %v", names[i], v, w[k])
				}
			}
		}
	})
	value := func(seed uint64, name string) []float64 {
		return elements(nodes.NewStore(nodes.Float64, seed).Root().Param(name, nodes.Normal(0, 1),
			8))
	}
	require.NotEqual(t, value(1, "a"), value(2, "a"))
	require.NotEqual(t, value(1, "a"), value(1, "b"))
	require.Equal(t, value(1, "a"), value(1, "a"))
	s := nodes.NewStore(nodes.Float64, 1).Root()
	l0, l1 := s.In("l0").Param("W", nodes.Normal(0, 1), 8),
		s.In("l1").Param("W", nodes.Normal(0, 1), 8)
	require.NotEqual(t, testkit.Floats(l0.Value()), testkit.Floats(l1.Value()),
		"layers must not start alike")
}

func TestValueIsMadeOnce(t *testing.T) {
	p := nodes.NewStore(nodes.Float64, 1).Root().Param("W", nodes.Normal(0, 1), 100, 100)
	values := make([]any, 8)
	var wg sync.WaitGroup
	for i := range values {
		wg.Go(func() { values[i] = p.Value() })
	}
	wg.Wait()
	for _, v := range values {
		require.Same(t, p.Value(), v)
	}
}

func TestInitialiserStatistics(t *testing.T) {
	const in, out = 300, 200
	n := float64(in * out)
	for _, c := range []struct {
		init      nodes.Init
		mean, std float64
		bound     float64 // of uniform distributions
	}{
		{nodes.Uniform(-1, 3), 1, 4 / math.Sqrt(12), 3},
		{nodes.Normal(2, 0.5), 2, 0.5, 0},
		{nodes.XavierUniform(1), 0, math.Sqrt(2.0 / (in + out)), math.Sqrt(6.0 / (in + out))},
		{nodes.XavierUniform(5.0 / 3), 0, 5.0 / 3 * math.Sqrt(2.0/(in+out)),
			5.0 / 3 * math.Sqrt(6.0/(in+out))},
		{nodes.XavierNormal(2), 0, 2 * math.Sqrt(2.0/(in+out)), 0},
		{nodes.HeUniform(math.Sqrt2), 0, math.Sqrt(2.0 / in), math.Sqrt(6.0 / in)},
		{nodes.HeNormal(math.Sqrt2), 0, math.Sqrt(2.0 / in), 0},
		{nodes.HeUniformOut(1), 0, math.Sqrt(1.0 / out), math.Sqrt(3.0 / out)},
		{nodes.HeNormalOut(1), 0, math.Sqrt(1.0 / out), 0},
		{nodes.LeCunUniform(), 0, math.Sqrt(1.0 / in), math.Sqrt(3.0 / in)},
		{nodes.LeCunNormal(), 0, math.Sqrt(1.0 / in), 0},
		{nodes.Orthogonal(1), 0, math.Sqrt(1.0 / in), 0},
		{nodes.Gates(4, nodes.XavierNormal(1)), 0, math.Sqrt(2.0 / (in + out/4)), 0},
	} {
		t.Run(c.init.String(), func(t *testing.T) {
			w := elements(nodes.NewStore(nodes.Float64, 3).Root().Param("W", c.init, in, out))
			mean := sum(w) / n
			variance, third, top := 0.0, 0.0, math.Inf(-1)
			for _, v := range w {
				variance += (v - mean) * (v - mean) / n
				third += math.Pow((v-mean)/c.std, 3) / n
				top = max(top, v)
			}
			require.InDelta(t, c.mean, mean, 5*c.std/math.Sqrt(n))
			require.InDelta(t, 1, math.Sqrt(variance)/c.std, 5/math.Sqrt(n))
			require.InDelta(t, 0, third, 5*math.Sqrt(15/n), "skewed")
			if c.bound > 0 {
				require.LessOrEqual(t, top, c.bound)
				require.Greater(t, top, c.bound-0.01*c.std)
			} else {
				require.Greater(t, top-c.mean, 3*c.std, "no tail")
			}
		})
	}
	require.True(t, nodes.Zeros().IsZero())
	require.False(t, nodes.Ones().IsZero())
	require.Equal(t, []float64{0, 0},
		elements(nodes.NewStore(nodes.Float64, 1).Root().Param("b", nodes.Zeros(), 2)))
	require.Equal(t, []float64{-0.5, -0.5},
		elements(nodes.NewStore(nodes.Float64, 1).Root().Param("b", nodes.Constant(-0.5), 2)))
}

func TestOrthogonal(t *testing.T) {
	for _, s := range [][2]int{{1, 1}, {1, 7}, {7, 1}, {2, 2}, {5, 3}, {3, 5}, {32, 32}, {33, 33},
		{97, 64}, {64, 97}, {131, 131}} {
		for _, gain := range []float64{1, 0.3, -2} {
			t.Run(fmt.Sprint(s, gain), func(t *testing.T) {
				w := elements(nodes.NewStore(nodes.Float64, 5).Root().Param("W",
					nodes.Orthogonal(gain), s[0], s[1]))
				n, length := min(s[0], s[1]), max(s[0], s[1])
				at := func(v, k int) float64 {
					if s[0] > s[1] {
						return w[k*s[1]+v]
					}
					return w[v*s[1]+k]
				}
				for u := range n {
					for v := range u + 1 {
						var dot float64
						for k := range length {
							dot += at(u, k) * at(v, k)
						}
						require.InDelta(t, gain*gain*truth(u == v), dot, 1e-13*gain*gain)
					}
				}
			})
		}
	}
}

// Blocks fill their part of the last axis, and see its shape.
func TestBlocks(t *testing.T) {
	s := nodes.NewStore(nodes.Float64, 1).Root()
	b := s.Param("b", nodes.Blocks(nodes.Zeros(), nodes.Ones(), nodes.Constant(2)), 6)
	require.Equal(t, []float64{0, 0, 1, 1, 2, 2}, testkit.Floats(b.Value()))
	w := elements(s.Param("W", nodes.Blocks(nodes.Orthogonal(1),
		nodes.Blocks(nodes.Constant(3), nodes.Constant(4))), 2, 4))
	require.InDelta(t, 0, w[0]*w[4]+w[1]*w[5], 1e-15)
	require.InDelta(t, 1, w[0]*w[0]+w[1]*w[1], 1e-15)
	require.Equal(t, []float64{3, 4, 3, 4}, []float64{w[2], w[3], w[6], w[7]})
	gates := elements(s.Param("G", nodes.Gates(2, nodes.Normal(0, 1)), 3, 4))
	require.NotEqual(t, gates[0:2], gates[2:4], "the gates must not be copies")
	cube := elements(s.Param("C", nodes.Blocks(nodes.Zeros(), nodes.Ones()), 2, 1, 2))
	require.Equal(t, []float64{0, 1, 0, 1}, cube)
}

// Blank draws nothing for a parameter without a value, and leaves one that has a value as it is.
func TestBlank(t *testing.T) {
	for _, dtype := range []tensor.Dtype{nodes.Float32, nodes.Float64} {
		s := nodes.NewStore(dtype, 1)
		p := s.Root().Param("W", nodes.Normal(0, 1), 3, 4)
		v := steps.Blank(p)
		require.Equal(t, make([]float64, 12), testkit.Floats(v))
		require.Same(t, v, p.Value())
		require.Same(t, v, steps.Blank(p))

		p = s.Root().Param("V", nodes.Ones(), 2)
		require.Same(t, p.Value(), steps.Blank(p))
		require.Equal(t, []float64{1, 1}, testkit.Floats(p.Value()))
	}
}
