package shared

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/train"
)

// exampleTask is the train.Task of a model that learns from examples in any order, gathered into batches.
type ExampleTask struct {
	TaskData
	Weights  []*nodes.Param
	Order    *train.Batches
	RunBatch func(examples []int, seed uint64, counter int) (train.Batch, error)
	Measure  func(ctx context.Context) (map[string]float64, error) // nil: nothing is validated
}

func (t *ExampleTask) Params() []*nodes.Param { return t.Weights }
func (t *ExampleTask) Len() int               { return t.Order.Len() }

func (t *ExampleTask) Next(seed uint64, counter int) (train.Batch, error) {
	examples, ok := t.Order.Next()
	if !ok {
		examples, _ = t.Order.Next()
	}
	return t.RunBatch(examples, seed, counter)
}

func (t *ExampleTask) Validate(ctx context.Context) (map[string]float64, error) {
	if t.Measure == nil {
		return nil, nil
	}
	return t.Measure(ctx)
}

func (t *ExampleTask) Save(c *train.Checkpoint) {
	p := t.Order.Position()
	c.Counters["data_epoch"], c.Counters["data_next"] = uint64(p.Epoch), uint64(p.Next)
	t.SaveDigests(c)
}

func (t *ExampleTask) Load(c *train.Checkpoint) error {
	return t.Order.Seek(train.Position{Epoch: int(c.Counters["data_epoch"]), Next: int(c.Counters["data_next"])})
}

// checkLoss reports a loss that is not finite.
func CheckLoss(loss float64) error {
	if loss-loss != 0 {
		return fmt.Errorf("the loss is %g: weights or data are too large for the model's numbers", loss)
	}
	return nil
}

// meanLoss is the mean, over all that was counted, of the loss of one pass over batches. One that is not finite is an error
// that names the first example whose loss is not.
func MeanLoss(ctx context.Context, batches *train.Batches, run func(examples []int) (train.Batch, error)) (float64, error) {
	var sum float64
	var n int
	for examples, ok := batches.Next(); ok; examples, ok = batches.Next() {
		if err := interrupt.Err(ctx); err != nil {
			return 0, err
		}
		b, err := run(examples)
		if err != nil {
			return 0, err
		}
		if err := CheckLoss(b.Loss); err != nil {
			for _, e := range examples {
				if one, alone := run([]int{e}); alone == nil && CheckLoss(one.Loss) != nil {
					return 0, fmt.Errorf("example %d: %w", e, err)
				}
			}
			return 0, err
		}
		sum += b.Loss * float64(b.Count)
		n += b.Count
	}
	return sum / float64(max(n, 1)), nil
}

// longSequence is how many tokens, or steps, an example may have before the memory that it takes is looked at.
const longSequence = 128

// foresee has the graph for the longest of n examples built before a training starts, since one long example decides what a
// batch takes: if there is no memory for it, that is told now, with its number and its tokens, and not after hours.
func Foresee(n int, tokens func(i int) int, build func(i int) error) error {
	longest, most := 0, 0
	for i := range n {
		if k := tokens(i); k > most {
			longest, most = i, k
		}
	}
	if most < longSequence {
		return nil
	}
	err := build(longest)
	if errors.Is(err, train.ErrMemory) {
		return fmt.Errorf("example %d has %d tokens: %w; leave it out, cut it, or put fewer side by side", longest, most, err)
	}
	return err
}

// lengthStep is what lengths are rounded up to a multiple of, so that few compiled graphs serve all.
const LengthStep = 4

func RoundUp(n int) int { return (max(n, 1) + LengthStep - 1) / LengthStep * LengthStep }

// compiled keeps compiled graphs by their shape. The one used longest ago makes room.
type Compiled[K comparable, G io.Closer] struct {
	Build  func(K) (G, error)
	graphs map[K]*compiledGraph[G]
	uses   int
}

type compiledGraph[G any] struct {
	graph    G
	lastUsed int
}

// graphsAtATime is how many graphs a compiled keeps.
const graphsAtATime = 24

// get is the graph of a shape, built by the first call for it.
func (c *Compiled[K, G]) Get(shape K) (graph G, err error) {
	c.uses++
	if g := c.graphs[shape]; g != nil {
		g.lastUsed = c.uses
		return g.graph, nil
	}
	if len(c.graphs) == graphsAtATime {
		var oldest K
		first := true
		for k, g := range c.graphs {
			if first || g.lastUsed < c.graphs[oldest].lastUsed {
				oldest, first = k, false
			}
		}
		g := c.graphs[oldest]
		delete(c.graphs, oldest)
		if err := g.graph.Close(); err != nil {
			return graph, err
		}
	}
	if graph, err = c.Build(shape); err != nil {
		return graph, err
	}
	if c.graphs == nil {
		c.graphs = map[K]*compiledGraph[G]{}
	}
	c.graphs[shape] = &compiledGraph[G]{graph, c.uses}
	return graph, nil
}

func (c *Compiled[K, G]) Close() {
	for _, g := range c.graphs {
		g.graph.Close()
	}
	clear(c.graphs)
}

// pool keeps compiled graphs that are not at work, by shape, for models that many goroutines use at once: the ones used
// last. Its zero value is ready.
type Pool[K comparable, G io.Closer] struct {
	mu   sync.Mutex
	idle []pooled[K, G]
}

type pooled[K comparable, G any] struct {
	shape K
	graph G
}

// idleGraphs is how many graphs a pool keeps.
const idleGraphs = 8

// take is a graph of a shape that nobody else has; build makes one if none is idle. Put gives it back.
func (p *Pool[K, G]) Take(shape K, build func(K) (G, error)) (G, error) {
	p.mu.Lock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if e := p.idle[i]; e.shape == shape {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			p.mu.Unlock()
			return e.graph, nil
		}
	}
	p.mu.Unlock()
	return build(shape)
}

func (p *Pool[K, G]) Put(shape K, graph G) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, pooled[K, G]{shape, graph})
	if len(p.idle) > idleGraphs {
		p.idle[0].graph.Close()
		p.idle = append(p.idle[:0], p.idle[1:]...)
	}
}

// feeds makes tensors the values of a graph's inputs, for the runs to come to be written into. The first error stays.
type Feeds struct{ Err error }

func (f *Feeds) Dense(input *nodes.Node) *tensor.Dense {
	v, err := train.Feed(input)
	if err != nil && f.Err == nil {
		f.Err = fmt.Errorf("zoo: input %s: %w", input.Gorgonia().Name(), err)
	}
	return v
}

func (f *Feeds) Ints(input *nodes.Node) []int { return f.Dense(input).Data().([]int) }

// coarse rounds a length up to a multiple of step, of twice that beyond six steps, of four times beyond twelve, and so on:
// texts with a few long sentences then need few shapes.
func Coarse(n, step int) int {
	n = max(n, 1)
	for n > 6*step {
		step *= 2
	}
	return (n + step - 1) / step * step
}
