package reduce

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// RowData says on what an Autoencoder or a VAE is trained. The zero value of an optional field is
// its default.
type RowData struct {
	Train []float32 // rows [N, D]
	Valid []float32 // rows; empty: nothing is validated
	Batch int       // rows side by side; default 128
	Seed  uint64    // of the order
}

// check reports what is wrong with the data, for a model of a width whose first features, as many
// as unit, must be in [0, 1].
func (d RowData) check(features, unit int) error {
	if d.Batch < 0 || d.Batch > 1<<16 {
		return fmt.Errorf("the batch is %d, want 1 … %d, or 0 for the default", d.Batch, 1<<16)
	}
	for _, part := range []struct {
		name string
		rows []float32
	}{{"training", d.Train}, {"validation", d.Valid}} {
		if part.name == "validation" && len(part.rows) == 0 {
			continue
		}
		if err := checkRows(part.rows, features, "features"); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		for i, v := range part.rows {
			if i%features < unit && !(v >= 0 && v <= 1) {
				return fmt.Errorf("%s: row %d: feature %d is %v; the model's output is a "+
					"probability, and features must be in [0, 1]",
					part.name, i/features, i%features, v)
			}
		}
	}
	return nil
}

// newRowTask trains a model of configuration cfg on rows x [N, width], as the model sees them, by
// the loss that build makes of a node [B, width]. The second node, if warmup is not 0, is a number
// [1] that rises from 0 to 1 in as many batches.
func newRowTask(store *nodes.Store, cfg any, x []float32, width int, d RowData, warmup int,
	build func(x, warm *nodes.Node) *nodes.Node) (*shared.ExampleTask, error) {
	batches, err := train.NewBatches(len(x)/width, nil,
		train.BatchesConfig{Batch: cmp.Or(d.Batch, 128), Seed: d.Seed})
	if err != nil {
		return nil, err
	}
	data, err := shared.NewTaskData(shared.TaskParts{
		Train: d.Train, Valid: d.Valid, Model: cfg,
		Settings: []any{cmp.Or(d.Batch, 128), d.Seed, warmup},
	})
	if err != nil {
		return nil, err
	}
	data.Empty(d.Valid != nil, len(d.Valid))
	shared.Overlap(&data, slices.Collect(slices.Chunk(d.Train, width)),
		slices.Collect(slices.Chunk(d.Valid, width)), shared.NoPrint.Floats)
	graphs := run.NewCache(func(B int, o graph.Option) (l *lossGraph, err error) {
		var warm *nodes.Node
		l, err = newLossGraph(B, store.Dtype(), width, true, o, func(x *nodes.Node) []*nodes.Node {
			if warmup > 0 {
				warm = x.Graph().Input("warm", 1)
			}
			return []*nodes.Node{build(x, warm)}
		})
		if err != nil || warm == nil {
			return l, err
		}
		var in run.Inputs
		l.warm = in.Floats(warm)
		return l, in.Err()
	})
	task := &shared.ExampleTask{TaskData: data, Weights: store.Params(),
		Order: shared.Listed(batches)}
	task.RunBatch = func(p shared.Rows, seed uint64, counter int) (b train.Batch, err error) {
		examples := p.Examples()
		g, err := graphs.Get(len(examples)) // the last batch of an epoch may have fewer
		if err != nil {
			return b, err
		}
		for i, e := range examples {
			g.in.Put32(i*width, x[e*width:(e+1)*width])
		}
		if warmup > 0 {
			g.warm.Fill(min(1, float64(counter)/float64(warmup)))
		}
		b.Count = len(examples)
		b.Loss, err = g.RunRows(seed, counter, p.From, len(p.Batch))
		b.Grads = g.Grads()
		return b, err
	}
	return task, nil
}

// lossGraph is a graph of losses of rows.
type lossGraph struct {
	*train.Step // its outputs are the losses
	in, warm    run.Floats
	losses      int
}

// newLossGraph compiles the losses that build makes of a node [B, width].
func newLossGraph(B int, dtype tensor.Dtype, width int, training bool, o graph.Option,
	build func(*nodes.Node) []*nodes.Node) (*lossGraph, error) {
	var x *nodes.Node
	var losses []*nodes.Node
	err := nodes.Try(func() {
		g := nodes.NewGraph(nodes.Options{Dtype: dtype, Training: training, Rows: B})
		x = g.Input("x", B, width)
		losses = build(x)
	})
	if err != nil {
		return nil, err
	}
	l := &lossGraph{losses: len(losses)}
	if l.Step, err = train.NewStepWith(train.StepConfig{Options: []graph.Option{o}}, losses[0], losses...); err != nil {
		return nil, err
	}
	var in run.Inputs
	l.in = in.Floats(x)
	return l, in.Err()
}

// meanRowLoss is the mean over rows [N, width] of losses, each a mean over the rows of a batch.
// Noise is the same in every call. A loss that is not finite is an error, which names the row if
// one alone has such a loss too.
func meanRowLoss(ctx context.Context, dtype tensor.Dtype, x []float32, width int,
	build func(*nodes.Node) []*nodes.Node) ([]float64, error) {
	const B = 250
	graphs := run.NewCache(func(B int, o graph.Option) (*lossGraph, error) {
		return newLossGraph(B, dtype, width, false, o, build)
	})
	defer graphs.Close()
	rows := len(x) / width
	var sums []float64
	for batch := 0; len(x) > 0; batch++ {
		if err := interrupt.Err(ctx); err != nil {
			return nil, err
		}
		n := min(len(x)/width, B)
		g, err := graphs.Get(n)
		if err != nil {
			return nil, err
		}
		g.in.Put32(0, x[:n*width])
		if _, err := g.Run(0, batch); err != nil {
			return nil, err
		}
		if sums == nil {
			sums = make([]float64, g.losses)
		}
		for k := range sums {
			sums[k] += g.Output(k).At(0) * float64(n)
			if sums[k]-sums[k] != 0 {
				return nil, notFiniteRow(graphs, x[:n*width], width, rows-len(x)/width)
			}
		}
		x = x[n*width:]
	}
	for k := range sums {
		sums[k] /= float64(rows)
	}
	return sums, nil
}

// notFiniteRow finds the first of some rows, of which there are before others, whose loss is not
// finite, and why.
func notFiniteRow(graphs *run.Cache[int, *lossGraph], x []float32, width, before int) error {
	g, err := graphs.Get(1)
	if err != nil {
		return err
	}
	n := len(x) / width
	for i := range n {
		g.in.Put32(0, x[i*width:(i+1)*width])
		if _, err := g.Run(0, 0); err != nil {
			return err
		}
		for k := range g.losses {
			if v := g.Output(k).At(0); v-v != 0 {
				return &RowError{before + i, fmt.Errorf("its loss is %g: %w", v,
					cmp.Or(g.Check(), shared.ErrOverflow))}
			}
		}
	}
	return fmt.Errorf("rows %d to %d: the sum of their losses is not finite: %w", before,
		before+n-1, shared.ErrOverflow)
}
