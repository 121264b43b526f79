package course

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"time"

	"github.com/seqzoo/seqzoo/plot"
)

// Size is how much a run computes.
type Size int

// The sizes of a run: a few seconds, which show that a chapter works; at most three minutes on two
// cores, which still show what the chapter says; and as much as it takes.
const (
	Quick Size = iota
	Lesson
	Full
)

// String returns the name of a size.
func (s Size) String() string {
	if s < Quick || s > Full {
		return fmt.Sprintf("Size(%d)", int(s))
	}
	return []string{"quick", "lesson", "full"}[s]
}

// size is that of a page; nobody's page is quick.
func (p *Page) size() Size {
	if p == nil {
		return Quick
	}
	return p.Size
}

// Cell is a function of a chapter: it computes, and gives a page what there is to read and to see.
type Cell func(p *Page) error

// Page takes what a cell gives. Its methods are for one goroutine.
type Page struct {
	Size     Size
	ctx      context.Context
	progress io.Writer
	record   *CellRecord
	values   map[string]string
	told     func(Output) // of each output, as it comes
	kept     keeper
	last     time.Time
	errs     []error
}

// Context is done when the run is interrupted.
func (p *Page) Context() context.Context {
	if p == nil || p.ctx == nil {
		return context.Background()
	}
	return p.ctx
}

// Pick returns quick, lesson or full, as the page's size is.
func Pick[T any](p *Page, quick, lesson, full T) T {
	switch p.size() {
	case Quick:
		return quick
	case Full:
		return full
	}
	return lesson
}

func (p *Page) give(o Output) {
	if p == nil {
		return
	}
	if p.record == nil { // a page of nobody's, such as a test's
		p.record = &CellRecord{}
	}
	p.record.Outputs = append(p.record.Outputs, o)
	if p.told != nil {
		p.told(o)
	}
}

func (p *Page) mistake(err error) {
	if p != nil {
		p.errs = append(p.errs, err)
	}
}

// Printf prints sentences, which the section words of another language's prose translates. Each
// line is a sentence of its own.
func (p *Page) Printf(format string, args ...any) {
	p.give(Output{Text: fmt.Sprintf(format, args...)})
}

// Verbatim prints text that is the same in every language, such as what a model wrote.
func (p *Page) Verbatim(text string) { p.give(Output{Verbatim: text}) }

// Table prints rows of values under a head. A value that is no string is formatted as by
// [fmt.Sprint], so give numbers that are rounded as a reader wants them.
func (p *Page) Table(caption string, head []string, rows ...[]any) {
	t := Table{Caption: caption, Head: head}
	for _, r := range rows {
		var row []string
		for _, v := range r {
			row = append(row, fmt.Sprint(v))
		}
		t.Rows = append(t.Rows, row)
	}
	if err := t.validate(); err != nil {
		p.mistake(err)
		return
	}
	p.give(Output{Table: &t})
}

// Plot draws a figure.
func (p *Page) Plot(f *plot.Plot) {
	figure(p, f,
		func(g *plot.Plot) Output { return Output{Plot: g} })
}

// Map draws a heat map.
func (p *Page) Map(m *plot.Map) { figure(p, m, func(g *plot.Map) Output { return Output{Map: g} }) }

// figure gives a figure that can be drawn: what cannot is told when it is made, not when pages are
// written. It is given as a record keeps it, with rounded numbers, so that a picture is the same
// before and after it was kept.
func figure[F any, P interface {
	*F
	plot.Figure
}](p *Page, f P, output func(P) Output) {
	if err := f.WritePNG(io.Discard); err != nil {
		p.mistake(err)
		return
	}
	if f.Describe() == "" {
		p.mistake(errors.New("course: a figure has neither Alt nor Title, which say what it shows"))
	}
	b, err := json.Marshal(f)
	kept := P(new(F))
	if err == nil {
		err = json.Unmarshal(b, kept)
	}
	if err != nil {
		p.mistake(fmt.Errorf("course: a figure cannot be kept: %w", err))
		return
	}
	p.give(output(kept))
}

// Image shows a picture; alt says what it shows, and width is its width on a page in pixels, 0 for
// its own.
func (p *Page) Image(m image.Image, alt string, width int) {
	if m == nil || alt == "" {
		p.mistake(errors.New("course: an image needs a picture, and words that say what it shows"))
		return
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, m); err != nil {
		p.mistake(fmt.Errorf("course: image %q: %w", alt, err))
		return
	}
	p.give(Output{Image: &Image{alt, width, b.Bytes()}})
}

// Value names a value, as prose writes it: {{name}}.
func (p *Page) Value(name, format string, args ...any) {
	if p == nil {
		return
	}
	if p.values == nil {
		p.values = map[string]string{}
	}
	if _, ok := p.values[name]; ok {
		p.mistake(fmt.Errorf("course: the value %q is given twice", name))
	}
	p.values[name] = fmt.Sprintf(format, args...)
}

// Claim states what the run's own numbers show. A claim that does not hold fails the run, so state
// what holds in every size, or state it only in the sizes in which it holds.
func (p *Page) Claim(says string, holds bool) {
	p.give(Output{Claim: &Claim{says, holds}})
	if !holds {
		p.mistake(fmt.Errorf("the claim does not hold: %s", says))
	}
}

// Progress tells how far the run is, at most once in two seconds, to who waits for it. It is no
// part of the record.
func (p *Page) Progress(format string, args ...any) {
	if p == nil || p.progress == nil || time.Since(p.last) < 2*time.Second {
		return
	}
	p.last = time.Now()
	fmt.Fprintf(p.progress, "… %s\n", fmt.Sprintf(format, args...))
}
