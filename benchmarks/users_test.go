package benchmarks_test

import (
	"flag"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/benchmarks"
	"github.com/seqzoo/seqzoo/graph"
	_ "github.com/seqzoo/seqzoo/zoo/all/testdata/usermodule/mycells"
)

var pairs = flag.Int("pairs", 1, "in TestUsersCells, pairs of a user's cell and the GRU to measure")

// TestUsersCells measures each cell of the module outside of this one and the GRU in turns, and says
// how many times longer a floating-point operation of its products takes: the median over pairs, the
// least and the most. One pair, as by default, only shows that it can be measured: -pairs 15 is a
// measurement.
func TestUsersCells(t *testing.T) {
	require.Positive(t, *pairs, "-pairs")
	for _, cell := range []string{"leaky", "fast"} {
		for _, size := range []string{"S", "M"} {
			users, gru := profiled(t, size, cell), profiled(t, size, "gru")
			var ratios []float64
			for range *pairs {
				ratios = append(ratios, users(t)/gru(t))
			}
			slices.Sort(ratios)
			n := len(ratios)
			t.Logf("%s at %s: median %.3f of %d pairs, %.3f to %.3f", cell, size, ratios[n/2], n,
				ratios[0], ratios[n-1])
		}
	}
}

// profiled gives what a floating-point operation of a product takes in a training step, with all
// that stands around it: least times of instructions in 10 runs, in nanoseconds.
func profiled(t testing.TB, size, cell string) func(t testing.TB) float64 {
	w := benchmarks.Sizes[size]
	w.Mode, w.Engine, w.Cell, w.Threads = benchmarks.Train, benchmarks.Seqzoo, cell, 1
	j := start(t, w)
	require.NoError(t, j.Step())
	return func(t testing.TB) float64 {
		p, err := j.VM.(*graph.Machine).Profile(10)
		require.NoError(t, err)
		var flop float64
		for _, i := range p.Instructions {
			flop += i.Flop
		}
		require.Positive(t, flop, "no product was counted")
		return float64(p.Total.Nanoseconds()) / flop
	}
}

// BenchmarkUsersCell is the cell of a module outside of this one beside the GRU: what a
// floating-point operation of a product takes, with all that stands around it, in the least times
// of instructions.
func BenchmarkUsersCell(b *testing.B) {
	for _, size := range []string{"S", "M"} {
		for _, cell := range []string{"gru", "leaky"} {
			b.Run("workload="+size+"/cell="+cell, func(b *testing.B) {
				w := benchmarks.Sizes[size]
				w.Mode, w.Engine, w.Cell, w.Threads = benchmarks.Train, benchmarks.Seqzoo, cell, 1
				j := start(b, w)
				require.NoError(b, j.Step())
				p, err := j.VM.(*graph.Machine).Profile(max(10, b.N))
				require.NoError(b, err)
				var flop float64
				for _, t := range p.Instructions {
					flop += t.Flop
				}
				b.ReportMetric(float64(p.Total.Nanoseconds())/flop*1e3, "ps/FLOP")
			})
		}
	}
}
