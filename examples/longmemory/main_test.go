package main

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/examples/internal/cli"
	"github.com/seqzoo/seqzoo/internal/rng"
	"github.com/seqzoo/seqzoo/zoo"
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
	} {
		_, err := run(args...)
		require.ErrorContains(t, err, want, "%q", args)
	}
}
