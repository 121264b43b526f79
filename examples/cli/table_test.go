package cli_test

import (
	"bytes"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/cli"
)

// table reads a file by flags.
func table(t *testing.T, content string, args ...string) (values []float64, names []string,
	messages string, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.csv")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o666))
	var flags cli.Table
	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	flags.Register(f)
	require.NoError(t, f.Parse(args))
	if err := flags.Check(); err != nil {
		return nil, nil, "", err
	}
	var m bytes.Buffer
	s, err := flags.Read(path, &m)
	if err != nil {
		return nil, nil, m.String(), err
	}
	return s.Values, s.Names, m.String(), nil
}

func TestTable(t *testing.T) {
	values, names, messages, err := table(t, "date,a\n2024-01-02,1\n2024-01-01,2\n")
	require.NoError(t, err)
	require.Equal(t, []float64{1, 2}, values)
	require.Equal(t, []string{"a"}, names)
	require.Contains(t, messages, `a.csv: the times in column "date" run backwards at line 3`)

	_, names, _, err = table(t, "date,a,b\n1,2,3\n", "-skip", "date, b")
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, names)
	_, names, _, err = table(t, "date,a\n1,2\n", "-skip", "")
	require.NoError(t, err)
	require.Equal(t, []string{"date", "a"}, names)
	_, _, _, err = table(t, "a,b\n1,2\n", "-skip", "date")
	require.ErrorContains(t, err, `there is no column "date" to leave out`)

	values, _, _, err = table(t, "a;b\n1,5;-200\n-200;2\n", "-decimal", "comma", "-separator",
		"semicolon", "-missing", "-200", "-fill")
	require.ErrorContains(t, err, "there is none before it")
	require.Nil(t, values)
	values, _, _, err = table(t, "a;b\n1,5;2\n-200;?\n", "-decimal", ",", "-separator", ";",
		"-missing", "x, -200", "-fill")
	require.NoError(t, err)
	require.Equal(t, []float64{1.5, 2, 1.5, 2}, values)
	_, _, _, err = table(t, "a,b\n1,NA\n")
	require.ErrorContains(t, err,
		`line 2: column "b": a value is missing: "NA"; -fill takes the value before`)
	for want, args := range map[string][]string{"-separator is": {"-separator", "space"},
		"-decimal is": {"-decimal", "mark"}, "Decimal is": {"-decimal", ";"}} {
		_, _, _, err = table(t, "a\n1\n", args...)
		require.ErrorContains(t, err, want)
	}
}

func TestNumbers(t *testing.T) {
	for _, line := range []string{"1.5,-2,3e2", "1.5; -2;3e2", "1.5\t-2\t3e2", " 1.5  -2 300 ",
		"1.5, -2, 300"} {
		x, err := cli.Numbers(line, 3)
		require.NoError(t, err, line)
		require.Equal(t, []float64{1.5, -2, 300}, x, line)
	}
	for line, want := range map[string]string{
		"1,,2": `number 2 is ""`, "1,5;2;3": `number 1 is "1,5"`,
		"1,2": "there are 2 numbers, want 3", "1,NaN,3": `number 2 is "NaN"`, "": "there are 0",
		"1,2,3,": "there are 4", "1,2,3.5e38": "number 3", "-Inf,2,3": "number 1",
	} {
		_, err := cli.Numbers(line, 3)
		require.ErrorContains(t, err, want, line)
	}
	x, err := cli.Numbers("3.4028235e+38", 1) // the largest float32, as it is printed
	require.NoError(t, err)
	require.Equal(t, float32(math.MaxFloat32), float32(x[0]))
}
