package train_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

var long = flag.Bool("long", false, "run the long form of the trials; minutes")

// trainDir names, in the environment of a child process, the directory in which it trains.
const trainDir = "SEQZOO_TEST_TRAIN"

// stepPause names the time that the child waits after each step. One that waits less than a second
// trains for ever, so that no signal comes after its end, however busy the machine.
const stepPause = "SEQZOO_TEST_PAUSE"

// untilStep names the step after which the child waits for a signal.
const untilStep = "SEQZOO_TEST_UNTIL"

// TestTrainingChild is that child process, and nothing elsewhere: a training that is resumed and
// saves every 5 steps. It says when it has begun, and ends as a program that uses Interruptible
// should.
func TestTrainingChild(t *testing.T) {
	dir := os.Getenv(trainDir)
	if dir == "" {
		return
	}
	ctx, stop := train.Interruptible(context.Background(), func(code int, again bool) {
		if again {
			os.Exit(code)
		}
		fmt.Fprintln(os.Stderr, "\nstopping after this step; once more to stop at once")
	})
	defer stop()
	c := childConfig()
	pause, _ := time.ParseDuration(os.Getenv(stepPause))
	until, _ := strconv.Atoi(os.Getenv(untilStep))
	if pause > 0 && pause < time.Second {
		c.Epochs = 1 << 30
	}
	c.AfterStep = func(step int) error {
		if pause > time.Second {
			fmt.Printf("step %d is done\n", step)
		}
		if step == until {
			<-ctx.Done()
		}
		time.Sleep(pause)
		return nil
	}
	c.Progress = train.NewProgress(os.Stderr, "gru", "letters")
	fmt.Println("begun")
	_, r, err := fit(t, ctx, dir, childTask(t), c)
	switch {
	case err == nil:
		os.Exit(0)
	case errors.Is(err, train.ErrInterrupted):
		fmt.Printf("interrupted after step %d\n", r.Steps)
	default:
		fmt.Println(err)
	}
	os.Exit(train.ExitCode())
}

func childTask(t testing.TB) train.Task { return smallLM(t, unroll.Window{Stride: 5}) }

func childConfig() train.Config {
	return train.Config{
		Optimizer: adam(0.01), Epochs: 40, Seed: 3, Clip: train.Clip{Norm: 1}, SaveEvery: 5,
		RecordEvery: 5,
		Schedule:    must(train.NewCosine(train.CosineConfig{LR: 0.01, Total: 520})),
	}
}

// outcomeOf does in this process what the child does, from where it stopped.
func outcomeOf(t testing.TB, dir string) string {
	outcome, _, err := fit(t, context.Background(), dir, childTask(t), childConfig())
	require.NoError(t, err)
	return outcome
}

func child(dir string, env ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], "-test.run=^TestTrainingChild$")
	c.Env = append(append(os.Environ(), trainDir+"="+dir), env...)
	return c
}

// Kill −9 at random moments, of a process that trains.
func TestKill(t *testing.T) {
	kills := 300
	switch {
	case *long:
		kills = 3000
	case testing.Short():
		kills = 20
	}
	want := outcomeOf(t, tempDir(t))
	random := rng.Stream{Key: rng.New(1).Named("kill")}
	killed, starts, trainings := 0, 0, 0
	for ; killed < kills; trainings++ {
		dir := tempDir(t)
		for done := false; !done; starts++ {
			c := child(dir)
			out, err := c.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, c.Start())
			if random.Intn(8) > 0 { // else it may die before it has begun
				out.Read(make([]byte, 6))
			}
			if killed < kills {
				time.Sleep(time.Duration(random.Float64() * 25 * float64(time.Millisecond)))
				c.Process.Kill()
			}
			said, _ := io.ReadAll(out)
			switch err := c.Wait(); {
			case err == nil:
				done = true
			case c.ProcessState.ExitCode() >= 0: // it ended by itself
				t.Fatalf("after %d kills: %v: %s", killed, err, said)
			default:
				killed++
			}
		}
		require.True(t, want == outcomeOf(t, dir), "after %d kills", killed)
	}
	t.Logf("%d kills in %d trainings, 0 unreadable, all equal to the bit", killed, trainings)
}
