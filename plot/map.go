package plot

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// Map is a picture of a matrix, such as the alignment of two sentences: row by row from the top,
// with a name beside each row and above each column.
type Map struct {
	Title, X, Y string
	Alt         string   // what the picture shows, for those who do not see it; "" means Title
	Values      Matrix   // rows of equal length; what is not finite stays blank
	Rows, Cols  []string // names; missing ones are left out, as are those of no row
	Scale       string   // what the shades mean, such as "weight"; "" leaves the scale out
	// values at the ends of the scale; both 0: the least and the greatest there are
	Low, High float64
	Diverging bool // shades run from orange over white, at the middle of the scale, to blue
	Cell      int  // side of a cell in pixels; 0 means 26
	Gap       int  // pixels between cells; images want none
	Numbers   bool // writes each value, in percent of High, into its cell
}

// WriteSVG implements [Figure].
func (m *Map) WriteSVG(w io.Writer) error {
	d, err := m.lay()
	if err != nil {
		return err
	}
	return d.writeSVG(w, m.Describe())
}

// WritePNG implements [Figure]. The picture has two pixels for each of the map's.
func (m *Map) WritePNG(w io.Writer) error {
	d, err := m.lay()
	if err != nil {
		return err
	}
	return d.writePNG(w)
}

// Describe implements [Figure].
func (m *Map) Describe() string {
	if m == nil {
		return ""
	}
	if m.Alt != "" {
		return m.Alt
	}
	return m.Title
}

// Translated implements [Figure].
func (m *Map) Translated(translate func(string) string) Figure {
	if m == nil || translate == nil {
		return m
	}
	q := *m
	q.Title, q.X, q.Y = said(translate, m.Title), said(translate, m.X), said(translate, m.Y)
	q.Alt, q.Scale = said(translate, m.Alt), said(translate, m.Scale)
	q.Rows, q.Cols = saidAll(translate, m.Rows), saidAll(translate, m.Cols)
	return &q
}

// Narrowed implements [Figure].
func (m *Map) Narrowed(width int) Figure {
	l, err := m.layout()
	if err != nil || l.columns == 0 || l.right() <= float64(width) {
		return m
	}
	const least = tickSize + 3 // a cell beside which its name can be read
	less := math.Ceil((l.right() - float64(width)) / float64(l.columns))
	cell := max(least, int(l.cell-less))
	if cell >= int(l.cell) {
		return m
	}
	q := *m
	q.Cell, q.Gap = cell, min(m.Gap, cell-1)
	return &q
}

func (m *Map) validate() (width, cell int, err error) {
	if m == nil {
		return 0, 0, errors.New("plot: the map is nil")
	}
	for i, row := range m.Values {
		if i > 0 && len(row) != width {
			return 0, 0, fmt.Errorf("plot: row %d has %d values, those before it %d", i, len(row),
				width)
		}
		width = len(row)
	}
	if cell = m.Cell; cell == 0 {
		cell = 26
	}
	if cell < 1 || cell > 1000 || m.Gap < 0 || m.Gap >= cell {
		return 0, 0,
			fmt.Errorf("plot: a cell of %d pixels and a gap of %d: want 1 … 1000, and a gap "+
				"narrower than it", cell, m.Gap)
	}
	if !isFinite(m.Low) || !isFinite(m.High) || m.Low > m.High {
		return 0, 0, fmt.Errorf("plot: a scale from %g to %g", m.Low, m.High)
	}
	const most = 20000
	if width*cell > most || len(m.Values)*cell > most {
		return 0, 0, fmt.Errorf("plot: %d×%d cells of %d pixels are larger than %d", len(m.Values),
			width, cell, most)
	}
	return width, cell, nil
}

// narrow is how wide the words of a map may be without being broken into lines, in pixels.
const narrow = 340

// mapLayout is where the parts of a map stand.
type mapLayout struct {
	left, top, cell float64
	columns         int
	turned          bool // names of columns
	low, high       float64
	ends            float64 // width of the values at the ends of the scale
	title           []string
	under           bool    // the scale stands under its name, since they are wide side by side
	below           float64 // where what is under the title begins
	width, height   float64
}

// right is where the cells end.
func (l mapLayout) right() float64 { return l.left + float64(l.columns)*l.cell + gap }

func (m *Map) lay() (drawing, error) {
	l, err := m.layout()
	if err != nil {
		return drawing{}, err
	}
	return drawing{l.width, l.height, func(c canvas) {
		m.names(c, l)
		m.cells(c, l)
		if m.Scale != "" {
			m.scale(c, l)
		}
	}}, nil
}

func (m *Map) layout() (mapLayout, error) {
	columns, cell, err := m.validate()
	if err != nil {
		return mapLayout{}, err
	}
	l := mapLayout{left: gap, top: 12, cell: float64(cell), columns: columns}
	l.low, l.high = m.span()
	sizes := map[string]float64{}
	for what, texts := range map[string][]string{"x": {m.X}, "y": {m.Y}, "rows": m.Rows,
		"cols": m.Cols, "scale": {m.Scale}, "ends": {scaleEnd(l.low), scaleEnd(l.high)}} {
		if sizes[what], err = widest(texts, textSize); err != nil {
			return mapLayout{}, err
		}
	}
	l.ends = sizes["ends"]
	if m.X != "" {
		l.top += textSize + gap
	}
	if m.Y != "" {
		l.left += textSize + gap
	}
	if len(m.Rows) > 0 {
		l.left += sizes["rows"] + gap
	}
	if l.turned = sizes["cols"] > l.cell-2; l.turned {
		l.top += sizes["cols"] + gap
	} else if len(m.Cols) > 0 {
		l.top += textSize + gap
	}
	l.width = max(l.right(), l.left+sizes["x"]+gap)
	if m.Scale != "" {
		shades := 2*sizes["ends"] + 120 + 3*gap
		line := l.left + sizes["scale"] + gap + shades
		if l.under = line > max(l.width, narrow); l.under {
			line = l.left + max(sizes["scale"]+gap, shades)
		}
		l.width = max(l.width, line)
	}
	if err := m.head(&l); err != nil {
		return mapLayout{}, err
	}
	l.height = max(l.top+float64(len(m.Values))*l.cell, sizes["y"]+l.top) + gap
	if m.Scale != "" {
		l.height += 34
	}
	if l.under {
		l.height += nameHeight
	}
	if l.left > 20000 || l.top > 20000 || l.width > 40000 {
		return mapLayout{}, errors.New("plot: the names of the map are too long to be drawn")
	}
	return l, nil
}

// head makes room for the title, in lines that are about as wide as the rest.
func (m *Map) head(l *mapLayout) (err error) {
	if m.Title == "" {
		return nil
	}
	if l.title, err = balanced(m.Title, titleSize, max(l.width-2*gap, narrow)); err != nil {
		return err
	}
	width, err := widest(l.title, titleSize)
	l.width = max(l.width, width+2*gap)
	l.below = 28 + titleHeight*float64(len(l.title)-1)
	l.top += l.below
	return err
}

func (m *Map) names(c canvas, l mapLayout) {
	x, y := l.left+float64(l.columns)*l.cell/2, l.top+float64(len(m.Values))*l.cell/2
	at := 12 + l.below
	for i, line := range l.title {
		c.text(point{gap, 22 + titleHeight*float64(i)}, line, titleSize, start, false, ink{})
	}
	if m.X != "" {
		width, _ := textWidth(m.X, textSize) // was measured before
		c.text(point{max(x, l.left+width/2), at + textSize - 2}, m.X, textSize, middle, false,
			ink{})
	}
	c.text(point{textSize + 4, y}, m.Y, textSize, middle, true, ink{})
	for i, name := range m.Cols[:min(len(m.Cols), l.columns)] {
		centre := l.left + (float64(i)+0.5)*l.cell
		if l.turned {
			c.text(point{centre + 5, l.top - gap + 2}, name, textSize, start, true, ink{})
		} else {
			c.text(point{centre, l.top - gap + 2}, name, textSize, middle, false, ink{})
		}
	}
	for i, name := range m.Rows[:min(len(m.Rows), len(m.Values))] {
		c.text(point{l.left - gap, l.top + (float64(i)+0.5)*l.cell + 5}, name, textSize, end, false,
			ink{})
	}
}

func (m *Map) cells(c canvas, l mapLayout) {
	side := l.cell - float64(m.Gap)
	for r, row := range m.Values {
		for col, v := range row {
			if !isFinite(v) {
				continue
			}
			share := 0.0
			if l.high > l.low {
				share = min(1, max(0, (v/2-l.low/2)/(l.high/2-l.low/2))) // halves do not overflow
			}
			x, y := l.left+float64(col)*l.cell, l.top+float64(r)*l.cell
			done := c.note(m.label(r, col, v))
			c.area([]point{{x, y}, {x + side, y}, {x + side, y + side}, {x, y + side}},
				ink{colour: m.shade(share)})
			if m.Numbers {
				on := "#000000"
				if share > 0.5 && !m.Diverging || m.Diverging && math.Abs(share-0.5) > 0.35 {
					on = "#ffffff"
				}
				high := l.high
				if high == 0 {
					high = 1
				}
				c.text(point{x + side/2, y + side/2 + 4}, fmt.Sprintf("%.0f", 100*v/high), min(11,
					side/2), middle, false,
					ink{colour: on})
			}
			done()
		}
	}
}

// scale draws the shades with the values at their ends.
func (m *Map) scale(c canvas, l mapLayout) {
	y := l.height - 24
	x := l.left + l.ends
	if l.under {
		c.text(point{l.left, y - 6}, m.Scale, textSize, start, false, ink{})
	} else {
		c.text(point{l.left, y + 12}, m.Scale, textSize, start, false, ink{})
		width, _ := textWidth(m.Scale, textSize) // was measured before
		x += width + gap
	}
	c.text(point{x, y + 12}, scaleEnd(l.low), tickSize, end, false, ink{})
	const parts = 30
	for i := range parts {
		at := x + 6 + 4*float64(i)
		c.area([]point{{at, y}, {at + 4, y}, {at + 4, y + 14}, {at, y + 14}},
			ink{colour: m.shade((float64(i) + 0.5) / parts)})
	}
	c.text(point{x + 12 + 4*parts, y + 12}, scaleEnd(l.high), tickSize, start, false, ink{})
}

func scaleEnd(v float64) string {
	if !isFinite(v) {
		return ""
	}
	if math.Abs(v) > 1e6 {
		return axis{}.label(v)
	}
	return axis{}.label(math.Round(v*1000) / 1000)
}

// span is that of the shades.
func (m *Map) span() (low, high float64) {
	if m.Low != 0 || m.High != 0 {
		return m.Low, m.High
	}
	low, high = math.Inf(1), math.Inf(-1)
	for _, row := range m.Values {
		for _, v := range row {
			if isFinite(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	if m.Diverging && low <= high {
		high = max(math.Abs(low), math.Abs(high))
		low = -high
	}
	return low, high
}

func (m *Map) label(r, c int, v float64) string {
	name := ""
	if r < len(m.Rows) && c < len(m.Cols) {
		name = m.Rows[r] + ", " + m.Cols[c] + ": "
	}
	return name + fmt.Sprintf("%.4g", v)
}

// shade runs from white (0) to dark blue (1), or from orange over white to blue.
func (m *Map) shade(share float64) string {
	mix := func(from, to [3]float64, by float64) string {
		var c [3]int
		for i := range c {
			c[i] = int(math.Round(from[i] + by*(to[i]-from[i])))
		}
		return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2])
	}
	white := [3]float64{255, 255, 255}
	if !m.Diverging {
		return mix(white, [3]float64{8, 48, 107}, share)
	}
	if share < 0.5 {
		return mix([3]float64{166, 67, 0}, white, 2*share)
	}
	return mix(white, [3]float64{0, 72, 135}, 2*share-1)
}
