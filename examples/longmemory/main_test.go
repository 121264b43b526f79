package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/rng"
	compiled "github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/images"
	"gorgonia.org/tensor"
)

func run(args ...string) (out string, err error) {
	var o, m bytes.Buffer
	err = program().Run(context.Background(), args, cli.Std{In: &m, Out: &o, Messages: &m})
	return o.String(), err
}

func TestQuick(t *testing.T) {
	out, err := run("adding", "-quick")
	require.NoError(t, err)
	require.Contains(t, out, "mean squared error")
	out, err = run("copy", "-quick")
	require.NoError(t, err)
	require.Regexp(t, `(?m)^ +7 +\d+\.\d\d`, out)
}

// A short task is learned: the sum of two of eight numbers.
func TestAddingLearns(t *testing.T) {
	out, err := run("adding", "-length", "8", "-hidden", "16", "-epochs", "6", "-lr", "0.01",
		"-enough", "0.01", "-save", t.TempDir())
	require.NoError(t, err)
	require.Regexp(t, `sequences: (0\.00\d+|\d\.?\d*e-0\d)\n`, out)
}

func TestDraw(t *testing.T) {
	a, err := newAdder(zoo.Recurrent{Cell: "gru", Hidden: 2}, 1)
	require.NoError(t, err)
	s, err := a.compile(5, 20, false)
	require.NoError(t, err)
	defer s.Close()
	s.draw(rng.New(1))
	for b := range 20 {
		var sum, marks float64
		for i := range 5 {
			x, mark := s.x.At((i*20+b)*2), s.x.At((i*20+b)*2+1)
			sum, marks = sum+x*mark, marks+mark
			require.True(t, x >= 0 && x < 1)
		}
		require.Equal(t, 2., marks)
		require.InDelta(t, sum, s.y.At(b), 1e-6)
	}
}

// Of several layers the uppermost one answers: all of them learn.
func TestAddingReadsTheUppermostLayer(t *testing.T) {
	a, err := newAdder(zoo.Recurrent{Cell: "gru/lstm", Hidden: 3}, 1)
	require.NoError(t, err)
	s, err := a.compile(4, 2, true)
	require.NoError(t, err)
	defer s.Close()
	s.draw(rng.New(1))
	_, err = s.Run(0, 0)
	require.NoError(t, err)
	for i, p := range a.store.Params() {
		d, err := s.Grads()[i].Grad()
		require.NoError(t, err)
		grads, err := compiled.FloatsOf(d)
		require.NoError(t, err)
		require.NotEqual(t, make([]float64, p.Value().Size()), grads.Float64s(), p.Name())
	}
}

func TestEpisodes(t *testing.T) {
	e, err := newEpisodes(6, 2, 4)
	require.NoError(t, err)
	ids := e.draw(10, 1)
	require.Len(t, ids, 10*e.period())
	for i := 0; i < len(ids); i += e.period() {
		at := ids[i:]
		require.Equal(t, []int{e.blank, e.blank, e.blank, e.blank, e.question}, at[2:7])
		require.Equal(t, at[:2], at[7:9])
	}
	require.Equal(t, ids, e.draw(10, 1))
	require.NotEqual(t, ids, e.draw(10, 2))
}

func TestMistakes(t *testing.T) {
	for want, args := range map[string][]string{
		"-length is 1":        {"adding", "-length", "1"},
		`-k2 has "3"`:         {"copy", "-k2", "3,20"},
		"-show is 20":         {"copy", "-show", "20"},
		"-save is for one":    {"copy", "-save", "x"},
		`cell is "x"`:         {"adding", "-cell", "x"},
		"there are adding, c": {"train"},
		"-enough is NaN":      {"parity", "-enough", "NaN"},
		"-enough is -1":       {"adding", "-enough", "-1"},
	} {
		_, err := run(args...)
		require.ErrorContains(t, err, want, "%q", args)
	}
}

func TestQuestionsQuick(t *testing.T) {
	for _, name := range []string{"parity", "recall", "timing"} {
		out, err := run(name, "-quick")
		require.NoError(t, err, name)
		require.Contains(t, out, "of the answers right", name)
	}
	dir := t.TempDir()
	set := &images.Set{Rows: 3, Cols: 2, Pixels: make([]uint8, 6*20), Labels: make([]uint8, 20)}
	for i := range set.Labels {
		set.Labels[i] = uint8(i % 10)
		set.Pixels[6*i+i%6] = 255
	}
	write := func(name string, to func(io.Writer) error) string {
		var b bytes.Buffer
		require.NoError(t, to(&b))
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o666))
		return path
	}
	pictures := write("pictures", set.Write)
	labels := write("labels", func(w io.Writer) error { return images.WriteLabels(w, set.Labels) })
	out, err := run("pixels", "-quick", "-permute", "-data", pictures, "-labels", labels,
		"-valid", pictures, "-valid-labels", labels)
	require.NoError(t, err)
	require.Contains(t, out, "pixels, 6 steps")
	require.Contains(t, out, "all 20 new sequences of    6 steps")
	_, err = run("pixels", "-quick", "-data", filepath.Join(dir, "nothing"), "-labels", labels,
		"-valid", pictures, "-valid-labels", labels)
	require.ErrorContains(t, err, "nothing")
}

// Of a set each picture is measured once, also where the last batch is not full.
func TestMeasureSet(t *testing.T) {
	const n = 67
	random := &rng.Stream{Key: rng.New(7)}
	set := &images.Set{Rows: 2, Cols: 2, Pixels: make([]uint8, 4*n), Labels: make([]uint8, n)}
	for i := range set.Pixels {
		set.Pixels[i] = uint8(random.Intn(256))
	}
	order := []int{0, 1, 2, 3}
	a, err := newAnswerer(pixels(set, order), zoo.Recurrent{Cell: "lem", Hidden: 8, Layers: 1}, 1)
	require.NoError(t, err)
	// Labels that the model gives itself, but for every third picture.
	want := 0
	for i := range n {
		one := &images.Set{Rows: 2, Cols: 2, Pixels: set.Pixels[4*i : 4*i+4],
			Labels: make([]uint8, 1)}
		a.question = pixels(one, order)
		for label := range 10 {
			one.Labels[0] = uint8(label)
			right, _, err := a.measure(t.Context(), 4, 0, rng.New(1))
			require.NoError(t, err)
			if right == 1 {
				set.Labels[i] = uint8(label)
			}
		}
		if i%3 == 0 {
			set.Labels[i] = (set.Labels[i] + 1) % 10
		} else {
			want++
		}
	}
	a.question = pixels(set, order)
	accuracy, whole, err := a.measure(t.Context(), 4, 0, rng.New(1))
	require.NoError(t, err)
	require.Equal(t, float64(want)/n, accuracy)
	require.Equal(t, accuracy, whole)
}

// Answers are what a plain reading of the sequence gives.
func TestQuestions(t *testing.T) {
	const T = 30
	r := &rng.Stream{Key: rng.New(3)}
	x, tokens, answers := make([]float32, T), make([]int, T), make([]int, T)
	for range 50 {
		parity().draw(r, T, x, tokens, answers)
		ones := 0
		for i, v := range x {
			ones += int(v)
			require.Equal(t, ones%2, answers[i])
		}
		recall(5, 8, 4).draw(r, T, x, tokens, answers)
		shown, asked := map[int]int{}, map[int]bool{}
		for i := 0; i < 10; i += 2 {
			require.Equal(t, unasked, answers[i])
			require.Equal(t, unasked, answers[i+1])
			shown[tokens[i]] = tokens[i+1]
		}
		require.Len(t, shown, 5)
		for i := 10; i < T; i++ {
			if answers[i] == unasked {
				require.Zero(t, tokens[i])
				continue
			}
			require.Equal(t, shown[tokens[i]], 1+8+answers[i])
			asked[tokens[i]] = true
		}
		require.Len(t, asked, 5)
	}
	timing(7).draw(r, T, x, tokens, answers)
	for i, a := range answers {
		require.Equal(t, i == 6 || i == 13 || i == 20 || i == 27, a == 1)
	}
}

// A short task of each kind is learned by a cell that can.
func TestQuestionsAreLearned(t *testing.T) {
	for _, args := range []string{
		"parity -cell rnn -length 5 -test-length 5 -hidden 16 -lr 0.02 -epochs 15",
		"timing -cell lstm,peephole=diagonal -length 12 -test-length 12 -interval 3 -lr 0.02",
	} {
		out, err := run(strings.Fields(args)...)
		require.NoError(t, err)
		require.Contains(t, out, "100.00 % of the sequences", args)
	}
}

// A run begins with the weights that another has left, and says what is wrong with a directory.
func TestStart(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	flags := []string{"parity", "-quick", "-save"}
	_, err := run(append(flags, first)...)
	require.NoError(t, err)
	out, err := run("parity", "-quick", "-steps", "1", "-lr", "1e-9", "-enough", "2", "-start",
		first,
		"-save", second)
	require.NoError(t, err, out)
	last := func(dir string) map[string]*tensor.Dense {
		c, err := train.ReadCheckpoint(filepath.Join(dir, cli.CheckpointsIn,
			"checkpoint-0000000020.safetensors"))
		require.NoError(t, err)
		return c.Params
	}
	from, now := last(first), last(second)
	for name, w := range from {
		want, got := w.Data().([]float32), now[name].Data().([]float32)
		require.Len(t, got, len(want), name)
		for i, x := range want {
			require.InDelta(t, x, got[i], 1e-6, name)
		}
	}
	_, err = run("parity", "-quick", "-start", t.TempDir())
	require.ErrorContains(t, err, "-start: there is no checkpoint")
	_, err = run("parity", "-quick", "-cell", "lem", "-start", first)
	require.ErrorContains(t, err, "-start: "+first)
}

// The average of the weights is what is measured, and weights are left out in training alone.
func TestAverageAndDropout(t *testing.T) {
	for _, flag := range []string{"-average", "-dropout"} {
		for _, bad := range []string{"1", "-0.1", "NaN"} {
			_, err := run("parity", "-quick", flag, bad)
			require.ErrorContains(t, err, flag+" is "+bad)
		}
	}
	a, err := newAnswerer(parity(), zoo.Recurrent{Cell: "gru", Hidden: 8}, 1)
	require.NoError(t, err)
	a.dropout = 0.5
	loss := func(training bool, noise int) float64 {
		s, err := a.compile(9, 3, training)
		require.NoError(t, err)
		defer s.Close()
		s.draw(rng.New(1))
		l, err := s.Run(1, noise)
		require.NoError(t, err)
		return l
	}
	require.Equal(t, loss(false, 0), loss(false, 1))
	require.NotEqual(t, loss(true, 0), loss(true, 1))
	out, err := run("parity", "-quick", "-average", "0.9", "-dropout", "0.1")
	require.NoError(t, err)
	require.Contains(t, out, "of the answers right")
}

func TestQuestionErrors(t *testing.T) {
	for args, want := range map[string]string{
		"recall -pairs 40 -length 200 -test-length 200": "as many keys at least",
		"recall -length 5":        "-length is 5; want 12",
		"timing -interval 1":      "-interval is 1; want 2",
		"parity -test-length 1":   "-test-length is 1; want 2",
		"parity -epoch-batches 0": "-epoch-batches is 0",
		"parity -cell novel":      "novel",
		"recall -values 1":        "2 values or more",
	} {
		_, err := run(strings.Fields(args)...)
		require.ErrorContains(t, err, want, args)
	}
}
