package main

import (
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/gorgoniatest"
)

func main() {
	steps := flag.Int("steps", 30, "steps of training of each")
	threads := flag.Int("threads", 1, "threads")
	all := flag.Bool("all", false, "with graph.KeepAll")
	reuse := flag.Bool("reuse", false, "with graph.ReuseValues")
	cpu := flag.Bool("cpu", false, "processor time, which other programs do not lengthen; on Linux")
	flag.Parse()
	if *steps < 2 || *threads < 1 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "dropin: want at least 2 -steps, 1 of -threads, and nothing else")
		os.Exit(2)
	}
	runtime.GOMAXPROCS(*threads)
	var options []graph.Option
	if *all {
		options = append(options, graph.KeepAll())
	}
	if *reuse {
		options = append(options, graph.ReuseValues())
	}
	began := time.Now()
	now := func() time.Duration { return time.Since(began) }
	if *cpu {
		if now = processorTime; runtime.GOOS != "linux" {
			fmt.Fprintln(os.Stderr, "dropin: -cpu is for Linux")
			os.Exit(2)
		}
	}
	if err := run(*steps, now, options); err != nil {
		fmt.Fprintln(os.Stderr, "dropin:", err)
		os.Exit(1)
	}
}

// programs are what is run: each builds its graph with gorgonia.NewGraph, NewMatrix, Must and Grad,
// and steps a solver.
var programs = []struct {
	name string
	make func() (*gorgoniatest.Program, error)
}{
	{"multilayer perceptron, batch 64, 784-256-…", func() (*gorgoniatest.Program, error) {
		return gorgoniatest.MLP(tensor.Float32, 64, 784, 256)
	}},
	{"MNIST classifier, batch 100, hidden 128", func() (*gorgoniatest.Program, error) {
		data, err := gorgoniatest.MNIST("../shared/data", 2000)
		if err != nil {
			return nil, err
		}
		return gorgoniatest.Classifier(tensor.Float32, data, 100, 128)
	}},
	{"RNN unrolled over 20 steps, batch 32, 64-128", func() (*gorgoniatest.Program, error) {
		return gorgoniatest.RNN(tensor.Float32, 20, 32, 64, 128)
	}},
	{"convnet of three convolutions, batch 100", func() (*gorgoniatest.Program, error) {
		return gorgoniatest.Convnet(tensor.Float32, 100)
	}},
}

func run(steps int, now func() time.Duration, options []graph.Option) error {
	fmt.Printf("%-46s %14s %14s %8s %12s %12s\n", "", "TapeMachine", "graph.Compile", "ratio",
		"last loss", "its")
	for _, p := range programs {
		var ms [2]float64
		var losses [2][]float64
		for i := range 2 {
			program, err := p.make()
			if err != nil {
				fmt.Printf("%-46s left out: %v\n", p.name, err)
				break
			}
			var vm gorgonia.VM
			if i == 0 {
				vm = gorgonia.NewTapeMachine(program.Graph,
					gorgonia.BindDualValues(program.Learnables...))
				// the line that is changed
			} else if vm, err = graph.Compile(program.Graph, options...); err != nil {
				return err
			}
			c := &clock{VM: vm, now: now}
			feed := program.Feed
			program.Feed = func(step int) error {
				return c.without(func() error { return feed(step) })
			}
			losses[i], err = program.Train(c,
				gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.05)), steps)
			vm.Close()
			if err != nil {
				return err
			}
			ms[i] = c.median()
		}
		if losses[1] == nil {
			continue
		}
		for k := range losses[0] {
			if d := math.Abs(losses[0][k] - losses[1][k]); !(d <= 1e-3*math.Abs(losses[0][k])) {
				return fmt.Errorf("%s: step %d: the losses differ: %v and %v", p.name, k,
					losses[0][k], losses[1][k])
			}
		}
		n := len(losses[0]) - 1
		fmt.Printf("%-46s %11.3f ms %11.3f ms %7.1f× %12.6f %12.6f\n", p.name, ms[0], ms[1],
			ms[0]/ms[1], losses[0][n], losses[1][n])
	}
	return nil
}

// clock is a machine that times a step from the end of a run to that of the next, solver included.
type clock struct {
	gorgonia.VM
	now  func() time.Duration
	last time.Duration
	ms   []float64
}

// RunAll runs the machine and notes the time since the run before.
func (c *clock) RunAll() error {
	err := c.VM.RunAll()
	now := c.now()
	c.ms = append(c.ms, (now-c.last).Seconds()*1e3)
	c.last = now
	return err
}

// without runs f, whose time is not counted.
func (c *clock) without(f func() error) error {
	began := c.now()
	defer func() { c.last += c.now() - began }()
	return f()
}

// median leaves the first step out, which has no run before it.
func (c *clock) median() float64 {
	ms := c.ms[1:]
	slices.Sort(ms)
	return ms[len(ms)/2]
}
