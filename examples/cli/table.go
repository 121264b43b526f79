package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/seqzoo/seqzoo/zoo/series"
)

// Table is the flags that say how a CSV file is read.
type Table struct {
	separator, decimal, missing string
	skip                        []string
	skipped                     bool // -skip was given
	fill                        filling
	keepGaps                    bool // see KeepGaps
}

// filling is the flag -fill: what stands in for a missing value; "" is none. As a switch it is
// last.
type filling string

// String is the flag.
func (f *filling) String() string { return string(*f) }

// IsBoolFlag lets -fill stand without a value.
func (f *filling) IsBoolFlag() bool { return true }

// Set reads a value of the flag.
func (f *filling) Set(s string) error {
	switch s {
	case "true":
		s = "last"
	case "false":
		s = ""
	case "last", "mean", "mask":
	default:
		return errors.New("want last, mean or mask")
	}
	*f = filling(s)
	return nil
}

// KeepGaps leaves the missing values for -fill=mean and -fill=mask as gaps, for a model that takes
// gaps; with always, it does so where -fill says nothing, too.
func (t *Table) KeepGaps(always bool) {
	if t.keepGaps = true; always && t.fill == "" {
		t.fill = "mask"
	}
}

// Fill is the value of -fill: last, mean or mask, or "" without.
func (t *Table) Fill() string { return string(t.fill) }

// Register declares the flags.
func (t *Table) Register(f *flag.FlagSet) {
	t.RegisterCells(f)
	f.Func("skip",
		`CSV: comma-separated names of columns to leave out (default "date", where there is one)`,
		func(s string) error {
			t.skip, t.skipped = List(s), true
			return nil
		})
}

// RegisterCells declares the flags for a file whose columns are known.
func (t *Table) RegisterCells(f *flag.FlagSet) {
	f.StringVar(&t.separator, "separator", "",
		"CSV: what stands between fields: comma, semicolon, tab, bar or a `sign`; found out "+
			"by default")
	f.StringVar(&t.decimal, "decimal", "",
		"CSV: the decimal `mark`, point or comma; a point by default, found out where semicolons "+
			"separate fields")
	f.StringVar(&t.missing, "missing", "",
		"CSV: comma-separated `marks` of missing values, such as -200, beside empty, NaN, NA, "+
			"null, none, ?, . and -")
	f.Var(&t.fill, "fill",
		"CSV: where a value is missing, take the one before it; -fill=mean takes the mean, and\n"+
			"-fill=mask shows a forecaster where values are missing; otherwise that is an error")
}

// List is the names in a list with commas between them, without white space round them.
func List(s string) []string {
	var names []string
	for name := range strings.SplitSeq(s, ",") {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names
}

// Options are the flags as package series has them.
func (t *Table) Options() (o series.Options, err error) {
	o.Skip, o.Marks = t.skip, List(t.missing)
	if !t.skipped {
		o.MaySkip = []string{"date"}
	}
	switch t.fill {
	case "last":
		o.Missing = series.Forward
	case "mean", "mask":
		o.Missing = series.Gap
	}
	if t.fill == "mask" && !t.keepGaps {
		return o, errors.New("-fill is mask, which is for forecasts; want last or mean")
	}
	words := map[string]byte{"": 0, "comma": ',', "semicolon": ';', "tab": '\t', `\t`: '\t',
		"bar": '|', "point": '.'}
	sign := func(s string) (byte, bool) {
		c, ok := words[s]
		if !ok && len(s) == 1 {
			c, ok = s[0], true
		}
		return c, ok
	}
	var ok [2]bool
	o.Comma, ok[0] = sign(t.separator)
	o.Decimal, ok[1] = sign(t.decimal)
	if !ok[0] {
		return o, fmt.Errorf("-separator is %q; want comma, semicolon, tab, bar or one sign",
			t.separator)
	}
	if !ok[1] {
		return o, fmt.Errorf("-decimal is %q; want point or comma", t.decimal)
	}
	_, err = series.NewReader(o)
	return o, err
}

// Check reports flags that make no sense.
func (t *Table) Check() error {
	_, err := t.Options()
	return err
}

// Read reads a file, and says on messages what looks wrong about it.
func (t *Table) Read(path string, messages io.Writer) (*series.Series, error) {
	o, err := t.Options()
	if err != nil {
		return nil, err
	}
	s, err := series.ReadFile(path, o)
	if err != nil {
		return nil, t.Explain(err)
	}
	Warn(messages, path, s.Warnings)
	if t.fill == "mean" && !t.keepGaps {
		if s, err = s.Filled(series.FillMean); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return s, nil
}

// Explain adds to an error of a file the flag that helps.
func (t *Table) Explain(err error) error {
	if errors.Is(err, series.ErrMissing) && t.fill == "" {
		return fmt.Errorf("%w; -fill takes the value before", err)
	}
	return err
}

// Warn says what looks wrong about a file that could be read.
func Warn(messages io.Writer, name string, warnings []string) {
	for _, w := range warnings {
		fmt.Fprintf(messages, "warning: %s: %s\n", name, w)
	}
}

// WarnUnknown says how many of the tokens of n sequences are the unknown one, if they are more than
// a third.
func WarnUnknown(messages io.Writer, name string, unknown, n int, sequence func(i int) []int) {
	lacks, all := 0, 0
	for i := range n {
		for _, id := range sequence(i) {
			if id == unknown {
				lacks++
			}
		}
		all += len(sequence(i))
	}
	if 3*lacks > all {
		Warn(messages, name, []string{fmt.Sprintf("%.1f %% of the %d tokens are unknown to the "+
			"model: is it made for this text?", 100*float64(lacks)/float64(all), all)})
	}
}

// Numbers reads a line of n finite numbers, of any number if n is 0, parted by semicolons, or else
// commas, or else tabs, or else spaces.
func Numbers(line string, n int) ([]float64, error) {
	fields := strings.Fields(line)
	for _, c := range []string{";", ",", "\t"} {
		if strings.Contains(line, c) {
			fields = strings.Split(line, c)
			break
		}
	}
	if n > 0 && len(fields) != n {
		return nil, fmt.Errorf("there are %d numbers, want %d", len(fields), n)
	}
	x := make([]float64, len(fields))
	for i, f := range fields {
		v, err := strconv.ParseFloat(strings.TrimSpace(f), 64)
		if single := float32(v); err != nil || single-single != 0 { // models compute in float32
			return nil, fmt.Errorf("number %d is %.40q; want a finite number", i+1, f)
		}
		x[i] = v
	}
	return x, nil
}
