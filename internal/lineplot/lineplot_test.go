package lineplot

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func draw(t *testing.T, p Plot) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, p.Write(&b))
	d := xml.NewDecoder(strings.NewReader(b.String()))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
	}
	require.NotContains(t, b.String(), "NaN")
	require.NotContains(t, b.String(), "Inf")
	return b.String()
}

func TestPlot(t *testing.T) {
	s := draw(t, Plot{
		Title: "a < b & c", X: "step", Y: "loss", LogY: true,
		Curves: []Curve{
			{Name: "lstm", Label: "lstm, seed 1", X: []float64{0, 1, 2},
				Y: []float64{100, math.NaN(), 10}},
			{Name: "lstm", Label: "lstm, seed 2", X: []float64{0, 1, 2}, Y: []float64{90, 50, -1}},
			{Name: "gru", X: []float64{0, 1}, Y: []float64{80, 40}},
		},
		Levels: []Level{{"bigram", 83}},
	})
	require.Contains(t, s, "a &lt; b &amp; c")
	require.Equal(t, 3, strings.Count(s, "<polyline"))
	require.Equal(t, 1, strings.Count(s, ">lstm</text>"), "one entry in the legend")
	require.Contains(t, s, "<title>lstm, seed 2</title>")
	require.Contains(t, s, ">bigram</text>")
	require.Contains(t, s, `points="64.0,40.0 570.0,372.0"`,
		"the first curve goes from one corner to the other")
}

func TestLogarithmicTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      []float64
	}{
		{10, 100, []float64{10, 20, 50, 100}},
		{0.5, 5, []float64{0.5, 1, 2, 5}},
		{1e-3, 20, []float64{1e-3, 1e-2, 1e-1, 1, 10}},
		{3e-45, 1, []float64{1e-42, 1e-36, 1e-30, 1e-24, 1e-18, 1e-12, 1e-6, 1}},
	} {
		require.InDeltaSlice(t, c.want, axis{low: c.low, high: c.high, log: true}.ticks(), 1e-9)
	}
}

func TestPlotWithNothingToShow(t *testing.T) {
	draw(t, Plot{})
	draw(t, Plot{LogY: true, Curves: []Curve{{X: []float64{1}, Y: []float64{0}}}})
	draw(t, Plot{Curves: []Curve{{X: []float64{3}, Y: []float64{7}},
		{X: []float64{1, 2}, Y: []float64{math.Inf(1)}}}})
	draw(t, Plot{Levels: []Level{{"zero", 0}, {"none", math.NaN()}}})
}

func TestTicks(t *testing.T) {
	require.Equal(t, []float64{0, 2, 4, 6, 8, 10}, axis{low: 0, high: 10}.ticks())
	require.Equal(t, []float64{50, 100, 200}, axis{low: 40, high: 300, log: true}.ticks())
	for _, high := range []float64{1e-9, 0.3, 7, 123456, 1e12} {
		n := len(axis{low: 0, high: high}.ticks())
		require.True(t, n >= 3 && n <= 9, "%g: %d ticks", high, n)
	}
}

func TestSpark(t *testing.T) {
	require.Equal(t, "▁▂▃▄▅▆▇█", Spark([]float64{0, 1, 2, 3, 4, 5, 6, 7}, 8, false))
	require.Equal(t, "▁█", Spark([]float64{0, 2, 5, 5}, 2, false))
	require.Equal(t, "▁▅█", Spark([]float64{1, 100, 10000}, 9, true))
	require.Equal(t, "▁ █", Spark([]float64{1, math.NaN(), 2}, 9, false))
	require.Equal(t, " ▁▁", Spark([]float64{0, 3, 3}, 9, true))
	require.Equal(t, " ", Spark(nil, 9, false))
}
