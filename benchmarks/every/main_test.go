package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/benchmarks"
	"github.com/seqzoo/seqzoo/cells"
)

// Every registered cell has a line, in training and in one step, of a batch and of one sequence.
func TestEveryCellHasItsLines(t *testing.T) {
	require.Len(t, specs(), len(cells.Registered()))
	for _, name := range []string{"S", "LONG1"} {
		w := tiny(sizes[name])
		for _, spec := range specs() {
			for _, mode := range []string{benchmarks.Train, benchmarks.Infer} {
				w.Cell, w.Mode, w.Engine, w.Threads = spec, mode, benchmarks.Seqzoo, 1
				if mode == benchmarks.Infer {
					w.B, w.T = 1, 1
				}
				require.NoError(t, line(name, w, 1), "%s %s %s", name, spec, mode)
			}
		}
	}
}

// What no workload has is an error that says what there is.
func TestRefusals(t *testing.T) {
	require.ErrorContains(t, run("", []string{"XXL"}, nil, 1, 1), "want S, M, LONG or LONG1")
	require.ErrorContains(t, run("", nil, nil, 0, 1), "want at least 1")
	require.ErrorContains(t, run("", nil, nil, 1, 0), "want at least 1")
	require.ErrorContains(t, run("nothing", []string{"S"}, []string{"train"}, 1, 1), "S nothing train")
	require.ErrorContains(t, run("rnn", []string{"S"}, []string{"sing"}, 1, 1), `no mode "sing"`)
}
