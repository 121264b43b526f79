package mpi_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// efficiency is what docs/cluster.md predicts of n processes, each with a batch as one alone has
// it, of a step that computes for so many seconds, of so many bytes of gradients and of values,
// over links of so many bytes a second.
func efficiency(n, compute, gradients, values, bandwidth float64) float64 {
	const latency, message = 30e-6, 2e-6
	exchange := 2*(latency+(n-1)*message) + (gradients+values)*(n-1)/n/bandwidth
	return compute / (compute + exchange)
}

// The predictions of docs/cluster.md are those of its formula and of the times of one process that
// its table of measurements has.
func TestPredictions(t *testing.T) {
	doc, err := os.ReadFile("../../docs/cluster.md")
	require.NoError(t, err)
	measured, rows := map[string]string{}, 0
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		model, _, _ := strings.Cut(cells[0], ",")
		if len(cells) == 7 && strings.HasSuffix(cells[1], " ms") {
			measured[model] = cells[1]
		}
		if len(cells) != 8 || !strings.HasSuffix(cells[1], " ms") {
			continue
		}
		rows++
		var took, compute, gradients, values float64
		_, err := fmt.Sscanf(measured[model], "%f ms", &took)
		require.NoError(t, err, "the measurements have nothing of %s", model)
		_, err = fmt.Sscanf(cells[1]+" "+cells[2], "%f ms %f, %f MB", &compute, &gradients,
			&values)
		require.NoError(t, err, line)
		require.InDelta(t, took, compute, 0.5, "compute of %s is not that of the measurements",
			model)
		gigabits, err := strconv.ParseFloat(cells[3], 64)
		require.NoError(t, err, line)
		for i, n := range []float64{2, 10, 100, 1000} {
			e := efficiency(n, compute/1e3, gradients*1e6, values*1e6, gigabits*1e9/8)
			require.Equal(t, fmt.Sprintf("%.0f %%", 100*e), cells[4+i], "%v nodes: %s", n, line)
		}
	}
	require.Equal(t, 6, rows)
}
