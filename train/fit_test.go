package train_test

import (
	"context"
	"errors"
	"math"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
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
		"Config.Optimizer":   func(b *bowl, c *train.Config) { c.Optimizer = nil },
		"Config.Epochs is 0": func(b *bowl, c *train.Config) { c.Epochs = 0 },
		"Config.Resume is true; it must be false without Checkpoints": func(b *bowl,
			c *train.Config) {
			c.Resume = true
		},
		"Config.FastSum is true; it must be false without Processes": func(b *bowl,
			c *train.Config) {
			c.FastSum = true
		},
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
