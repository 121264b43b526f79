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
	flag.Parse()
	if *steps < 2 || *threads < 1 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "dropin: want at least 2 -steps, 1 of -threads, and nothing else")
		os.Exit(2)
	}
	runtime.GOMAXPROCS(*threads)
	if err := run(*steps); err != nil {
		fmt.Fprintln(os.Stderr, "dropin:", err)
		os.Exit(1)
	}
}

// programs are what is run: each builds its graph with gorgonia.NewGraph, NewMatrix, Must and Grad, and steps a solver.
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
}

func run(steps int) error {
	fmt.Printf("%-46s %14s %14s %8s %12s %12s\n", "", "TapeMachine", "graph.Compile", "ratio", "last loss", "its")
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
				vm = gorgonia.NewTapeMachine(program.Graph, gorgonia.BindDualValues(program.Learnables...))
			} else if vm, err = graph.Compile(program.Graph); err != nil { // the line that is changed
				return err
			}
			var times []float64
			last := time.Now()
			clocked := clock{vm, func() {
				now := time.Now()
				times = append(times, float64(now.Sub(last).Nanoseconds())/1e6)
				last = now
			}}
			feed := program.Feed
			program.Feed = func(step int) error { // making the data is not counted
				began := time.Now()
				defer func() { last = last.Add(time.Since(began)) }()
				return feed(step)
			}
			losses[i], err = program.Train(clocked, gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.05)), steps)
			vm.Close()
			if err != nil {
				return err
			}
			times = times[1:]
			slices.Sort(times)
			ms[i] = times[len(times)/2]
		}
		if losses[1] == nil {
			continue
		}
		for k := range losses[0] {
			if d := math.Abs(losses[0][k] - losses[1][k]); !(d <= 1e-3*math.Abs(losses[0][k])) {
				return fmt.Errorf("%s: step %d: the losses differ: %v and %v", p.name, k, losses[0][k], losses[1][k])
			}
		}
		n := len(losses[0]) - 1
		fmt.Printf("%-46s %11.3f ms %11.3f ms %7.1f× %12.6f %12.6f\n", p.name, ms[0], ms[1], ms[0]/ms[1], losses[0][n], losses[1][n])
	}
	return nil
}

// clock is a machine that tells of the end of each run, so that a step is timed from one to the
// next, solver included.
type clock struct {
	gorgonia.VM
	tick func()
}

func (c clock) RunAll() error {
	err := c.VM.RunAll()
	c.tick()
	return err
}
