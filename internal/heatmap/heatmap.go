// Package heatmap draws matrices of numbers, such as the weights of an attention, as SVG pictures.
package heatmap

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// Map is a picture of a matrix, row by row from the top, with a name beside each row and above each
// column.
type Map struct {
	Title      string
	Values     [][]float64 // rows of equal length; what is not a number stays blank
	Rows, Cols []string    // names; missing ones are left out
	// values of the lightest and the darkest cell; both 0: the least and the greatest there are
	Low, High float64
	Cell      int  // side of a cell in pixels; 0 means 22
	Gap       int  // pixels between cells; images want none
	Numbers   bool // write each value, in percent of High, into its cell
}

// Write draws the map. Each cell shows its names and value when the mouse rests on it.
func (m *Map) Write(w io.Writer) error {
	width := 0
	for i, row := range m.Values {
		if i > 0 && len(row) != width {
			return fmt.Errorf("heatmap: row %d has %d values, those before it %d", i, len(row),
				width)
		}
		width = len(row)
	}
	cell := cmp.Or(m.Cell, 22)
	if cell < 1 || cell > 1000 || m.Gap < 0 || m.Gap >= cell {
		return fmt.Errorf("heatmap: a cell of %d pixels and a gap of %d: want 1 … 1000, and a gap narrower than it", cell, m.Gap)
	}
	left, top := 8+textWidth(m.Rows), 12+textWidth(m.Cols)
	if m.Title != "" {
		top += 24
	}
	var b strings.Builder
	w1, h1 := max(left+width*cell+8, 8*utf8.RuneCountInString(m.Title)), top+len(m.Values)*cell+8
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", w1, h1)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", w1, h1)
	if m.Title != "" {
		fmt.Fprintf(&b, `<text x="8" y="20" font-size="15">%s</text>`+"\n",
			html.EscapeString(m.Title))
	}
	for c, name := range m.Cols[:min(width, len(m.Cols))] {
		x, y := left+c*cell+cell/2+4, top-6
		fmt.Fprintf(&b, `<text transform="translate(%d %d) rotate(-90)">%s</text>`+"\n", x, y,
			html.EscapeString(name))
	}
	low, high := m.span()
	for r, row := range m.Values {
		y := top + r*cell
		if r < len(m.Rows) {
			fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", left-6,
				y+cell/2+5, html.EscapeString(m.Rows[r]))
		}
		for c, v := range row {
			if math.IsNaN(v) {
				continue
			}
			share := 0.0
			if high > low {
				share = min(1, max(0, (v-low)/(high-low)))
			}
			x, side := left+c*cell, cell-m.Gap
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" fill="%s"><title>%s%.4g</title></rect>`+"\n",
				x, y, side, side, shade(share), m.label(r, c), v)
			if m.Numbers {
				ink := "black"
				if share > 0.5 {
					ink = "white"
				}
				fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle" font-size="10" fill="%s">%.0f</text>`+"\n",
					x+side/2, y+side/2+4, ink, 100*v/cmp.Or(high, 1))
			}
		}
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// span is that of the shades.
func (m *Map) span() (low, high float64) {
	if m.Low != 0 || m.High != 0 {
		return m.Low, m.High
	}
	low, high = math.Inf(1), math.Inf(-1)
	for _, row := range m.Values {
		for _, v := range row {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	return low, high
}

func (m *Map) label(r, c int) string {
	if r >= len(m.Rows) || c >= len(m.Cols) {
		return ""
	}
	return html.EscapeString(m.Rows[r]+", "+m.Cols[c]) + ": "
}

// shade runs from white (0) to dark blue (1).
func shade(share float64) string {
	mix := func(light, dark float64) int { return int(math.Round(light + share*(dark-light))) }
	return fmt.Sprintf("#%02x%02x%02x", mix(255, 8), mix(255, 48), mix(255, 107))
}

// textWidth is roughly the pixels that the longest of the names needs: letters of alphabets are
// narrow, signs wide.
func textWidth(names []string) int {
	longest := 0.0
	for _, name := range names {
		n := 0.0
		for _, r := range name {
			if n += 7.6; r >= 0x1100 {
				n += 6
			}
		}
		longest = max(longest, n)
	}
	return int(longest)
}
