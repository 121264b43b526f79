package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/examples/cli/clitest"
)

// run runs the program, and returns what it printed and said.
func run(t *testing.T, in string, args ...string) (out, messages string, err error) {
	t.Helper()
	var o, m bytes.Buffer
	err = program().Run(context.Background(), args,
		cli.Std{In: strings.NewReader(in), Out: &o, Messages: &m})
	return o.String(), m.String(), err
}

// waves are rows of two waves of a period of 12.
func waves(from, n int) string {
	var b strings.Builder
	for i := from; i < from+n; i++ {
		x := 2 * math.Pi * float64(i) / 12
		fmt.Fprintf(&b, "%d,%.4f,%.4f\n", i, math.Sin(x), 50+10*math.Cos(x))
	}
	return b.String()
}

// The whole way on a small file: what is learned is saved, evaluated and used.
func TestForecast(t *testing.T) {
	dir := t.TempDir()
	data, model := filepath.Join(dir, "waves.csv"), filepath.Join(dir, "model")
	require.NoError(t, os.WriteFile(data, []byte("time,a,b\n"+waves(0, 400)), 0o666))
	source := []string{"-data", data, "-skip", "time", "-train-rows", "280", "-valid-rows", "60",
		"-test-rows", "60", "-season", "12"}
	out, messages, err := run(t, "",
		append([]string{"train", "-lookback", "24", "-patch", "4", "-horizon", "6", "-hidden", "16",
			"-dropout", "0", "-lr", "0.02", "-epochs", "15", "-save", model}, source...)...)
	require.NoError(t, err, messages)
	require.Contains(t, out, "2 variables, 400 rows; 6 steps from 24")
	require.Regexp(t, `naive: the last 12 rows again +0\.0000`, out)
	out, _, err = run(t, "", append([]string{"evaluate", "-model", model}, source...)...)
	require.NoError(t, err)
	require.Contains(t, out, "test: 55 windows")
	require.Regexp(t, `model +0\.0`, out)

	history := "b,time,a\n" + swap(waves(400, 30))
	out, _, err = run(t, history+"x,y\n", "forecast", "-model", model)
	require.ErrorContains(t, err, "line 32:")
	require.Equal(t, "", out, "a history from which a row was dropped has no forecast")
	out, _, err = run(t, history, "forecast", "-model", model)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(out, "step,a,b\n1,"), out)
	require.Len(t, strings.Split(strings.TrimSpace(out), "\n"), 7)
	var step int
	var a, b float64
	_, err = fmt.Sscanf(strings.Split(out, "\n")[1], "%d,%g,%g", &step, &a, &b)
	require.NoError(t, err)
	x := 2 * math.Pi * 430 / 12
	require.InDelta(t, math.Sin(x), a, 0.4)
	require.InDelta(t, 50+10*math.Cos(x), b, 4)

	out, _, err = run(t, "time,a,b\n"+waves(0, 26), "forecast", "-model", model, "-each")
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(out, "\n\n"), "behind rows 24, 25 and 26")
	_, _, err = run(t, "time,a,b\n"+waves(0, 3), "forecast", "-model", model)
	require.ErrorContains(t, err, "the history has 3 rows; it reads 24")
	_, _, err = run(t, "", "forecast", "-model", model)
	require.ErrorContains(t, err, "standard input is empty")
	_, _, err = run(t, "", "evaluate", "-model", model, "-data", data, "-skip", "time")
	require.ErrorContains(t, err,
		"has 400 rows; -train-rows, -valid-rows and -test-rows add up to 14400")
	_, _, err = run(t, "", "evaluate", "-model", model, "-data", data)
	require.Error(t, err, "time is a variable now")

	// A row without a value is refused with its line, in whatever mode, or on request the value
	// before stands in.
	rows := strings.SplitAfter(waves(0, 30), "\n")
	for gap, cell := range map[int]string{3: "", 17: "NaN", 29: "?"} {
		holes := slices.Clone(rows)
		holes[gap] = fmt.Sprintf("%d,%s,50\n", gap, cell)
		in := "time,a,b\n" + strings.Join(holes, "")
		for _, each := range []string{"-each=false", "-each"} {
			_, _, err = run(t, in, "forecast", "-model", model, each)
			require.ErrorContains(t, err,
				fmt.Sprintf(
					`line %d: column "a": a value is missing: %q; -fill takes the value before`,
					gap+2, cell))
		}
		got, _, err := run(t, in, "forecast", "-model", model, "-fill")
		require.NoError(t, err)
		before := strings.Split(holes[gap-1], ",")
		holes[gap] = fmt.Sprintf("%d,%s,50\n", gap, before[1])
		want, _, err := run(t, "time,a,b\n"+strings.Join(holes, ""), "forecast", "-model", model)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	semicolons := strings.NewReplacer(",", ";", ".", ",").Replace("time,a,b\n" + waves(400, 30))
	got, _, err := run(t, semicolons, "forecast", "-model", model)
	require.NoError(t, err)
	want, _, err := run(t, "time,a,b\n"+waves(400, 30), "forecast", "-model", model)
	require.NoError(t, err)
	require.Equal(t, want, got)
	_, messages, err = run(t, "time,a,b\n"+waves(0, 12)+waves(13, 30), "forecast", "-model", model)
	require.NoError(t, err)
	require.Contains(t, messages, `the times in column "time" have a hole before line 14`)
}

// A file of a thousand rows is cut as the help of the program says, by numbers or by shares.
func TestParts(t *testing.T) {
	data := filepath.Join(t.TempDir(), "waves.csv")
	require.NoError(t, os.WriteFile(data, []byte("time,a,b\n"+waves(0, 1000)), 0o666))
	small := []string{"train", "-quick", "-steps", "1", "-lookback", "24", "-patch", "4",
		"-horizon", "6", "-data", data, "-skip", "time", "-season", "12"}
	var first string
	for _, rows := range [][]string{
		{"-train-rows", "700", "-valid-rows", "100"}, {"-train-rows", "0.7", "-valid-rows", "10%"},
		{"-train-rows", "70%", "-valid-rows", "100", "-test-rows", "0.2"},
	} {
		out, _, err := run(t, "", append(small, rows...)...)
		require.NoError(t, err)
		require.Contains(t, out, "validation: 95 windows")
		if first == "" {
			first = out
		}
		require.Equal(t, first, out, "the parts are the same")
	}
	for want, rows := range map[string][]string{
		"add up to 1001":        {"-train-rows", "0.7", "-valid-rows", "0.1", "-test-rows", "201"},
		"add up to 3880":        {"-train-rows", "1000", "-valid-rows", "0.0004"},
		"want a number of rows": {"-train-rows", "1.5"}, "-test-rows is -1": {"-test-rows", "-1"},
	} {
		_, _, err := run(t, "", append(small, rows...)...)
		require.ErrorContains(t, err, want)
	}
}

// swap puts the last column first.
func swap(csv string) string {
	var b strings.Builder
	for line := range strings.Lines(csv) {
		f := strings.Split(strings.TrimSpace(line), ",")
		fmt.Fprintf(&b, "%s,%s,%s\n", f[2], f[0], f[1])
	}
	return b.String()
}

func TestQuick(t *testing.T) {
	clitest.Need(t, "timeseries")
	out, messages, err := run(t, "", "train", "-quick", "-lookback", "48")
	require.NoError(t, err, messages)
	require.Regexp(t, `naive: the last 24 rows again +0\.5113`, out)
}

func TestMistakes(t *testing.T) {
	for want, args := range map[string][]string{
		"patch is 5":              {"train", "-patch", "5"},
		"needs -together":         {"train", "-targets", "OT"},
		"-train-rows is 0":        {"train", "-train-rows", "0"},
		`level is "x"`:            {"train", "-level", "x"},
		"-model is missing":       {"forecast"},
		"horizon is 0":            {"train", "-horizon", "0"},
		"there are train, evalua": {"tag"},
	} {
		_, _, err := run(t, "", args...)
		require.ErrorContains(t, err, want, "%q", args)
	}
}

// A variable that is known ahead and gaps are learned, evaluated and forecast; and models are
// fitted again and again by backtest.
func TestKnownAndGaps(t *testing.T) {
	dir := t.TempDir()
	data, model := filepath.Join(dir, "shop.csv"), filepath.Join(dir, "model")
	// what is sold is three times the holiday of the same day
	row := func(i int, known bool) string {
		holiday := i * i % 7 % 3
		sold := fmt.Sprint(3 * holiday)
		if i%11 == 5 || !known {
			sold = ""
		}
		return fmt.Sprintf("%d,%s,%d\n", i, sold, holiday)
	}
	var b strings.Builder
	b.WriteString("day,sold,holiday\n")
	for i := range 400 {
		b.WriteString(row(i, true))
	}
	require.NoError(t, os.WriteFile(data, []byte(b.String()), 0o666))
	flags := []string{"-data", data, "-skip", "day", "-train-rows", "280", "-valid-rows", "60",
		"-test-rows", "60", "-season", "7", "-fill=mask", "-together", "-known", "holiday",
		"-lookback", "8",
		"-patch", "1", "-horizon", "2", "-hidden", "16", "-dropout", "0", "-lr", "0.02",
		"-epochs", "30", "-level", "none"}
	out, messages, err := run(t, "", append([]string{"train", "-save", model}, flags...)...)
	require.NoError(t, err, messages)
	require.Regexp(t, `model +0\.0`, out)
	out, _, err = run(t, "", "evaluate", "-model", model, "-data", data, "-skip", "day",
		"-train-rows", "280", "-valid-rows", "60", "-season", "7")
	require.NoError(t, err)
	require.Regexp(t, `model +0\.0`, out)
	b.Reset()
	b.WriteString("day,sold,holiday\n")
	for i := 400; i < 410; i++ {
		b.WriteString(row(i, i < 408))
	}
	out, _, err = run(t, b.String(), "forecast", "-model", model)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 3, out)
	for h, line := range lines[1:] {
		var step int
		var sold float64
		_, err := fmt.Sscanf(strings.ReplaceAll(line, ",", " "), "%d %g", &step, &sold)
		require.NoError(t, err)
		require.InDelta(t, float64(3*((408+h)*(408+h)%7%3)), sold, 1)
	}
	_, _, err = run(t, b.String(), "forecast", "-model", model, "-each")
	require.ErrorContains(t, err, "-each forecasts behind every row, and the model reads holiday")
	out, messages, err = run(t, "", append([]string{"backtest", "-every", "40"}, flags...)...)
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(out, "standardised"))
	require.Contains(t, messages, "model 3 learns from 360 rows")
	require.Contains(t, out, "sold ")
	for want, args := range map[string][]string{
		"want last, mean or mask":       {"train", "-fill=most", "-data", data},
		"-known and -static need -toge": {"train", "-known", "holiday", "-data", data},
		"known \"none\" is no variable": append([]string{"train"}, append(flags, "-known",
			"none")...),
		"-save is of one model": {"backtest", "-save", model, "-data", data},
		"a value is missing: \"\"; -fill": append([]string{"train"},
			append(flags, "-fill=false")...),
	} {
		_, _, err := run(t, "", args...)
		require.ErrorContains(t, err, want)
	}
}

// Several series of one file are learned from together, each in its own parts, with or without the
// column that tells them apart.
func TestSeveralSeries(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "shops.csv")
	var b strings.Builder
	b.WriteString("shop,day,sold\n")
	for day := range 100 {
		for shop := range 3 { // rows of shops take turns
			if day >= 100-20*shop {
				continue // some end before the others
			}
			fmt.Fprintf(&b, "%d,%d,%d\n", 7+shop, day, (day%5)*(shop+1))
		}
	}
	require.NoError(t, os.WriteFile(data, []byte(b.String()), 0o666))
	flags := []string{"-data", data, "-skip", "day", "-by", "shop", "-season", "5"}
	small := []string{"-lookback", "5", "-patch", "1", "-horizon", "2", "-hidden", "8",
		"-epochs", "2", "-quantiles", "0.1,0.5,0.9"}
	for name, more := range map[string][]string{"alone": nil,
		"static": {"-together", "-static", "shop"}} {
		model := filepath.Join(dir, name)
		out, _, err := run(t, "", slices.Concat([]string{"train", "-save", model}, flags,
			small, more)...)
		require.NoError(t, err)
		variables := map[string]int{"alone": 1, "static": 2}[name]
		require.Contains(t, out, fmt.Sprintf("%d variables, 240 rows in 3 series; 2 steps from 5",
			variables))
		// of 15, 12 and 9 rows of validation, each but the last begins two steps
		require.Contains(t, out, "validation: 33 windows")
		require.Regexp(t, `quantile 0\.1  `, out)
		require.Regexp(t, `naive: the last 5 rows again +0\.0000`, out)
		out, _, err = run(t, "", append([]string{"evaluate", "-model", model}, flags...)...)
		require.NoError(t, err)
		require.Contains(t, out, "test: 33 windows")
		// of the 30, 24 and 18 rows behind the training parts, each fold forecasts 10; what all learn
		// from in a fold is as much more
		out, messages, err := run(t, "", slices.Concat([]string{"backtest", "-every", "10"}, flags, small,
			more)...)
		require.NoError(t, err)
		require.Contains(t, messages, "warning: the series begin to be forecast at different rows")
		for i, rows := range []int{168, 198, 226} {
			require.Contains(t, messages, fmt.Sprintf("model %d learns from %d rows", i+1, rows))
		}
		for _, want := range []string{"shop 7\nmodel 1, rows 70 to 80:", "model 3, rows 90 to 99:",
			"shop 8\nmodel 1, rows 56 to 66:", "model 3, rows 76 to 79:",
			"shop 9\nmodel 1, rows 42 to 52:", "model 2, rows 52 to 59:"} {
			require.Contains(t, out, want)
		}
		require.Equal(t, 8, strings.Count(out, "standardised"))
		require.Equal(t, 3, strings.Count(out, "RMSE"))
	}
	for want, args := range map[string][]string{
		"no variable \"till\"": {"train", "-data", data, "-by", "till"},
		"shop 8 has 80 rows; -train-rows, -valid-rows and -test-rows add up to 92": {"train",
			"-data", data, "-skip", "day", "-by", "shop", "-train-rows", "80"},
	} {
		_, _, err := run(t, "", args...)
		require.ErrorContains(t, err, want)
	}
}
