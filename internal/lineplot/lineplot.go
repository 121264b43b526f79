package lineplot

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// Plot is a figure with one pair of axes.
type Plot struct {
	Title, X, Y string
	Width       int // pixels; 0 means 720
	Height      int // 0 means 420
	LogY        bool
	Curves      []Curve
	Levels      []Level // horizontal lines
}

// Curve is a line through points. Points that are not finite, or not positive on a logarithmic
// axis, are left out.
type Curve struct {
	Name  string // curves of one name share a colour and an entry in the legend
	Label string // shown when the mouse rests on the curve; "" means Name
	X, Y  []float64
}

// Level is a dashed line at a height.
type Level struct {
	Name string
	Y    float64
}

// colours tell curves apart for most kinds of colour vision (Okabe and Ito, 2008).
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"}

// axis maps values to pixels.
type axis struct {
	low, high float64
	from, to  float64
	log       bool
}

func (a axis) at(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	return a.from + (v-low)/(high-low)*(a.to-a.from)
}

// include widens the axis to v.
func (a *axis) include(v float64) {
	if a.shows(v) {
		a.low, a.high = min(a.low, v), max(a.high, v)
	}
}

func (a *axis) shows(v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v,
		0) && (!a.log || v > 0)
}

// settle gives an axis without extent one.
func (a *axis) settle() {
	if a.low > a.high {
		a.low, a.high = 1, 2
	}
	if a.low == a.high {
		a.high = a.low + max(1, math.Abs(a.low))
	}
}

// ticks are round values along the axis.
func (a axis) ticks() []float64 {
	var out []float64
	if a.log {
		low, high := math.Floor(math.Log10(a.low)), math.Ceil(math.Log10(a.high))
		multiples, every := []float64{1, 2, 5}, 1.0
		if high-low > 3 { // powers of ten alone, and of many decades eight or so
			multiples, every = multiples[:1], math.Ceil((high-low)/8)
		}
		for p := math.Ceil(low/every) * every; p <= high; p += every {
			for _, m := range multiples {
				if v := m * math.Pow(10, p); v >= a.low && v <= a.high {
					out = append(out, v)
				}
			}
		}
		return out
	}
	step := math.Pow(10, math.Floor(math.Log10((a.high-a.low)/5)))
	for _, m := range []float64{1, 2, 5, 10} {
		if (a.high-a.low)/(m*step) <= 7 {
			step *= m
			break
		}
	}
	for k := math.Ceil(a.low / step); k*step <= a.high+step*1e-9; k++ {
		out = append(out, k*step)
	}
	return out
}

// Write draws the figure.
func (p *Plot) Write(w io.Writer) error {
	width, height := float64(p.Width), float64(p.Height)
	if p.Width == 0 {
		width = 720
	}
	if p.Height == 0 {
		height = 420
	}
	const left, top, bottom = 64, 40, 48
	right := 150.0
	for _, c := range p.Curves {
		// a letter is about 7 pixels wide
		right = max(right, 40+7*float64(utf8.RuneCountInString(c.Name)))
	}
	x := axis{low: math.Inf(1), high: math.Inf(-1), from: left, to: width - right}
	y := axis{low: math.Inf(1), high: math.Inf(-1), from: height - bottom, to: top, log: p.LogY}
	for _, c := range p.Curves {
		for i := range min(len(c.X), len(c.Y)) {
			if x.shows(c.X[i]) && y.shows(c.Y[i]) {
				x.include(c.X[i])
				y.include(c.Y[i])
			}
		}
	}
	for _, l := range p.Levels {
		y.include(l.Y)
	}
	x.settle()
	y.settle()

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" fill="white"/>`+"\n", width, height)
	text := func(x, y float64, anchor, extra, s string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>`+"\n", x, y, anchor,
			extra, html.EscapeString(s))
	}
	text(width/2, 22, "middle", ` font-size="15"`, p.Title)
	text((x.from+x.to)/2, height-10, "middle", "", p.X)
	text(16, (y.from+y.to)/2, "middle", fmt.Sprintf(` transform="rotate(-90 16 %.1f)"`,
		(y.from+y.to)/2), p.Y)
	line := func(x1, y1, x2, y2 float64, style string) {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" %s/>`+"\n", x1, y1, x2, y2,
			style)
	}
	for _, v := range x.ticks() {
		line(x.at(v), y.from, x.at(v), y.to, `stroke="#e8e8e8"`)
		text(x.at(v), y.from+16, "middle", "", fmt.Sprintf("%.6g", v))
	}
	for _, v := range y.ticks() {
		line(x.from, y.at(v), x.to, y.at(v), `stroke="#e8e8e8"`)
		text(x.from-6, y.at(v)+4, "end", "", fmt.Sprintf("%.6g", v))
	}
	line(x.from, y.from, x.to, y.from, `stroke="black"`)
	line(x.from, y.from, x.from, y.to, `stroke="black"`)
	for _, l := range p.Levels {
		if y.shows(l.Y) {
			line(x.from, y.at(l.Y), x.to, y.at(l.Y), `stroke="#666" stroke-dasharray="5 4"`)
			text(x.to+6, y.at(l.Y)+4, "start", ` fill="#666"`, l.Name)
		}
	}
	colour := map[string]string{}
	for _, c := range p.Curves {
		if colour[c.Name] == "" {
			colour[c.Name] = colours[len(colour)%len(colours)]
			at := top + 16*float64(len(colour))
			line(x.to+8, at-4, x.to+28, at-4, `stroke-width="2" stroke="`+colour[c.Name]+`"`)
			text(x.to+34, at, "start", "", c.Name)
		}
		var points strings.Builder
		for i := range min(len(c.X), len(c.Y)) {
			if x.shows(c.X[i]) && y.shows(c.Y[i]) {
				fmt.Fprintf(&points, "%.1f,%.1f ", x.at(c.X[i]), y.at(c.Y[i]))
			}
		}
		label := c.Label
		if label == "" {
			label = c.Name
		}
		fmt.Fprintf(&b, `<polyline fill="none" stroke-width="1.6" stroke="%s" points="%s"><title>%s</title></polyline>`+"\n",
			colour[c.Name], strings.TrimSpace(points.String()), html.EscapeString(label))
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// Spark draws numbers as one line of text: ▁ for the smallest to █ for the largest, a blank for
// what is not finite. More numbers than columns are averaged. With log, equal steps are equal
// factors.
func Spark(y []float64, columns int, log bool) string {
	columns = min(max(columns, 1), max(len(y), 1))
	bars := []rune("▁▂▃▄▅▆▇█")
	means := make([]float64, columns)
	low, high := math.Inf(1), math.Inf(-1)
	for c := range means {
		from, to := c*len(y)/columns, (c+1)*len(y)/columns
		sum := 0.0
		for _, v := range y[from:to] {
			sum += v
		}
		m := sum / float64(to-from)
		if log {
			m = math.Log(m)
		}
		if means[c] = m; m-m == 0 {
			low, high = min(low, m), max(high, m)
		}
	}
	out := make([]rune, columns)
	for c, m := range means {
		switch {
		case m-m != 0:
			out[c] = ' '
		case high == low:
			out[c] = bars[0]
		default:
			out[c] = bars[int(math.Round((m-low)/(high-low)*float64(len(bars)-1)))]
		}
	}
	return string(out)
}
