package main

import (
	"io"
	"os"
	"path/filepath"
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

	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "no histories given"},
		{[]string{"-metric", "none", csv}, `has no "none"; it has valid_perplexity`},
		{[]string{"-levels", "bigram", csv}, "want name=value"},
		{[]string{filepath.Join(dir, "absent.csv")}, "no such file"},
		{[]string{"-draw", filepath.Join(dir, "absent", "x.svg"), csv}, "no such file"},
	} {
		require.ErrorContains(t, run(c.args, io.Discard), c.want)
	}
	require.NoError(t, os.WriteFile(csv, []byte("nonsense"), 0o644))
	require.ErrorContains(t, run([]string{"-draw", svg, csv}, io.Discard), csv)
}
