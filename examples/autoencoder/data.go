package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/images"
)

// source is the flags that say where rows are.
type source struct {
	cli.Table
	data, labels, label string
	window, limit       int
}

func (s *source) register(f *flag.FlagSet) {
	cli.DataFlag(f, &s.data, "in IDX or CSV form, plain or gzip, instead of MNIST")
	f.StringVar(&s.labels, "labels", "",
		"IDX `file` of the labels of -data; without -data it is MNIST's")
	s.Table.Register(f)
	f.StringVar(&s.label, "label", "",
		"CSV: `name` of a column of whole numbers that is no feature but a label")
	f.IntVar(&s.window, "window", 1,
		"CSV: lines to a row, each row beginning a line later than the one before")
	f.IntVar(&s.limit, "limit", 0, "read so many rows only, from the start; 0 for all")
}

func (s *source) check() error {
	var errs []error
	if s.window < 1 {
		errs = append(errs, fmt.Errorf("-window is %d; want at least 1", s.window))
	}
	if s.limit < 0 {
		errs = append(errs, fmt.Errorf("-limit is %d; want 0 or more", s.limit))
	}
	return errors.Join(append(errs, s.Table.Check())...)
}

// rows are what models are fitted to and measured on.
type rows struct {
	x          []float32 // [N, width]
	width      int
	variables  int      // of a step of a row
	names      []string // of the variables of a table
	labels     []int    // [N], or nil
	rows, cols int      // of a picture; 0 if there are none
}

func (r *rows) len() int { return len(r.x) / r.width }

// unit reports whether all numbers are in [0, 1].
func (r *rows) unit() bool {
	for _, v := range r.x {
		if v < 0 || v > 1 {
			return false
		}
	}
	return true
}

// slice is the rows from i up to j.
func (r *rows) slice(i, j int) *rows {
	part := *r
	part.x = r.x[i*r.width : j*r.width]
	if r.labels != nil {
		part.labels = r.labels[i:j]
	}
	return &part
}

// without leaves out the rows of a label.
func (r *rows) without(label int) *rows {
	part := *r
	part.x, part.labels = nil, nil
	for i, l := range r.labels {
		if l != label {
			part.x = append(part.x, r.x[i*r.width:(i+1)*r.width]...)
			part.labels = append(part.labels, l)
		}
	}
	return &part
}

// split keeps a share of the rows at the end apart.
func (r *rows) split(share float64) (train, valid *rows) {
	n := r.len()
	k := n - max(1, int(math.Round(share*float64(n))))
	return r.slice(0, k), r.slice(k, n)
}

// read reads the file that the flags name, or a part of MNIST, "train" or "t10k". With labels if
// they are wanted. What looks wrong about the file is told on messages.
func (s *source) read(messages io.Writer, part string, labelled bool) (r *rows, err error) {
	switch {
	case s.data == "":
		pictures, err := cli.DataFile("mnist/"+part+"-images-idx3-ubyte.gz", "give a file by -data")
		if err != nil {
			return nil, err
		}
		if labels := s.labels; labelled {
			if labels, err = cli.File(labels, "mnist/"+part+"-labels-idx1-ubyte.gz",
				"give a file by -labels"); err != nil {
				return nil, err
			}
			r, err = pictured(images.ReadLabelled(pictures, labels))
		} else {
			r, err = pictured(images.Read(pictures))
		}
		if err != nil {
			return nil, err
		}
	case strings.HasSuffix(s.data, ".csv") || strings.HasSuffix(s.data, ".csv.gz"):
		if labelled && s.label == "" {
			return nil, cli.Usagef("labels are wanted, and -label names no column of %s",
				filepath.Base(s.data))
		}
		if r, err = s.table(messages); err != nil {
			return nil, err
		}
	case labelled && s.labels == "":
		return nil, cli.Usagef("labels are wanted, and -labels names no file")
	case labelled:
		r, err = pictured(images.ReadLabelled(s.data, s.labels))
	default:
		r, err = pictured(images.Read(s.data))
	}
	if err != nil {
		return nil, err
	}
	if s.limit > 0 && s.limit < r.len() {
		r = r.slice(0, s.limit)
	}
	return r, nil
}

func pictured(set *images.Set, err error) (*rows, error) {
	if err != nil {
		return nil, err
	}
	r := &rows{x: set.Floats(), width: set.Rows * set.Cols, variables: set.Cols, rows: set.Rows,
		cols: set.Cols}
	for _, l := range set.Labels {
		r.labels = append(r.labels, int(l))
	}
	return r, nil
}

// table reads a CSV file. A row of several lines has a label if any of its lines has: the largest.
func (s *source) table(messages io.Writer) (*rows, error) {
	t, err := s.Table.Read(s.data, messages)
	if err != nil {
		return nil, err
	}
	at := -1
	for j, name := range t.Names {
		if name == s.label && s.label != "" {
			at = j
		}
	}
	if s.label != "" && at < 0 {
		return nil, fmt.Errorf("%s: there is no column %q; there are %s", s.data, s.label,
			strings.Join(t.Names, ", "))
	}
	r := &rows{variables: len(t.Names)}
	for j, name := range t.Names {
		if j != at {
			r.names = append(r.names, name)
		}
	}
	if at >= 0 {
		r.variables--
	}
	if r.variables == 0 {
		return nil, fmt.Errorf("%s: there is no column of features", s.data)
	}
	if t.Len() < s.window {
		return nil, fmt.Errorf("%s has %d lines; a row takes %d of them", s.data, t.Len(), s.window)
	}
	r.width = r.variables * s.window
	if n := t.Len() - s.window + 1; n > math.MaxInt32/r.width {
		return nil, fmt.Errorf("%s: %d rows of %d numbers are too many; take a smaller -window",
			s.data, n, r.width)
	}
	for i := range t.Len() - s.window + 1 {
		label := 0
		for k := i; k < i+s.window; k++ {
			for j, v := range t.Row(k) {
				if j != at && math.IsInf(float64(float32(v)), 0) {
					return nil, fmt.Errorf("%s: row %d: %s is %g; numbers are taken up to %g",
						s.data, k, t.Names[j], v, math.MaxFloat32)
				} else if j != at {
					r.x = append(r.x, float32(v))
				} else if v != math.Trunc(v) || math.Abs(v) > 1e9 {
					return nil, fmt.Errorf("%s: row %d: the label is %g; want a whole number",
						s.data, k, v)
				} else {
					label = max(label, int(v))
				}
			}
		}
		if at >= 0 {
			r.labels = append(r.labels, label)
		}
	}
	return r, nil
}
