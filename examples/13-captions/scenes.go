package main

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
)

// A scene is a picture of two to four things in two rows, with the only sentence that fits it:
//
//	sentence = row "over" row
//	row      = thing ["beside" thing]
//	thing    = "disc" | "square" | "triangle" | "cross" | "ring" | "bar"
type scene struct {
	Picture *image.Gray
	Words   []string
	Boxes   []image.Rectangle // of the thing that each word is about; empty: of none
}

const side = 40 // pixels of a picture

var shapes = []string{"disc", "square", "triangle", "cross", "ring", "bar"}

// covers tells whether a shape that fills the square from −1 to 1 covers a point of it.
func covers(shape string, x, y float64) bool {
	r := math.Hypot(x, y)
	switch shape {
	case "disc":
		return r < 1
	case "ring":
		return r < 1 && r > 0.55
	case "triangle":
		return math.Abs(x) < (y+1)/2
	case "cross":
		return math.Abs(x) < 0.3 || math.Abs(y) < 0.3
	case "bar":
		return math.Abs(y) < 0.35
	}
	return true // a square
}

// paint draws a shape into a box, with soft edges.
func paint(picture *image.Gray, shape string, box image.Rectangle, brightness float64) {
	const fine = 4 // points of a pixel, each way
	half := float64(box.Dx()) / 2
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			n := 0
			for k := range fine * fine {
				u := (float64(x-box.Min.X) + (float64(k%fine)+0.5)/fine - half) / half
				v := (float64(y-box.Min.Y) + (float64(k/fine)+0.5)/fine - half) / half
				if covers(shape, u, v) {
					n++
				}
			}
			old := float64(picture.GrayAt(x, y).Y)
			picture.SetGray(x, y, color.Gray{uint8(old + (brightness-old)*float64(n)/(fine*fine))})
		}
	}
}

// newScene makes one up.
func newScene(r *rand.Rand) scene {
	s := scene{Picture: image.NewGray(image.Rect(0, 0, side, side))}
	for i := range s.Picture.Pix {
		s.Picture.Pix[i] = uint8(30 * r.Float64())
	}
	say := func(box image.Rectangle, word string) {
		s.Words, s.Boxes = append(s.Words, word), append(s.Boxes, box)
	}
	rows := []int{1 + r.IntN(2), 1 + r.IntN(2)}
	for i, things := range rows {
		if i > 0 {
			say(image.Rectangle{}, "over")
		}
		for k := range things {
			if k > 0 {
				say(image.Rectangle{}, "beside")
			}
			pixels := 10 + 2*r.IntN(3)
			shape := shapes[r.IntN(len(shapes))]
			width, height := side/things, side/len(rows)
			corner := image.Pt(k*width+r.IntN(width-pixels+1), i*height+r.IntN(height-pixels+1))
			box := image.Rectangle{corner, corner.Add(image.Pt(pixels, pixels))}
			paint(s.Picture, shape, box, 150+100*r.Float64())
			say(box, shape)
		}
	}
	return s
}

// things is how many things a scene has.
func (s scene) things() int { return (len(s.Words) + 1) / 2 }

// newScenes makes n scenes up.
func newScenes(seed uint64, n int) []scene {
	r := rand.New(rand.NewPCG(seed, 13))
	out := make([]scene, n)
	for i := range out {
		out[i] = newScene(r)
	}
	return out
}
