package decode_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo/decode"
)

// The cases of the golden family decode whose method is filter.
func TestGoldenFilter(t *testing.T) {
	root := filepath.Join("..", "..")
	dir := cmp.Or(os.Getenv("GOLDEN_DIR"), filepath.Join("golden", "testdata")) // from the root
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	data, err := os.ReadFile(filepath.Join(dir, "decode.json"))
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("GOLDEN_DIR") != "" {
		t.Skipf("GOLDEN_DIR, which is %s, has no family decode", dir)
	}
	require.NoError(t, err)
	type tensor struct{ Data []float64 }
	var file struct {
		Cases []struct {
			Name   string
			Config struct {
				Method      string
				Temperature float64
				TopK        int     `json:"top_k"`
				TopP        float64 `json:"top_p"`
				B, V        int
			}
			Inputs  struct{ Logits tensor }
			Outputs struct{ Keep, Probs tensor }
		}
	}
	// Other methods have tensors of other names; only what is named above is read.
	require.NoError(t, json.Unmarshal(data, &file))
	ran := 0
	for _, c := range file.Cases {
		if c.Config.Method != "filter" {
			continue
		}
		ran++
		t.Run(c.Name, func(t *testing.T) {
			s := decode.Sampler{Temperature: c.Config.Temperature, TopK: c.Config.TopK,
				TopP: c.Config.TopP}
			check := func(probs []float64, row int, kept []decode.Candidate, err error, rtol,
				atol float64) {
				require.NoError(t, err)
				got, keep := make([]float64, c.Config.V), make([]float64, c.Config.V)
				for _, k := range kept {
					got[k.ID], keep[k.ID] = k.Prob, 1
				}
				require.Equal(t, c.Outputs.Keep.Data[row:row+c.Config.V], keep)
				testkit.RequireInDelta(t, probs, got, atol+rtol*slices.Max(probs))
			}
			for b := range c.Config.B {
				row := b * c.Config.V
				probs, logits := c.Outputs.Probs.Data[row:row+c.Config.V],
					c.Inputs.Logits.Data[row:row+c.Config.V]
				kept, err := decode.Filter(&s, logits)
				check(probs, row, kept, err, 1e-9, 1e-12)
				kept, err = decode.Filter(&s, narrow(logits))
				check(probs, row, kept, err, 1e-4, 1e-5)
			}
		})
	}
	require.NotZero(t, ran)
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i := range x {
		y[i] = float32(x[i])
	}
	return y
}

func ids(candidates []decode.Candidate) []int {
	all := []int{}
	for _, c := range candidates {
		all = append(all, c.ID)
	}
	return all
}

var inf = math.Inf(1)

func TestFilter(t *testing.T) {
	flat := []float64{1, 1, 1, 1}
	for _, c := range []struct {
		name   string
		s      decode.Sampler
		logits []float64
		want   []int
	}{
		{"greedy", decode.Sampler{}, []float64{0, 3, 2}, []int{1}},
		{"greedy takes the first of equals", decode.Sampler{TopK: 1, TopP: 1},
			[]float64{-inf, 2, 2}, []int{1}},
		{"all, likeliest first", decode.Sampler{Temperature: 1}, []float64{0, 3, 2, 3},
			[]int{1, 3, 2, 0}},
		{"one token", decode.Sampler{Temperature: 1, TopK: 5, TopP: 0.5}, []float64{7}, []int{0}},
		{"equals by id, top k", decode.Sampler{Temperature: 1, TopK: 2}, flat, []int{0, 1}},
		{"equals by id, top p", decode.Sampler{Temperature: 1, TopP: 0.7}, flat, []int{0, 1, 2}},
		{"top p reached exactly", decode.Sampler{Temperature: 1, TopP: 0.5}, flat, []int{0, 1}},
		{"top p of what top k left", decode.Sampler{Temperature: 1, TopK: 2, TopP: 0.6}, flat,
			[]int{0, 1}},
		{"smallest top p", decode.Sampler{Temperature: 1, TopP: 5e-324}, flat, []int{0}},
		{"masked tokens", decode.Sampler{Temperature: 1, TopK: 3}, []float64{-inf, 1, -inf, 2},
			[]int{3, 1}},
		{"almost cold", decode.Sampler{Temperature: 5e-324, TopP: 0.9}, []float64{1, 2, 1.5},
			[]int{1}},
		{"very hot", decode.Sampler{Temperature: math.MaxFloat64, TopK: 2},
			[]float64{-1e308, 1e308, 3}, []int{1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			kept, err := decode.Filter(&c.s, c.logits)
			require.NoError(t, err)
			require.Equal(t, c.want, ids(kept))
			sum := 0.
			for _, k := range kept {
				require.GreaterOrEqual(t, k.Prob, 0.)
				sum += k.Prob
			}
			require.InDelta(t, 1, sum, 1e-12)
		})
	}
}

func TestErrors(t *testing.T) {
	some := []float64{1, 2}
	for _, c := range []struct {
		s      decode.Sampler
		logits []float64
		want   []string
	}{
		{decode.Sampler{Temperature: -1}, some, []string{"Temperature is -1"}},
		{decode.Sampler{Temperature: inf}, some, []string{"Temperature is +Inf"}},
		{decode.Sampler{Temperature: math.NaN(), TopK: -2, TopP: 1.5}, some,
			[]string{"Temperature is NaN", "TopK is -2", "TopP is 1.5"}},
		{decode.Sampler{TopP: math.NaN()}, some, []string{"TopP is NaN"}},
		{decode.Sampler{TopP: -0.1}, some, []string{"TopP is -0.1; it must lie between 0 and 1"}},
		{decode.Sampler{}, nil, []string{"none of 0 logits"}},
		{decode.Sampler{Temperature: 1}, []float64{-inf, -inf},
			[]string{"none of 2 logits is above -Inf"}},
		{decode.Sampler{}, []float64{1, math.NaN()}, []string{"logits[1] is NaN"}},
		{decode.Sampler{Temperature: 1}, []float64{inf, 1}, []string{"logits[0] is +Inf"}},
	} {
		_, err := decode.Filter(&c.s, c.logits)
		_, err2 := decode.Sample(&c.s, narrow(c.logits), &rng.Stream{})
		for _, want := range c.want {
			require.ErrorContains(t, err, want)
			require.ErrorContains(t, err2, strings.Fields(want)[0])
		}
	}
	_, err := decode.Sample(&decode.Sampler{Temperature: 1}, some, nil)
	require.ErrorContains(t, err, "no source of random numbers")
	id, err := decode.Sample(&decode.Sampler{}, some, nil)
	require.NoError(t, err)
	require.Equal(t, 1, id)
}

// What is drawn has the frequencies that Filter states, and the same stream draws the same.
func TestSampleFrequencies(t *testing.T) {
	const n = 100_000
	logits := []float32{0.3, -1, 2, 1.1, float32(-inf), 0}
	for _, s := range []decode.Sampler{
		{Temperature: 1}, {Temperature: 0.7, TopK: 3}, {Temperature: 1.3, TopP: 0.8},
		{Temperature: 2, TopK: 4, TopP: 0.9},
	} {
		want := make([]float64, len(logits))
		kept, err := decode.Filter(&s, logits)
		require.NoError(t, err)
		for _, k := range kept {
			want[k.ID] = k.Prob
		}
		a, b := rng.Stream{Key: rng.New(1)}, rng.Stream{Key: rng.New(1)}
		seen := make([]float64, len(logits))
		for range n {
			id, err := decode.Sample(&s, logits, &a)
			require.NoError(t, err)
			same, err := decode.Sample(&s, logits, &b)
			require.NoError(t, err)
			require.Equal(t, id, same)
			seen[id] += 1. / n
		}
		for id, p := range want {
			require.InDelta(t, p, seen[id], 5*math.Sqrt(p*(1-p)/n)+1e-12)
		}
	}
}

type constant float64

func (c constant) Float64() float64 { return float64(c) }

// A source that breaks its word, or stands at its very end, still draws a token that is possible.
func TestSampleAtTheEnds(t *testing.T) {
	logits := []float64{-5000, 1, 2, -5000}
	for _, s := range []decode.Sampler{{Temperature: 1}, {Temperature: 1, TopP: 0.9999999},
		{Temperature: 1, TopK: 3}} {
		for _, u := range []float64{0, math.Nextafter(1, 0), 1, 2, -1, math.NaN()} {
			id, err := decode.Sample(&s, logits, constant(u))
			require.NoError(t, err)
			if u >= 0 {
				require.Contains(t, []int{1, 2}, id)
			}
		}
	}
	id, err := decode.Sample(&decode.Sampler{Temperature: 1}, logits, rand.New(rand.NewPCG(1, 2)))
	require.NoError(t, err)
	require.Contains(t, []int{1, 2}, id)
}

func TestSampleDoesNotAllocate(t *testing.T) {
	logits := make([]float32, 1000)
	for i := range logits {
		logits[i] = float32(rng.New(2).Normal(uint64(i)))
	}
	r := &rng.Stream{}
	for _, s := range []decode.Sampler{{}, {Temperature: 1}, {Temperature: 1, TopK: 40},
		{Temperature: 1, TopP: 0.9}} {
		require.Zero(t, testing.AllocsPerRun(20, func() {
			if _, err := decode.Sample(&s, logits, r); err != nil {
				panic(err)
			}
		}))
	}
}

func TestTopN(t *testing.T) {
	logits := []float32{0, float32(math.Log(2)), 0, float32(-inf)}
	top, err := decode.TopN(logits, 2)
	require.NoError(t, err)
	require.Equal(t, []int{1, 0}, ids(top))
	require.InDelta(t, 0.5, top[0].Prob, 1e-6)
	require.InDelta(t, 0.25, top[1].Prob, 1e-6)
	top, err = decode.TopN(logits, math.MaxInt)
	require.NoError(t, err)
	require.Equal(t, []int{1, 0, 2}, ids(top))
	for _, n := range []int{0, -1} {
		_, err = decode.TopN(logits, n)
		require.ErrorContains(t, err, "at least 1 token")
	}
	_, err = decode.TopN([]float64{}, 1)
	require.ErrorContains(t, err, "none of 0 logits")
}

// Filter against its definition, written out plainly.
func TestFilterProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		logits := rapid.SliceOfN(rapid.Float64Range(-9, 9), 1, 40).Draw(t, "logits")
		s := decode.Sampler{
			Temperature: rapid.Float64Range(0.05, 5).Draw(t, "temperature"),
			TopK:        rapid.IntRange(0, 45).Draw(t, "top k"),
			TopP:        rapid.Float64Range(0, 1).Draw(t, "top p"),
		}
		kept, err := decode.Filter(&s, logits)
		require.NoError(t, err)
		order := make([]int, len(logits))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int {
			switch {
			case logits[i] > logits[j]:
				return -1
			case logits[i] < logits[j]:
				return 1
			}
			return 0
		})
		require.Equal(t, order[:len(kept)], ids(kept))
		if s.TopK > 0 {
			order = order[:min(s.TopK, len(order))]
		}
		mass := func(ids []int) (sum float64) {
			for _, i := range ids {
				sum += math.Exp((logits[i] - logits[order[0]]) / s.Temperature)
			}
			return sum
		}
		if s.TopP == 0 || s.TopP == 1 {
			require.Len(t, kept, len(order))
		} else {
			require.GreaterOrEqual(t, mass(order[:len(kept)])/mass(order), s.TopP-1e-12)
			require.LessOrEqual(t, mass(order[:len(kept)-1])/mass(order), s.TopP+1e-12)
		}
		for _, k := range kept {
			require.InDelta(t, mass([]int{k.ID})/mass(order[:len(kept)]), k.Prob, 1e-12)
		}
	})
}

// What selects a few is what sorts all and cuts.
func TestSelectionIsSorting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 70).Draw(t, "V")
		logits := rapid.SliceOfN(rapid.Float64Range(-3, 3), n, n).Draw(t, "logits")
		for i := range logits { // many are equal
			logits[i] = math.Round(logits[i])
		}
		if rapid.Bool().Draw(t, "some impossible") && n > 1 {
			logits[n/2] = math.Inf(-1)
		}
		all, err := decode.Filter(&decode.Sampler{Temperature: 1}, logits)
		require.NoError(t, err)
		k := rapid.IntRange(1, n+2).Draw(t, "k")
		few, err := decode.TopN(logits, k)
		require.NoError(t, err)
		require.Equal(t, ids(all[:min(k, len(all))]), ids(few))
		for i, c := range few {
			require.InDelta(t, all[i].Prob, c.Prob, 1e-12)
		}
		few, err = decode.Filter(&decode.Sampler{Temperature: 0.7, TopK: k}, logits)
		require.NoError(t, err)
		require.Equal(t, ids(all[:min(k, len(all))]), ids(few))

		p := rapid.Float64Range(0.01, 0.99).Draw(t, "p")
		few, err = decode.Filter(&decode.Sampler{Temperature: 1, TopP: p}, logits)
		require.NoError(t, err)
		require.Equal(t, ids(all[:len(few)]), ids(few))
		before, sum := 0., 0.
		for _, c := range all[:len(few)] {
			before, sum = sum, sum+c.Prob
		}
		require.Less(t, before, p+1e-12)
		require.Greater(t, sum, p-1e-12)
	})
}

func BenchmarkSample(b *testing.B) {
	logits := make([]float32, 33_278)
	for i := range logits {
		logits[i] = float32(3 * rng.New(2).Normal(uint64(i)))
	}
	for _, c := range []struct {
		name string
		s    decode.Sampler
	}{
		{"filter=none", decode.Sampler{Temperature: 1}},
		{"filter=top_k", decode.Sampler{Temperature: 1, TopK: 40}},
		{"filter=top_p", decode.Sampler{Temperature: 1, TopP: 0.9}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			r := &rng.Stream{}
			for b.Loop() {
				if _, err := decode.Sample(&c.s, logits, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The five likeliest of a vocabulary.
func BenchmarkTopN(b *testing.B) {
	random := rng.Stream{Key: rng.New(1)}
	logits := make([]float32, 50_000)
	for i := range logits {
		logits[i] = float32(6 * random.Normal())
	}
	b.ReportAllocs()
	for b.Loop() {
		_, err := decode.TopN(logits, 5)
		require.NoError(b, err)
	}
}
