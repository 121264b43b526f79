package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/images"
	"github.com/seqzoo/seqzoo/zoo/reduce"
)

var pictures = []string{"reconstructions", "samples", "interpolation", "traversal", "codes"}

// drawCommand is the flags of draw.
type drawCommand struct {
	source
	model, what, out string
	n, scale         int
	seed             uint64
}

func (d *drawCommand) register(f *flag.FlagSet) {
	d.source.register(f)
	cli.ModelFlag(f, &d.model, "")
	f.StringVar(&d.what, "what", "reconstructions",
		"`one` of "+strings.Join(pictures,
			", ")+"; codes makes an SVG of the first two numbers, the others PNG")
	cli.DrawFlag(f, &d.out, "", "them to this `file`")
	cli.OldNames(f, "o", "draw")
	f.IntVar(&d.n, "n", 10, "pictures side by side; codes: hundreds of points")
	f.IntVar(&d.scale, "scale", 2, "screen pixels to a pixel")
	cli.SeedFlag(f, &d.seed, 1, "the samples, and of the noise of a denoising model")
}

func (d *drawCommand) check() error {
	var errs []error
	if !slices.Contains(pictures, d.what) {
		errs = append(errs, fmt.Errorf("-what is %q; want one of %s", d.what,
			strings.Join(pictures, ", ")))
	}
	if d.n < 2 || d.n > 100 || d.scale < 1 || d.scale > 16 {
		errs = append(errs, fmt.Errorf("-n is %d and -scale %d; want 2 … 100 and 1 … 16", d.n,
			d.scale))
	}
	return errors.Join(append(errs, cli.Required("model", d.model, "draw", d.out),
		d.source.check())...)
}

func (d *drawCommand) run(_ context.Context, s cli.Std) error {
	m, err := reduce.Load(d.model)
	if err != nil {
		return err
	}
	r, err := d.read(s.Messages, "t10k", d.what == "codes")
	if err != nil {
		return err
	}
	if r.width != m.Features() {
		return fmt.Errorf("a row has %d numbers, and the model reads rows of %d", r.width,
			m.Features())
	}
	var b bytes.Buffer
	if d.what == "codes" {
		err = d.codes(&b, m, r)
	} else {
		err = d.grid(&b, m, r)
	}
	if err != nil {
		return err
	}
	if err := cli.WriteFile(d.out, func(w io.Writer) error {
		_, err := w.Write(b.Bytes())
		return err
	}); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Messages, "wrote %s\n", d.out)
	return err
}

// grid draws pictures side by side.
func (d *drawCommand) grid(w io.Writer, m reduce.Reducer, r *rows) (err error) {
	if r.rows == 0 {
		return errors.New("only pictures can be drawn, and these are rows of numbers; -what " +
			"codes draws any")
	}
	if r.len() < d.n {
		return fmt.Errorf("there are %d pictures, and -n is %d", r.len(), d.n)
	}
	row := func(i int) []float32 { return r.x[i*r.width : (i+1)*r.width] }
	var x []float32
	switch d.what {
	case "reconstructions":
		x = append(x, r.x[:d.n*r.width]...)
		given := x
		if a, ok := m.(*reduce.Autoencoder); ok && a.Config().Corruption.Kind != "" {
			if given, err = a.Config().Corruption.Apply(x, r.width, d.seed); err != nil {
				return err
			}
			x = append(x, given...)
		}
		y, err := reduce.Reconstruct(m, given)
		if err != nil {
			return err
		}
		x = append(x, y...)
	case "samples":
		v, ok := m.(*reduce.VAE)
		if !ok {
			return fmt.Errorf("%s is a %s, and only a VAE can be sampled", d.model,
				m.Architecture())
		}
		if x, err = v.Sample(d.n*d.n, d.seed); err != nil {
			return err
		}
	case "interpolation":
		for i := range min(d.n/2, r.len()/2, 5) {
			y, err := reduce.Interpolate(m, row(2*i), row(2*i+1), d.n)
			if err != nil {
				return err
			}
			x = append(x, y...)
		}
	case "traversal": // of each number of the code, three deviations to both sides of the mean
		codes, err := m.Transform(r.x[:min(r.len(), 1000)*r.width])
		if err != nil {
			return err
		}
		for k := range min(m.Codes(), 10) {
			mean, deviation := spread(codes, m.Codes(), k)
			y, err := reduce.Traverse(m, row(0), k, mean-3*deviation, mean+3*deviation, d.n)
			if err != nil {
				return err
			}
			x = append(x, y...)
		}
	}
	return images.Grid{Rows: r.rows, Cols: r.cols, Across: d.n, Scale: d.scale}.WritePNG(w, x)
}

// spread is mean and deviation of number k of codes of K numbers.
func spread(codes []float32, K, k int) (mean, deviation float64) {
	n := float64(len(codes) / K)
	for i := k; i < len(codes); i += K {
		mean += float64(codes[i]) / n
	}
	for i := k; i < len(codes); i += K {
		e := float64(codes[i]) - mean
		deviation += e * e / n
	}
	return mean, math.Sqrt(deviation)
}

// colours of labels 0 … 9.
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
	"#8c564b", "#7f7f7f", "#9467bd"}

// codes draws the first two numbers of the codes of rows, coloured by label.
func (d *drawCommand) codes(w io.Writer, m reduce.Reducer, r *rows) error {
	if m.Codes() < 2 {
		return fmt.Errorf("the codes of %s have one number; want two or more", d.model)
	}
	n := min(r.len(), 100*d.n)
	codes, err := m.Transform(r.x[:n*r.width])
	if err != nil {
		return err
	}
	const size, margin = 480., 12.
	K := m.Codes()
	place := func(k int) func(i int) float64 { // the middle 99 % fill the picture
		values := make([]float64, n)
		for i := range values {
			values[i] = float64(codes[i*K+k])
		}
		slices.Sort(values)
		low, high := values[n/200], values[n-1-n/200]
		if high <= low {
			high = low + 1
		}
		return func(i int) float64 {
			return margin + (size-2*margin)*(float64(codes[i*K+k])-low)/(high-low)
		}
	}
	x, y := place(0), place(1)
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g" viewBox="0 0 %g %g" font-family="sans-serif" font-size="11">`+"\n", size+40, size, size+40, size)
	fmt.Fprintf(w, `<rect width="%g" height="%g" fill="#ffffff"/>`+"\n", size+40, size)
	labels := slices.Compact(slices.Sorted(slices.Values(r.labels)))
	for _, label := range labels {
		fmt.Fprintf(w, `<g fill="%s" fill-opacity="0.7">`+"\n",
			colours[((label%len(colours))+len(colours))%len(colours)])
		for i := range n {
			if r.labels[i] == label {
				if px, py := x(i), y(i); px >= 0 && px <= size && py >= 0 && py <= size {
					fmt.Fprintf(w, `<circle cx="%.0f" cy="%.0f" r="2"/>`, px, size-py)
				}
			}
		}
		fmt.Fprintf(w, "\n</g>\n")
	}
	for i, label := range labels[:min(len(labels), len(colours))] {
		fmt.Fprintf(w, `<text x="%g" y="%d" fill="%s">%d</text>`+"\n", size+16, 20+16*i,
			colours[((label%len(colours))+len(colours))%len(colours)], label)
	}
	_, err = io.WriteString(w, "</svg>\n")
	return err
}
