package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCurves(t *testing.T) {
	dir := t.TempDir()
	csv := filepath.Join(dir, "lstm", "history.csv")
	require.NoError(t, os.MkdirAll(filepath.Dir(csv), 0o755))
	require.NoError(t, os.WriteFile(csv, []byte("step,epoch,valid_perplexity\n10,1,90\n20,2,70\n"),
		0o644))
	svg := filepath.Join(dir, "out.svg")
	require.NoError(t, run([]string{"-draw", svg, "-levels", "bigram=83.2", csv}, io.Discard))
	figure, err := os.ReadFile(svg)
	require.NoError(t, err)
	require.Contains(t, string(figure), ">lstm</text>")
	require.Contains(t, string(figure), ">bigram</text>")

	require.NoError(t, run([]string{"-draw", svg, "-from", "15", csv}, io.Discard))
	figure, err = os.ReadFile(svg)
	require.NoError(t, err)
	require.NotContains(t, string(figure), ">90</text>")

	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "no histories given"},
		{[]string{"-metric", "none", csv}, `has no "none"; it has valid_perplexity`},
		{[]string{"-from", "21", csv}, `has no "valid_perplexity" from step 21 on`},
		{[]string{"-levels", "bigram", csv}, "want name=value"},
		{[]string{filepath.Join(dir, "absent.csv")}, "no such file"},
		{[]string{"-draw", filepath.Join(dir, "absent", "x.svg"), csv}, "no such file"},
	} {
		require.ErrorContains(t, run(c.args, io.Discard), c.want)
	}
	require.NoError(t, os.WriteFile(csv, []byte("nonsense"), 0o644))
	require.ErrorContains(t, run([]string{"-draw", svg, csv}, io.Discard), csv)
}

// A directory of runs is a table, the best first, and a curve each.
func TestCurvesOfRuns(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"a": "step,epoch,valid_loss\n10,1,3\n20,2,2\n",
		"b": "step,epoch,valid_loss\n10,1,1.5\n20,2,1.8\n", "c": "step,epoch,loss\n10,1,9\n"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name, "history.csv"), []byte(content),
			0o644))
	}
	svg := filepath.Join(t.TempDir(), "out.svg")
	var out strings.Builder
	require.NoError(t, run([]string{"-draw", svg, "-metric", "valid_loss", dir}, &out))
	require.Regexp(t, `(?s)b .*1\.5.*a .*2.*c `, out.String())
	figure, err := os.ReadFile(svg)
	require.NoError(t, err)
	require.Contains(t, string(figure), ">a</text>")
	require.Contains(t, string(figure), ">b</text>")
	other := t.TempDir() // its runs measured something else
	require.NoError(t, os.Mkdir(filepath.Join(other, "d"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(other, "d", "history.csv"),
		[]byte("step,epoch,loss\n10,1,9\n"), 0o644))
	require.ErrorContains(t, run([]string{"-metric", "valid_loss", dir, other}, io.Discard),
		"no run in "+other)
	require.ErrorContains(t, run([]string{"-metric", "valid_f1", dir}, io.Discard),
		`has a "valid_f1"; -metric names another`)
	require.ErrorContains(t, run([]string{t.TempDir()}, io.Discard), "has no folder with a history.csv")
}
