package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/seqzoo/seqzoo/benchmarks"
	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
)

// config is the command line.
type config struct {
	benchmarks.Workload
	seconds        float64
	explain, times bool
	profile        string
}

// result is the JSON line.
type result struct {
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
	PlannedMB float64 `json:"planned_mb"` // what the plan states before the run
	Loss      float64 `json:"loss"`
	GradU     float64 `json:"grad_u"`
}

func main() {
	var c config
	flag.StringVar(&c.Cell, "cell", "lstm", "spec of a cell, such as gru,reset_before: mgu (minimal "+
		"gated unit), "+strings.Join(cells.Registered(), ", "))
	flag.IntVar(&c.B, "b", 32, "batch")
	flag.IntVar(&c.T, "t", 50, "steps")
	flag.IntVar(&c.I, "i", 64, "input width")
	flag.IntVar(&c.H, "h", 128, "hidden width")
	flag.IntVar(&c.V, "v", 65, "generate, words: vocabulary")
	flag.IntVar(&c.Layers, "layers", 2, "generate: layers")
	flag.IntVar(&c.Threads, "threads", 1, "threads")
	flag.StringVar(&c.Mode, "mode", benchmarks.Train, "train, infer, generate or words")
	flag.StringVar(&c.Engine, "engine", benchmarks.Seqzoo, "seqzoo, plain or tapemachine")
	flag.StringVar(&c.Share, "share", "auto",
		"how threads share a recurrence: auto, rows or operations")
	flag.BoolVar(&c.Expand, "expand", false, "lay every step out as nodes of the graph")
	flag.BoolVar(&c.WithLengths, "lengths", false,
		"train: sequences of lengths spread evenly over 1 … T")
	flag.IntVar(&c.Recompute, "recompute", 0, "train: steps from one kept state to the next; "+
		"0 keeps all, -1 is about the square root of -t")
	flag.Float64Var(&c.seconds, "seconds", 3, "seconds to measure")
	flag.BoolVar(&c.explain, "explain", false, "print the compiled program to standard error")
	flag.BoolVar(&c.times, "times", false, "print the time of every instruction to standard error")
	flag.StringVar(&c.profile, "cpuprofile", "", "write a CPU profile to this file")
	flag.Parse()
	r, err := run(c)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "step:", err)
		os.Exit(1)
	}
}

func run(c config) (result, error) {
	r := result{System: c.Engine, Version: "0.1", Cell: c.Cell, B: c.B, T: c.T, I: c.I, H: c.H,
		Threads: c.Threads, Mode: c.Mode}
	if min(c.B, c.T, c.I, c.H, c.V, c.Layers, c.Threads) < 1 || !(c.seconds > 0) {
		return r, fmt.Errorf("sizes, threads and seconds must be positive")
	}
	runtime.GOMAXPROCS(c.Threads)
	job, err := c.Build()
	if err != nil {
		return r, err
	}
	defer job.VM.Close()
	r.CompileMs = job.CompileMs
	if m, ok := job.VM.(*graph.Machine); ok {
		r.PlannedMB = float64(m.Memory()) / 1e6
		if err := c.show(m); err != nil {
			return r, err
		}
	}
	if err := job.Step(); err != nil {
		return r, err
	}
	if r.Loss, r.GradU = job.Outcome(); math.IsNaN(r.Loss) || math.IsNaN(r.GradU) {
		return r, fmt.Errorf("loss %v, norm of dL/dU %v", r.Loss, r.GradU)
	}
	for start := time.Now(); time.Since(start) < 300*time.Millisecond; { // clocks and caches settle
		if err := job.Step(); err != nil {
			return r, err
		}
	}
	if c.profile != "" {
		f, err := os.Create(c.profile)
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
	for start := time.Now(); time.Since(start).Seconds() < c.seconds || len(ms) < 3; {
		t := time.Now()
		if err := job.Step(); err != nil {
			return r, err
		}
		ms = append(ms, float64(time.Since(t).Nanoseconds())/1e6)
	}
	runtime.ReadMemStats(&after)
	r.Runs = len(ms)
	r.Allocs = float64(after.Mallocs-before.Mallocs) / float64(len(ms))
	slices.Sort(ms)
	r.MsMin, r.MsMedian = ms[0], (ms[(len(ms)-1)/2]+ms[len(ms)/2])/2
	r.Gflops = c.Flops() / r.MsMedian / 1e6
	r.MaxRSSMB = maxRSS()
	return r, nil
}

// show prints what was asked for of a compiled program.
func (c config) show(m *graph.Machine) error {
	if c.explain {
		fmt.Fprint(os.Stderr, m.Explain())
	}
	if c.times {
		start := time.Now()
		if err := m.RunAll(); err != nil {
			return err
		}
		runs := min(50, max(3, int(2/time.Since(start).Seconds())))
		times, err := m.Profile(runs)
		if err != nil {
			return err
		}
		fmt.Fprint(os.Stderr, times)
	}
	return nil
}

// maxRSS is the most memory the process has had, in MiB, where Linux says so.
func maxRSS() float64 {
	status, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(status), "\n") {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmHWM: %f", &kb); n == 1 {
			return kb / 1024
		}
	}
	return 0
}
