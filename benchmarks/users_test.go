package benchmarks_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/benchmarks"
	"github.com/seqzoo/seqzoo/graph"
	_ "github.com/seqzoo/seqzoo/zoo/all/testdata/usermodule/mycells"
)

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
