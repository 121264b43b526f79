package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/zoo/images"
	"github.com/seqzoo/seqzoo/zoo/reduce"
)

func call(t *testing.T, stdin string, args ...string) (out, messages string, err error) {
	t.Helper()
	var o, m bytes.Buffer
	err = program().Run(context.Background(), args,
		cli.Std{In: strings.NewReader(stdin), Out: &o, Messages: &m})
	return o.String(), m.String(), err
}

func must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, _, err := call(t, stdin, args...)
	require.NoError(t, err, strings.Join(args, " "))
	return out
}

// bars is a folder with pictures of 6 by 6 that have one bright row (label 0) or column (label 1),
// in place of MNIST.
func bars(t *testing.T, n int) string {
	dir := t.TempDir()
	s := &images.Set{Rows: 6, Cols: 6, Pixels: make([]uint8, n*36)}
	for i := range n {
		for k := range 6 {
			if i%2 == 0 {
				s.Pixels[i*36+i/2%6*6+k] = uint8(155 + i%100)
			} else {
				s.Pixels[i*36+k*6+i/2%6] = uint8(155 + i%100)
			}
		}
		s.Labels = append(s.Labels, uint8(i%2))
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "mnist"), 0o777))
	for _, part := range []string{"train", "t10k"} {
		var pictures, labels bytes.Buffer
		require.NoError(t, s.Write(&pictures))
		require.NoError(t, images.WriteLabels(&labels, s.Labels))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "mnist", part+"-images-idx3-ubyte.gz"),
			pictures.Bytes(), 0o666))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "mnist", part+"-labels-idx1-ubyte.gz"),
			labels.Bytes(), 0o666))
	}
	t.Setenv("SEQZOO_DATA", dir)
	return filepath.Join(dir, "mnist")
}

func TestPictures(t *testing.T) {
	mnist := bars(t, 200)
	dir := t.TempDir()
	model := func(kind string) string { return filepath.Join(dir, kind) }
	for _, kind := range kinds {
		out := must(t, "", "train", "-quick", "-kind", kind, "-code", "3", "-save", model(kind))
		require.Contains(t, out, "validation, 20 rows: squared error 0.")
		m, err := reduce.Load(model(kind))
		require.NoError(t, err)
		require.Equal(t, 3, m.Codes())
		require.Positive(t, m.Threshold())
		require.Contains(t, must(t, "", "evaluate", "-model", model(kind), "-anomalous", "1"),
			"label 1 as anomaly: AUC ")
		zeros := strings.Repeat("0 ", 36) + "\n"
		require.Equal(t, 36, strings.Count(must(t, zeros, "denoise", "-model", model(kind)), ",")+1)
		require.NoError(t, err)
	}
	require.Contains(t, must(t, "", "evaluate", "-model", model("vae")), "nats a row")
	require.Contains(t, must(t, "", "evaluate", "-model", model("denoising")), "a gain of")

	table := must(t, "", "compare", "-models",
		model("pca")+","+model("linear")+", "+model("autoencoder"))
	require.Len(t, strings.Split(strings.TrimSpace(table), "\n"), 4)
	require.Contains(t, table, "100.0 %")
	require.Contains(t, table, "°")

	for what, kind := range map[string]string{
		"reconstructions": "denoising", "samples": "vae", "interpolation": "autoencoder",
		"traversal": "pca", "codes": "linear",
	} {
		path := filepath.Join(dir, what)
		must(t, "", "draw", "-model", model(kind), "-what", what, "-n", "4", "-draw", path)
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		if what == "codes" {
			require.True(t, bytes.HasPrefix(content, []byte("<svg")))
		} else {
			require.True(t, bytes.HasPrefix(content, []byte("\x89PNG")))
		}
	}

	out := must(t, "", "outliers", "-quick", "-codes", "1,2", "-save", filepath.Join(dir, "out"),
		"-widths", "8")
	require.Equal(t, 2, strings.Count(out, "\nmean "))
	again := must(t, "", "outliers", "-quick", "-codes", "1,2", "-save", filepath.Join(dir, "out"),
		"-widths", "8")
	require.Equal(t, out, again, "from what was saved")

	other := []string{"-data", filepath.Join(mnist, "t10k-images-idx3-ubyte.gz")}
	require.Contains(t, must(t, "", append([]string{"evaluate", "-model", model("pca")},
		other...)...), "200 rows")
}

// csv is a file of two waves, with a fault if one is wanted.
func csv(t *testing.T, n, fault int) (path, rows string) {
	var b strings.Builder
	for i := range n {
		x, y := math.Sin(0.5*float64(i)), 100+20*math.Cos(0.5*float64(i))
		if i == fault {
			y = 0
		}
		fmt.Fprintf(&b, "%.4f,%.4f\n", x, y)
	}
	path = filepath.Join(t.TempDir(), "waves.csv")
	require.NoError(t, os.WriteFile(path,
		[]byte("date,x,y\n1,"+strings.ReplaceAll(strings.TrimSpace(b.String()), "\n", "\n1,")+"\n"),
		0o666))
	return path, b.String()
}

func TestSeries(t *testing.T) {
	path, _ := csv(t, 300, -1)
	_, faulty := csv(t, 60, 40)
	dir := t.TempDir()
	must(t, "", "train", "-kind", "recurrent", "-data", path, "-window", "8", "-code", "2",
		"-widths", "16", "-epochs", "40", "-lr", "0.01", "-quantile", "1", "-save", dir)
	// The seven rows before a window is full have no score, and the fault at row 40 is in eight
	// windows.
	ask := func(flags ...string) []string {
		lines := strings.Split(strings.TrimSpace(must(t, faulty,
			append([]string{"anomaly", "-model", dir}, flags...)...)), "\n")
		require.Len(t, lines, 60)
		return lines
	}
	normal, fault := 0.0, math.Inf(1)
	for i, line := range ask() {
		if i < 7 {
			require.Equal(t, "-\treading", line)
			continue
		}
		var score float64
		var label string
		_, err := fmt.Sscan(line, &score, &label)
		require.NoError(t, err, "line %d: %q", i, line)
		if i < 40 {
			normal = max(normal, score)
		} else if i < 48 {
			fault = min(fault, score)
			require.Equal(t, "anomaly", label, "line %d", i)
		}
	}
	require.Greater(t, fault, 5*normal)
	for i, line := range ask("-threshold", fmt.Sprint(math.Sqrt(normal*fault))) {
		require.Equal(t, i >= 40 && i < 48, strings.Contains(line, "anomaly"), "line %d: %q", i,
			line)
	}
	out := must(t, faulty, "anomaly", "-model", dir, "-threshold", "1000")
	require.NotContains(t, out, "anomaly")
	require.Contains(t, must(t, "", "evaluate", "-model", dir, "-data", path, "-window", "8"),
		"293 rows")
	require.Regexp(t, `row \d+, error .*: \w+ at step \d is .*, not .* \(\d+ %\); `,
		must(t, "", "evaluate", "-model", dir, "-data", path, "-window", "8", "-explain", "2"))
	must(t, "", "train", "-kind", "vae", "-data", path, "-code", "1", "-condition", "1",
		"-widths", "4", "-epochs", "1", "-save", filepath.Join(dir, "vae"))
	require.Contains(t, must(t, "", "evaluate", "-model", filepath.Join(dir, "vae"), "-data", path),
		"code of 2 numbers for 2")

	must(t, "", "train", "-kind", "pca", "-data", path, "-code", "1", "-save",
		filepath.Join(dir, "pca"))
	out, said, err := call(t, "0.5,100\nx,1\n1\nNaN,2\n1 1e39\n", "anomaly", "-model",
		filepath.Join(dir, "pca"))
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(out, "\n"))
	require.Contains(t, said, `line 2: number 1 is "x"; want a finite number`)
	require.Contains(t, said, "line 3: there are 1 numbers, want 2")
	require.Contains(t, said, `line 4: number 1 is "NaN"`)
	require.Contains(t, said, `line 5: number 2 is "1e39"`)
}

func TestMistakes(t *testing.T) {
	mnist := bars(t, 20)
	path, _ := csv(t, 20, -1)
	dir := t.TempDir()
	must(t, "", "train", "-kind", "pca", "-code", "2", "-save", dir)
	// Arguments that stand for paths, whose names may have spaces.
	paths := map[string]string{"MNIST": mnist, "WAVES": path, "DIR": dir,
		"LABELS": filepath.Join(mnist, "train-labels-idx1-ubyte.gz")}
	for _, c := range []struct {
		args string
		want string
	}{
		{"train -kind forest", "-kind is \"forest\"; want one of"},
		{"train -code 0", "-code is 0"},
		{"train -beta NaN", "-beta is NaN"},
		{"train -free-bits -1", "-free-bits is -1"},
		{"train -condition 1", "-condition is 1, of kind autoencoder"},
		{"evaluate -model x -explain -1", "-explain is -1; want 0 or more"},
		{"train -noise loud", "-noise is \"loud\""},
		{"train -noise masking:2", "want a probability"},
		{"train -widths a,b", "-widths is \"a,b\""},
		{"train -valid-share 1", "-valid-share is 1"},
		{"train -quantile 0", "-quantile is 0"},
		{"train -window 0", "-window is 0"},
		{"train -without 7", "no row has the label 7"},
		{"train -kind pca -code 100", "components is 100, want 1 … 36"},
		{"train -kind pca -code 30", "18 rows span no 30 components"},
		{"train -kind pca -code 30 -save LABELS", "not a directory"}, // said before the fit
		{"train -data LABELS", "as files of labels have; images have three"},
		{"train -data WAVES -window 100", "has 20 lines; a row takes 100"},
		{"train -data WAVES -without 1", "-label names no column"},
		{"train -data WAVES -label z -without 1",
			"there is no column \"z\"; there are x, y"},
		{"train -data WAVES -label x -without 1", "the label is"},
		{"train -data none.csv", "none.csv"},
		{"train -kind recurrent -widths 3,4", "want one number"},
		{"evaluate", "-model is missing"},
		{"evaluate -model MNIST", "config.json"},
		{"evaluate -model DIR -data WAVES",
			"a row has 2 numbers, and the model reads rows of 36"},
		{"compare -models DIR -data WAVES", "a row has 2 numbers"},
		{"draw -model DIR -draw x -what samples", "only a VAE can be sampled"},
		{"draw -model DIR -draw x -what cats", "-what is \"cats\""},
		{"draw -model DIR", "-draw is missing"},
		{"draw -model DIR -draw x -n 50", "there are 20 pictures"},
		{"anomaly -model DIR -threshold -1", "-threshold is -1"},
		{"outliers -codes x", "-codes is \"x\""},
		{"outliers -score luck", "-score is \"luck\""},
		{"outliers -data LABELS", "-data and -test go together"},
		{"evaluate -model DIR -anomalous 5", "0 of 20 are positive"},
	} {
		args := strings.Fields(c.args)
		for i, a := range args {
			args[i] = cmp.Or(paths[a], a)
		}
		_, _, err := call(t, "", args...)
		require.ErrorContains(t, err, c.want, c.args)
	}
}
