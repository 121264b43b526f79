package train

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/seqzoo/seqzoo/internal/check"
)

// History holds the measurements of a training: rows of a step, an epoch and named
// metrics. A row need not have every metric: a validation may come once an epoch. The zero value is
// empty and ready to use.
type History struct {
	rows    []moment
	columns []*column
	byName  map[string]*column
}

// Row is a row of a history.
type Row struct {
	Step    int // updates done
	Epoch   int // epochs done before that of the row: its validation, too, has 0 in the first one
	Metrics map[string]float64
}

type moment struct{ step, epoch int }

// column holds one metric: values[i] belongs to row rows[i].
type column struct {
	name   string
	rows   []int
	values []float64
}

// Len is the number of rows.
func (h *History) Len() int { return len(h.rows) }

// Add appends a row: step and epoch are those of Row. A metric that comes for the first time
// becomes a new last column; several at once do so in the order of their names. It is an error, and
// nothing is added, if a name is empty, "step" or "epoch", or has control characters or invalid
// UTF-8 in it.
func (h *History) Add(step, epoch int, metrics map[string]float64) error {
	names := slices.Sorted(maps.Keys(metrics))
	for _, name := range names {
		if err := checkMetric(name); err != nil {
			return fmt.Errorf("train: history: %w", err)
		}
	}
	for _, name := range names {
		c := h.byName[name]
		if c == nil {
			c = h.addColumn(name)
		}
		c.rows, c.values = append(c.rows, len(h.rows)), append(c.values, metrics[name])
	}
	h.rows = append(h.rows, moment{step, epoch})
	return nil
}

func checkMetric(name string) error {
	if name == "" || name == "step" || name == "epoch" {
		return fmt.Errorf("a metric is named %q; it must not be empty, step or epoch", name)
	}
	if !utf8.ValidString(name) || slices.ContainsFunc([]rune(name), unicode.IsControl) {
		return fmt.Errorf("a metric is named %q; it must be valid UTF-8 without control characters",
			name)
	}
	return nil
}

func (h *History) addColumn(name string) *column {
	if h.byName == nil {
		h.byName = map[string]*column{}
	}
	c := &column{name: name}
	h.byName[name], h.columns = c, append(h.columns, c)
	return c
}

// Names lists the metrics in the order of their columns.
func (h *History) Names() []string {
	names := make([]string, len(h.columns))
	for i, c := range h.columns {
		names[i] = c.name
	}
	return names
}

// Column returns the values of a metric and the steps of the rows that have it; both are empty for
// an unknown name.
func (h *History) Column(name string) (steps []int, values []float64) {
	c := h.byName[name]
	if c == nil {
		return nil, nil
	}
	for _, row := range c.rows {
		steps = append(steps, h.rows[row].step)
	}
	return steps, slices.Clone(c.values)
}

// WriteCSV writes a header, step,epoch and the metrics, and a line for each row, with an empty
// field where a row lacks a metric. Numbers have as many digits as it takes to read them back to
// the bit.
func (h *History) WriteCSV(w io.Writer) error {
	if err := check.Given("the writer", w); err != nil {
		return fmt.Errorf("train: history: %w", err)
	}
	out := csv.NewWriter(w)
	out.Write(append([]string{"step", "epoch"}, h.Names()...)) // its error is kept for out.Error
	// of each column, the first value not yet written
	next := make([]int, len(h.columns))
	fields := make([]string, 2+len(h.columns))
	for row, at := range h.rows {
		fields[0], fields[1] = strconv.Itoa(at.step), strconv.Itoa(at.epoch)
		for i, c := range h.columns {
			fields[2+i] = ""
			if next[i] < len(c.rows) && c.rows[next[i]] == row {
				fields[2+i] = strconv.FormatFloat(c.values[next[i]], 'g', -1, 64)
				next[i]++
			}
		}
		out.Write(fields)
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("train: history: %w", err)
	}
	return nil
}

// ReadCSV replaces the history by one that WriteCSV wrote; a byte order mark and CRLF are accepted.
// An error names the line, and leaves the history as it was.
func (h *History) ReadCSV(r io.Reader) error {
	read, err := readCSV(r)
	if err != nil {
		return check.Short(fmt.Errorf("train: history: %w", err))
	}
	*h = *read
	return nil
}

func readCSV(r io.Reader) (*History, error) {
	if err := check.Given("the reader", r); err != nil {
		return nil, err
	}
	buffered := bufio.NewReader(r)
	if mark, _ := buffered.Peek(3); bytes.Equal(mark, []byte("\ufeff")) {
		buffered.Discard(len(mark))
	}
	in := csv.NewReader(buffered)
	in.ReuseRecord = true
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("line 1: the file is empty; it must begin with step,epoch")
	}
	if err != nil {
		return nil, err // has the line
	}
	if len(header) < 2 || header[0] != "step" || header[1] != "epoch" {
		return nil, fmt.Errorf("line 1: the header is %q; it must begin with step,epoch", header)
	}
	h := &History{}
	for _, name := range header[2:] {
		if err := checkMetric(name); err != nil {
			return nil, fmt.Errorf("line 1: %w", err)
		}
		if h.byName[name] != nil {
			return nil, fmt.Errorf("line 1: column %q comes twice", name)
		}
		h.addColumn(name)
	}
	for {
		fields, err := in.Read() // as many as the header has, or an error that names the line
		if errors.Is(err, io.EOF) {
			return h, nil
		}
		if err != nil {
			return nil, err
		}
		if err := h.addRecord(fields); err != nil {
			line, _ := in.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// addRecord appends the row of one line.
func (h *History) addRecord(fields []string) error {
	step, err := strconv.Atoi(fields[0])
	if err != nil {
		return fmt.Errorf("step is %q; it must be a whole number", fields[0])
	}
	epoch, err := strconv.Atoi(fields[1])
	if err != nil {
		return fmt.Errorf("epoch is %q; it must be a whole number", fields[1])
	}
	for i, c := range h.columns {
		field := fields[2+i]
		if field == "" {
			continue
		}
		value, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return fmt.Errorf("%s is %q; it must be a number", c.name, field)
		}
		c.rows, c.values = append(c.rows, len(h.rows)), append(c.values, value)
	}
	h.rows = append(h.rows, moment{step, epoch})
	return nil
}
