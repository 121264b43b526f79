package onnx_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
)

// runtime is ONNX Runtime in a process of its own.
type runtime struct {
	in  io.WriteCloser
	out *bufio.Scanner
}

// startRuntime starts it; the environment variable SEQZOO_ORT names a folder with onnxruntime-node
// in node_modules. Without it the test is skipped.
func startRuntime(t testing.TB) *runtime {
	t.Helper()
	dir := os.Getenv("SEQZOO_ORT")
	if dir == "" {
		t.Skip("SEQZOO_ORT names no folder with onnxruntime-node: nothing is compared with ONNX " +
			"Runtime")
	}
	cmd := exec.Command("node", "testdata/ort.cjs")
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	r := &runtime{in: in, out: bufio.NewScanner(out)}
	r.out.Buffer(nil, 1<<28)
	return r
}

type runtimeTensor struct {
	Type string    `json:"type"`
	Dims []int     `json:"dims"`
	Data []float64 `json:"data"`
}

var runtimeTypes = map[onnx.Type]string{onnx.Float32: "float32", onnx.Float64: "float64",
	onnx.Int64: "int64", onnx.Int32: "int32", onnx.Bool: "bool", onnx.Uint8: "uint8",
	onnx.Int8: "int8"}

// run gives the outputs, and the least milliseconds of so many runs.
func (r *runtime) run(model string, in onnx.Values, runs int) (map[string]runtimeTensor, float64,
	error) {
	feeds := map[string]runtimeTensor{}
	for name, x := range in {
		feeds[name] = runtimeTensor{runtimeTypes[x.Type()], append([]int{}, x.Shape()...),
			x.Float64s()}
	}
	line, err := json.Marshal(map[string]any{"model": model, "feeds": feeds, "runs": runs})
	if err != nil {
		return nil, 0, err
	}
	if _, err := r.in.Write(append(line, '\n')); err != nil {
		return nil, 0, err
	}
	if !r.out.Scan() {
		return nil, 0, fmt.Errorf("the runtime ended: %w", r.out.Err())
	}
	var answer struct {
		Outputs map[string]runtimeTensor `json:"outputs"`
		Error   string                   `json:"error"`
		Ms      float64                  `json:"ms"`
	}
	if err := json.Unmarshal(r.out.Bytes(), &answer); err != nil {
		return nil, 0, err
	}
	if answer.Error != "" {
		return nil, 0, fmt.Errorf("%s", answer.Error)
	}
	return answer.Outputs, answer.Ms, nil
}

// requireSameRun runs a file in the runtime and here, and wants the same.
func (r *runtime) requireSameRun(t *testing.T, file string, m *onnx.Model,
	in onnx.Values) onnx.Values {
	t.Helper()
	ours, err := m.Run(in)
	require.NoError(t, err)
	theirs, _, err := r.run(file, in, 1)
	require.NoError(t, err)
	for name, x := range theirs {
		require.Equal(t, x.Dims, append([]int{}, ours[name].Shape()...), name)
		got := ours[name].Float64s()
		for i, want := range x.Data {
			require.InDelta(t, want, got[i], 1e-5*(1+max(want, -want)), "%s %d", name, i)
		}
	}
	return ours
}

// Language models with every cell give the same in ONNX Runtime: over other batches and lengths
// than any that the graph was built for, and over 100 steps with the state carried.
func TestRuntimeLanguageModels(t *testing.T) {
	r := startRuntime(t)
	for _, spec := range specs() {
		for _, scans := range []bool{false, true} {
			t.Run(fmt.Sprint(spec, " ", scans), func(t *testing.T) {
				m := languageModel(t, spec)
				dir := t.TempDir()
				step, whole := filepath.Join(dir, "step.onnx"), filepath.Join(dir, "sequence.onnx")
				o := onnx.ExportOptions{Scans: scans, Layout: "step"}
				require.NoError(t, onnx.Export(m, step, o))
				o.Layout = "sequence"
				require.NoError(t, onnx.Export(m, whole, o))
				if scans && !testing.Short() {
					checkFile(t, step)
					checkFile(t, whole)
				}
				one, err := onnx.Import(step)
				require.NoError(t, err)
				all, err := onnx.Import(whole)
				require.NoError(t, err)
				for _, size := range [][2]int{{1, 1}, {7, 2}, {12, 1}, {1, 5}} {
					r.requireSameRun(t, whole, all, modelInputs(all, size[0], size[1], spec))
				}
				in := modelInputs(one, 1, 3, spec)
				for k := range 100 {
					in["ids"] = onnx.Ints([]int{k % 5, (k + 2) % 6, k * k % 6}, 3)
					out := r.requireSameRun(t, step, one, in)
					for to, from := range one.Carried() {
						in[to] = out[from]
					}
				}
			})
		}
	}
}

// otherRuntime is where ONNX Runtime 1.30.0 gives otherwise than the definition of the operators
// says.
var otherRuntime = map[string]string{
	"bidirectional_lengths": "the last state of a sequence of length 0 is 0, not its initial state",
	"lstm_clip":             "the cell is not clipped before the activation of the output",
}

// What the conformance suite wants is what ONNX Runtime gives, but for what is told above and a
// layout of 1, which it refuses.
func TestRuntimeConformance(t *testing.T) {
	r := startRuntime(t)
	dirs, err := filepath.Glob("testdata/conformance/*")
	require.NoError(t, err)
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			c := readCase(t, dir)
			out, _, err := r.run(filepath.Join(dir, "model.onnx"), c.in, 1)
			if err != nil && strings.HasSuffix(dir, "layout") {
				t.Skip("ONNX Runtime refuses it: ", err)
			}
			require.NoError(t, err)
			for ending, why := range otherRuntime {
				if strings.HasSuffix(dir, ending) {
					t.Skip("in ONNX Runtime ", why)
				}
			}
			for name, want := range c.out {
				requireNear(t, want, out[name].Data, 1e-4, name)
			}
		})
	}
}

// modelInputs are inputs of a model for T steps of B sequences. The state of an sLSTM begins at
// zero: some of its parts mean something to the cell alone.
func modelInputs(m *onnx.Model, T, B int, spec string) onnx.Values {
	states := m.Carried()
	in := onnx.Values{}
	sizes := map[string]int{"time": T, "batch": B}
	for _, info := range m.Inputs() {
		n := 1
		var shape []int
		for _, d := range info.Shape {
			size := d.Size
			if size < 0 {
				size = sizes[d.Name]
			}
			shape, n = append(shape, size), n*size
		}
		numbers := make([]float64, n)
		for i := range numbers {
			numbers[i] = float64((i*7+3)%6) - 2.5
			switch {
			case info.Name == "lengths":
				numbers[i] = float64(T - i%2*(T/2))
			case info.Type == onnx.Int64:
				numbers[i] += 2.5
			case states[info.Name] != "" && spec == "slstm":
				numbers[i] = 0
			}
		}
		in[info.Name] = onnx.Of(info.Type, numbers, shape...)
	}
	return in
}

// checkFile holds a file to ONNX's own checker and shape inference, where Python has them.
func checkFile(t *testing.T, file string) {
	t.Helper()
	const python = "/usr/bin/python3"
	if exec.Command(python, "-c", "import onnx").Run() != nil {
		return
	}
	code := "import sys, onnx; m = onnx.load(sys.argv[1]); onnx.checker.check_model(m, " +
		"full_check=True); onnx.shape_inference.infer_shapes(m, strict_mode=True)"
	out, err := exec.Command(python, "-c", code, file).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// TestRuntimeSpeed prints how long runs of LSTM and GRU layers take here and in ONNX Runtime, on
// one thread each: 15 times in turns, the least of some runs each. It judges nothing.
func TestRuntimeSpeed(t *testing.T) {
	r := startRuntime(t)
	if os.Getenv("SEQZOO_SPEED") == "" {
		t.Skip("SEQZOO_SPEED is not set: nothing is measured")
	}
	for _, spec := range []string{"lstm", "gru"} {
		for _, size := range []struct{ B, T, I, H int }{{1, 1, 128, 128}, {1, 100, 128, 128},
			{1, 1, 512, 512},
			{1, 200, 256, 256}, {32, 50, 64, 128}, {32, 35, 256, 256}} {
			file := filepath.Join(t.TempDir(), "m.onnx")
			require.NoError(t, exportLayer(spec, size.I, size.H, file))
			m, err := onnx.Import(file)
			require.NoError(t, err)
			in := modelInputs(m, size.T, size.B, spec)
			shapes := map[string][]int{}
			for name, x := range in {
				shapes[name] = x.Shape()
			}
			step, err := m.Compile(shapes, nil, graph.Workers(1))
			require.NoError(t, err)
			theirs, ours, ratios := math.Inf(1), math.Inf(1), []float64{}
			for range 15 {
				_, ms, err := r.run(file, in, 10)
				require.NoError(t, err)
				least := math.Inf(1)
				for range 10 {
					from := time.Now()
					require.NoError(t, step.Run())
					least = min(least, time.Since(from).Seconds()*1e3)
				}
				theirs, ours, ratios = min(theirs, ms), min(ours, least), append(ratios, least/ms)
			}
			slices.Sort(ratios)
			t.Logf("%s, B %d, T %d, I %d, H %d: least %.4f ms here, %.4f ms in ONNX Runtime; "+
				"median ratio %.2f", spec, size.B, size.T, size.I, size.H, ours, theirs, ratios[7])
			require.NoError(t, step.Close())
		}
	}
}

// exportLayer writes one layer, as wide as its input, over x [time, batch, width].
func exportLayer(spec string, inputs, width int, file string) error {
	store := nodes.NewStore(nodes.Float32, 1)
	cell, err := cells.Parse(spec)
	if err != nil {
		return err
	}
	layer := unroll.Over(cell.Sized(inputs, width).New(store.Root()))
	return onnx.ExportLayout(zoo.Layout{Name: "layer", Sizes: []string{"time", "batch"},
		Build: func(g *nodes.Graph, sizes []int) (in, out []zoo.Port) {
			x := g.Input("x", sizes[0], sizes[1], inputs)
			return []zoo.Port{{Name: "x", Node: x}},
				[]zoo.Port{{Name: "y", Node: layer.Unroll(x, nil, unroll.Options{}).Y()}}
		}}, store, file, onnx.ExportOptions{})
}
