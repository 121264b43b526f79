package main_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// resumed is a training with the data that it is begun with and other data of the same sizes, by
// the names of files.
var resumed = []struct {
	args        string
	data, other map[string]string
}{
	{"tag train -data a -valid a -min-count 1", both("a", strings.Repeat("x\tX\ny\tY\n\n", 30)),
		both("a", strings.Repeat("x\tY\ny\tX\n\n", 30))},
	{"classify train -data a -valid a -min-count 1",
		both("a", strings.Repeat("X\tx y\nY\ty y\n", 30)),
		both("a", strings.Repeat("X\ty y\nY\tx y\n", 30))},
	{"languagemodel train -level char -data a", both("a", strings.Repeat("abcd", 500)),
		both("a", strings.Repeat("abdc", 500))},
	{"dialogue train -data a -hold-out 5", both("a", strings.Repeat("x y\ty x\n", 30)),
		both("a", strings.Repeat("y x\tx y\n", 30))},
	{
		"translate train -source a -target b -valid-source a -valid-target b",
		both("a", strings.Repeat("x y\ny\n", 20), "b", strings.Repeat("X Y\nY\n", 20)),
		both("a", strings.Repeat("x y\ny\n", 20), "b", strings.Repeat("Y X\nY\n", 20)),
	},
	{
		"forecast train -data a -train-rows 50 -valid-rows 20 -test-rows 0 -lookback 12 -patch 4 " +
			"-horizon 4 -season 4",
		both("a", column(5)), both("a", column(7)),
	},
	{"autoencoder train -data a.csv -code 1 -widths 4 -epochs 2", both("a.csv", columns2(5)),
		both("a.csv", columns2(7))},
	{"autoencoder train -kind vae -data a.csv -code 1 -widths 4 -epochs 2",
		both("a.csv", columns2(5)), both("a.csv", columns2(7))},
	{
		"emoji2vec train -vectors w.vec -data a -valid b",
		both("w.vec", vec, "a", "sun\t☀\tTrue\nmoon\t☾\tTrue\n", "b",
			"sun\t☀\tTrue\nsun\t☾\tFalse\n"),
		both("w.vec", vec, "a", "moon\t☀\tTrue\nsun\t☾\tTrue\n", "b",
			"sun\t☀\tTrue\nsun\t☾\tFalse\n"),
	},
}

const vec = "2 2\nsun 1 0\nmoon 0.5 1\n"

// both is a map of names and contents in turn.
func both(namesAndContents ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(namesAndContents); i += 2 {
		m[namesAndContents[i]] = namesAndContents[i+1]
	}
	return m
}

// column is a file of numbers that come again after some rows.
func column(period int) string {
	var b strings.Builder
	b.WriteString("x\n")
	for i := range 70 {
		fmt.Fprintln(&b, i%period)
	}
	return b.String()
}

func columns2(period int) string {
	var b strings.Builder
	b.WriteString("x,y\n")
	for i := range 70 {
		fmt.Fprintf(&b, "%g,%g\n", float64(i%period)/10, float64(i%3)/10)
	}
	return b.String()
}

// A program that is run again on other data of the same sizes ends with an error, and its model
// stays as it is.
func TestProgramsResumeOnTheirData(t *testing.T) {
	for _, p := range resumed {
		args := strings.Fields(p.args + " -quick -save model")
		t.Run(strings.Join(args[:3], " "), func(t *testing.T) {
			c := &input{t.TempDir()}
			write := func(files map[string]string) {
				for name, content := range files {
					require.NoError(t, os.WriteFile(c.file(name), []byte(content), 0o666))
				}
			}
			write(p.data)
			o := c.run(t, "", args[0], args[1:]...)
			require.Zero(t, o.code, o)
			saved := c.model(t)
			write(p.other)
			o = c.run(t, "", args[0], args[1:]...)
			require.Equal(t, 1, o.code, o)
			require.Contains(t, o.messages,
				"was made with other data, and is left as it is: what differs is the ")
			require.Equal(t, saved, c.model(t))
			write(p.data)
			o = c.run(t, "", args[0], args[1:]...)
			require.Zero(t, o.code, o)
			require.Contains(t, o.messages, "going on from step")
		})
	}
}

// model is what the files of the folder model hold.
func (c *input) model(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(c.file("model"),
		func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, "lock") {
				return err
			}
			b, err := os.ReadFile(path)
			files[path] = string(b)
			return err
		}))
	require.NotEmpty(t, files)
	return files
}
