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
	"github.com/seqzoo/seqzoo/zoo/series"
)

func TestParse(t *testing.T) {
	const csv = "\ufeff\"date\",a, \"b \"\"x\"\"\" \r\n\r\n2020-01-01, 1 ,-2.5e3\r\n\"2020, 2\",\"3\",4\n"
	s, err := series.Parse(csv, series.Options{Skip: []string{"date", "absent"}})
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
		{strings.Repeat("a,", 2000) + "\n", "more than 1024 columns", series.Options{}},
	} {
		_, err := series.Parse(c.csv, c.o)
		require.ErrorContains(t, err, c.want, "%q", c.csv)
	}
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
	require.InDeltaSlice(t, []float64{3, 0.1, 4}, c.Mean, 1e-12)
	require.InDeltaSlice(t, []float64{math.Sqrt(8. / 3), 1, math.Sqrt(8)}, c.Deviation, 1e-12)
	two, err := s.Slice(1, 3).Select("c", "a")
	require.NoError(t, err)
	require.Equal(t, []float64{2, 3, 8, 5}, two.Values)
	_, err = s.Select("d")
	require.ErrorContains(t, err, `no variable "d"`)
	_, err = s.Slice(1, 1).Scale()
	require.ErrorContains(t, err, "nothing to measure")
	for want, values := range map[string][]float64{"3 values of 2": {1, 2, 3}, "b is NaN at row 1": {1, 2, 3, math.NaN()}} {
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
	for _, s := range []string{"a,b\n1,2\n", "\"a\",\"b\"\"\"\n,\n", "a\n1\n\n2", strings.Repeat("a,", 1100), "a\n" + strings.Repeat("\n1", 40), "\ufeffa\r\n1e9\r\n"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, fill bool) {
		o := series.Options{}
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
		// Twice the file, as for every reader, or 8 bytes for each value that a byte or two of the file hold.
		memtest.Within(t, max(len(s), 4*max(values, len(s)/2+1)), func() { _, _ = series.Parse(s, o) })
	})
}
