package plot

import (
	"errors"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
)

// point is a place in pixels from the left and from the top.
type point struct{ x, y float64 }

// ink is how something is drawn.
type ink struct {
	colour  string  // #rrggbb; "" is the colour of texts and axes
	opacity float64 // 0 means 1
	width   float64 // of a line, in pixels
	dash    []float64
}

// anchor is the part of a text that stands at its point.
type anchor string

const (
	start  anchor = "start"
	middle anchor = "middle"
	end    anchor = "end"
)

// canvas is what figures are drawn on.
type canvas interface {
	line(points []point, with ink)
	area(points []point, with ink) // fills a polygon
	dot(at point, radius float64, with ink)
	// text writes from the base line at a point; upwards if turned.
	text(at point, text string, size float64, from anchor, turned bool, with ink)
	// note is what is shown when the mouse rests on what is drawn until done is called.
	note(text string) (done func())
}

// dark is the colour of texts and axes where no page gives another.
const dark = "#1f2328"

var errNoWriter = errors.New("plot: the writer is nil")

// drawing is a figure whose size is known.
type drawing struct {
	width, height float64
	draw          func(c canvas)
}

// svgCanvas writes elements of SVG.
type svgCanvas struct{ b strings.Builder }

// writeSVG writes the drawing as a picture that is named by title and described by alt. A page that
// contains it may give texts and axes the colour of its own text, and hide the rectangle of class
// paper.
func (d drawing) writeSVG(w io.Writer, alt string) error {
	if w == nil {
		return errNoWriter
	}
	var c svgCanvas
	fmt.Fprintf(&c.b,
		`<svg xmlns="http://www.w3.org/2000/svg" class="plot" role="img" aria-label="%s" `+
			`width="%s" viewBox="0 0 %[2]s %[3]s" color="%[4]s" font-family="'Noto Sans CJK JP',`+
			`'Noto Sans JP','Hiragino Sans','Yu Gothic UI',Meiryo,sans-serif">`+"\n",
		html.EscapeString(alt), number(d.width), number(d.height), dark)
	fmt.Fprintf(&c.b, `<rect class="paper" width="%s" height="%s" fill="white"/>`+"\n",
		number(d.width), number(d.height))
	d.draw(&c)
	c.b.WriteString("</svg>\n")
	_, err := io.WriteString(w, c.b.String())
	return err
}

// number writes pixels with one decimal at most.
func number(v float64) string {
	s := fmt.Sprintf("%.1f", v)
	return strings.TrimSuffix(s, ".0")
}

func (i ink) svg(attribute string) string {
	colour := i.colour
	if colour == "" {
		colour = "currentColor"
	}
	s := fmt.Sprintf(` %s="%s"`, attribute, colour)
	if i.opacity != 0 {
		s += fmt.Sprintf(` %s-opacity="%.2g"`, attribute, i.opacity)
	}
	return s
}

func (c *svgCanvas) path(points []point) string {
	var b strings.Builder
	for i, p := range points {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(number(p.x) + "," + number(p.y))
	}
	return b.String()
}

func (c *svgCanvas) line(points []point, with ink) {
	fmt.Fprintf(&c.b, `<polyline fill="none"%s stroke-width="%s"`, with.svg("stroke"),
		number(with.width))
	if with.dash != nil {
		c.b.WriteString(` stroke-dasharray="` + strings.Trim(fmt.Sprint(with.dash), "[]") + `"`)
	}
	fmt.Fprintf(&c.b, ` points="%s"/>`+"\n", c.path(points))
}

func (c *svgCanvas) area(points []point, with ink) {
	fmt.Fprintf(&c.b, `<polygon%s points="%s"/>`+"\n", with.svg("fill"), c.path(points))
}

func (c *svgCanvas) dot(at point, radius float64, with ink) {
	fmt.Fprintf(&c.b, `<circle%s cx="%s" cy="%s" r="%s"/>`+"\n", with.svg("fill"), number(at.x),
		number(at.y),
		number(radius))
}

func (c *svgCanvas) text(at point, text string, size float64, from anchor, turned bool, with ink) {
	if text == "" {
		return
	}
	place := fmt.Sprintf(`x="%s" y="%s"`, number(at.x), number(at.y))
	if turned {
		place = fmt.Sprintf(`transform="translate(%s %s) rotate(-90)"`, number(at.x), number(at.y))
	}
	fmt.Fprintf(&c.b, `<text %s font-size="%s" text-anchor="%s"%s>%s</text>`+"\n", place,
		number(size), from,
		with.svg("fill"), html.EscapeString(text))
}

func (c *svgCanvas) note(text string) func() {
	if text == "" {
		return func() {}
	}
	fmt.Fprintf(&c.b, "<g><title>%s</title>\n", html.EscapeString(text))
	return func() { c.b.WriteString("</g>\n") }
}

// imageCanvas draws on an image, by the machine of gonum/plot, whose vertical axis points upwards.
type imageCanvas struct {
	height float64
	on     *vgimg.Canvas
	err    error
}

// pngScale is the pixels of a PNG for one of SVG, so that letters are sharp on fine screens.
const pngScale = 2

func (d drawing) writePNG(w io.Writer) error {
	if w == nil {
		return errNoWriter
	}
	c := imageCanvas{height: d.height, on: vgimg.NewWith(vgimg.UseWH(vg.Length(d.width),
		vg.Length(d.height)), vgimg.UseDPI(72*pngScale), vgimg.UseBackgroundColor(color.White))}
	d.draw(&c)
	if c.err != nil {
		return c.err
	}
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	return encoder.Encode(w, fewColours(c.on.Image()))
}

// fewColours makes a picture of 256 colours, which takes a quarter of the bytes: each channel is
// rounded to what leaves few enough of them. Where even that does not help, it keeps the picture.
func fewColours(m image.Image) image.Image {
	b := m.Bounds()
	for _, step := range []uint32{1, 4, 8, 16, 32, 51} {
		index := map[color.RGBA]uint8{}
		var palette color.Palette
		out := image.NewPaletted(b, nil)
		full := false
		for y := b.Min.Y; y < b.Max.Y && !full; y++ {
			for x := b.Min.X; x < b.Max.X; x++ {
				r, g, bl, _ := m.At(x, y).RGBA()
				c := color.RGBA{round(r>>8, step), round(g>>8, step), round(bl>>8, step), 255}
				at, ok := index[c]
				if !ok {
					if full = len(palette) == 256; full {
						break
					}
					at = uint8(len(palette))
					index[c], palette = at, append(palette, c)
				}
				out.Pix[(y-b.Min.Y)*out.Stride+x-b.Min.X] = at
			}
		}
		if !full {
			out.Palette = palette
			return out
		}
	}
	return m
}

// round rounds a channel to a multiple of step, such that white stays white.
func round(v, step uint32) uint8 {
	if step == 1 {
		return uint8(v)
	}
	return uint8(255 - min(255, (255-v+step/2)/step*step))
}

func (i ink) rgba() color.Color {
	colour := i.colour
	if colour == "" {
		colour = dark
	}
	var r, g, b uint8
	fmt.Sscanf(colour, "#%02x%02x%02x", &r, &g, &b) // colours are those of this package
	alpha := uint8(255)
	if i.opacity != 0 {
		alpha = uint8(math.Round(255 * i.opacity))
	}
	return color.NRGBA{r, g, b, alpha}
}

func (c *imageCanvas) path(points []point) vg.Path {
	var path vg.Path
	for i, p := range points {
		at := vg.Point{X: vg.Length(p.x), Y: vg.Length(c.height - p.y)}
		if i == 0 {
			path.Move(at)
		} else {
			path.Line(at)
		}
	}
	return path
}

func (c *imageCanvas) line(points []point, with ink) {
	c.on.SetColor(with.rgba())
	c.on.SetLineWidth(vg.Length(with.width))
	var dash []vg.Length
	for _, d := range with.dash {
		dash = append(dash, vg.Length(d))
	}
	c.on.SetLineDash(dash, 0)
	c.on.Stroke(c.path(points))
}

func (c *imageCanvas) area(points []point, with ink) {
	c.on.SetColor(with.rgba())
	path := c.path(points)
	path.Close()
	c.on.Fill(path)
}

func (c *imageCanvas) dot(at point, radius float64, with ink) {
	c.on.SetColor(with.rgba())
	var path vg.Path
	centre := vg.Point{X: vg.Length(at.x), Y: vg.Length(c.height - at.y)}
	path.Move(vg.Point{X: centre.X + vg.Length(radius), Y: centre.Y})
	path.Arc(centre, vg.Length(radius), 0, 2*math.Pi)
	path.Close()
	c.on.Fill(path)
}

func (c *imageCanvas) text(at point, text string, size float64, from anchor, turned bool,
	with ink) {
	runs, err := shape(text, size)
	if err != nil {
		c.err = err
		return
	}
	width := 0.0
	for _, r := range runs {
		if r.font == nil {
			c.err = fmt.Errorf("plot: the fonts have no glyph for %q in %q; only SVG, which the "+
				"fonts of the reader's system are used for, can show it", r.text, text)
			return
		}
		width += r.width
	}
	x := 0.0
	switch from {
	case middle:
		x = -width / 2
	case end:
		x = -width
	}
	c.on.Push()
	defer c.on.Pop()
	c.on.SetColor(with.rgba())
	c.on.Translate(vg.Point{X: vg.Length(at.x), Y: vg.Length(c.height - at.y)})
	if turned {
		c.on.Rotate(math.Pi / 2)
	}
	for _, r := range runs {
		face := font.Face{Font: font.Font{Size: vg.Length(size)}, Face: r.font}
		c.on.FillString(face, vg.Point{X: vg.Length(x)}, r.text)
		x += r.width
	}
}

func (c *imageCanvas) note(string) func() { return func() {} }
