package series

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/seqzoo/seqzoo/internal/names"
)

// ErrMissing says that a cell has no value. It comes wrapped in a sentence that says which.
var ErrMissing = errors.New("a value is missing")

// Reader reads a series line by line, as it comes in.
type Reader struct {
	o       Options
	number  int      // of the line at hand
	header  string   // the line of names, which waits for the first row
	headed  int      // the number of that line
	columns int      // that have a name, or one with a name behind them
	spare   int      // columns at the end without a name, which must be empty
	place   []int    // of a column in names, or -1 if it is left out
	names   []string // of the variables kept
	marks   []float64
	numbers bool      // all names are numbers
	row     []float64 // the last one
	rows    int
	empty   int // the number of an empty line behind rows; 0 if there is none
	decided int // the line that told the decimal mark; 0 if none did
	times   timeline
	even    []evenness // of the variables kept
}

// evenness tells a column that rises by the same from row to row, as times and numbers of rows do.
type evenness struct {
	last, step float64
	rows       int
	uneven     bool
}

// evenRows is how many rows it takes for a column to be called even.
const evenRows = 10

func (e *evenness) add(x float64) {
	step := x - e.last
	if e.rows == 1 {
		e.step = step
	}
	// a decimal fraction, such as a tenth of a second, is not the same number each time
	if e.rows > 0 && !(step > 0 && math.Abs(step-e.step) <= 1e-6*e.step) {
		e.uneven = true
	}
	e.last = x
	e.rows++
}

// NewReader makes a reader of a file whose lines it is then given one by one. It reports options
// that make no sense.
func NewReader(o Options) (*Reader, error) {
	switch c := rune(o.Comma); {
	case strings.ContainsRune("\"\n\r.-+ ", c), unicode.IsLetter(c), unicode.IsDigit(c),
		c > unicode.MaxASCII:
		return nil, fmt.Errorf("series: Comma is %q, which has a meaning of its own", c)
	}
	if o.Decimal != 0 && o.Decimal != '.' && o.Decimal != ',' {
		return nil, fmt.Errorf("series: Decimal is %q; want '.' or ','", o.Decimal)
	}
	if o.Missing < Refuse || o.Missing > Gap {
		return nil, fmt.Errorf("series: Missing is %d; want Refuse, Forward or Gap", o.Missing)
	}
	r := &Reader{o: o}
	for _, mark := range o.Marks {
		if x, err := strconv.ParseFloat(strings.Replace(mark, ",", ".", 1), 64); err == nil &&
			x-x == 0 {
			r.marks = append(r.marks, x)
		}
	}
	return r, nil
}

// Line takes the next line, without its end, and returns the values of its row; nil for an empty
// line and for the line of names. They are good until the next call. An error names the line; no
// row can follow it.
func (r *Reader) Line(line string) (row []float64, err error) {
	r.number++
	if r.number == 1 {
		line = strings.TrimPrefix(line, "\ufeff")
	}
	line = strings.TrimSuffix(line, "\r")
	switch {
	case strings.TrimSpace(line) == "":
		if r.rows > 0 && r.empty == 0 {
			r.empty = r.number
		}
		return nil, nil
	// a spreadsheet's word for it
	case r.header == "" && r.o.Comma == 0 && len(line) == 5 && strings.EqualFold(line[:4], "sep="):
		r.o.Comma = line[4]
		return nil, nil
	case r.header == "":
		r.header, r.headed = line, r.number
		return nil, nil
	}
	if r.names == nil {
		if err := r.begin(line); err != nil {
			return nil, err
		}
	}
	// where there is one column, that is what a missing value looks like
	if r.empty > 0 && r.columns == 1 {
		return nil, fmt.Errorf("line %d is empty between rows of one column: %w", r.empty,
			ErrMissing)
	}
	r.empty = 0
	if err := r.values(line); err != nil {
		return nil, fmt.Errorf("line %d: %w", r.number, err)
	}
	for k := range r.even {
		if e := &r.even[k]; !e.uneven {
			e.add(r.row[k])
		}
	}
	r.rows++
	return r.row, nil
}

// End reports a file without a line of names or without a row.
func (r *Reader) End() error {
	if r.header == "" {
		return errors.New("there is no line of names")
	}
	if r.names == nil {
		if err := r.begin(""); err != nil {
			return err
		}
	}
	if r.rows == 0 {
		return errors.New("there are names, and no values")
	}
	return nil
}

// Names lists the variables in the order of a row. They are known with the first row.
func (r *Reader) Names() []string { return r.names }

// Warnings are sentences about lines that could be read so far, but look wrong.
func (r *Reader) Warnings() []string {
	w := r.times.warnings()
	if r.numbers {
		w = append(w, fmt.Sprintf("line %d is taken for the names of the columns, and holds "+
			"numbers, as a file without names does: %.60q", r.headed, r.header))
	}
	for k, e := range r.even {
		if !e.uneven && e.rows >= evenRows {
			w = append(w, fmt.Sprintf("the column %.40q rises by %g from row to row, as times "+
				"and numbers of rows do, and is kept as a variable: leave it out by its name if "+
				"it is one of these", r.names[k], e.step))
		}
	}
	if r.decided > 0 && r.o.Decimal == ',' {
		w = append(w, fmt.Sprintf("the comma is taken for the decimal mark, as in line %d",
			r.decided))
	}
	return w
}

// begin takes in the line of names, with the first row beside it.
func (r *Reader) begin(first string) (err error) {
	if r.o.Comma == 0 {
		if r.o.Comma, err = separator(r.header, first); err != nil {
			return fmt.Errorf("line %d: %w", r.headed, err)
		}
	}
	if r.o.Decimal == 0 && r.o.Comma != ';' {
		r.o.Decimal = '.'
	}
	if err := r.head(); err != nil {
		return fmt.Errorf("line %d: %w", r.headed, err)
	}
	r.row, r.even = make([]float64, len(r.names)), make([]evenness, len(r.names))
	return nil
}

// separator finds out what stands between fields: what cuts the line of names and the first row
// into as many.
func separator(header, first string) (byte, error) {
	best, most := byte(','), 1
	var fit []byte
	for _, c := range []byte(separators) {
		n, err := fields(header, c)
		if err != nil {
			continue
		}
		if n > most {
			best, most = c, n
		}
		if k, err := fields(first, c); err == nil && n > 1 && k == n {
			fit = append(fit, c)
		}
	}
	if len(fit) > 1 {
		return 0, fmt.Errorf("both %q and %q cut the names and the first row into fields alike: "+
			"say which one separates them", fit[0], fit[1])
	}
	if len(fit) == 1 {
		return fit[0], nil
	}
	return best, nil
}

// fields counts the fields of a line.
func fields(line string, comma byte) (n int, err error) {
	for more := true; more; n++ {
		if _, line, more, err = cutField(line, comma); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// cutField cuts the first field off a line. More says whether another one follows.
func cutField(line string, comma byte) (field, rest string, more bool, err error) {
	trimmed := strings.TrimLeft(line, " \t")
	if comma == '\t' {
		trimmed = strings.TrimLeft(line, " ")
	}
	if !strings.HasPrefix(trimmed, `"`) {
		end := strings.IndexByte(line, comma)
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
	case rest[0] != comma:
		return "", "", false, fmt.Errorf("there is %.20q behind a quoted field: want %q", rest,
			comma)
	}
	return field, rest[1:], true, nil
}

// head takes the line of names apart.
func (r *Reader) head() error {
	var all []string
	line := r.header
	if strings.Contains(line, "\r") {
		return errors.New("there is a carriage return in it; lines end with \\n, or \\r\\n")
	}
	for more := true; more; {
		var name string
		var err error
		if name, line, more, err = cutField(line, r.o.Comma); err != nil {
			return err
		}
		if len(all) == MaxColumns {
			return fmt.Errorf("there are more than %d columns", MaxColumns)
		}
		all = append(all, name)
	}
	for len(all) > 1 && all[len(all)-1] == "" { // a separator behind the last name
		all = all[:len(all)-1]
		r.spare++
	}
	r.columns = len(all)
	nameless := make([]bool, len(all))
	for i, name := range all {
		if nameless[i] = name == ""; nameless[i] {
			all[i] = fmt.Sprintf("#%d", i+1)
		}
	}
	wanted, err := r.wanted(all)
	if err != nil {
		return err
	}
	r.place = slices.Repeat([]int{-1}, len(all))
	for k, name := range wanted {
		i := slices.Index(all, name)
		switch {
		case i < 0:
			return unknownColumn(name, "", all)
		case r.place[i] >= 0 && len(r.o.Columns) > 0:
			return fmt.Errorf("the column %.40q is wanted twice", name)
		case slices.Contains(all[i+1:], name):
			return fmt.Errorf("the name %.40q comes twice, in columns %d and %d", name, i+1,
				i+2+slices.Index(all[i+1:], name))
		case nameless[i]:
			return fmt.Errorf("column %d has no name: give it one, or leave it out by %q", i+1,
				name)
		}
		r.place[i] = k
		r.names = append(r.names, strings.Clone(name)) // not to keep the file alive
	}
	r.numbers = !slices.ContainsFunc(all, func(name string) bool {
		_, err := strconv.ParseFloat(strings.Replace(name, ",", ".", 1), 64)
		return err != nil
	})
	r.times.begin(all, r.place)
	return nil
}

// wanted are the names of the columns that are not left out.
func (r *Reader) wanted(all []string) (wanted []string, err error) {
	for _, name := range r.o.Skip {
		if !slices.Contains(all, name) {
			return nil, unknownColumn(name, " to leave out", all)
		}
	}
	if len(r.o.Columns) > 0 {
		return r.o.Columns, nil
	}
	for _, name := range all {
		if !slices.Contains(r.o.Skip, name) && !slices.Contains(r.o.MaySkip, name) {
			wanted = append(wanted, name)
		}
	}
	if len(wanted) == 0 {
		return nil, fmt.Errorf("no column is left of %.200q", all)
	}
	return wanted, nil
}

// unknownColumn is the error for a column that is not there.
func unknownColumn(name, what string, all []string) error {
	if near := names.Nearest(name, all); near != "" {
		return fmt.Errorf("there is no column %.40q%s, but %.40q; there are %.200q", name, what,
			near, all)
	}
	return fmt.Errorf("there is no column %.40q%s; there are %.200q", name, what, all)
}

// values takes the fields of a row into r.row, which holds the row before until then.
func (r *Reader) values(line string) (err error) {
	i := 0
	for more := true; more; i++ {
		var field string
		if field, line, more, err = cutField(line, r.o.Comma); err != nil {
			return err
		}
		switch {
		case i >= r.columns+r.spare || i >= r.columns && field != "":
			return fmt.Errorf("there are more fields than the %d of the line of names", r.columns)
		case i >= r.columns:
		case r.place[i] < 0:
			r.times.field(i, field)
		default:
			k := r.place[i]
			if err = r.value(strings.TrimSpace(field), &r.row[k]); err != nil {
				return fmt.Errorf("column %.40q: %w", r.names[k], err)
			}
		}
	}
	if i < r.columns {
		return fmt.Errorf("there are %d fields; the line of names has %d", i, r.columns)
	}
	r.times.row(r.number)
	return nil
}

// value puts the value of a field in place of the one at the time before.
func (r *Reader) value(field string, at *float64) error {
	x, missing := 0.0, slices.Contains(r.o.Marks, field)
	switch strings.ToLower(field) {
	case "", "nan", "na", "n/a", "#n/a", "null", "none", "?", ".", "-":
		missing = true
	}
	if !missing {
		var err error
		if x, err = r.parse(field); err != nil {
			return err
		}
		missing = slices.Contains(r.marks, x)
	}
	switch {
	case !missing:
		*at = x
	case r.o.Missing == Gap:
		*at = math.NaN()
	case r.o.Missing != Forward:
		return fmt.Errorf("%w: %.20q", ErrMissing, field)
	case r.rows == 0:
		return fmt.Errorf("%w: %.20q, and there is none before it to stand in", ErrMissing, field)
	}
	return nil
}

// parse is the number in a field.
func (r *Reader) parse(field string) (float64, error) {
	digits := field
	if i := strings.IndexAny(field, ".,"); i >= 0 {
		if r.o.Decimal == 0 {
			r.o.Decimal, r.decided = field[i], r.number
		}
		switch {
		case field[i] == r.o.Decimal:
			digits = strings.Replace(field, ",", ".", 1)
		case r.o.Decimal == ',':
			return 0, fmt.Errorf("%.40q is no number where the comma is the decimal mark%s", field,
				r.since())
		default:
			return 0, fmt.Errorf("%.40q is no number where the point is the decimal mark%s; the "+
				"comma can be it on request", field, r.since())
		}
	}
	x, err := strconv.ParseFloat(digits, 64)
	switch {
	case err != nil && math.IsInf(x, 0):
		return 0, fmt.Errorf("%.40q is too large", field)
	case err != nil && r.columns == 1:
		return 0, fmt.Errorf("%.40q is no number; the line of names, %.40q, holds no comma, "+
			"semicolon, tab or bar to separate columns", field, r.header)
	case err != nil:
		return 0, fmt.Errorf("%.40q is no number; a column of something else has to be left out "+
			"by its name", field)
	case math.IsInf(x, 0):
		return 0, fmt.Errorf("%.20q: want a finite number", field)
	}
	return x, nil
}

func (r *Reader) since() string {
	if r.decided == 0 {
		return ""
	}
	return fmt.Sprintf(", as line %d has it", r.decided)
}
