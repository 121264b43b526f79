package plot

import "fmt"

// sample is how the legend shows a series.
type sample int

const (
	sampleLine sample = iota
	sampleDot
	sampleArea
)

// series is what has a name in the legend.
type series struct {
	name string
	as   sample
}

// series returns what the legend lists, in order, each name once.
func (p *Plot) series() []series {
	var out []series
	met := map[string]bool{}
	add := func(name string, as sample) {
		if !met[name] {
			met[name] = true
			out = append(out, series{name, as})
		}
	}
	for _, b := range p.Bars {
		add(b.Name, sampleArea)
	}
	for _, c := range p.Curves {
		if c.Dots {
			add(c.Name, sampleDot)
		} else {
			add(c.Name, sampleLine)
		}
	}
	for _, b := range p.Bands {
		add(b.Name, sampleArea)
	}
	return out
}

// entry is a line of the legend.
type entry struct {
	series
	x   float64
	row int
}

// legend lays the names out in rows under the axes.
func (p *Plot) legend(width float64) (entries []entry, rows int, err error) {
	named := p.series()
	const sampleWidth, between = 30, 18
	x := gap * 2.0
	for _, s := range named {
		if s.name == "" {
			continue
		}
		w, err := textWidth(s.name, textSize)
		if err != nil {
			return nil, 0, err
		}
		w += sampleWidth + between
		if w > width {
			return nil, 0, fmt.Errorf("plot: the name %q is wider than the plot", s.name)
		}
		if rows == 0 {
			rows = 1
		}
		if x+w-between > width && x > gap*2 {
			x, rows = gap*2, rows+1
		}
		entries = append(entries, entry{s, x, rows - 1})
		x += w
	}
	return entries, rows, nil
}

func (e entry) draw(c canvas, top float64, inks *palette) {
	y, with := top+float64(e.row)*24+10, inks.of(e.name)
	switch e.as {
	case sampleLine:
		with.width = 2.5
		c.line([]point{{e.x, y}, {e.x + 24, y}}, with)
	case sampleDot:
		c.dot(point{e.x + 12, y}, 4, with)
	case sampleArea:
		c.area([]point{{e.x + 4, y - 6}, {e.x + 20, y - 6}, {e.x + 20, y + 6}, {e.x + 4, y + 6}},
			ink{colour: with.colour})
	}
	c.text(point{e.x + 30, y + 5}, e.name, textSize, start, false, ink{})
}
