package heatmap_test

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/heatmap"
)

// elements counts the elements of a picture, which must be well-formed.
func elements(t *testing.T, svg string) map[string]int {
	counts := map[string]int{}
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return counts
		}
		require.NoError(t, err)
		if e, ok := token.(xml.StartElement); ok {
			counts[e.Name.Local]++
		}
	}
}

func draw(t *testing.T, m heatmap.Map) string {
	var b strings.Builder
	require.NoError(t, m.Write(&b))
	return b.String()
}

func TestMap(t *testing.T) {
	svg := draw(t, heatmap.Map{
		Title: "a < b", Values: [][]float64{{0, 1, math.NaN()}, {0.5, 2, -1}}, High: 1,
		Rows: []string{"一つ", "&"}, Cols: []string{"x", "y", "z", "more"}, Numbers: true,
	})
	counts := elements(t, svg)
	require.Equal(t, 1+5, counts["rect"]) // the ground, and all that are numbers
	require.Equal(t, 5, counts["title"])
	require.Equal(t, 1+3+2+5, counts["text"])
	require.Contains(t, svg, "a &lt; b")
	require.Contains(t, svg, `fill="#ffffff"><title>一つ, x: 0<`)
	require.Contains(t, svg, `fill="#08306b"><title>一つ, y: 1<`)
	require.Contains(t, svg, `fill="#8498b5"><title>&amp;, x: 0.5<`)
	require.Contains(t, svg, `fill="#08306b"><title>&amp;, y: 2<`)  // above the span
	require.Contains(t, svg, `fill="#ffffff"><title>&amp;, z: -1<`) // below it
}

func TestMapsOfOddShapes(t *testing.T) {
	require.Equal(t, 1, elements(t, draw(t, heatmap.Map{}))["rect"])
	require.Equal(t, 1, elements(t, draw(t,
		heatmap.Map{Values: [][]float64{{}, {}}, Rows: []string{"a", "b", "c"}}))["rect"])
	// no span
	require.Equal(t, 2, elements(t, draw(t, heatmap.Map{Values: [][]float64{{3}}, Gap: 1}))["rect"])
	require.Contains(t, draw(t, heatmap.Map{Values: [][]float64{{-3, math.Inf(1), 5}}}),
		`fill="#08306b"><title>5<`)
	require.ErrorContains(t, (&heatmap.Map{Values: [][]float64{{1, 2}, {1}}}).Write(io.Discard),
		"row 1 has 1 values")
	require.ErrorContains(t, (&heatmap.Map{Cell: 2, Gap: 2}).Write(io.Discard), "a gap of 2")
}
