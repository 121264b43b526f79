package main

import (
	"context"
	"fmt"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	compiled "github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
)

// adder reads pairs (number, mark) and says one number after the last. It is written from the
// library's parts, as a model of one's own would be.
type adder struct {
	store *nodes.Store
	layer unroll.Layer
	w, b  *nodes.Param
}

func newAdder(c zoo.Recurrent, seed uint64) (*adder, error) {
	a := &adder{store: nodes.NewStore(nodes.Float32, seed)}
	err := nodes.Try(func() {
		root := a.store.Root()
		a.layer = c.Build(root, 2)
		a.w = root.In("out").Param("W", nodes.XavierUniform(1), a.layer.Width(), 1)
		a.b = root.In("out").Param("b", nodes.Zeros(), 1)
	})
	return a, err
}

// says is the model's answers [B, 1] to sequences [T, B, 2].
func (a *adder) says(x *nodes.Node) *nodes.Node {
	T, B := x.Dim(0), x.Dim(1)
	y := a.layer.Unroll(x, nil, unroll.Options{}).Y() // of the uppermost layer
	h := nodes.Reshape(nodes.Slice(y, 0, T-1, T), B, a.layer.Width())
	return nodes.Add(nodes.MatMul(h, a.w), a.b)
}

// step is the model with its loss, compiled, and what feeds it.
type step struct {
	*train.Step
	x, y compiled.Floats // [T, B, 2], [B, 1]
	T, B int
}

func (a *adder) compile(T, B int, training bool) (s *step, err error) {
	s = &step{T: T, B: B}
	var x, y, loss *nodes.Node
	err = nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Training: training})
		x, y = g.Input("numbers and marks", T, B, 2), g.Input("sum", B, 1)
		loss = nodes.MSE(a.says(x), y, nodes.ReduceMean)
	})
	if err != nil {
		return nil, err
	}
	if s.Step, err = train.NewStep(loss); err != nil {
		return nil, err
	}
	var in compiled.Inputs
	s.x, s.y = in.Floats(x), in.Floats(y)
	return s, in.Err()
}

// draw fills the batch with sequences that depend on the key alone: numbers in [0, 1), one of them
// marked in either half.
func (s *step) draw(key rng.Key) {
	r := rng.Stream{Key: key}
	for b := range s.B {
		marked := [2]int{r.Intn(s.T / 2), s.T/2 + r.Intn(s.T-s.T/2)}
		sum := float32(0)
		for t := range s.T {
			x, mark := float32(r.Float64()), float32(0)
			if t == marked[0] || t == marked[1] {
				mark = 1
				sum += x
			}
			s.x.Put32((t*s.B+b)*2, []float32{x, mark})
		}
		s.y.Set(b, float64(sum))
	}
}

// addingTask draws every batch anew, from seed and counter: there is no position in any data.
type addingTask struct {
	model     *adder
	step      *step
	epoch     int
	watch     func(ctx context.Context) (float64, error)
	validated func(mse float64) error
}

// How many sequences a model is measured on, during the training and after it. Few are far off, and
// they make most of the mean, so it takes many.
const (
	watchedSequences = 1000
	testSequences    = 10000
)

func (a *adder) task(T, B, epoch int, seed uint64) (*addingTask, error) {
	s, err := a.compile(T, B, true)
	if err != nil {
		return nil, fmt.Errorf("adding: %w", err)
	}
	watch := func(ctx context.Context) (float64, error) {
		return a.measure(ctx, T, watchedSequences, rng.New(seed).Named("watched"))
	}
	return &addingTask{model: a, step: s, epoch: epoch, watch: watch}, nil
}

func (t *addingTask) Params() []*nodes.Param       { return t.model.store.Params() }
func (t *addingTask) Len() int                     { return t.epoch }
func (t *addingTask) Load(*train.Checkpoint) error { return nil }

// Save notes what the sequences are drawn by, besides the seed.
func (t *addingTask) Save(c *train.Checkpoint) {
	c.SetDigest("size of the sequences", fmt.Sprintf("%d by %d", t.step.T, t.step.B))
}

func (t *addingTask) Next(seed uint64, counter int) (b train.Batch, err error) {
	t.step.draw(rng.New(seed).Named("adding").Numbered(uint64(counter)))
	b.Count = t.step.B
	b.Loss, err = t.step.Run(seed, counter)
	b.Grads = t.step.Grads()
	return b, err
}

func (t *addingTask) Validate(ctx context.Context) (map[string]float64, error) {
	mse, err := t.watch(ctx)
	if err == nil && t.validated != nil {
		err = t.validated(mse)
	}
	return map[string]float64{"valid_loss": mse}, err
}

// test is the mean squared error on sequences that nothing was decided by.
func (a *adder) test(ctx context.Context, T int, seed uint64) (float64, error) {
	return a.measure(ctx, T, testSequences, rng.New(seed).Named("test"))
}

func (a *adder) measure(ctx context.Context, T, n int, key rng.Key) (float64, error) {
	const B = 50
	s, err := a.compile(T, B, false)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	var sum float64
	for i := range n / B {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		s.draw(key.Numbered(uint64(i)))
		loss, err := s.Run(0, 0)
		if err != nil {
			return 0, err
		}
		sum += loss * B / float64(n)
	}
	return sum, nil
}
