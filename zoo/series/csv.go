package series

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/zoo/text"
)

// Options say how a CSV file is read. The zero value takes every column, and refuses a file in which a value is missing.
type Options struct {
	Columns []string // those wanted, in this order; default all
	Skip    []string // columns to leave out, such as dates; one that is not there is left out already
	Comma   byte     // between fields; default ','
	Missing Missing  // default Refuse
}

// Missing says what becomes of a cell that is empty or says NaN, NA or null.
type Missing int

const (
	Refuse  Missing = iota // the file is refused
	Forward                // the value at the time before stands in; there must be one
)

// MaxColumns bounds the columns of a file.
const MaxColumns = 1 << 10

// ReadFile reads a CSV file, plain or compressed by gzip. Errors name file, line and column.
//
// Beside the file it takes 8 bytes for each value that is kept, and little else, whatever the file holds.
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
	if o.Comma == 0 {
		o.Comma = ','
	}
	if o.Comma == '"' || o.Comma == '\n' || o.Comma == '\r' {
		return nil, fmt.Errorf("series: Comma is %q, which has a meaning of its own", o.Comma)
	}
	s = strings.TrimPrefix(s, "\ufeff")
	p := &parser{Options: o, rest: s}
	line, ok := p.line()
	if !ok {
		return nil, fmt.Errorf("there is no line of names")
	}
	if err := p.header(line); err != nil {
		return nil, fmt.Errorf("line %d: %w", p.number, err)
	}
	// A row takes a byte for each of its columns at least, so a file that lies about its rows cannot ask for more.
	rows := strings.Count(p.rest, "\n") + 1
	values := make([]float64, 0, min(rows, len(p.rest)/p.columns+1)*len(p.names))
	for line, ok = p.line(); ok; line, ok = p.line() {
		var err error
		if values, err = p.row(line, values); err != nil {
			return nil, fmt.Errorf("line %d: %w", p.number, err)
		}
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("there are names, and no values")
	}
	return &Series{Names: p.names, Values: values}, nil
}

// parser is a file of which some lines are read.
type parser struct {
	Options
	rest    string
	number  int      // of the line at hand
	columns int      // of the file
	place   []int    // of a column in names, or -1 if it is left out
	names   []string // of the variables kept
}

// line is the next line that is not empty.
func (p *parser) line() (line string, ok bool) {
	for p.rest != "" {
		line, p.rest, _ = strings.Cut(p.rest, "\n")
		p.number++
		if line = strings.TrimSuffix(line, "\r"); strings.TrimSpace(line) != "" {
			return line, true
		}
	}
	return "", false
}

// field cuts the first field off a line. More says whether another one follows.
func (p *parser) field(line string) (field, rest string, more bool, err error) {
	trimmed := strings.TrimLeft(line, " \t")
	if p.Comma == '\t' {
		trimmed = strings.TrimLeft(line, " ")
	}
	if !strings.HasPrefix(trimmed, `"`) {
		end := strings.IndexByte(line, p.Comma)
		if end < 0 {
			return strings.TrimSpace(line), "", false, nil
		}
		return strings.TrimSpace(line[:end]), line[end+1:], true, nil
	}
	inside := trimmed[1:]
	end := 0
	for { // to the quote that is not doubled
		k := strings.IndexByte(inside[end:], '"')
		if k < 0 {
			return "", "", false, fmt.Errorf("a quote is not closed: %.40q", line)
		}
		if end += k; !strings.HasPrefix(inside[end+1:], `"`) {
			break
		}
		end += 2
	}
	field, rest = strings.ReplaceAll(inside[:end], `""`, `"`), strings.TrimLeft(inside[end+1:], " ")
	switch {
	case rest == "":
		return field, "", false, nil
	case rest[0] != p.Comma:
		return "", "", false, fmt.Errorf("there is %.20q behind a quoted field: want %q", rest, p.Comma)
	}
	return field, rest[1:], true, nil
}

// header takes in the line of names.
func (p *parser) header(line string) error {
	var all []string
	for more := true; more; {
		var name string
		var err error
		if name, line, more, err = p.field(line); err != nil {
			return err
		}
		if len(all) == MaxColumns {
			return fmt.Errorf("there are more than %d columns", MaxColumns)
		}
		all = append(all, name)
	}
	p.columns = len(all)
	sorted := slices.Sorted(slices.Values(all))
	for i, name := range sorted {
		if i > 0 && sorted[i-1] == name {
			return fmt.Errorf("the name %.40q comes twice", name)
		}
	}
	p.place = make([]int, len(all))
	wanted := p.Columns
	if len(wanted) == 0 {
		for _, name := range all {
			if !slices.Contains(p.Skip, name) {
				wanted = append(wanted, name)
			}
		}
	}
	if len(wanted) == 0 {
		return fmt.Errorf("no column is left of %.200q", all)
	}
	for i := range p.place {
		p.place[i] = -1
	}
	for k, name := range wanted {
		i := slices.Index(all, name)
		if i < 0 {
			return fmt.Errorf("there is no column %.40q; there are %.200q", name, all)
		}
		if p.place[i] >= 0 {
			return fmt.Errorf("the column %.40q is wanted twice", name)
		}
		p.place[i] = k
		p.names = append(p.names, strings.Clone(name)) // not to keep the file alive
	}
	return nil
}

// row adds the values of a line.
func (p *parser) row(line string, values []float64) ([]float64, error) {
	at := len(values)
	for range p.names {
		values = append(values, 0)
	}
	more := true
	for i := range p.columns {
		if !more {
			return nil, fmt.Errorf("there are %d fields; the line of names has %d", i, p.columns)
		}
		var field string
		var err error
		if field, line, more, err = p.field(line); err != nil {
			return nil, err
		}
		k := p.place[i]
		if k < 0 {
			continue
		}
		if values[at+k], err = p.value(field, at-len(p.names)+k, values); err != nil {
			return nil, fmt.Errorf("column %.40q: %w", p.names[k], err)
		}
	}
	if more {
		return nil, fmt.Errorf("there are more fields than the %d of the line of names", p.columns)
	}
	return values, nil
}

// value is that of a field. Before is where the value of the time before stands.
func (p *parser) value(field string, before int, values []float64) (float64, error) {
	switch strings.ToLower(field) {
	case "", "nan", "na", "null":
		if p.Missing != Forward {
			return 0, fmt.Errorf("a value is missing: %.20q", field)
		}
		if before < 0 {
			return 0, fmt.Errorf("a value is missing, and there is none before it to stand in")
		}
		return values[before], nil
	}
	x, err := strconv.ParseFloat(field, 64)
	switch {
	case err != nil && math.IsInf(x, 0):
		return 0, fmt.Errorf("%.40q is too large", field)
	case err != nil:
		return 0, fmt.Errorf("%.40q is no number; a column of something else has to be left out by its name", field)
	case math.IsInf(x, 0):
		return 0, fmt.Errorf("%.20q: want a finite number", field)
	}
	return x, nil
}
