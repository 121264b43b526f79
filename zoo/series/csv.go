package series

import (
	"fmt"
	"strings"

	"github.com/seqzoo/seqzoo/zoo/text"
)

// Options say how a CSV file is read. The zero value takes every column, finds out what separates
// the fields, and refuses a file in which a value is missing.
type Options struct {
	Columns []string // those wanted, in this order; default all
	// columns to leave out, such as dates; each must be there. A column without a name is #1, #2, …
	// by its place
	Skip    []string
	MaySkip []string // columns to leave out where there are any
	// between fields; default: the comma, semicolon, tab or bar that cuts names and first row alike
	Comma byte
	// '.' or ','; default '.', or if semicolons separate fields, the one that comes first
	Decimal byte
	Missing Missing // default Refuse
	// more marks of a missing value, such as "-200", beside those that Missing lists
	Marks []string
}

// Missing says what becomes of a cell without a value: one that is empty or says NaN, NA, N/A,
// null, none, ?, . or -, or one of Options.Marks.
type Missing int

const (
	Refuse  Missing = iota // the file is refused: the error is an ErrMissing
	Forward                // the value at the time before stands in; there must be one
	Gap                    // it is NaN: a gap, which Filled fills, or a model that takes gaps
)

// MaxColumns bounds the columns of a file.
const MaxColumns = 1 << 10

// ReadFile reads a CSV file, plain or compressed by gzip. Errors name file, line and column. What
// looks wrong about the file though it can be read, such as times that run backwards, is in
// Warnings.
//
// Beside the file it takes 8 bytes for each value that is kept, and little else, whatever the file
// holds.
func ReadFile(path string, o Options) (*Series, error) {
	s, err := text.ReadFile(path)
	if err != nil {
		return nil, err
	}
	parsed, err := Parse(s, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return parsed, nil
}

// Parse is ReadFile for the content of a file.
func Parse(s string, o Options) (*Series, error) {
	r, err := NewReader(o)
	if err != nil {
		return nil, err
	}
	rest, empty := cutEmptyRows(s)
	var values []float64
	for rest != "" {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		row, err := r.Line(line)
		if err != nil {
			return nil, err
		}
		if row != nil && values == nil {
			// A row takes two bytes and one for each of its columns at least, so empty lines cannot
			// ask for more.
			rows := min(strings.Count(rest, "\n")+1, len(rest)/max(2, r.columns)+1)
			values = make([]float64, 0, (rows+1)*len(row))
		}
		values = append(values, row...)
	}
	if err := r.End(); err != nil {
		return nil, err
	}
	warnings := r.Warnings()
	if empty {
		warnings = append(warnings,
			fmt.Sprintf("the rows behind line %d hold no value and are left out", r.number))
	}
	return &Series{Names: r.Names(), Values: values, Warnings: warnings}, nil
}

// separators are the bytes that may stand between fields, the likeliest first.
const separators = ",;\t|"

// cutEmptyRows cuts off the rows at the end of a file that are separators alone, as spreadsheets
// write them.
func cutEmptyRows(s string) (rest string, cut bool) {
	for {
		shorter := strings.TrimRight(s, "\r\n")
		last := shorter[strings.LastIndexByte(shorter, '\n')+1:]
		if len(last) == len(shorter) || !strings.ContainsAny(last, separators) ||
			strings.Trim(last, separators+" \"") != "" {
			return s, cut
		}
		s, cut = shorter[:len(shorter)-len(last)], true
	}
}
