package unroll_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// engines run a graph in every way there is.
var engines = map[string]engine{"plain": plain, "compiled": compiled, "tape machine": tape}

// checkEnded wants the values and gradients of p whatever stands behind the ends of its sequences,
// and in the initial state of those without a step, which is their last state too; and gradients of
// 0 there.
func (p problem) checkEnded(t testkit.T, dtype tensor.Dtype, behind float64,
	strategy unroll.Strategy, on engine, what string) {
	t.Helper()
	s := p.setting(t, dtype)
	want := s.run(t, strategy, on)
	s.Behind = behind
	got := s.run(t, strategy, on)
	what = fmt.Sprintf("%s, %v, %v behind the ends", what, dtype, behind)
	for i, d := range got {
		if state := strings.HasPrefix(d.name, "final ") ||
			strings.HasPrefix(d.name, "state "); !state || !p.Init {
			continue
		}
		for k, v := range d.value {
			if p.Lengths[k/(len(d.value)/p.B)] == 0 {
				require.Equal(t, fmt.Sprint(behind), fmt.Sprint(v), "%s: %s", what, d.name)
				d.value[k] = want[i].value[k]
			}
		}
	}
	requireSame(t, want, got, 0, what)
	for _, d := range got {
		if d.name != "gradient of x" {
			continue
		}
		for i, v := range d.value {
			if step, b := i/p.In/p.B, i/p.In%p.B; step >= p.Lengths[b] {
				require.Zero(t, v, "%s: gradient of x at step %d of sequence %d", what, step, b)
			}
		}
	}
}

// What stands behind the end of a sequence is not read: neither values nor gradients know of it,
// whatever the cell, the direction, the layers, the order of the lengths and the machine.
func TestStepsBehindTheEndAreNotRead(t *testing.T) {
	lengths := [][]int{{3, 0, 5, 1, 4}, {5, 5, 3, 1, 0}, {0, 1, 3, 5, 5}, {0, 0, 0, 0, 0}}
	layers := map[string]layerSpec{
		"bidirectional": {Both: []layerSpec{{Cell: "gru"}, {Cell: "lstm"}}},
		"stack": {Stack: []layerSpec{{Cell: "rnn"}, {Cell: "gru"}, {Cell: "lstm"}},
			Residual: true, Dropout: 0.5},
		"wrapped": {Cell: "lstm", Zoneout: []float64{0.5, 0.25},
			Variational: []float64{0.5, 0.5}},
		"both stacked": {Stack: []layerSpec{{Both: []layerSpec{{Cell: "rnn"}, {Cell: "gru"}}},
			{Cell: "lstm"}}},
	}
	for name := range zoo {
		layers[name] = layerSpec{Cell: name}
	}
	for name, layer := range layers {
		t.Run(name, func(t *testing.T) {
			for i, n := range lengths {
				p := problem{Layer: layer, T: 5, B: 5, In: 3, Out: 2, StateAt: -1, Lengths: n,
					Init: i%2 == 0, Reverse: i%3 == 1, Training: true}
				for _, strategy := range []unroll.Strategy{unroll.Scan, unroll.Expand} {
					for on, engine := range engines {
						if on == "tape machine" && i > 0 {
							continue // it is slow
						}
						behind := []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[i%3]
						p.checkEnded(t, []tensor.Dtype{nodes.Float32, nodes.Float64}[i%2], behind,
							strategy, engine, fmt.Sprintf("%v on the %s, lengths %v", strategy, on,
								n))
					}
				}
			}
		})
	}
}

// The same of problems drawn at random.
func TestStepsBehindTheEndAreNotReadAtRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem(t, bounded)
		p.Generator = false
		p.Lengths = rapid.SliceOfN(rapid.IntRange(0, p.T), p.B, p.B).Draw(t, "lengths")
		strategy := rapid.SampledFrom([]unroll.Strategy{unroll.Scan, unroll.Expand}).Draw(t,
			"strategy")
		dtype := rapid.SampledFrom([]tensor.Dtype{nodes.Float32, nodes.Float64}).Draw(t, "dtype")
		p.checkEnded(t, dtype, math.NaN(), strategy, compiled, strategy.String())
	})
}

// lookup is a cell that reads ids.
type lookup struct {
	cells.Cell
	table *nodes.Param
}

func (c lookup) Step(ids *nodes.Node, s cells.State) cells.State {
	return c.Cell.Step(nodes.Embedding(c.table, ids, -1), s)
}

// Ids behind the end need be in no table, also where the step looks them up.
func TestIDsBehindTheEndAreNotRead(t *testing.T) {
	strategies(t, func(t *testing.T, strategy unroll.Strategy) {
		for on, engine := range engines {
			run := func(behind int) [][]float64 {
				store := nodes.NewStore(nodes.Float64, 1)
				g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
				var want []*nodes.Node
				try(t, func() {
					c := lookup{cells.NewGRU(store.Root(), cells.GRUConfig{In: 3, Hidden: 2}),
						store.Root().Param("table", nodes.Normal(0, 1), 4, 3)}
					ids := ints(g, "ids", []int{1, behind, 3, 2, behind, 1, behind, behind, 0}, 3,
						3)
					r := unroll.Over(c).Unroll(ids, nil,
						unroll.Options{Strategy: strategy,
							Lengths: ints(g, "lengths", []int{2, 0, 3}, 3)})
					want = append(want, r.Y(), r.Final()[0])
					want = append(want, g.Gradients(nodes.Sum(nodes.Square(r.Y())),
						operands(store)...)...)
				})
				return engine(t, g, want)
			}
			for _, behind := range []int{-1, 4, 1 << 40} {
				require.Equal(t, run(0), run(behind), "%s, %d behind the ends", on, behind)
			}
		}
	})
}
