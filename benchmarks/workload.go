// Package benchmarks holds the workloads that the library is measured on, beside others and against
// its own past.
//
// Weights and inputs are pseudo-random numbers that any system can restate (see At), so that losses
// and gradients can be held against theirs before times are.
//
//	go test -bench . -count 6 ./benchmarks | tee out.txt
//	benchstat -col /cell out.txt     RNN, GRU and LSTM side by side
//	benchstat -col /engine out.txt   the engine and Gorgonia's TapeMachine side by side
//
// Command step times one workload and prints a line of JSON.
package benchmarks

import (
	"fmt"
	"math"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/owncells"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// Workload is something to measure, in float32.
type Workload struct {
	Cell        string // the spec of any registered cell, or mgu, a user's minimal gated unit
	B, T, I, H  int    // batch, steps, input and hidden widths
	V, Layers   int    // of Generate: vocabulary and stacked layers; of Words: vocabulary
	Mode        string // Train, Infer, Generate or Words
	Engine      string // Seqzoo, Plain or TapeMachine
	Threads     int    // of the engine; below 1: GOMAXPROCS
	Share       string // how threads share a recurrence: rows, operations; "": the engine chooses
	Expand      bool   // lay every step out as nodes of the graph, as TapeMachine always has it
	WithLengths bool   // Train: sequences of lengths spread evenly over 1 … T
	Recompute   int    // Train: steps from one kept state to the next; 0 keeps all
}

// Modes and engines.
const (
	// forward, mean of the squared outputs, backward to all parameters and the input
	Train    = "train"
	Infer    = "infer"    // forward
	Generate = "generate" // T characters sampled one by one
	// training of a word model: embedding [V, H], one layer, output layer [H, V], cross-entropy
	Words = "words"

	Seqzoo      = "seqzoo"
	Plain       = "plain"
	TapeMachine = "tapemachine"
)

// Sizes are the named workloads.
var Sizes = map[string]Workload{
	"XS":   {B: 1, T: 50, I: 32, H: 32},
	"S":    {B: 32, T: 50, I: 64, H: 128},
	"M":    {B: 32, T: 35, I: 256, H: 256},
	"L":    {B: 64, T: 35, I: 1024, H: 1024},
	"LONG": {B: 8, T: 784, I: 1, H: 128},
}

// Job is a compiled workload.
type Job struct {
	VM        gorgonia.VM
	CompileMs float64
	step      func() error
	outcome   func() (loss, gradU float64)
}

// Step does the work once.
func (j *Job) Step() error { return j.step() }

// Outcome is what the last step computed: of Train, the loss and the norm of the gradient of the
// recurrent weights; of Infer, the norm of the outputs; of Words, the loss and the norm of the
// gradient of the output layer; of Generate, by how much probabilities fail to add up to 1. The
// others are 0.
func (j *Job) Outcome() (loss, gradU float64) { return j.outcome() }

// Build makes the graph of a workload and compiles it.
func (w Workload) Build() (*Job, error) {
	switch w.Mode {
	case Train, Infer:
		return w.sequence()
	case Generate:
		return w.generate()
	case Words:
		return w.words()
	}
	return nil, fmt.Errorf("no mode %q: want %s, %s, %s or %s", w.Mode, Train, Infer, Generate,
		Words)
}

// gates are how many matrices, as wide as the layer, multiply the input and the state.
func (w Workload) gates() (input, state float64) {
	if gates, ok := map[string]float64{"rnn": 1, "gru": 3, "lstm": 4, "mgu": 2}[w.Cell]; ok {
		return gates, gates
	}
	const H = 8
	products := map[bool]float64{}
	err := nodes.Try(func() {
		cell := newCell(nodes.NewStore(nodes.Float32, 0).Root(), w.Cell, H, H)
		g := nodes.NewGraph(nodes.Options{})
		s := cells.Zero(g, cell, 1)
		trace, stop := g.Trace(s...)
		defer stop()
		defer steps.OnProduct(g, func(x *nodes.Node, w steps.Weight, as *nodes.Node,
			times func(x, as *nodes.Node) *nodes.Node) *nodes.Node {
			size := 1
			for _, n := range steps.WeightShape(w) {
				size *= n
			}
			products[trace.Reaches(x)] += float64(size) / (H * H)
			return times(x, as)
		})()
		cell.Step(g.Input("x", 1, H), s)
	})
	if err != nil {
		return 0, 0 // building it says why
	}
	return products[false], products[true]
}

// Flops counts the multiplications and additions of the matrix products of a step.
func (w Workload) Flops() float64 {
	gates, recurrent := w.gates()
	steps, in, h := float64(w.B*w.T), float64(w.I), float64(w.H)
	if w.Mode == Words {
		in = h
	}
	forward := 2 * steps * h * (gates*in + recurrent*h)
	switch w.Mode {
	case Train:
		return 3 * forward
	case Words:
		return 3 * (forward + 2*steps*h*float64(w.V))
	case Generate:
		return forward + 2*steps*((gates+recurrent)*h*h*float64(w.Layers-1)+h*float64(w.V))
	}
	return forward
}

// At is value k of stream s of the common pseudo-random numbers, in [−scale, scale).
func At(k, stream uint32, scale float64) float32 {
	s := k*2654435761 + stream*0x9e3779b1
	s ^= s >> 16
	s *= 0x85ebca6b
	s ^= s >> 13
	s *= 0xc2b2ae35
	s ^= s >> 16
	return float32((float64(s)/(1<<32)*2 - 1) * scale)
}

// The streams: x is [T, B, I], W is [I, g·H], U is [H, g·H], with the gates i, f, g, o of an LSTM
// and r, z, n of a GRU.
const (
	streamX = iota + 1
	streamW
	streamU
	streamDraws = 9
)

func fill(v []float32, stream uint32, scale float64) {
	for k := range v {
		v[k] = At(uint32(k), stream, scale)
	}
}

// load gives the cell the common weights. The library's cells have their gates in the common order.
func (w Workload) load(s *nodes.Store) {
	scale := 1 / math.Sqrt(float64(w.H))
	for _, p := range s.Params() {
		v := p.Value().Data().([]float32)
		switch p.Leaf() {
		case "W_ih":
			fill(v, streamW, scale)
		case "W_hh":
			fill(v, streamU, scale)
		case "b", "b_hn":
			clear(v)
		}
	}
}

func (w Workload) sequence() (*Job, error) {
	store := nodes.NewStore(nodes.Float32, 1)
	var g *nodes.Graph
	var x, lengths, loss, dU *nodes.Node
	var keep []*gorgonia.Node
	err := nodes.Try(func() {
		cell := newCell(store.Root(), w.Cell, w.I, w.H)
		g = nodes.NewGraph(nodes.Options{})
		x = g.Input("x", w.T, w.B, w.I)
		o := unroll.Options{Recompute: w.Recompute}
		if w.Engine == TapeMachine || w.Expand {
			o.Strategy = unroll.Expand
		}
		if w.WithLengths {
			lengths = g.IntInput("lengths", w.B)
			o.Lengths = lengths
		}
		y := unroll.Over(cell).Unroll(x, nil, o).Y()
		if w.Mode == Infer {
			loss = y
			keep = append(keep, y.Gorgonia())
			return
		}
		loss = nodes.Mean(nodes.Square(y))
		keep = append(keep, loss.Gorgonia())
		wrt := []nodes.Operand{x}
		for _, p := range store.Params() {
			wrt = append(wrt, p)
		}
		for i, d := range g.Gradients(loss, wrt...) {
			keep = append(keep, d.Gorgonia())
			if i > 0 && store.Params()[i-1].Leaf() == "W_hh" {
				dU = d
			}
		}
	})
	if err != nil {
		return nil, err
	}
	w.load(store)
	in := make([]float32, w.T*w.B*w.I)
	fill(in, streamX, 1)
	if err := let(x, in); err != nil {
		return nil, err
	}
	if lengths != nil {
		n := make([]int, w.B)
		for i := range n {
			n[i] = 1 + i*(w.T-1)/max(1, w.B-1)
		}
		if err := let(lengths, n); err != nil {
			return nil, err
		}
	}
	j, err := w.compile(g, keep)
	if err != nil {
		return nil, err
	}
	j.step = func() error {
		defer j.VM.Reset()
		return j.VM.RunAll()
	}
	j.outcome = func() (float64, float64) {
		if dU == nil {
			return norm(loss.Value()), 0
		}
		return norm(loss.Value()), norm(dU.Value())
	}
	return j, nil
}

func let(n *nodes.Node, backing any) error {
	return gorgonia.Let(n.Gorgonia(), tensor.New(tensor.WithShape(n.Shape()...),
		tensor.WithBacking(backing)))
}

func (w Workload) compile(g *nodes.Graph, keep []*gorgonia.Node) (*Job, error) {
	start := time.Now()
	opts := []graph.Option{graph.Keep(keep...), graph.ReuseValues(), graph.Workers(w.Threads)}
	switch w.Share {
	case "rows":
		opts = append(opts, graph.Share(graph.ShareRows))
	case "operations":
		opts = append(opts, graph.Share(graph.ShareOperations))
	}
	switch w.Engine {
	case Seqzoo:
	case Plain:
		opts = append(opts, graph.Plain())
	case TapeMachine:
		return &Job{VM: gorgonia.NewTapeMachine(g.Expr()), CompileMs: since(start)}, nil
	default:
		return nil, fmt.Errorf("no engine %q: want %s, %s or %s", w.Engine, Seqzoo, Plain,
			TapeMachine)
	}
	vm, err := graph.Compile(g.Expr(), opts...)
	return &Job{VM: vm, CompileMs: since(start)}, err
}

func since(t time.Time) float64 { return float64(time.Since(t).Nanoseconds()) / 1e6 }

// norm is the Euclidean norm of a value; of a scalar, its magnitude.
func norm(v gorgonia.Value) float64 {
	if x, ok := v.Data().(float32); ok {
		return math.Abs(float64(x))
	}
	var sum float64
	for _, x := range v.Data().([]float32) {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

func newCell(s *nodes.Scope, kind string, in, hidden int) cells.Cell {
	if kind == "mgu" {
		return owncells.NewMinimalGatedUnit(s, in, hidden)
	}
	cfg, err := cells.Parse(kind)
	if err != nil {
		panic(&nodes.BuildError{Op: "cell", Err: err,
			Msg: fmt.Sprintf("%v; or mgu, a minimal gated unit", err)})
	}
	return cfg.Sized(in, hidden).New(s)
}
