package plot

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// Figure is a picture that can be drawn and whose words can be said in another language: a *Plot
// or a *Map.
type Figure interface {
	WriteSVG(w io.Writer) error
	WritePNG(w io.Writer) error
	// Translated returns a copy whose words are what translate makes of them.
	Translated(translate func(string) string) Figure
	// Narrowed returns a copy that is laid out anew for a screen of so many pixels, with letters as
	// large as before, or the figure itself if it has room there or cannot be made narrower. A copy
	// stays as wide as it must be.
	Narrowed(width int) Figure
	// Describe returns what the picture shows, for those who do not see it: Alt, or the title.
	Describe() string
}

// Plot is a figure with one pair of axes: curves and bands over numbers, or bars over names.
type Plot struct {
	Title, X, Y string
	Alt         string   // what the picture shows, for those who do not see it; "" means Title
	Width       int      // pixels; 0 means 640
	Height      int      // pixels without the legend; 0 means 400
	LogX, LogY  bool     // logarithmic axes
	XRange      Range    // least range of the horizontal axis; the zero value: that of the values
	YRange      Range    // least range of the vertical axis
	Groups      []string // names along the horizontal axis, one for each value of every Bars
	Bars        []Bars
	Bands       []Band
	Curves      []Curve
	Levels      []Level
}

// Range is an interval of values.
type Range struct{ Low, High float64 }

// Values are numbers that may not be finite. In JSON they are rounded to five significant digits,
// and what is not finite is null.
type Values []float64

// Curve is a line through points. Points that are not finite or beyond 10³⁰⁰, or not positive on a
// logarithmic axis, interrupt it.
type Curve struct {
	Name  string   // curves of one name share a colour and an entry in the legend; "": no entry
	Label string   // shown when the mouse rests on the curve; "" means Name
	X, Y  Values   // of the same length
	Dots  bool     // draws a dot at each point instead of a line
	Texts []string // written beside the points; there may be fewer than points
}

// Band is the area between two curves, such as the range over seeds.
type Band struct {
	Name         string // a band and a curve of one name share a colour
	X, Low, High Values // of the same length
}

// Level is a dashed line at a height.
type Level struct {
	Name string
	Y    float64
}

// Bars are values of one kind, one for each of the plot's Groups.
type Bars struct {
	Name      string
	Values    Values
	Low, High Values // ends of a line that shows a spread; nil: none
}

// AddRuns adds the median of several runs, such as those of different seeds, as a curve, and their
// range as a band. Each run has a value for each x.
func (p *Plot) AddRuns(name string, x []float64, runs [][]float64) {
	if p == nil {
		return
	}
	median, low, high := make(Values, len(x)), make(Values, len(x)), make(Values, len(x))
	for i := range x {
		var at []float64
		for _, r := range runs {
			if i < len(r) && isFinite(r[i]) {
				at = append(at, r[i])
			}
		}
		median[i], low[i], high[i] = math.NaN(), math.NaN(), math.NaN()
		if n := len(at); n > 0 {
			slices.Sort(at)
			median[i], low[i], high[i] = (at[(n-1)/2]+at[n/2])/2, at[0], at[n-1]
		}
	}
	if len(runs) > 1 {
		p.Bands = append(p.Bands, Band{Name: name, X: x, Low: low, High: high})
	}
	p.Curves = append(p.Curves, Curve{Name: name, X: x, Y: median})
}

// validate reports what cannot be drawn.
// largest is how wide and how high a plot may be, in pixels.
const largest = 10000

func (p *Plot) validate() error {
	var errs []error
	for _, c := range p.Curves {
		if len(c.X) != len(c.Y) {
			errs = append(errs, fmt.Errorf("plot: curve %q has %d values of X and %d of Y", c.Name,
				len(c.X), len(c.Y)))
		}
	}
	for _, b := range p.Bands {
		if len(b.X) != len(b.Low) || len(b.X) != len(b.High) {
			errs = append(errs,
				fmt.Errorf("plot: band %q has %d values of X, %d of Low and %d of High",
					b.Name, len(b.X), len(b.Low), len(b.High)))
		}
	}
	for _, b := range p.Bars {
		if len(b.Values) != len(p.Groups) || b.Low != nil && len(b.Low) != len(p.Groups) ||
			b.High != nil && len(b.High) != len(p.Groups) || (b.Low == nil) != (b.High == nil) {
			errs = append(errs,
				fmt.Errorf("plot: bars %q have %d values, Low %d and High %d, and the plot "+
					"has %d groups",
					b.Name, len(b.Values), len(b.Low), len(b.High), len(p.Groups)))
		}
	}
	if len(p.Groups) > 0 && (len(p.Curves) > 0 || len(p.Bands) > 0) {
		errs = append(errs,
			errors.New("plot: bars over groups, and curves or bands over numbers: want one kind"))
	}
	if p.Width < 0 || p.Height < 0 || p.Width > largest || p.Height > largest {
		errs = append(errs, fmt.Errorf("plot: %d×%d pixels: want 0, which is the default, to %d",
			p.Width, p.Height, largest))
	}
	for _, r := range []Range{p.XRange, p.YRange} {
		if !isFinite(r.Low) || !isFinite(r.High) || r.Low > r.High {
			errs = append(errs, fmt.Errorf("plot: a range from %g to %g", r.Low, r.High))
		}
	}
	return errors.Join(errs...)
}

// Describe implements [Figure].
func (p *Plot) Describe() string {
	if p == nil {
		return ""
	}
	if p.Alt != "" {
		return p.Alt
	}
	return p.Title
}

// Translated implements [Figure].
func (p *Plot) Translated(translate func(string) string) Figure {
	if p == nil || translate == nil {
		return p
	}
	q := *p
	q.Title, q.X, q.Y, q.Alt = said(translate, p.Title), said(translate, p.X), said(translate, p.Y),
		said(translate, p.Alt)
	q.Groups = saidAll(translate, p.Groups)
	q.Bars, q.Bands, q.Curves = slices.Clone(p.Bars), slices.Clone(p.Bands), slices.Clone(p.Curves)
	q.Levels = slices.Clone(p.Levels)
	for i := range q.Bars {
		q.Bars[i].Name = said(translate, q.Bars[i].Name)
	}
	for i := range q.Bands {
		q.Bands[i].Name = said(translate, q.Bands[i].Name)
	}
	for i := range q.Levels {
		q.Levels[i].Name = said(translate, q.Levels[i].Name)
	}
	for i, c := range q.Curves {
		q.Curves[i].Name, q.Curves[i].Label = said(translate, c.Name), said(translate, c.Label)
		q.Curves[i].Texts = saidAll(translate, c.Texts)
	}
	return &q
}

// Narrowed implements [Figure].
func (p *Plot) Narrowed(width int) Figure {
	if p == nil || width <= 0 || cmp.Or(p.Width, defaultWidth) <= width {
		return p
	}
	q := *p
	q.Width = width
	if p.Height == 0 {
		q.Height = width * 9 / 10
	}
	return &q
}

// said translates words; there is nothing to say of none.
func said(translate func(string) string, s string) string {
	if s == "" {
		return ""
	}
	return translate(s)
}

func saidAll(translate func(string) string, words []string) []string {
	if words == nil {
		return nil
	}
	out := make([]string, len(words))
	for i, s := range words {
		out[i] = said(translate, s)
	}
	return out
}

// MarshalJSON implements [json.Marshaler].
func (v Values) MarshalJSON() ([]byte, error) {
	if v == nil {
		return []byte("null"), nil
	}
	b := []byte{'['}
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		if !isFinite(x) {
			b = append(b, "null"...)
			continue
		}
		b = strconv.AppendFloat(b, x, 'g', 5, 64)
	}
	return append(b, ']'), nil
}

// Matrix is rows of numbers, in JSON those of [Values].
type Matrix [][]float64

// MarshalJSON implements [json.Marshaler].
func (m Matrix) MarshalJSON() ([]byte, error) {
	rows := make([]Values, len(m))
	for i, row := range m {
		rows[i] = row
	}
	return json.Marshal(rows)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (m *Matrix) UnmarshalJSON(b []byte) error {
	var rows []Values
	if err := json.Unmarshal(b, &rows); err != nil {
		return err
	}
	*m = nil
	for _, row := range rows {
		*m = append(*m, row)
	}
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *Values) UnmarshalJSON(b []byte) error {
	var xs []*float64
	if err := json.Unmarshal(b, &xs); err != nil {
		return err
	}
	*v = nil
	if xs != nil {
		*v = make(Values, len(xs))
	}
	for i, x := range xs {
		(*v)[i] = math.NaN()
		if x != nil {
			(*v)[i] = *x
		}
	}
	return nil
}

func isFinite(x float64) bool { return x-x == 0 }
