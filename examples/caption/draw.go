package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"github.com/seqzoo/seqzoo/examples/cli"
	"html"
	"image"
	"image/draw"
	"image/png"
	"io"
	"math"

	"github.com/seqzoo/seqzoo/zoo/caption"
)

func drawFile(path string, m *caption.Model, p image.Image, c caption.Caption) error {
	return cli.WriteFile(path,
		func(w io.Writer) error { return drawMaps(w, m, p, c) })
}

// drawMaps draws a picture once for each word of its caption, with the places that the word looked
// at in colour. A patch's weight colours the field around its middle, a stride wide.
func drawMaps(w io.Writer, m *caption.Model, p image.Image, c caption.Caption) error {
	const zoom, gap, top = 2, 8, 20 // pixels: of one of the picture, between pictures, for a word
	cfg := m.Config()
	grey := image.NewGray(image.Rect(0, 0, cfg.Width, cfg.Height))
	draw.Draw(grey, grey.Rect, p, p.Bounds().Min, draw.Src)
	var file bytes.Buffer
	if err := png.Encode(&file, grey); err != nil {
		return err
	}
	width, height := zoom*cfg.Width, zoom*cfg.Height
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n",
		gap+len(c.Tokens)*(width+gap), top+height+gap)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	fmt.Fprintf(&b, `<defs><image id="p" width="%d" height="%d" href="data:image/png;base64,%s"/></defs>`+"\n",
		width, height, base64.StdEncoding.EncodeToString(file.Bytes()))
	for t, word := range c.Tokens {
		x := gap + t*(width+gap)
		fmt.Fprintf(&b, `<text x="%d" y="14">%s</text><g transform="translate(%d %d)"><use href="#p"/>`+"\n", x, html.EscapeString(word), x, top)
		most := c.Maps[t][c.Peak(t)]
		for i, weight := range c.Maps[t] {
			share := math.Sqrt(weight / max(most, 1e-30))
			if share < 0.1 {
				continue
			}
			at := center(m.Cell(i)).Mul(zoom).Sub(image.Pt(zoom*cfg.Stride/2, zoom*cfg.Stride/2))
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%d" height="%d" fill="#ff5500" fill-opacity="%.2f"/>`+"\n",
				at.X, at.Y, zoom*cfg.Stride, zoom*cfg.Stride, 0.7*share)
		}
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	_, err := w.Write(b.Bytes())
	return err
}
