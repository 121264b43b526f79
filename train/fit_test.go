package train_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/rng"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/lm"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// letters is a text of n tokens out of V, in which each depends on the one before, and its
// vocabulary.
func letters(t testing.TB, n, V int) (ids []int, v *text.Vocabulary) {
	r := rng.Stream{Key: rng.New(7).Named("letters")}
	tokens, last := make([]string, n), 0
	for i := range tokens {
		if r.Float64() < 0.3 {
			last = r.Intn(V)
		} else {
			last = (3*last + 1) % V
		}
		tokens[i] = string(rune('a' + last))
	}
	v, err := text.NewVocabulary(text.VocabularyConfig{}, tokens)
	require.NoError(t, err)
	ids, err = v.Encode(tokens)
	require.NoError(t, err)
	return ids, v
}

// lmStore holds the parameters of the last smallLM.
var lmStore *nodes.Store

// smallLM is a language model with dropout of every kind, on 13 batches an epoch, the last of them
// short.
func smallLM(t testing.TB, window unroll.Window) train.Task {
	ids, v := letters(t, 250, 9)
	m, err := lm.New(lm.Config{
		Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 5, Layers: 2, Dropout: 0.2,
			HiddenDropout: 0.1, Zoneout: 0.1},
		Level: "char", IODropout: 0.2,
	}, v, 1)
	require.NoError(t, err)
	lmStore = m.Params()
	task, err := m.Task(lm.Data{Train: ids[:190], Valid: ids[190:], Batch: 3, Window: window})
	require.NoError(t, err)
	return task
}

// bowl is a task without a graph: the loss is the squared distance of w to a point that moves from
// batch to batch.
type bowl struct {
	w        *nodes.Param
	n        int     // batches in an epoch
	point    float64 // state that goes on from batch to batch
	measured map[string]float64
	next     func(counter int, b *train.Batch) error // spoils a batch
	validate func(ctx context.Context) error
}

func newBowl(n int) *bowl {
	s := nodes.NewStore(nodes.Float64, 1)
	return &bowl{w: s.Root().Param("w", nodes.Uniform(-1, 1), 3), n: n}
}

func (b *bowl) Params() []*nodes.Param { return []*nodes.Param{b.w} }
func (b *bowl) Len() int               { return b.n }

type bowlGrad struct {
	*nodes.Param
	grad *tensor.Dense
}

func (g bowlGrad) Value() gorgonia.Value         { return g.Param.Value() }
func (g bowlGrad) Grad() (gorgonia.Value, error) { return g.grad, nil }

func (b *bowl) Next(seed uint64, counter int) (train.Batch, error) {
	noise := rng.New(seed).Numbered(uint64(counter))
	b.point = 0.9*b.point + 0.1
	batch := train.Batch{Count: 2}
	grads := make([]float64, 3)
	for i, w := range b.w.Value().Float64s() {
		d := w - b.point - 0.1*noise.Normal(uint64(i))
		batch.Loss += d * d
		grads[i] = 2 * d
	}
	batch.Grads = []gorgonia.ValueGrad{bowlGrad{b.w, tensor.New(tensor.WithBacking(grads))}}
	if b.next != nil {
		return batch, b.next(counter, &batch)
	}
	return batch, nil
}

func (b *bowl) Validate(ctx context.Context) (map[string]float64, error) {
	if b.validate != nil {
		if err := b.validate(ctx); err != nil {
			return nil, err
		}
	}
	if b.measured != nil {
		return b.measured, nil
	}
	var loss float64
	for _, w := range b.w.Value().Float64s() {
		loss += (w - 1) * (w - 1)
	}
	return map[string]float64{"valid_loss": loss}, nil
}

func (b *bowl) Save(c *train.Checkpoint) {
	c.Tensors["point"] = tensor.New(tensor.FromScalar(b.point))
}

func (b *bowl) Load(c *train.Checkpoint) error {
	if c.Tensors["point"] == nil {
		return errors.New("no point")
	}
	b.point = c.Tensors["point"].Float64s()[0]
	return nil
}

// tempDir is in memory where the system has such a place: these tests make thousands of
// checkpoints, and are not about disks.
func tempDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "seqzoo")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// must is for constructors whose configuration is right.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func adam(lr float64) train.Optimizer { return must(train.NewAdam(train.AdamConfig{LR: lr})) }

// groups trains the second layer of smallLM by SGD, and all else by AdamW.
func groups() train.Optimizer {
	second := must(lmStore.Find("**/l1"))
	return must(train.NewGroups(train.Group{Optimizer: must(train.NewAdamW(train.AdamConfig{
		WeightDecay: 0.1}))}, train.Group{Params: second,
		Optimizer: must(train.NewSGD(train.SGDConfig{LR: 0.1, Momentum: 0.9}))}))
}

// plan is a way to train that is stopped and resumed. Everything in it is made anew for each run,
// as a new process does.
type plan struct {
	name   string
	task   func(t testing.TB) train.Task
	config func() train.Config
	steps  int // of the whole training, at least
}

func plans() []plan {
	lm := func(w unroll.Window) func(testing.TB) train.Task {
		return func(t testing.TB) train.Task { return smallLM(t, w) }
	}
	toy := func(testing.TB) train.Task { return newBowl(7) }
	return []plan{
		{"LM, cosine, clipping", lm(unroll.Window{Stride: 5}), func() train.Config {
			return train.Config{
				Optimizer: adam(0), Epochs: 4, Seed: 3, Clip: train.Clip{Norm: 0.5}, RecordEvery: 3,
				Schedule: must(train.NewCosine(train.CosineConfig{LR: 0.05, Warmup: 5, Total: 52})),
			}
		}, 50},
		{"LM, overlapping windows, accumulation, average", lm(unroll.Window{Stride: 5, Length: 8}),
			func() train.Config {
				return train.Config{
					Optimizer: must(train.NewSGD(train.SGDConfig{LR: 0.5, Momentum: 0.9})), Epochs: 10,
					Seed: 3, Accumulate: 3,
					Average: must(train.NewAverage(train.AverageConfig{Decay: 0.9})), SaveEvery: 4,
					RecordEvery: 7,
				}
			}, 50},
		{"toy, plateau, average, early stop", toy, func() train.Config {
			return train.Config{
				Optimizer: must(train.NewRMSProp(train.RMSPropConfig{LR: 0.1})), Epochs: 100,
				Seed:     5,
				Schedule: must(train.NewPlateau(train.PlateauConfig{LR: 0.1, Factor: 0.5})),
				Average:  must(train.NewAverage(train.AverageConfig{})),
				EarlyStop: must(train.NewEarlyStop(train.EarlyStopConfig{Patience: 2,
					MinDelta: 0.005})),
			}
		}, 50}, // it stops early
		{"LM, groups, frozen, best", func(t testing.TB) train.Task {
			task := lm(unroll.Window{Stride: 5})(t)
			task.Params()[0].Freeze(true)
			return task
		}, func() train.Config {
			return train.Config{Optimizer: groups(), Epochs: 2, Seed: 3, RecordEvery: 3,
				RestoreBest: true,
				Schedule:    must(train.NewCosine(train.CosineConfig{LR: 0.05, Warmup: 5, Total: 52}))}
		}, 26},
		{"toy, accumulation", toy, func() train.Config {
			return train.Config{Optimizer: adam(0.1), Epochs: 20, Seed: 5, Accumulate: 4,
				SaveEvery: 1, RecordEvery: 1}
		}, 40},
	}
}

// fit trains in dir. Its outcome is everything that a training leaves: the last checkpoint, with
// weights, optimizer and history, and the weights as the model then has them.
func fit(t testing.TB, ctx context.Context, dir string, task train.Task,
	c train.Config) (outcome string, r *train.Result, err error) {
	cp := must(train.OpenCheckpoints(dir, 0))
	defer cp.Close()
	c.Checkpoints, c.Resume = cp, true
	if r, err = train.Fit(ctx, task, c); err != nil {
		return "", r, err
	}
	latest, err := cp.Latest()
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, latest.Write(&b))
	for _, p := range task.Params() {
		fmt.Fprintf(&b, "\n%s %x", p.Name(), p.Value().Data())
	}
	return b.String(), r, nil
}

// interrupting cancels when a batch is asked for, or in a validation.
type interrupting struct {
	train.Task
	batch      int // that is followed by a cancellation, or −1
	validation int // that is cancelled while it runs, or −1
	cancel     func()
}

func (i *interrupting) Next(seed uint64, counter int) (train.Batch, error) {
	if counter == i.batch {
		i.cancel()
	}
	return i.Task.Next(seed, counter)
}

func (i *interrupting) Validate(ctx context.Context) (map[string]float64, error) {
	if i.validation--; i.validation == -1 {
		i.cancel()
	}
	return i.Task.Validate(ctx)
}

// A training stopped after any step and resumed is one that never stopped, to the bit.
func TestResumeIsNeverStopped(t *testing.T) {
	for _, p := range plans() {
		t.Run(p.name, func(t *testing.T) {
			want, r, err := fit(t, context.Background(), tempDir(t), p.task(t), p.config())
			require.NoError(t, err)
			require.GreaterOrEqual(t, r.Steps, p.steps)
			stride := 1
			if testing.Short() {
				stride = 7
			}
			for k := 1; k <= p.steps; k += stride {
				dir := tempDir(t)
				c := p.config()
				c.MaxSteps = k
				_, r, err := fit(t, context.Background(), dir, p.task(t), c)
				require.NoError(t, err)
				require.Equal(t, k, r.Steps)
				require.NotEmpty(t, r.Stopped)
				got, _, err := fit(t, context.Background(), dir, p.task(t), p.config())
				require.NoError(t, err)
				require.True(t, want == got, "stopped after step %d", k)
			}
			t.Logf("a training of %d steps (%s)", r.Steps, r.Stopped)
			t.Logf("stopped at %d steps and resumed, equal to the bit", (p.steps+stride-1)/stride)
		})
	}
}

// The same by a cancelled context, at any batch: also between the batches of one update.
func TestInterruptAndResume(t *testing.T) {
	for _, p := range plans() {
		t.Run(p.name, func(t *testing.T) {
			want, _, err := fit(t, context.Background(), tempDir(t), p.task(t), p.config())
			require.NoError(t, err)
			dir, runs := tempDir(t), 0
			for batch := 0; ; batch += 5 {
				ctx, cancel := context.WithCancel(context.Background())
				got, r, err := fit(t, ctx, dir, &interrupting{Task: p.task(t), batch: batch,
					validation: -1, cancel: cancel}, p.config())
				cancel()
				runs++
				if err == nil {
					require.True(t, want == got, "after %d runs", runs)
					break
				}
				require.ErrorIs(t, err, train.ErrInterrupted)
				latest := lastStep(t, dir)
				require.Equal(t, r.Steps, latest, "the state was saved")
			}
			require.Greater(t, runs, 5)
		})
	}
}

func lastStep(t testing.TB, dir string) int {
	cp := must(train.OpenCheckpoints(dir, 0))
	defer cp.Close()
	c, err := cp.Latest()
	require.NoError(t, err)
	return c.Step
}

func TestInterruptDuringValidation(t *testing.T) {
	for _, p := range plans() {
		t.Run(p.name, func(t *testing.T) {
			want, _, err := fit(t, context.Background(), tempDir(t), p.task(t), p.config())
			require.NoError(t, err)
			dir := tempDir(t)
			for range 3 { // each is interrupted in the second validation that it begins
				ctx, cancel := context.WithCancel(context.Background())
				task := p.task(t)
				if b, ok := task.(*bowl); ok {
					b.validate = func(ctx context.Context) error { return ctx.Err() }
				}
				_, _, err := fit(t, ctx, dir, &interrupting{Task: task, batch: -1, validation: 1,
					cancel: cancel}, p.config())
				require.Equal(t, train.ErrInterrupted, err)
			}
			got, _, err := fit(t, context.Background(), dir, p.task(t), p.config())
			require.NoError(t, err)
			require.True(t, want == got)
		})
	}
}

func TestFitBeforeTheFirstStep(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r, err := train.Fit(ctx, newBowl(3), train.Config{Optimizer: adam(0.1), Epochs: 1})
	require.Equal(t, train.ErrInterrupted, err, "nowhere to save")
	require.Zero(t, r.Steps)
	dir := tempDir(t)
	_, _, err = fit(t, ctx, dir, newBowl(3), train.Config{Optimizer: adam(0.1), Epochs: 1})
	require.Equal(t, train.ErrInterrupted, err)
	require.Zero(t, lastStep(t, dir))
	_, r, err = fit(t, context.Background(), dir, newBowl(3),
		train.Config{Optimizer: adam(0.1), Epochs: 1})
	require.NoError(t, err)
	require.Equal(t, 3, r.Steps)
}

// A training that is done can go on: with more steps, with more epochs.
func TestFitGoesOn(t *testing.T) {
	config := func(epochs, steps int) train.Config {
		return train.Config{Optimizer: adam(0.1), Epochs: epochs, MaxSteps: steps}
	}
	want, _, err := fit(t, context.Background(), tempDir(t), newBowl(5), config(4, 0))
	require.NoError(t, err)
	dir := tempDir(t)
	for _, next := range []struct{ epochs, max, steps, done int }{
		{2, 3, 3, 0}, {2, 3, 3, 0}, {2, 2, 3, 0}, {2, 5, 5, 0}, {2, 10, 10, 1}, {2, 0, 10, 2},
		{3, 12, 12, 2}, {4, 0, 20, 4}, {4, 0, 20, 4}, {1, 0, 20, 4},
	} {
		got, r, err := fit(t, context.Background(), dir, newBowl(5), config(next.epochs, next.max))
		require.NoError(t, err)
		require.Equal(t, next.steps, r.Steps, "%+v", next)
		require.Equal(t, next.done, r.Epochs, "%+v", next)
		if r.Epochs == 4 {
			require.True(t, want == got)
		}
	}
}

func TestFitHistory(t *testing.T) {
	b := newBowl(5)
	r, err := train.Fit(context.Background(), b, train.Config{Optimizer: adam(0.1), Epochs: 2,
		Accumulate: 2, RecordEvery: 2})
	require.NoError(t, err)
	require.Equal(t, 6, r.Steps, "three updates an epoch, the last of one batch")
	require.Empty(t, r.Stopped)
	steps, losses := r.History.Column("loss")
	require.Equal(t, []int{2, 3, 5, 6}, steps)
	require.Len(t, losses, 4)
	for _, name := range []string{"lr", "grad_norm"} {
		at, _ := r.History.Column(name)
		require.Equal(t, steps, at)
	}
	at, valid := r.History.Column("valid_loss")
	require.Equal(t, []int{3, 6}, at)
	metrics, _ := b.Validate(context.Background())
	require.Equal(t, metrics["valid_loss"], valid[1])
}

func TestFitEarlyStopKeepsTheBest(t *testing.T) {
	for _, averaged := range []bool{false, true} {
		b := newBowl(4)
		metrics := []float64{5, 3, 4, 6, 7, 8}
		var weights [][]float64 // as validated
		b.validate = func(context.Context) error {
			b.measured = map[string]float64{"error": metrics[len(weights)]}
			weights = append(weights, append([]float64{}, b.w.Value().Float64s()...))
			return nil
		}
		c := train.Config{
			Optimizer: adam(0.1), Epochs: 6, Monitor: "error",
			EarlyStop: must(train.NewEarlyStop(train.EarlyStopConfig{Patience: 1})),
		}
		if averaged {
			c.Average = must(train.NewAverage(train.AverageConfig{}))
		}
		dir := tempDir(t)
		_, r, err := fit(t, context.Background(), dir, b, c)
		require.NoError(t, err)
		require.Equal(t, 4, r.Epochs)
		require.Equal(t, "error was best, 3, after epoch 2 of 4", r.Stopped)
		cp := must(train.OpenCheckpoints(dir, 0))
		best, err := cp.Best()
		require.NoError(t, err)
		require.Equal(t, 8, best.Step)
		require.Equal(t, weights[1], best.Params["w"].Float64s(),
			"the weights that were measured, averaged %v", averaged)
		require.NoError(t, cp.Close())
		require.Equal(t, weights[3], b.w.Value().Float64s(), "the weights stay the last ones")
	}
}

func TestFitDiverges(t *testing.T) {
	for name, spoil := range map[string]func(b *train.Batch){
		"step 4: the loss is NaN":                     func(b *train.Batch) { b.Loss = math.NaN() },
		"step 4: the loss is -Inf":                    func(b *train.Batch) { b.Loss = math.Inf(-1) },
		"step 4: the norm of the gradient is +Inf":    func(b *train.Batch) { gradOf(b)[1] = math.Inf(1) },
		"step 4: the norm of the gradient is NaN":     func(b *train.Batch) { gradOf(b)[2] = math.NaN() },
		"step 4: a batch failed: the disk is on fire": nil,
	} {
		for _, clip := range []train.Clip{{}, {Norm: 1}, {Value: 1}} {
			b := newBowl(3)
			b.next = func(counter int, batch *train.Batch) error {
				if counter == 4 && spoil == nil {
					return errors.New("a batch failed: the disk is on fire")
				}
				if counter == 4 {
					spoil(batch)
				}
				return nil
			}
			var before []float64
			r, err := train.Fit(context.Background(), b,
				train.Config{Optimizer: adam(0.1), Epochs: 3, Clip: clip,
					AfterStep: func(int) error {
						before = append([]float64{}, b.w.Value().Float64s()...)
						return nil
					}})
			require.ErrorContains(t, err, name)
			require.Equal(t, 4, r.Steps)
			require.Equal(t, before, b.w.Value().Float64s(), "the weights are those before")
		}
	}
}

func gradOf(b *train.Batch) []float64 {
	g, _ := b.Grads[0].Grad()
	return g.Data().([]float64)
}

// A real model with an absurd rate.
func TestLanguageModelDiverges(t *testing.T) {
	_, err := train.Fit(context.Background(), smallLM(t, unroll.Window{Stride: 5}), train.Config{
		Optimizer: must(train.NewSGD(train.SGDConfig{LR: 1e38})), Epochs: 1,
	})
	require.ErrorContains(t, err, "diverged")
	// Which operation overflows first is named, with its operands.
	require.Regexp(t, `(MatMul|Add|Sub|Embedding|CrossEntropy|Mul|input) .*(NaN|Inf) at \[`,
		err.Error())
	t.Log(err)
}

func TestFitErrors(t *testing.T) {
	ok := func() train.Config { return train.Config{Optimizer: adam(0.1), Epochs: 2} }
	for want, change := range map[string]func(b *bowl, c *train.Config){
		"Config.Optimizer":    func(b *bowl, c *train.Config) { c.Optimizer = nil },
		"Config.Epochs is 0":  func(b *bowl, c *train.Config) { c.Epochs = 0 },
		"Config.MaxSteps":     func(b *bowl, c *train.Config) { c.MaxSteps = -1 },
		"Config.Accumulate":   func(b *bowl, c *train.Config) { c.Accumulate = -1 },
		"Config.SaveEvery":    func(b *bowl, c *train.Config) { c.SaveEvery = -1 },
		"Config.RecordEvery":  func(b *bowl, c *train.Config) { c.RecordEvery = -1 },
		"Clip.Norm":           func(b *bowl, c *train.Config) { c.Clip.Norm = -1 },
		"has 0 batches":       func(b *bowl, c *train.Config) { b.n = 0 },
		"learning rate is -1": func(b *bowl, c *train.Config) { c.Optimizer.SetLR(-1) },
		"stop here": func(b *bowl,
			c *train.Config) {
			c.AfterStep = func(int) error { return errors.New("stop here") }
		},
		"validation after epoch 1: no data": func(b *bowl, c *train.Config) {
			b.validate = func(context.Context) error { return errors.New("no data") }
		},
		`Monitor is accuracy, but all that Validate measures is ["valid_loss"]`: func(b *bowl,
			c *train.Config) {
			c.Monitor = "accuracy"
		},
		`Monitor is valid_loss, but all that Validate measures is ["x"]`: func(b *bowl,
			c *train.Config) {
			b.measured = map[string]float64{"x": 1}
			c.EarlyStop = must(train.NewEarlyStop(train.EarlyStopConfig{}))
		},
		"must be valid UTF-8": func(b *bowl,
			c *train.Config) {
			b.measured = map[string]float64{"\xff": 1}
		},
	} {
		b, c := newBowl(3), ok()
		change(b, &c)
		_, err := train.Fit(context.Background(), b, c)
		require.ErrorContains(t, err, want)
	}
	_, err := train.Fit(context.Background(), nil, ok())
	require.ErrorContains(t, err, "the task is nil")
	b := newBowl(3)
	b.measured = map[string]float64{}
	_, err = train.Fit(context.Background(), b, ok())
	require.NoError(t, err, "nothing to validate")
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
	for want, change := range map[string]func(b *bowl, c *train.Config){
		`with text "A", not "B"`: func(b *bowl,
			c *train.Config) {
			c.Describe["text"] = "B"
		},
		`with text "A", not ""`: func(b *bowl,
			c *train.Config) {
			delete(c.Describe, "text")
		},
		`with size "", not "3"`: func(b *bowl,
			c *train.Config) {
			c.Describe["size"] = "3"
		},
		`with seed "0", not "8"`: func(b *bowl, c *train.Config) { c.Seed = 8 },
		`with batches to an update "1", not "2"`: func(b *bowl,
			c *train.Config) {
			c.Accumulate = 2
		},
		"made without schedule;": func(b *bowl,
			c *train.Config) {
			c.Schedule = must(train.NewConstant(0.1))
		},
		"made without average;": func(b *bowl,
			c *train.Config) {
			c.Average = must(train.NewAverage(train.AverageConfig{}))
		},
		`state is that of "adam"`: func(b *bowl,
			c *train.Config) {
			c.Optimizer = must(train.NewSGD(train.SGDConfig{LR: 1}))
		},
		`with batches to an epoch "3", not "2"`: func(b *bowl, c *train.Config) { b.n = 2 },
		"w: float64 [3] in the checkpoint, float64 [4] in the model": func(b *bowl,
			c *train.Config) {
			b.w = nodes.NewStore(nodes.Float64, 1).Root().Param("w", nodes.Zeros(), 4)
		},
		"v: missing in the checkpoint": func(b *bowl, c *train.Config) {
			b.w = nodes.NewStore(nodes.Float64, 1).Root().Param("v", nodes.Zeros(), 3)
		},
	} {
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
		fmt.Sprintf(`train: the checkpoint of step 4 in %s was made with seed "0", not "8"; with text "A", not "B"; `+
			"resume with the settings of the run that made it", dir))
	cp := must(train.OpenCheckpoints(dir, 0))
	c := config()
	c.Checkpoints = cp
	_, err = train.Fit(context.Background(), newBowl(3), c)
	require.EqualError(t, err,
		fmt.Sprintf("train: %s holds a checkpoint of step 4 already; resume from it, or use another directory", dir))
	require.NoError(t, cp.Close())
	after, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Equal(t, len(before), len(after), "nothing was touched")

	// The other way round: the checkpoint has more than the run.
	dir = tempDir(t)
	with := config()
	with.Average = must(train.NewAverage(train.AverageConfig{}))
	_, _, err = fit(t, context.Background(), dir, newBowl(3), with)
	require.NoError(t, err)
	_, _, err = fit(t, context.Background(), dir, newBowl(3), config())
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
