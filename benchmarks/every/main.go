package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/seqzoo/seqzoo/benchmarks"
	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
)

// sizes are the workloads; LONG1 is LONG of a single sequence.
var sizes = map[string]benchmarks.Workload{
	"S": benchmarks.Sizes["S"], "M": benchmarks.Sizes["M"], "LONG": benchmarks.Sizes["LONG"],
	"LONG1": {B: 1, T: 784, I: 1, H: 128},
}

func main() {
	names := flag.String("cells", "",
		"`specs` with spaces between them; by default every registered cell")
	of := flag.String("sizes", "S M LONG LONG1", "`workloads` with spaces between them")
	modes := flag.String("modes", "train infer", "train, and infer for one step of one sequence")
	threads := flag.Int("threads", 1, "threads")
	spend := flag.Duration("time", time.Second, "time to spend on each line")
	quick := flag.Bool("quick", false, "try the command: tiny workloads of the same names, and a "+
		"millisecond for each line, whose times mean nothing")
	flag.Parse()
	if *quick {
		for name, w := range sizes {
			sizes[name] = tiny(w)
		}
		*spend = time.Millisecond
	}
	err := run(*names, strings.Fields(*of), strings.Fields(*modes), *threads, *spend)
	if err != nil {
		fmt.Fprintln(os.Stderr, "every:", err)
		os.Exit(1)
	}
}

// tiny is a workload of which every dimension is small, and 1 where w's is.
func tiny(w benchmarks.Workload) benchmarks.Workload {
	w.B, w.T, w.I, w.H = min(w.B, 2), min(w.T, 3), min(w.I, 5), 16
	return w
}

// specs are the cells that are measured by default: those whose state is a matrix with 8 heads, as
// a memory of all units squared is nobody's layer.
func specs() []string {
	var all []string
	for _, name := range cells.Registered() {
		if name == "mlstm" || name == "gateddelta" {
			name += ",heads=8"
		}
		all = append(all, name)
	}
	return all
}

func run(names string, of, modes []string, threads int, spend time.Duration) error {
	if threads < 1 || spend <= 0 {
		return fmt.Errorf("-threads is %d and -time %v; want at least 1, and more than 0", threads,
			spend)
	}
	runtime.GOMAXPROCS(threads)
	which := strings.Fields(names)
	if len(which) == 0 {
		which = specs()
	}
	fmt.Println("| size | cell | mode | ms | GFLOP/s | machine | GB/s | machine " +
		"| element-wise in loops: ms | times memory | its functions alone: ms " +
		"| times memory and functions |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, size := range of {
		w, ok := sizes[size]
		if !ok {
			return fmt.Errorf("no size %q: want S, M, LONG or LONG1", size)
		}
		for _, spec := range which {
			for _, mode := range modes {
				w := w
				w.Cell, w.Mode, w.Engine, w.Threads = spec, mode, benchmarks.Seqzoo, threads
				if mode == benchmarks.Infer {
					w.B, w.T = 1, 1
				}
				if err := line(size, w, spend); err != nil {
					return fmt.Errorf("%s %s %s: %w", size, spec, mode, err)
				}
			}
		}
	}
	return nil
}

// line measures a workload and prints its row.
func line(size string, w benchmarks.Workload, spend time.Duration) error {
	job, err := w.Build()
	if err != nil {
		return err
	}
	defer job.VM.Close()
	m := job.VM.(*graph.Machine)
	least := time.Duration(1<<63 - 1)
	for begun, n := time.Now(), 0; n < 3 || time.Since(begun) < spend/2; n++ {
		start := time.Now()
		if err := job.Step(); err != nil {
			return err
		}
		least = min(least, time.Since(start))
	}
	p, err := m.Profile(max(15, min(200, int(spend/2/max(1, least)))))
	if err != nil {
		return err
	}
	rate := benchmarks.Bandwidth(m.Memory())
	sum := add(p.Instructions)
	if w.Mode == benchmarks.Train {
		least = min(least, p.Total)
	}
	ns := float64(least.Nanoseconds())
	fmt.Printf("| %s | %s | %s | %.4g | %.1f | %.0f | %.1f | %.0f |", size, w.Cell, w.Mode, ns/1e6,
		sum.flop/ns, benchmarks.Peak(), sum.bytes/ns, rate)
	if sum.fused == 0 || w.T == 1 {
		fmt.Println(" | | | |")
		return nil
	}
	took, memory := float64(sum.fused.Nanoseconds()), sum.fusedBytes/rate
	fmt.Printf(" %.4g | %.2f | %.4g | %.2f |\n", took/1e6, took/memory, sum.alone/1e6,
		took/(memory+sum.alone))
	return nil
}

// sums is what the instructions of a step come to.
type sums struct {
	flop, bytes float64
	// of the element-wise instructions in loops: their time, their operands and results, and the
	// nanoseconds that their functions take by themselves
	fused      time.Duration
	fusedBytes float64
	alone      float64
}

func add(ts []graph.Timing) (s sums) {
	alone := map[string]float64{}
	steps := 0.0
	for i, t := range ts {
		if i+1 < len(ts) && ts[i+1].InLoop && !t.InLoop {
			_, after, _ := strings.Cut(t.What, ", ")
			fmt.Sscanf(after, "%g times", &steps)
			continue
		}
		s.flop, s.bytes = s.flop+t.Flop, s.bytes+t.Bytes
		if !t.InLoop || !strings.HasPrefix(t.What, "fused ") {
			continue
		}
		s.fused, s.fusedBytes = s.fused+t.Time, s.fusedBytes+t.Bytes
		dims, functions, _ := strings.Cut(strings.TrimPrefix(t.What, "fused "), ": ")
		elements := steps
		for _, d := range strings.Fields(strings.Trim(dims, "[]")) {
			n, _ := strconv.Atoi(d)
			elements *= float64(n)
		}
		for _, f := range strings.Fields(functions) {
			if _, ok := alone[f]; !ok {
				alone[f] = benchmarks.Alone(f)
			}
			s.alone += alone[f] * elements
		}
	}
	return s
}
