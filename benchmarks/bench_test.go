package benchmarks_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/benchmarks"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/gorgoniatest"
)

var cellNames = []string{"rnn", "gru", "lstm"}

// known are the losses and the norms of dL/dU that PyTorch 1.13.1 computes.
var known = map[string][2]float64{
	"XS rnn": {0.1153711155, 0.04100626707}, "XS gru": {0.03012434952, 0.004311882425},
	"XS lstm": {0.007717694156, 0.001439219224},
	"S rnn":   {0.06798008084, 0.01144543476}, "S gru": {0.01788610779, 0.001085319207},
	"S lstm": {0.004393653478, 0.0002569851058},
	"M rnn":  {0.1175122634, 0.01142196357}, "M gru": {0.03280632943, 0.001410434372},
	"M lstm":   {0.007933114655, 0.0003232843301},
	"LONG rnn": {0.001336946152, 0.001697984757}, "LONG gru": {0.0003138528846, 0.0001264185936},
	"LONG lstm": {7.703424490e-05, 2.988326014e-05},
}

// Before anything is timed: the same losses and gradients as PyTorch, from either engine.
func TestWorkloadsAgreeWithPyTorch(t *testing.T) {
	for _, engine := range []string{benchmarks.Seqzoo, benchmarks.TapeMachine} {
		for _, size := range []string{"XS", "S"} {
			if testing.Short() && size != "XS" {
				continue
			}
			for _, cell := range cellNames {
				t.Run(engine+"/"+size+"/"+cell, func(t *testing.T) {
					check(t, build(t, benchmarks.Train, engine, size, cell), size, cell)
				})
			}
		}
	}
}

func check(t testing.TB, j *benchmarks.Job, size, cell string) {
	t.Helper()
	require.NoError(t, j.Step())
	loss, gradU := j.Outcome()
	require.False(t, math.IsNaN(loss) || math.IsNaN(gradU))
	if want, ok := known[size+" "+cell]; ok {
		require.InEpsilon(t, want[0], loss, 1e-5)
		require.InEpsilon(t, want[1], gradU, 1e-4)
	}
}

func build(t testing.TB, mode, engine, size, cell string) *benchmarks.Job {
	t.Helper()
	w, ok := benchmarks.Sizes[size]
	require.True(t, ok, "no size %q", size)
	w.Mode, w.Engine, w.Cell = mode, engine, cell
	return start(t, w)
}

func start(t testing.TB, w benchmarks.Workload) *benchmarks.Job {
	t.Helper()
	j, err := w.Build()
	require.NoError(t, err)
	t.Cleanup(func() { j.VM.Close() })
	return j
}

// measure times the steps of a job whose result was checked.
func measure(b *testing.B, j *benchmarks.Job, w benchmarks.Workload) {
	b.ReportAllocs()
	for b.Loop() {
		if err := j.Step(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(w.Flops()*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

// each runs a benchmark for every cell and engine, on TapeMachine only where it ends in reasonable
// time.
func each(b *testing.B, mode string, sizes map[string]benchmarks.Workload, onTape ...string) {
	names := []string{"XS", "S", "M", "LONG", "L"}
	for name := range sizes {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names[5:])
	for _, name := range names {
		w, ok := sizes[name]
		if !ok {
			continue
		}
		for _, engine := range []string{benchmarks.Seqzoo, benchmarks.TapeMachine} {
			if engine == benchmarks.TapeMachine && !slices.Contains(onTape, name) {
				continue
			}
			for _, cell := range cellNames {
				b.Run(fmt.Sprintf("workload=%s/cell=%s/engine=%s", name, cell, engine),
					func(b *testing.B) {
						w := w
						w.Mode, w.Engine, w.Cell = mode, engine, cell
						j := start(b, w)
						check(b, j, map[bool]string{true: name}[mode == benchmarks.Train], cell)
						measure(b, j, w)
					})
			}
		}
	}
}

// BenchmarkTrain is a training step without an optimiser.
func BenchmarkTrain(b *testing.B) { each(b, benchmarks.Train, benchmarks.Sizes, "XS", "S") }

// BenchmarkInfer is one step of one sequence, as in serving: H128 and H512 are its widths.
func BenchmarkInfer(b *testing.B) {
	each(b, benchmarks.Infer, map[string]benchmarks.Workload{
		"H128": {B: 1, T: 1, I: 128, H: 128},
		"H512": {B: 1, T: 1, I: 512, H: 512},
	}, "H128", "H512")
}

// BenchmarkGenerate samples 100 characters from two layers of 256.
func BenchmarkGenerate(b *testing.B) {
	each(b, benchmarks.Generate, map[string]benchmarks.Workload{
		"chars100": {B: 1, T: 100, I: 65, H: 256, V: 65, Layers: 2},
	}, "chars100")
}

// BenchmarkMinimalGatedUnit is a user's own cell beside a GRU, whose products are 1.5 times as
// many.
func BenchmarkMinimalGatedUnit(b *testing.B) {
	for _, cell := range []string{"mgu", "gru"} {
		b.Run("workload=S/cell="+cell, func(b *testing.B) {
			w := benchmarks.Sizes["S"]
			w.Mode, w.Engine, w.Cell = benchmarks.Train, benchmarks.Seqzoo, cell
			j := start(b, w)
			check(b, j, "S", cell)
			measure(b, j, w)
		})
	}
}

// BenchmarkLengths is a batch whose lengths are spread over 1 … T beside one of full lengths.
func BenchmarkLengths(b *testing.B) {
	for _, cell := range cellNames {
		for _, with := range []bool{false, true} {
			b.Run(fmt.Sprintf("workload=S/cell=%s/lengths=%t", cell, with), func(b *testing.B) {
				w := benchmarks.Sizes["S"]
				w.Mode, w.Engine, w.Cell, w.WithLengths = benchmarks.Train, benchmarks.Seqzoo, cell,
					with
				j := start(b, w)
				check(b, j, map[bool]string{false: "S"}[with], cell)
				measure(b, j, w)
			})
		}
	}
}

// BenchmarkPlainGorgonia is a training step, solver included, of programs written for Gorgonia
// alone.
func BenchmarkPlainGorgonia(b *testing.B) {
	programs := []struct {
		name  string
		build func() (*gorgoniatest.Program, error)
	}{
		{"mlp", func() (*gorgoniatest.Program, error) {
			return gorgoniatest.MLP(tensor.Float32, 64,
				32, 128)
		}},
		{"mnist", func() (*gorgoniatest.Program, error) {
			data, err := gorgoniatest.MNIST("../../shared/data", 1000)
			if err != nil {
				return nil, err
			}
			return gorgoniatest.Classifier(tensor.Float32, data, 100, 128)
		}},
		{"rnn", func() (*gorgoniatest.Program, error) {
			return gorgoniatest.RNN(tensor.Float32, 25,
				32, 32, 128)
		}},
	}
	for _, p := range programs {
		for _, engine := range []string{benchmarks.Seqzoo, benchmarks.TapeMachine} {
			b.Run(fmt.Sprintf("program=%s/engine=%s", p.name, engine), func(b *testing.B) {
				program, err := p.build()
				if err != nil {
					b.Skip(err)
				}
				var vm gorgonia.VM
				if engine == benchmarks.Seqzoo {
					vm, err = graph.Compile(program.Graph)
					require.NoError(b, err)
				} else {
					vm = gorgonia.NewTapeMachine(program.Graph,
						gorgonia.BindDualValues(program.Learnables...))
				}
				defer vm.Close()
				require.NoError(b, program.Feed(0))
				solver := gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(1e-3))
				learnables := gorgonia.NodesToValueGrads(program.Learnables)
				b.ReportAllocs()
				for b.Loop() {
					if err := vm.RunAll(); err != nil {
						b.Fatal(err)
					}
					if err := solver.Step(learnables); err != nil {
						b.Fatal(err)
					}
					vm.Reset()
				}
			})
		}
	}
}

// A word model starts at the loss of even guesses.
func TestWords(t *testing.T) {
	j := start(t, benchmarks.Workload{Mode: benchmarks.Words, Engine: benchmarks.Seqzoo,
		Cell: "lstm", B: 2, T: 3, H: 8, V: 101, Threads: 1})
	require.NoError(t, j.Step())
	loss, grad := j.Outcome()
	require.InDelta(t, math.Log(101), loss, 0.05)
	require.Positive(t, grad)
}
