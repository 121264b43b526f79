package course

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/seqzoo/seqzoo/plot"
)

// Record is what a run of a chapter gave. Its words are English; see the package's comment.
type Record struct {
	Size    string  // "quick", "lesson" or "full"
	Sources string  // hash of the program's sources; see Chapter.Sources
	Machine string  // on which it ran
	Seconds float64 // for which it ran
	CPU     float64 // seconds of processors that it took; 0 where the system does not say
	Cells   []CellRecord
	Values  map[string]string // by name, as they are written in prose
}

// Took returns for how many seconds the run had a processor, which is at most how long it takes on
// one that has nothing else to do; where the system does not say it, for how long it ran. It is at
// least 1, and 0 where there is no record.
func (r *Record) Took() float64 {
	switch {
	case r == nil:
		return 0
	case r.CPU > 0:
		return max(1, min(r.Seconds, r.CPU))
	}
	return max(1, r.Seconds)
}

// CellRecord is what one cell gave.
type CellRecord struct {
	Name    string
	Seconds float64
	Outputs []Output
}

// Output is one thing that a cell gave; one of the fields is set.
type Output struct {
	Text     string     `json:",omitempty"` // sentences, translated line by line
	Verbatim string     `json:",omitempty"` // text that is the same in all languages
	Table    *Table     `json:",omitempty"`
	Plot     *plot.Plot `json:",omitempty"`
	Map      *plot.Map  `json:",omitempty"`
	Image    *Image     `json:",omitempty"`
	Claim    *Claim     `json:",omitempty"`
}

// Table is rows of texts under a head.
type Table struct {
	Caption string
	Head    []string
	Rows    [][]string
}

// Image is a picture as PNG.
type Image struct {
	Alt   string // what it shows
	Width int    // pixels of the page; 0 means those of the picture
	PNG   []byte
}

// Claim is a sentence that holds for the run's own numbers.
type Claim struct {
	Says  string
	Holds bool
}

// figure returns the figure of an output, or nil.
func (o Output) figure() plot.Figure {
	switch {
	case o.Plot != nil:
		return o.Plot
	case o.Map != nil:
		return o.Map
	}
	return nil
}

// validate reports a table that is none.
func (t Table) validate() error {
	if len(t.Head) == 0 {
		return errors.New("course: a table without a head")
	}
	for i, r := range t.Rows {
		if len(r) != len(t.Head) {
			return fmt.Errorf("course: row %d of the table %q has %d cells, and its head has %d", i,
				t.Caption, len(r), len(t.Head))
		}
	}
	return nil
}

// encode writes a record as JSON, a line for each output, so that changes of it can be read.
func (r *Record) encode() ([]byte, error) {
	var b bytes.Buffer
	line := func(v any) error {
		text, err := json.Marshal(v)
		b.Write(text)
		return err
	}
	b.WriteString("{")
	for _, f := range []struct {
		name  string
		value any
	}{{"Size", r.Size}, {"Sources", r.Sources}, {"Machine", r.Machine}, {"Seconds", r.Seconds},
		{"CPU", r.CPU}, {"Values", r.Values}} {
		fmt.Fprintf(&b, "%q: ", f.name)
		if err := line(f.value); err != nil {
			return nil, err
		}
		b.WriteString(",\n")
	}
	b.WriteString(`"Cells": [` + "\n")
	for i, c := range r.Cells {
		fmt.Fprintf(&b, `{"Name": %q, "Seconds": %g, "Outputs": [`+"\n", c.Name, c.Seconds)
		for j, o := range c.Outputs {
			if err := line(o); err != nil {
				return nil, err
			}
			b.WriteString(strings.Repeat(",", min(1, len(c.Outputs)-1-j)) + "\n")
		}
		b.WriteString("]}" + strings.Repeat(",", min(1, len(r.Cells)-1-i)) + "\n")
	}
	b.WriteString("]}\n")
	return b.Bytes(), nil
}

func decodeRecord(b []byte) (*Record, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	r := &Record{}
	if err := d.Decode(r); err != nil {
		return nil, err
	}
	for _, c := range r.Cells {
		for _, o := range c.Outputs {
			if o.Table != nil {
				if err := o.Table.validate(); err != nil {
					return nil, err
				}
			}
		}
	}
	return r, nil
}
