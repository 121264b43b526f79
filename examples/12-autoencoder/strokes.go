package main

import (
	"bytes"
	"image/png"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/seqzoo/seqzoo/course"
	"github.com/seqzoo/seqzoo/zoo/images"
	"github.com/seqzoo/seqzoo/zoo/reduce"
)

// Pictures have D pixels; strokes are twice half long.
const side, D, half = 16, 16 * 16, 4

// Stroke is all that varies from picture to picture: its middle and its direction.
type Stroke struct{ X, Y, Angle float64 }

// Draw draws the stroke, [D].
func (s Stroke) Draw() []float32 {
	picture := make([]float32, D)
	c, n := half*math.Cos(s.Angle), half*math.Sin(s.Angle)
	ink(picture, s.X-c, s.Y-n, s.X+c, s.Y+n)
	return picture
}

// ink draws into a picture all that lies near to a segment.
func ink(picture []float32, x0, y0, x1, y1 float64) {
	dx, dy := x1-x0, y1-y0
	for i := range picture {
		px, py := float64(i%side), float64(i/side)
		t := min(max(((px-x0)*dx+(py-y0)*dy)/(dx*dx+dy*dy), 0), 1)
		away := math.Hypot(px-x0-t*dx, py-y0-t*dy)
		picture[i] = max(picture[i], float32(min(max(1.8-away, 0), 1)))
	}
}

func draw(r *rand.Rand) Stroke {
	return Stroke{5 + 5*r.Float64(), 5 + 5*r.Float64(), math.Pi * r.Float64()}
}

// strokes draws n strokes, whose pictures are [n, D]. Those of seed 0 are for testing alone.
func strokes(n int, seed uint64) (x []float32, of []Stroke) {
	r := rand.New(rand.NewPCG(seed, 12))
	for range n {
		s := draw(r)
		x, of = append(x, s.Draw()...), append(of, s)
	}
	return x, of
}

// show shows pictures [n, D], a number of them across.
func show(p *course.Page, across int, x []float32, alt string) error {
	var b bytes.Buffer
	g := images.Grid{Rows: side, Cols: side, Across: across, Scale: 3, Ink: true}
	if err := g.WritePNG(&b, x); err != nil {
		return err
	}
	picture, err := png.Decode(&b)
	if err != nil {
		return err
	}
	p.Image(picture, alt, 0)
	return nil
}

// errorOf is the squared error a pixel, or NaN, for which no claim holds.
func errorOf(m reduce.Reducer, x []float32) float64 {
	e, err := reduce.MeanError(m, x)
	if err != nil {
		return math.NaN()
	}
	return e
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

func least(x []float64) float64 { return slices.Min(x) }
func most(x []float64) float64  { return slices.Max(x) }

// column is what each run has at a place.
func column(runs [][]float64, at int) (out []float64) {
	for _, r := range runs {
		out = append(out, r[at])
	}
	return out
}
