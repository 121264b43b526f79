// Command step times one training step, an inference or a generation of characters, and prints one JSON line.
//
//	go run ./benchmarks/step --cell lstm --b 32 --t 50 --i 64 --h 128 --threads 1 --mode train --seconds 3
//
// A training step is forward, the mean of the squared outputs, and backward to all parameters and the input, without an
// optimiser. Weights and inputs are those of every system that is compared (see At), so that losses and gradient
// norms can be held against theirs. The result is checked before it is timed.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/pprof"
	"sort"
	"strings"
	"time"

	"github.com/seqzoo/seqzoo/graph"
)

// Config is the command line.
type Config struct {
	Cell          string
	B, T, I, H    int
	V, Layers     int
	Threads       int
	Mode, Engine  string
	Share         string
	Seconds       float64
	Explain, Mask bool
	Times         bool
	Expand        bool
	Profile       string
}

// Result is the JSON line.
type Result struct {
	System    string  `json:"system"`
	Version   string  `json:"version"`
	Cell      string  `json:"cell"`
	B         int     `json:"B"`
	T         int     `json:"T"`
	I         int     `json:"I"`
	H         int     `json:"H"`
	Threads   int     `json:"threads"`
	Mode      string  `json:"mode"`
	MsMedian  float64 `json:"ms_median"`
	MsMin     float64 `json:"ms_min"`
	Runs      int     `json:"runs"`
	Gflops    float64 `json:"gflops"`
	MaxRSSMB  float64 `json:"max_rss_mb"`
	Allocs    float64 `json:"allocs_per_step"`
	CompileMs float64 `json:"compile_ms"`
	PlannedMB float64 `json:"planned_mb"`
	Loss      float64 `json:"loss"`
	GradU     float64 `json:"grad_u"`
}

func main() {
	var c Config
	flag.StringVar(&c.Cell, "cell", "lstm", "rnn, gru, lstm or mgu (minimal gated unit)")
	flag.IntVar(&c.B, "b", 32, "batch")
	flag.IntVar(&c.T, "t", 50, "steps")
	flag.IntVar(&c.I, "i", 64, "input width")
	flag.IntVar(&c.H, "h", 128, "hidden width")
	flag.IntVar(&c.V, "v", 65, "generate: vocabulary")
	flag.IntVar(&c.Layers, "layers", 2, "generate: layers")
	flag.IntVar(&c.Threads, "threads", 1, "threads")
	flag.StringVar(&c.Mode, "mode", "train", "train, infer or generate")
	flag.StringVar(&c.Engine, "engine", "seqzoo", "seqzoo, plain or tapemachine")
	flag.StringVar(&c.Share, "share", "auto", "how threads share a recurrence: auto, rows or operations")
	flag.Float64Var(&c.Seconds, "seconds", 3, "seconds to measure")
	flag.BoolVar(&c.Explain, "explain", false, "print the compiled program to standard error")
	flag.BoolVar(&c.Times, "times", false, "print the time of every instruction to standard error")
	flag.BoolVar(&c.Mask, "lengths", false, "train: sequences of lengths spread evenly over 1 … T")
	flag.BoolVar(&c.Expand, "expand", false, "lay every step out as nodes of the graph")
	flag.StringVar(&c.Profile, "cpuprofile", "", "write a CPU profile to this file")
	flag.Parse()
	runtime.GOMAXPROCS(c.Threads)
	r, err := run(c)
	if err != nil {
		fmt.Fprintln(os.Stderr, "step:", err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(r)
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

func fill(v []float32, stream uint32, scale float64) {
	for k := range v {
		v[k] = At(uint32(k), stream, scale)
	}
}

// flops counts the multiplications and additions of the matrix products.
func (c Config) flops() float64 {
	gates := map[string]int{"rnn": 1, "gru": 3, "lstm": 4, "mgu": 2}[c.Cell]
	one := 2 * float64(c.B*c.T) * float64(gates*c.H) * float64(c.I+c.H)
	switch c.Mode {
	case "train":
		return 3 * one
	case "generate":
		gh := float64(gates * c.H)
		return float64(c.B*c.T) * 2 * (gh*float64(c.H)*float64(2*c.Layers-1) + float64(c.H*c.V))
	}
	return one
}

func run(c Config) (Result, error) {
	r := Result{System: c.Engine, Version: "0.1", Cell: c.Cell, B: c.B, T: c.T, I: c.I, H: c.H, Threads: c.Threads, Mode: c.Mode}
	job, err := build(c)
	if err != nil {
		return r, err
	}
	if c.Explain {
		if m, ok := job.vm.(*graph.Machine); ok {
			fmt.Fprint(os.Stderr, m.Explain())
		}
	}
	if m, ok := job.vm.(*graph.Machine); ok && c.Times {
		times, err := m.Profile(50)
		if err != nil {
			return r, err
		}
		fmt.Fprint(os.Stderr, times)
	}
	r.CompileMs = job.compileMs
	if m, ok := job.vm.(*graph.Machine); ok {
		r.PlannedMB = float64(m.Memory()) / 1e6
	}
	if err := job.step(); err != nil {
		return r, err
	}
	if r.Loss, r.GradU = job.check(); math.IsNaN(r.Loss) || math.IsNaN(r.GradU) {
		return r, fmt.Errorf("loss %v, norm of dL/dU %v", r.Loss, r.GradU)
	}
	for start := time.Now(); time.Since(start) < 300*time.Millisecond; {
		if err := job.step(); err != nil {
			return r, err
		}
	}
	if c.Profile != "" {
		f, err := os.Create(c.Profile)
		if err != nil {
			return r, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return r, err
		}
		defer pprof.StopCPUProfile()
	}
	ms := make([]float64, 0, 1<<20)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for start := time.Now(); time.Since(start).Seconds() < c.Seconds || len(ms) < 3; {
		t := time.Now()
		if err := job.step(); err != nil {
			return r, err
		}
		ms = append(ms, float64(time.Since(t).Nanoseconds())/1e6)
	}
	runtime.ReadMemStats(&after)
	r.Runs = len(ms)
	r.Allocs = float64(after.Mallocs-before.Mallocs) / float64(len(ms))
	sort.Float64s(ms)
	r.MsMin, r.MsMedian = ms[0], (ms[(len(ms)-1)/2]+ms[len(ms)/2])/2
	r.Gflops = c.flops() / r.MsMedian / 1e6
	status, _ := os.ReadFile("/proc/self/status") // where there is none, 0 is reported
	for _, line := range strings.Split(string(status), "\n") {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f", &kb); n == 1 {
			r.MaxRSSMB = kb / 1024
		}
	}
	return r, nil
}
