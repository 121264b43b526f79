package images

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
)

// Grid is how images are laid out in one picture.
type Grid struct {
	Rows, Cols int  // of one image
	Across     int  // images side by side; 0: ten, or all where there are fewer
	Scale      int  // screen pixels to a pixel; 0: 1
	Ink        bool // dark on light, as print is; false: light on dark, as the values are
}

// WritePNG draws the images x [N, Rows·Cols] from left to right, then downwards, with a thin line
// between them. Values are brightness from 0 to 1, and cut off beyond.
func (g Grid) WritePNG(w io.Writer, x []float32) error {
	const most = 1 << 14 // screen pixels a side
	if g.Rows < 1 || g.Cols < 1 || g.Rows > most || g.Cols > most || g.Across < 0 || g.Scale < 0 ||
		g.Across > most || g.Scale > most {
		return fmt.Errorf("images: a grid cannot be laid out by %+v", g)
	}
	pixels := g.Rows * g.Cols
	if len(x) == 0 || len(x)%pixels != 0 {
		return fmt.Errorf("images: %d values are no images of %d by %d", len(x), g.Rows, g.Cols)
	}
	n := len(x) / pixels
	scale := max(g.Scale, 1)
	across := g.Across
	if across == 0 {
		across = min(n, 10)
	}
	down := (n + across - 1) / across
	height, width := down*(g.Rows*scale+1)+1, across*(g.Cols*scale+1)+1
	if height > most || width > most {
		return fmt.Errorf("images: %d images of %d by %d make a picture of %d by %d; the "+
			"limit is %d a side", n, g.Rows, g.Cols,
			width, height, most)
	}
	picture := image.NewGray(image.Rect(0, 0, width, height))
	for i := range picture.Pix {
		picture.Pix[i] = 128 // the lines, and places without an image
	}
	for i := range n {
		top, left := i/across*(g.Rows*scale+1)+1, i%across*(g.Cols*scale+1)+1
		for y := range g.Rows * scale {
			for c := range g.Cols * scale {
				v := x[i*pixels+y/scale*g.Cols+c/scale]
				picture.SetGray(left+c, top+y, color.Gray{Y: g.grey(v)})
			}
		}
	}
	return (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(w, picture)
}

func (g Grid) grey(v float32) uint8 {
	if !(v > 0) { // NaN too
		v = 0
	}
	v = min(v, 1)
	if g.Ink {
		v = 1 - v
	}
	return uint8(v*255 + 0.5)
}
