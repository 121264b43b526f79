package series_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/memtest"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/zoo/series"
)

func TestParse(t *testing.T) {
	const csv = "\ufeff\"date\",a, \"b \"\"x\"\"\" \r\n\r\n2020-01-01, 1 ,-2.5e3\r\n\"2020, " +
		"2\",\"3\",4\n"
	s, err := series.Parse(csv, series.Options{Skip: []string{"date"}, MaySkip: []string{"absent"}})
	require.NoError(t, err)
	require.Equal(t, []string{"a", `b "x"`}, s.Names)
	require.Equal(t, []float64{1, -2500, 3, 4}, s.Values)
	require.Equal(t, 2, s.Len())
	require.Equal(t, []float64{3, 4}, s.Row(1))

	s, err = series.Parse(csv, series.Options{Columns: []string{`b "x"`}})
	require.NoError(t, err)
	require.Equal(t, []float64{-2500, 4}, s.Values)
	s, err = series.Parse("a\tb\n1\t2\n", series.Options{Comma: '\t', Columns: []string{"b", "a"}})
	require.NoError(t, err)
	require.Equal(t, []float64{2, 1}, s.Values)

	const gaps = "a,b\n1,2\n,NaN\n5,na\nnull,7\n"
	s, err = series.Parse(gaps, series.Options{Missing: series.Forward})
	require.NoError(t, err)
	require.Equal(t, []float64{1, 2, 1, 2, 5, 2, 5, 7}, s.Values)
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		csv, want string
		o         series.Options
	}{
		{"", "no line of names", series.Options{}},
		{"\n \r\n", "no line of names", series.Options{}},
		{"a,b\n", "no values", series.Options{}},
		{"a,b\n1\n", "line 2: there are 1 fields; the line of names has 2", series.Options{}},
		{"a,b\n1,2,3\n", "line 2: there are more fields than the 2", series.Options{}},
		{"a,b\n1,2\n\n3,\n", `line 4: column "b": a value is missing: ""`, series.Options{}},
		{"a,b\n1,NaN\n", "a value is missing", series.Options{}},
		{"a,b\n1,\n", "none before it", series.Options{Missing: series.Forward}},
		{"a,b\n1,Inf\n", "want a finite number", series.Options{}},
		{"a,b\n1,1e999\n", "too large", series.Options{}},
		{"a,b\n1,monday\n", `line 2: column "b": "monday" is no number`, series.Options{}},
		{"a,a\n1,2\n", `the name "a" comes twice`, series.Options{}},
		{"a,b\n1,2\n", `there is no column "c"`, series.Options{Columns: []string{"c"}}},
		{"a,b\n1,2\n", `"a" is wanted twice`, series.Options{Columns: []string{"a", "a"}}},
		{"a\n1\n", "no column is left", series.Options{Skip: []string{"a"}}},
		{"a,\"b\n1,2\n", "a quote is not closed", series.Options{}},
		{"a,\"b\"c\n1,2\n", "behind a quoted field", series.Options{}},
		{"a\n1\n", "Comma is", series.Options{Comma: '"'}},
		{"a\n1\n", "Decimal is", series.Options{Decimal: ';'}},
		{"a\n1\n", "Missing is", series.Options{Missing: 7}},
		{"date,target\n1,2\n", `there is no column " target" to leave out, but "target"`,
			series.Options{Skip: []string{"date", " target"}}},
		{"date,load\n1,2\n", `there is no column "wind" to leave out; there are ["date" "load"]`,
			series.Options{Skip: []string{"wind"}}},
		{"Date,load\n1,2\n", `there is no column "date", but "Date"`,
			series.Options{Columns: []string{"date"}}},
		{"a,b,a\n1,2,3\n", `the name "a" comes twice, in columns 1 and 3`, series.Options{}},
		{",a\n0,5\n1,6\n", `column 1 has no name: give it one, or leave it out by "#1"`,
			series.Options{}},
		{"a,,b\n1,2,3\n", `column 2 has no name`, series.Options{}},
		{"a;b\n1,5;2\n3.5;4\n",
			`line 3: column "a": "3.5" is no number where the comma is the decimal mark, as line 2 has it`, series.Options{}},
		{"a;b\n1.5;2\n3,5;4\n",
			`line 3: column "a": "3,5" is no number where the point is the decimal mark, as line 2 has it`, series.Options{}},
		{"a\tb\n1,5\t2\n", "where the point is the decimal mark; the comma can be it on request",
			series.Options{}},
		{"a;b\n1.234,5;2\n", "is no number", series.Options{Decimal: ','}},
		{"a,b;c\n1,5;2\n", `both ',' and ';' cut the names`, series.Options{}},
		{"a b\n1 2\n", `the line of names, "a b", holds no comma, semicolon, tab or bar`,
			series.Options{}},
		{"Date;Time;load\n1;2\n", "line 2: there are 2 fields; the line of names has 3",
			series.Options{}},
		{"a\n1\n\n3\n", "line 3 is empty between rows of one column: a value is missing",
			series.Options{Missing: series.Forward}},
		{"a,b\n1,2\n,\n3,4\n", `line 3: column "a": a value is missing`, series.Options{}},
		{"a,b\n1,2\n3,?\n", `line 3: column "b": a value is missing: "?"`, series.Options{}},
		{"a,b\n1,2\n-200.0,4\n", `line 3: column "a": a value is missing: "-200.0"`,
			series.Options{Marks: []string{"-200"}}},
		{"a;b;;\n1;2;;\n3;4;5;\n", "line 3: there are more fields than the 2", series.Options{}},
		{"a,b,\n1,2,\n3,4,,\n", "line 3: there are more fields than the 2", series.Options{}},
		{strings.Repeat("a,", 2000) + "\n", "more than 1024 columns", series.Options{}},
	} {
		_, err := series.Parse(c.csv, c.o)
		require.ErrorContains(t, err, c.want, "%q", c.csv)
	}
}

// What separates fields, and what marks decimals, is found out where it is plain.
func TestForms(t *testing.T) {
	want := []float64{2, 13.5, -2.25, 14}
	for csv, o := range map[string]series.Options{
		"a,b\n2,13.5\n-2.25,14\n":                           {},
		"a;b\n2,0;13,5\n-2,25;14,00\n":                      {},
		"a;b\r\n2.0;13.5\r\n-2.25;14\r\n":                   {},
		"a\tb\n2\t13.5\n-2.25\t14\n":                        {},
		"a|b\n2|13.5\n-2.25|14\n":                           {},
		"sep=;\na;b\n2;13,5\n-2,25;14\n":                    {},
		"a;b;;\n2;13,5;;\n-2,25;14;;\n;;;\n;;;\n":           {},
		"a,b,\n2,13.5,\n-2.25,14\n":                         {},
		"\"a\",\"b\"\n\"2,0\",\"13,5\"\n\"-2,25\",\"14\"\n": {Decimal: ','},
		"a\tb\n2,0\t13,5\n-2,25\t14\n":                      {Decimal: ','},
		",a,b\n0,2,13.5\n1,-2.25,14\n":                      {Skip: []string{"#1"}},
		"x,a,x,b\n0,2,0,13.5\n1,-2.25,1,14\n":               {Skip: []string{"x"}},
		"a,b,x,x\n2,13.5,,\n-2.25,14,,\n":                   {Columns: []string{"a", "b"}},
		"a,b\n2,13.5\n-2.25,?\n-200.00,14\n": {Missing: series.Forward,
			Marks: []string{"-200"}},
		"a;b\n2;13,5\n-2,25;n/a\n-200,0;14\n": {Missing: series.Forward,
			Marks: []string{"-200"}},
		"\ufeffdate;time;a;b\n1;2;2;13,5\n3;4;-2,25;14\n\n\n": {MaySkip: []string{"date", "time",
			"hour"}},
	} {
		s, err := series.Parse(csv, o)
		require.NoError(t, err, "%q", csv)
		require.Equal(t, []string{"a", "b"}, s.Names, "%q", csv)
		got := want
		if o.Missing == series.Forward {
			got = []float64{2, 13.5, -2.25, 13.5, -2.25, 14}
		}
		require.Equal(t, got, s.Values, "%q", csv)
	}
	s, err := series.Parse("a;b\n1;2\n3;4,5\n;;\n", series.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"the comma is taken for the decimal mark, as in line 3",
		"the rows behind line 3 hold no value and are left out"}, s.Warnings)
}

// dated is a file with these dates, and what it warns of.
func dated(t *testing.T, dates ...string) []string {
	t.Helper()
	s, err := series.Parse("date;v\n"+strings.Join(dates, ";1\n")+";1\n",
		series.Options{MaySkip: []string{"date"}})
	require.NoError(t, err)
	return s.Warnings
}

// A file without names loses its first row, which is said; so is one whose lines end as those of
// old Macintoshes.
func TestNamesThatAreNone(t *testing.T) {
	for _, header := range []string{"1,2", "-1.5,1e3", "1;2", "7"} {
		s, err := series.Parse(header+"\n"+header+"\n", series.Options{})
		require.NoError(t, err)
		require.Equal(t, 1, s.Len())
		require.Contains(t, s.Warnings,
			fmt.Sprintf("line 1 is taken for the names of the columns, and holds numbers, "+
				"as a file without names does: %q", header))
	}
	for _, header := range []string{"a,2", "day,2020,2021", "x"} {
		s, err := series.Parse(header+"\n"+strings.Repeat("1,", strings.Count(header, ","))+"1\n",
			series.Options{})
		require.NoError(t, err)
		require.Empty(t, s.Warnings, header)
	}
	_, err := series.Parse("a,b\r1,2\r3,4\r", series.Options{})
	require.EqualError(t, err,
		`line 1: there is a carriage return in it; lines end with \n, or \r\n`)
	for _, comma := range []byte{'1', 'e', 'x', 0xe9} {
		_, err := series.Parse("a,b\n1,2\n", series.Options{Comma: comma})
		require.ErrorContains(t, err, "which has a meaning of its own")
	}
}

// A column of times or of numbers of rows that is not left out is named.
func TestEvenColumns(t *testing.T) {
	for _, c := range []struct {
		name string
		at   func(row int) string
		even bool
	}{
		{"seconds", func(i int) string { return fmt.Sprint(1600000000 + 3600*i) }, true},
		{"row numbers", func(i int) string { return fmt.Sprint(i) }, true},
		{"tenths", func(i int) string { return fmt.Sprint(float64(i) / 10) }, true},
		{"a constant", func(int) string { return "5" }, false},
		{"a fall", func(i int) string { return fmt.Sprint(-i) }, false},
		{"a gap", func(i int) string { return []string{fmt.Sprint(i), ""}[i%2] }, false},
		{"a curve", func(i int) string { return fmt.Sprint(i * i) }, false},
	} {
		for rows, warned := range map[int]bool{9: false, 30: c.even} {
			lines := "x," + c.name + "\n"
			for i := range rows {
				lines += fmt.Sprintf("%d,%s\n", i*i%7, c.at(i))
			}
			s, err := series.Parse(lines, series.Options{Missing: series.Gap})
			require.NoError(t, err)
			require.Equal(t, warned, strings.Contains(fmt.Sprint(s.Warnings),
				`the column "`+c.name), "%s, %d rows", c.name, rows)
		}
	}
}

func TestTimes(t *testing.T) {
	for _, dates := range [][]string{
		{"2024-01-01"}, {"2024-01-01", "2024-01-02", "2024-01-03"},
		{"2024-01-31", "2024-02-29", "2024-03-31"},
		{"2023", "2024", "2025"}, {"10/03/2004", "11/03/2004", "12/03/2004", "13/03/2004"},
		{"03/10/2004", "03/11/2004", "03/12/2004"},
		{"2024-01-01 23:00:00", "2024-01-02 00:00:00"},
		{"2024-01-01T23:30Z", "2024-01-02T00:00Z", "2024-01-02T01:30+01:00"},
		{"1.2.2024 11:00", "1.2.2024 12:00", "1.2.2024 13:00"},
		{"20240131", "20240201", "20240202"}, {"monday", "sunday", "friday"}, {"1", "2", "3"},
	} {
		require.Empty(t, dated(t, dates...), "%q", dates)
	}
	const column = `the times in column "date" `
	for want, dates := range map[string][]string{
		"run backwards at line 3, and so on 2 times in all": {"2024-01-03",
			"2024-01-02", "2024-01-01"},
		"come twice: line 4 has that of the line before": {"2024-01-01",
			"2024-01-02", "2024-01-02", "2024-01-03"},
		"have a hole before line 4: a step longer than 24h0m0s": {"1/1/2024",
			"2/1/2024", "4/1/2024", "5/1/2024"},
		"have a hole before line 3: a step longer than 1h0m0s": {"2024-01-01 00:00",
			"2024-01-01 05:00", "2024-01-01 06:00"},
		"are not written as in the first row at line 3": {"2024-01-01",
			"yesterday", "2024-01-02"},
		"have a hole before line 4: a step longer than 10": {"1700000000",
			"1700000010", "1700000025", "1700000035"},
		"have a hole before line 3: a step longer than 1h0m0s, and so on 2 tim": {"2024-01-01 " +
			"00:00", "2024-01-01 05:00", "2024-01-01 10:00", "2024-01-01 11:00"},
	} {
		got := dated(t, dates...)
		require.Len(t, got, 1, "%q: %q", dates, got)
		require.Contains(t, got[0], column+want, "%q", dates)
	}
	const two = "Date;Time;v\n10/03/2004;22.00.00;1,5\n10/03/2004;23.00.00;2\n11/03/2004;00.00.00;3\n"
	o := series.Options{Skip: []string{"Date", "Time"}, Decimal: ','}
	s, err := series.Parse(two, o)
	require.NoError(t, err)
	require.Empty(t, s.Warnings, "a date comes again, and the clock tells its hours apart")
	s, err = series.Parse("date,load,v\n2024-01-01,1.00,5\n2024-01-02,0.30,6\n",
		series.Options{Skip: []string{"date", "load"}})
	require.NoError(t, err)
	require.Empty(t, s.Warnings, "a load is no clock")
	s, err = series.Parse(two+"11/03/2004;00.00.00;4\n", o)
	require.NoError(t, err)
	require.Equal(t,
		[]string{`the times in columns "Date" and "Time" come twice: line 5 has that of the line before`}, s.Warnings)
}

// A reader that is given lines reads what Parse reads.
func TestReader(t *testing.T) {
	r, err := series.NewReader(series.Options{Columns: []string{"b"}, Missing: series.Forward})
	require.NoError(t, err)
	require.ErrorContains(t, r.End(), "no line of names")
	var got []float64
	for _, line := range []string{"\ufeffa;b\r", "", "1;2,5", "3;"} {
		row, err := r.Line(line)
		require.NoError(t, err)
		got = append(got, row...)
	}
	require.Equal(t, []float64{2.5, 2.5}, got)
	require.Equal(t, []string{"b"}, r.Names())
	require.NoError(t, r.End())
	_, err = r.Line("4;x")
	require.ErrorContains(t, err, `line 5: column "b": "x" is no number`)
	_, err = series.NewReader(series.Options{Comma: '.'})
	require.ErrorContains(t, err, "Comma is")
	r, err = series.NewReader(series.Options{})
	require.NoError(t, err)
	_, err = r.Line("a,b")
	require.NoError(t, err)
	require.ErrorContains(t, r.End(), "no values")
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.csv.gz")
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	fmt.Fprint(z, "a\n1\n2\n")
	require.NoError(t, z.Close())
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o666))
	s, err := series.ReadFile(path, series.Options{})
	require.NoError(t, err)
	require.Equal(t, []float64{1, 2}, s.Values)
	_, err = series.ReadFile(filepath.Join(dir, "absent"), series.Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	bad := filepath.Join(dir, "bad")
	require.NoError(t, os.WriteFile(bad, []byte("a\nx\n"), 0o666))
	_, err = series.ReadFile(bad, series.Options{})
	require.ErrorContains(t, err, bad+": line 2")
}

func TestSeries(t *testing.T) {
	s, err := series.New([]string{"a", "b", "c"}, []float64{1, 0.1, 2, 3, 0.1, 2, 5, 0.1, 8})
	require.NoError(t, err)
	c, err := s.Scale()
	require.NoError(t, err)
	testkit.RequireInDelta(t, []float64{3, 0.1, 4}, c.Mean, 1e-12)
	testkit.RequireInDelta(t, []float64{math.Sqrt(8. / 3), 1, math.Sqrt(8)}, c.Deviation, 1e-12)
	two, err := s.Slice(1, 3).Select("c", "a")
	require.NoError(t, err)
	require.Equal(t, []float64{2, 3, 8, 5}, two.Values)
	_, err = s.Select("d")
	require.ErrorContains(t, err, `no variable "d"`)
	_, err = s.Slice(1, 1).Scale()
	require.ErrorContains(t, err, "nothing to measure")
	for want, values := range map[string][]float64{"3 values of 2": {1, 2, 3},
		"b is NaN at row 1": {1, 2, 3, math.NaN()}} {
		_, err := series.New([]string{"a", "b"}, values)
		require.ErrorContains(t, err, want)
	}
	_, err = series.New([]string{"a", "a"}, nil)
	require.ErrorContains(t, err, "comes twice")
	require.Zero(t, (&series.Series{}).Len())
}

// ETTh1 as its README describes it.
func TestETTh1(t *testing.T) {
	dir := os.Getenv("SEQZOO_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	path := filepath.Join(dir, "timeseries", "ETTh1.csv.gz")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the data set is absent: %v", err)
	}
	s, err := series.ReadFile(path, series.Options{Skip: []string{"date"}})
	require.NoError(t, err)
	require.Equal(t, []string{"HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"}, s.Names)
	require.Equal(t, 17420, s.Len())
	require.Equal(t, 30.5310001373291, s.Row(0)[6])
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "\"a\",\"b\"\"\"\n,\n", "a\n1\n\n2",
		strings.Repeat("a,", 1100), "a\n" + strings.Repeat("\n1", 40), "\ufeffa\r\n1e9\r\n",
		"date;a;;\n1/2/2024 1:00;1,5;;\n2/2/2024 1:00;-;;\n;;;\n", "sep=|\na|b\n1|2", "a\n" +
			strings.Repeat("\n", 1<<16)} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, fill bool) {
		o := series.Options{MaySkip: []string{"date"}, Marks: []string{"-200"}}
		if fill {
			o.Missing = series.Forward
		}
		parsed, err := series.Parse(s, o)
		values := 0
		if err == nil {
			values = len(parsed.Values)
			if _, err := series.New(parsed.Names, parsed.Values); err != nil {
				t.Fatal(err)
			}
			if parsed.Len() < 1 {
				t.Fatal("no rows")
			}
		}
		// Twice the file, as for every reader, or 8 bytes for each value that a byte or two of the
		// file hold, and the names of columns.
		memtest.Within(t, max(len(s), 4*max(values, len(s)/2+1))+16*series.MaxColumns,
			func() { _, _ = series.Parse(s, o) })
	})
}

// Gaps are kept on request, are counted and filled, and count nothing in a scale.
func TestGaps(t *testing.T) {
	s, err := series.Parse("a,b\n,7\n1,\n3,\n-,9\n", series.Options{Missing: series.Gap})
	require.NoError(t, err)
	require.Equal(t, []int{2, 2}, s.Gaps())
	c, err := s.Scale()
	require.NoError(t, err)
	require.Equal(t, []float64{2, 8}, c.Mean)
	testkit.RequireInDelta(t, []float64{1, 1}, c.Deviation, 1e-12)
	last, err := s.Filled(series.FillLast)
	require.NoError(t, err)
	require.Equal(t, []float64{1, 7, 1, 7, 3, 7, 3, 9}, last.Values)
	mean, err := s.Filled(series.FillMean)
	require.NoError(t, err)
	require.Equal(t, []float64{2, 7, 1, 8, 3, 8, 2, 9}, mean.Values)
	require.True(t, math.IsNaN(s.Values[0]), "it is as it was")
	_, err = series.New(s.Names, s.Values)
	require.ErrorContains(t, err, "a is NaN at row 0: want a finite number; NewGaps takes gaps")
	_, err = s.Windows(2, 1)
	require.ErrorContains(t, err, "a is NaN at row 0")
	_, err = s.Filled(7)
	require.ErrorContains(t, err, "want FillLast or FillMean")
	nothing, err := series.NewGaps([]string{"x"}, []float64{math.NaN()})
	require.NoError(t, err)
	_, err = nothing.Scale()
	require.ErrorContains(t, err, "x has no value")
	_, err = nothing.Filled(series.FillLast)
	require.Error(t, err)

	w, err := last.Windows(2, 2)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 7, 1, 7, 3, 7, 3, 9}, w)
	w, err = last.Windows(3, 1)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 7, 1, 7, 3, 7, 1, 7, 3, 7, 3, 9}, w)
	for _, bad := range [][2]int{{0, 1}, {1, 0}, {5, 1}} {
		_, err = last.Windows(bad[0], bad[1])
		require.ErrorContains(t, err, "want windows of 1 to all rows")
	}
	parts, err := last.Split("a")
	require.NoError(t, err)
	require.Len(t, parts, 2)
	require.Equal(t, []float64{1, 7, 1, 7}, parts[0].Values)
	require.Equal(t, []float64{3, 7, 3, 9}, parts[1].Values)
	_, err = s.Split("a")
	require.ErrorContains(t, err, "a has a gap at row 0")
	_, err = s.Split("c")
	require.ErrorContains(t, err, "there is no variable")
	joint, err := parts[0].Scale(parts[1])
	require.NoError(t, err)
	whole, err := last.Scale()
	require.NoError(t, err)
	require.Equal(t, whole, joint)
	_, err = parts[0].Scale(nil)
	require.ErrorContains(t, err, "other variables")
}
