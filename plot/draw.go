package plot

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
)

const (
	titleSize = 17
	textSize  = 14
	tickSize  = 13

	lineHeight  = tickSize + 3 // of texts in several lines
	titleHeight = titleSize + 5
	nameHeight  = textSize + 3
	gap         = 8 // between texts and what they name

	defaultWidth, defaultHeight = 640, 400
)

// colours tell curves apart for most kinds of colour vision (Okabe and Ito, 2008), on light and on
// dark paper; past the last of them lines are dashed.
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c8c"}

// dashes tell curves apart in print.
var dashes = [][]float64{nil, {7, 3}, {2, 3}, {7, 3, 2, 3}}

// palette gives each name an ink, in the order in which names are met.
type palette struct{ names []string }

func (p *palette) of(name string) ink {
	i := slices.Index(p.names, name)
	if i < 0 {
		i = len(p.names)
		p.names = append(p.names, name)
	}
	return ink{colour: colours[i%len(colours)], width: 1.8,
		dash: dashes[i/len(colours)%len(dashes)]}
}

// WriteSVG implements [Figure].
func (p *Plot) WriteSVG(w io.Writer) error {
	d, err := p.lay()
	if err != nil {
		return err
	}
	return d.writeSVG(w, p.Describe())
}

// WritePNG implements [Figure]. The picture has two pixels for each of the plot's.
func (p *Plot) WritePNG(w io.Writer) error {
	d, err := p.lay()
	if err != nil {
		return err
	}
	return d.writePNG(w)
}

// layout is where the parts of a plot stand.
type layout struct {
	width, height       float64 // without the legend
	x, y                axis
	title, xName, yName []string // lines
	groups              [][]string
	turned              bool // groups' names, since one has no room lengthwise
}

// lay decides where everything stands.
func (p *Plot) lay() (drawing, error) {
	if p == nil {
		return drawing{}, errors.New("plot: the plot is nil")
	}
	if err := p.validate(); err != nil {
		return drawing{}, err
	}
	l := layout{width: float64(cmp.Or(p.Width, defaultWidth)),
		height: float64(cmp.Or(p.Height, defaultHeight))}
	l.x, l.y = p.axes()
	if err := errors.Join(p.stack(&l), p.sides(&l)); err != nil {
		return drawing{}, err
	}
	legend, rows, err := p.legend(l.width)
	if err != nil {
		return drawing{}, err
	}
	if err := p.readable(l); err != nil {
		return drawing{}, err
	}
	return drawing{l.width, l.height + float64(rows)*24 + 4, func(c canvas) {
		var colours palette
		p.frame(c, l)
		p.fill(c, l.x, l.y, &colours)
		for _, e := range legend {
			e.draw(c, l.height+4, &colours)
		}
	}}, nil
}

// stack sets the vertical axis. A title of several lines makes the plot higher, and its axes no
// shorter.
func (p *Plot) stack(l *layout) (err error) {
	top := 14.0
	if p.Title != "" {
		if l.title, err = balanced(p.Title, titleSize, l.width-2*gap); err != nil {
			return err
		}
		above := titleHeight * float64(len(l.title)-1)
		top, l.height = 40+above, l.height+above
	}
	below := 46.0
	if p.X == "" {
		below = 24
	}
	l.y.from, l.y.to = l.height-below, top
	l.yName, err = wrap(p.Y, textSize, l.y.from-l.y.to+2*textSize)
	return err
}

// sides sets the horizontal axis, and what its names take from below.
func (p *Plot) sides(l *layout) error {
	var names, levels []string
	for _, v := range l.y.ticks() {
		names = append(names, l.y.label(v))
	}
	for _, level := range p.Levels {
		levels = append(levels, level.Name)
	}
	left, err := widest(names, tickSize)
	if err != nil {
		return err
	}
	right, err := widest(levels, tickSize)
	if err != nil {
		return err
	}
	l.x.from, l.x.to = left+gap+6, l.width-16-right
	if p.Y != "" {
		l.x.from += textSize + gap + nameHeight*float64(len(l.yName)-1)
	}
	if ticks := l.x.ticks(); p.Groups == nil && len(ticks) > 0 { // half of the last one's label
		last, err := textWidth(l.x.label(ticks[len(ticks)-1]), tickSize)
		if err != nil {
			return err
		}
		l.x.to = min(l.x.to, l.width-last/2-4)
	}
	if err := p.nameGroups(l); err != nil {
		return err
	}
	if l.x.to-l.x.from < 20 || l.y.from-l.y.to < 20 {
		return fmt.Errorf("plot: %g×%g pixels leave no room for the axes", l.width, l.height)
	}
	l.xName, err = wrap(p.X, textSize, 2*min(l.x.centre(), l.width-l.x.centre())-gap)
	l.height += nameHeight * float64(len(l.xName)-1)
	return err
}

// readable reports texts that cannot be written, and those that have no room.
func (p *Plot) readable(l layout) error {
	var texts []string // all others were measured where they were given their places
	for _, c := range p.Curves {
		texts = append(append(texts, c.Texts...), c.Label)
	}
	if _, err := widest(texts, textSize); err != nil {
		return err
	}
	line, err := widest(l.title, titleSize)
	switch {
	case err != nil:
		return err
	case line > l.width:
		return fmt.Errorf("plot: a word of the title %.40q is wider than the plot: %.0f of "+
			"%.0f pixels", p.Title, line, l.width)
	case l.height > 2*largest:
		return fmt.Errorf("plot: in lines, the title %.40q or the name %.40q makes the plot %.0f "+
			"pixels high: want at most %d", p.Title, p.X, l.height, 2*largest)
	}
	return nil
}

// axes span what is drawn.
func (p *Plot) axes() (x, y axis) {
	x, y = newAxis(p.LogX, p.XRange), newAxis(p.LogY, p.YRange)
	both := func(xs, ys Values) {
		for i := range xs {
			if x.shows(xs[i]) && y.shows(ys[i]) {
				x.include(xs[i])
				y.include(ys[i])
			}
		}
	}
	for _, c := range p.Curves {
		both(c.X, c.Y)
	}
	for _, b := range p.Bands {
		both(b.X, b.Low)
		both(b.X, b.High)
	}
	for _, b := range p.Bars {
		if !p.LogY {
			y.include(0)
		}
		for _, v := range slices.Concat(b.Values, b.Low, b.High) {
			y.include(v)
		}
	}
	for _, l := range p.Levels {
		y.include(l.Y)
	}
	for _, c := range p.Curves {
		if c.Dots {
			x.widen()
			break
		}
	}
	if len(p.Bars) == 0 {
		y.widen()
	}
	if p.Groups != nil {
		x = axis{low: 0, high: float64(len(p.Groups))}
	}
	x.settle()
	y.settle()
	if p.LogY && len(p.Bars) > 0 {
		y.low /= 2 // the least of the bars is seen as well
	}
	return x, y
}

// nameGroups makes room for the names of the groups: side by side, each in lines, or upright if a
// word is wider than its group.
func (p *Plot) nameGroups(l *layout) error {
	room := l.x.at(1) - l.x.at(0)
	for _, name := range p.Groups {
		lines, err := wrap(name, tickSize, room-gap/2)
		if err != nil {
			return err
		}
		width, err := widest(lines, tickSize)
		if err != nil {
			return err
		}
		l.turned = l.turned || width > room
		l.groups = append(l.groups, lines)
	}
	if !l.turned {
		l.y.from -= lineHeight * float64(deepest(l.groups)-1)
		return nil
	}
	for i, name := range p.Groups {
		l.groups[i] = []string{name}
	}
	length, err := widest(p.Groups, tickSize)
	l.y.from -= length - lineHeight + gap
	return err
}

// deepest is the number of lines of the name that has the most, at least 1.
func deepest(names [][]string) int {
	most := 1
	for _, lines := range names {
		most = max(most, len(lines))
	}
	return most
}

// frame draws the title, the axes and their grid.
func (p *Plot) frame(c canvas, l layout) {
	x, y := l.x, l.y
	for i, line := range l.title {
		c.text(point{l.width / 2, 22 + titleHeight*float64(i)}, line, titleSize, middle, false,
			ink{})
	}
	faint := ink{opacity: 0.15, width: 1}
	tick := func(at float64, lines ...string) {
		for i, line := range lines {
			below := y.from + tickSize + 5 + lineHeight*float64(i)
			c.text(point{at, below}, line, tickSize, middle, false, ink{})
		}
	}
	if p.Groups == nil {
		for _, v := range x.ticks() {
			c.line([]point{{x.at(v), y.from}, {x.at(v), y.to}}, faint)
			tick(x.at(v), x.label(v))
		}
	}
	for i, lines := range l.groups {
		if at := x.at(float64(i) + 0.5); l.turned {
			c.text(point{at + 5, y.from + gap}, lines[0], tickSize, end, true, ink{})
		} else {
			tick(at, lines...)
		}
	}
	for _, v := range y.ticks() {
		c.line([]point{{x.from, y.at(v)}, {x.to, y.at(v)}}, faint)
		c.text(point{x.from - 6, y.at(v) + 4.5}, y.label(v), tickSize, end, false, ink{})
	}
	c.line([]point{{x.from, y.to}, {x.from, y.from}, {x.to, y.from}}, ink{width: 1})
	below := l.height - nameHeight*float64(len(l.xName)-1) - 7
	for i, line := range l.xName {
		c.text(point{x.centre(), below + nameHeight*float64(i)}, line, textSize, middle, false,
			ink{})
	}
	long, _ := widest(l.yName, textSize) // was measured before
	middleY := max(y.centre(), long/2+2) // a name may be longer than the axis
	for i, line := range l.yName {
		c.text(point{textSize + 3 + nameHeight*float64(i), middleY}, line, textSize, middle, true,
			ink{})
	}
}

// fill draws the values.
func (p *Plot) fill(c canvas, x, y axis, inks *palette) {
	for _, s := range p.series() { // the order of the legend is that of the colours
		inks.of(s.name)
	}
	for _, b := range p.Bands {
		with := inks.of(b.Name)
		with.opacity = 0.2
		for from := 0; from < len(b.X); {
			to := from
			var above, below []point
			for ; to < len(b.X) && x.shows(b.X[to]) && y.shows(b.Low[to]) &&
				y.shows(b.High[to]); to++ {
				above = append(above, point{x.at(b.X[to]), y.at(b.High[to])})
				below = append(below, point{x.at(b.X[to]), y.at(b.Low[to])})
			}
			if to > from {
				slices.Reverse(below)
				c.area(append(above, below...), with)
			}
			from = max(to, from+1)
		}
	}
	for i, b := range p.Bars {
		p.bars(c, x, y, i, inks.of(b.Name))
	}
	for _, l := range p.Levels {
		if !y.shows(l.Y) {
			continue
		}
		c.line([]point{{x.from, y.at(l.Y)}, {x.to, y.at(l.Y)}},
			ink{opacity: 0.7, width: 1, dash: []float64{5, 4}})
		c.text(point{x.to + 5, y.at(l.Y) + 4.5}, l.Name, tickSize, start, false, ink{})
	}
	for _, curve := range p.Curves {
		curve.draw(c, x, y, inks.of(curve.Name))
	}
}

func (curve Curve) draw(c canvas, x, y axis, with ink) {
	name := curve.Label
	if name == "" {
		name = curve.Name
	}
	done := c.note(name)
	defer done()
	var points []point
	pour := func() {
		if len(points) > 1 {
			c.line(points, with)
		} else if len(points) == 1 {
			c.dot(points[0], 2, with)
		}
		points = nil
	}
	for i := range curve.X {
		if !x.shows(curve.X[i]) || !y.shows(curve.Y[i]) {
			pour()
			continue
		}
		at := point{x.at(curve.X[i]), y.at(curve.Y[i])}
		if curve.Dots {
			c.dot(at, 3.5, with)
		} else {
			points = append(points, at)
		}
		if i < len(curve.Texts) {
			beside, from := point{at.x + 6, at.y - 5}, start
			if at.x > (x.from+3*x.to)/4 { // leaves the axes less often
				beside.x, from = at.x-6, end
			}
			c.text(beside, curve.Texts[i], tickSize, from, false, ink{})
		}
	}
	pour()
}

// bars draws the bars of one kind: in each group beside those of the others.
func (p *Plot) bars(c canvas, x, y axis, kind int, with ink) {
	b := p.Bars[kind]
	foot := y.low
	if !p.LogY {
		foot = min(max(0, y.low), y.high)
	}
	each := 0.8 / float64(len(p.Bars))
	for g, v := range b.Values {
		if !y.shows(v) {
			continue
		}
		left := x.at(float64(g) + 0.1 + each*float64(kind))
		right := x.at(float64(g) + 0.1 + each*(float64(kind)+1))
		done := c.note(fmt.Sprintf("%s, %s: %.4g", p.Groups[g], b.Name, v))
		c.area([]point{{left + 1, y.at(foot)}, {left + 1, y.at(v)}, {right - 1, y.at(v)},
			{right - 1, y.at(foot)}}, ink{colour: with.colour})
		if b.Low != nil && y.shows(b.Low[g]) && y.shows(b.High[g]) {
			at := (left + right) / 2
			c.line([]point{{at, y.at(b.Low[g])}, {at, y.at(b.High[g])}}, ink{width: 1.5})
		}
		done()
	}
}
