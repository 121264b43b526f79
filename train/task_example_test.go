package train_test

import (
	"context"
	"fmt"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
)

// huber is a loss of one's own (Huber, 1964), the mean of
//
//	e²/2 if |e| ≤ 1, else |e| − 1/2,  where e = y − target
//
// which a wild measurement does not pull as far as a square would. It is an expression like any
// other: its gradient follows from it.
func huber(y, target *nodes.Node) *nodes.Node {
	e := nodes.Abs(nodes.Sub(y, target))
	near := nodes.Minimum(e, nodes.Scalar(1))
	return nodes.Mean(nodes.Sub(nodes.Mul(near, e), nodes.Scale(nodes.Square(near), 0.5)))
}

// A task of one's own, a line through points some of which are wild, with a loss of one's own. The
// task is a function that fills a batch and runs a step; Fit shuffles, saves and resumes it like
// the tasks of the zoo.
func ExampleNewTask() {
	const N, B = 200, 20
	draw := rng.Stream{Key: rng.New(1)}
	xs, ys := make([]float64, N), make([]float64, N)
	for i := range N {
		xs[i] = draw.Float64()*4 - 2
		ys[i] = 2*xs[i] + 1
		if i%10 == 0 {
			ys[i] = 50
		}
	}
	store := nodes.NewStore(nodes.Float32, 1)
	line := nodes.NewLinear(store.Root().In("line"), nodes.LinearConfig{In: 1, Out: 1})
	g := nodes.NewGraph(nodes.Options{Training: true})
	var x, target, loss *nodes.Node
	if err := nodes.Try(func() {
		x, target = g.Input("x", B, 1), g.Input("target", B, 1)
		loss = huber(line.Of(x), target)
	}); err != nil {
		panic(err)
	}
	step := must(train.NewStep(loss))
	defer step.Close()
	xIn, targetIn := must(run.Feed(x)).Floats(), must(run.Feed(target)).Floats()

	task := must(train.NewTask(train.TaskConfig{
		Params:  store.Params(),
		Batches: must(train.NewBatches(N, nil, train.BatchesConfig{Batch: B, Seed: 1})),
		Data:    []any{xs, ys},
		Next: func(examples []int, seed uint64, counter int) (train.Batch, error) {
			for row, i := range examples {
				xIn.Set(row, xs[i])
				targetIn.Set(row, ys[i])
			}
			loss, err := step.Run(seed, counter)
			return train.Batch{Loss: loss, Count: len(examples), Grads: step.Grads()}, err
		},
	}))
	must(train.Fit(context.Background(), task, train.Config{
		Optimizer: must(train.NewAdam(train.AdamConfig{LR: 0.05})), Epochs: 60,
	}))
	for _, p := range store.Params() {
		fmt.Printf("%s %.0f\n", p.Name(), p.Value().Float32s()[0])
	}
	// Output:
	// line/W 2
	// line/b 1
}
