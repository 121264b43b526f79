package train_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/train"
)

func TestGrid(t *testing.T) {
	require.Equal(t, []map[string]string{{"a": "1", "b": "x"}, {"a": "1", "b": "y"},
		{"a": "2", "b": "x"}, {"a": "2", "b": "y"}},
		train.Grid(map[string][]string{"b": {"x", "y"}, "a": {"1", "2"}}))
	require.Equal(t, []map[string]string{{}}, train.Grid(nil))
	require.Empty(t, train.Grid(map[string][]string{"a": nil}))
}

// bowls trains a bowl at the rate of the settings.
func bowls(made *atomic.Int32) func(context.Context, string,
	map[string]string) (*train.Result, error) {
	return func(ctx context.Context, dir string, s map[string]string) (*train.Result, error) {
		made.Add(1)
		lr, err := strconv.ParseFloat(s["lr"], 64)
		if err != nil {
			return nil, err
		}
		return train.Fit(ctx, newBowl(4), train.Config{Optimizer: adam(lr), Epochs: 3, Seed: 2})
	}
}

// Runs side by side are those one after another, are kept in their folders, and are not made twice.
func TestSweep(t *testing.T) {
	settings := train.Grid(map[string][]string{"lr": {"0.3", "0.001", "0.03"}, "note": {"a/b"}})
	var tables []string
	for _, workers := range []int{1, 3, 0} {
		dir := t.TempDir()
		var made atomic.Int32
		runs, err := train.Sweep(context.Background(),
			train.SweepConfig{Dir: dir, Workers: workers}, settings, bowls(&made))
		require.NoError(t, err)
		require.Len(t, runs, 3)
		require.Equal(t, "lr=0.001,note=a_b", runs[1].Name)
		again, err := train.Sweep(context.Background(), train.SweepConfig{Dir: dir}, settings,
			bowls(&made))
		require.NoError(t, err)
		require.Equal(t, int32(3), made.Load())
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "other"), 0o777))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o666))
		read, err := train.ReadRuns(dir)
		require.NoError(t, err)
		for _, of := range [][]train.Run{runs, again, read} {
			var b bytes.Buffer
			require.NoError(t, train.WriteRuns(&b, of, "valid_loss", ""))
			tables = append(tables, b.String())
		}
	}
	for _, table := range tables {
		require.Equal(t, tables[0], table)
	}
	require.Regexp(t, `^run +valid_loss +epoch +step +lr
lr=0.3,note=a_b +[\d.]+ +\d +\d+ +0.3
lr=0.03,note=a_b +[\d.]+ +3 +12 +0.03
lr=0.001,note=a_b +[\d.]+ +3 +12 +0.001
$`, tables[0])
}

func TestSweepErrors(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	var made atomic.Int32
	runs, err := train.Sweep(ctx, train.SweepConfig{Dir: dir},
		[]map[string]string{{"lr": "x"}, {"lr": "0.1"}}, bowls(&made))
	require.ErrorContains(t, err, `run lr=x: strconv.ParseFloat: parsing "x"`)
	require.Error(t, runs[0].Err)
	require.NoError(t, runs[1].Err)
	var b bytes.Buffer
	require.NoError(t, train.WriteRuns(&b, runs, "valid_loss", ""))
	require.Regexp(t, `(?m)^lr=x +- +- +- +x$`, b.String())
	require.ErrorContains(t, train.WriteRuns(&b, runs, "fun", ""), "cannot be told by its name")

	for want, call := range map[string]func() error{
		`SweepConfig.Dir is ""`: func() error {
			_, err := train.Sweep(ctx, train.SweepConfig{}, nil, bowls(&made))
			return err
		},
		"SweepConfig.Workers is -1": func() error {
			_, err := train.Sweep(ctx, train.SweepConfig{Dir: dir, Workers: -1}, nil, bowls(&made))
			return err
		},
		"two runs have the name a=b_c": func() error {
			_, err := train.Sweep(ctx, train.SweepConfig{Dir: dir},
				[]map[string]string{{"a": "b c"}, {"a": "b/c"}}, bowls(&made))
			return err
		},
		"the function that trains is nil": func() error {
			_, err := train.Sweep(ctx, train.SweepConfig{Dir: dir}, nil, nil)
			return err
		},
	} {
		require.ErrorContains(t, call(), want)
	}

	// A sweep that is interrupted keeps what is done, and goes on with the rest.
	settings := train.Grid(map[string][]string{"lr": {"0.1", "0.2", "0.3", "0.4"}})
	dir = t.TempDir()
	stopping, cancel := context.WithCancel(ctx)
	made.Store(0)
	runs, err = train.Sweep(stopping, train.SweepConfig{Dir: dir, Workers: 1}, settings,
		func(ctx context.Context, dir string, s map[string]string) (*train.Result, error) {
			if made.Load() == 2 {
				cancel()
			}
			return bowls(&made)(ctx, dir, s)
		})
	require.ErrorIs(t, err, train.ErrInterrupted)
	require.Len(t, runs, 2)
	runs, err = train.Sweep(ctx, train.SweepConfig{Dir: dir}, settings, bowls(&made))
	require.NoError(t, err)
	require.Len(t, runs, 4)
	require.Equal(t, int32(5), made.Load())

	// Names do not tell all settings apart: a run of others is not written over.
	one := map[string]string{"lr": "0.1", "note": "a b"}
	two := map[string]string{"lr": "0.1", "note": "a/b"}
	_, err = train.Sweep(ctx, train.SweepConfig{Dir: dir}, []map[string]string{one}, bowls(&made))
	require.NoError(t, err)
	_, err = train.Sweep(ctx, train.SweepConfig{Dir: dir}, []map[string]string{two}, bowls(&made))
	require.ErrorContains(t, err, "holds a run of other settings")
	require.Equal(t, int32(6), made.Load())

	broken := filepath.Join(dir, "lr=0.1", "history.csv")
	require.NoError(t, os.WriteFile(broken, []byte("x"), 0o666))
	_, err = train.ReadRuns(dir)
	require.ErrorContains(t, err, "run lr=0.1")
	_, err = train.Sweep(ctx, train.SweepConfig{Dir: dir}, settings, bowls(&made))
	require.ErrorContains(t, err, "line 1")
	_, err = train.ReadRuns(filepath.Join(dir, "absent"))
	require.True(t, errors.Is(err, os.ErrNotExist))
}

func TestHistoryBest(t *testing.T) {
	var h train.History
	for i, v := range []float64{3, 5, 4} {
		require.NoError(t, h.Add(10*(i+1), i, map[string]float64{"accuracy": v, "x": v}))
	}
	b, ok := h.Best("accuracy", "")
	require.True(t, ok)
	require.Equal(t, train.Best{Metric: "accuracy", Value: 5, Epoch: 2, Step: 20}, b)
	b, _ = h.Best("accuracy", train.Smaller)
	require.Equal(t, 3.0, b.Value)
	_, ok = h.Best("absent", "")
	require.False(t, ok)
}
