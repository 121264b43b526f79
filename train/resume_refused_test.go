package train_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
)

// otherSettings are changes of a run that make it another, with what the error says of each.
var otherSettings = map[string]func(b *bowl, c *train.Config){
	`with text "A", not "B"`: func(_ *bowl, c *train.Config) { c.Describe["text"] = "B" },
	`with text "A", not ""`:  func(_ *bowl, c *train.Config) { delete(c.Describe, "text") },
	`with size "", not "3"`:  func(_ *bowl, c *train.Config) { c.Describe["size"] = "3" },
	`with seed "0", not "8"`: func(_ *bowl, c *train.Config) { c.Seed = 8 },
	`with batches to an update "1", not "2"`: func(_ *bowl, c *train.Config) {
		c.Accumulate = 2
	},
	"made without schedule;": func(_ *bowl, c *train.Config) {
		c.Schedule = must(train.NewConstant(0.1))
	},
	"made without average;": func(_ *bowl, c *train.Config) {
		c.Average = must(train.NewAverage(train.AverageConfig{}))
	},
	`state is that of "adam"`: func(_ *bowl, c *train.Config) {
		c.Optimizer = must(train.NewSGD(train.SGDConfig{LR: 1}))
	},
	`with batches to an epoch "3", not "2"`: func(b *bowl, _ *train.Config) { b.n = 2 },
	"w: float64 [3] in the checkpoint, float64 [4] in the model": func(b *bowl, _ *train.Config) {
		b.w = nodes.NewStore(nodes.Float64, 1).Root().Param("w", nodes.Zeros(), 4)
	},
	"v: missing in the checkpoint": func(b *bowl, _ *train.Config) {
		b.w = nodes.NewStore(nodes.Float64, 1).Root().Param("v", nodes.Zeros(), 3)
	},
}

// What a checkpoint was made with must be what it is resumed with.
func TestResumeErrors(t *testing.T) {
	config := func() train.Config {
		return train.Config{Optimizer: adam(0.1), Epochs: 2, MaxSteps: 4,
			Describe: map[string]string{"text": "A", "cell": "gru"}}
	}
	dir := tempDir(t)
	_, _, err := fit(t, context.Background(), dir, newBowl(3), config())
	require.NoError(t, err)
	before, err := os.ReadDir(dir)
	require.NoError(t, err)
	for want, change := range otherSettings {
		b, c := newBowl(3), config()
		c.MaxSteps = 6
		change(b, &c)
		_, _, err := fit(t, context.Background(), dir, b, c)
		require.ErrorContains(t, err, want)
	}
	several := config()
	several.Seed, several.Describe["text"] = 8, "B"
	_, _, err = fit(t, context.Background(), dir, newBowl(3), several)
	require.EqualError(t, err,
		fmt.Sprintf(`train: the checkpoint of step 4 in %s was made with seed "0", not "8"; with `+
			`text "A", not "B"; resume with the settings of the run that made it`, dir))
	cp := must(train.OpenCheckpoints(dir, 0))
	c := config()
	c.Checkpoints = cp
	_, err = train.Fit(context.Background(), newBowl(3), c)
	require.EqualError(t, err,
		fmt.Sprintf("train: %s holds a checkpoint of step 4 already; resume from it, or use "+
			"another directory", dir))
	require.NoError(t, cp.Close())
	after, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Equal(t, len(before), len(after), "nothing was touched")
}

// The other way round: the checkpoint has more than the run.
func TestResumeWithLess(t *testing.T) {
	config := train.Config{Optimizer: adam(0.1), Epochs: 2, MaxSteps: 4}
	dir := tempDir(t)
	with := config
	with.Average = must(train.NewAverage(train.AverageConfig{}))
	_, _, err := fit(t, context.Background(), dir, newBowl(3), with)
	require.NoError(t, err)
	config.Optimizer = adam(0.1)
	_, _, err = fit(t, context.Background(), dir, newBowl(3), config)
	require.ErrorContains(t, err, "made with average, not without;")
}

// A checkpoint that somebody else made, for instance a loop of one's own, is refused and no index
// runs away.
func TestResumeFromForeignCheckpoint(t *testing.T) {
	for want, counters := range map[string]map[string]uint64{
		"line 1":                   {},
		"its numbers do not agree": {"batches": math.MaxUint64, "epoch": 1},
		"comes after 7 batches":    {"batches": 7, "epoch": 3},
		"comes after 9 batches":    {"batches": 9, "epoch": 1},
	} {
		dir := tempDir(t)
		cp := must(train.OpenCheckpoints(dir, 0))
		require.NoError(t, cp.Save(&train.Checkpoint{
			Step: 1, Params: map[string]*tensor.Dense{"w": newBowl(1).w.Value()},
			Counters: counters,
			States:   map[string]train.State{"optimizer": adam(0.1).State()},
			Text: map[string]string{"setting/seed": "0", "setting/batches to an update": "1",
				"setting/batches to an epoch": "3"},
		}))
		require.NoError(t, cp.Close())
		_, _, err := fit(t, context.Background(), dir, newBowl(3),
			train.Config{Optimizer: adam(0.1), Epochs: 9})
		require.ErrorContains(t, err, want)
	}
}

// A resume on another instruction set goes on, and says so; on the same one it says nothing.
func TestResumeOnOtherInstructions(t *testing.T) {
	was := kernels.CurrentLevel()
	defer kernels.SetLevel(was)
	names := map[string]bool{}
	for _, from := range kernels.Levels() {
		for _, to := range kernels.Levels() {
			dir := tempDir(t)
			c := train.Config{Optimizer: adam(0.1), Epochs: 2, MaxSteps: 3, Warn: func(string) {}}
			kernels.SetLevel(from)
			made := kernels.Instructions()
			names[made] = true
			_, _, err := fit(t, context.Background(), dir, newBowl(3), c)
			require.NoError(t, err)
			kernels.SetLevel(to)
			var out bytes.Buffer
			c.MaxSteps, c.Progress = 0, train.NewProgress(&out, "bowl", "")
			_, r, err := fit(t, context.Background(), dir, newBowl(3), c)
			require.NoError(t, err)
			if from == to {
				require.Empty(t, r.Warnings)
				require.NotContains(t, out.String(), "warning")
				continue
			}
			require.Len(t, r.Warnings, 1)
			require.Contains(t, r.Warnings[0], "checkpoint of step 3 in "+dir)
			require.Contains(t, r.Warnings[0],
				made+", and this machine goes on with "+kernels.Instructions())
			require.Contains(t, out.String(), "bowl warning: "+r.Warnings[0]+"\n")
		}
	}
	require.Len(t, names, len(kernels.Levels()))
	for name := range names {
		require.True(t, strings.HasPrefix(name, runtime.GOARCH+" "), name)
	}
}
