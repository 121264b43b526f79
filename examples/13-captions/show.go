package main

import (
	"image"
	"image/color"
	"image/draw"

	"github.com/seqzoo/seqzoo/zoo/caption"
)

const (
	zoom = 4 // pixels of a tile for one of a scene
	gap  = 8 // between tiles
	tile = zoom * side
)

// tiles lays tiles out, columns side by side; between them the page shows.
func tiles(columns int, all ...image.Image) image.Image {
	rows := (len(all) + columns - 1) / columns
	columns = min(columns, len(all))
	out := image.NewRGBA(image.Rect(0, 0, columns*(tile+gap)-gap, rows*(tile+gap)-gap))
	for i, m := range all {
		at := image.Pt(i%columns*(tile+gap), i/columns*(tile+gap))
		draw.Draw(out, image.Rectangle{at, at.Add(image.Pt(tile, tile))}, m, image.Point{},
			draw.Src)
	}
	return out
}

// enlarged is a scene, larger.
func enlarged(s scene) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, tile, tile))
	for y := range tile {
		for x := range tile {
			out.Set(x, y, s.Picture.GrayAt(x/zoom, y/zoom))
		}
	}
	return out
}

// looked is a scene with the places that a word looked at in orange, and a blue frame around the
// thing that the word is about.
func looked(s scene, m *caption.Model, weights []float64, box image.Rectangle) image.Image {
	out := enlarged(s)
	most := 0.0
	for _, w := range weights {
		most = max(most, w)
	}
	stride := m.Config().Stride
	for i, w := range weights {
		// a weight belongs to the middle of its patch, and colours a stride around it
		middle := m.Cell(i).Min.Add(m.Cell(i).Max).Div(2).Sub(image.Pt(stride/2, stride/2))
		field := image.Rectangle{middle.Mul(zoom), middle.Add(image.Pt(stride, stride)).Mul(zoom)}
		strength := uint8(190 * w / max(most, 1e-30))
		draw.DrawMask(out, field, image.NewUniform(color.RGBA{230, 120, 0, 255}), image.Point{},
			image.NewUniform(color.Alpha{strength}), image.Point{}, draw.Over)
	}
	blue := image.NewUniform(color.RGBA{86, 180, 233, 255})
	frame := image.Rectangle{box.Min.Mul(zoom), box.Max.Mul(zoom)}.Inset(-2)
	if !box.Empty() {
		for _, edge := range []image.Rectangle{
			{frame.Min, image.Pt(frame.Max.X, frame.Min.Y+2)}, {image.Pt(frame.Min.X,
				frame.Max.Y-2), frame.Max},
			{frame.Min, image.Pt(frame.Min.X+2, frame.Max.Y)}, {image.Pt(frame.Max.X-2,
				frame.Min.Y), frame.Max},
		} {
			draw.Draw(out, edge, blue, image.Point{}, draw.Src)
		}
	}
	return out
}
