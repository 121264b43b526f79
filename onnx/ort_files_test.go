package onnx_test

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/rng"
)

// Every .onnx file below the folder that SEQZOO_FILES names gives what it gives in ONNX Runtime, on
// numbers drawn for sizes of the axes that it leaves open: the first axis is a batch of one or two.
// What the runtime itself refuses for such sizes is passed over.
func TestRuntimeFiles(t *testing.T) {
	dir := os.Getenv("SEQZOO_FILES")
	if dir == "" {
		t.Skip("SEQZOO_FILES names no folder of models")
	}
	var files []string
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".onnx" {
			files = append(files, path)
		}
		return err
	}))
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			r := startRuntime(t)
			m, err := onnx.Import(file)
			require.NoError(t, err)
			runs, worst := 0, 0.0
			for _, size := range []int{1, 5, 32, 76, 160, 1280} {
				in, ok := drawnInputs(m, size)
				if !ok {
					continue
				}
				theirs, _, err := r.run(file, in, 1)
				if err != nil {
					t.Logf("size %d: the runtime says %v", size, err)
					continue
				}
				ours, err := m.Run(in)
				if err != nil && strings.Contains(err.Error(), "does not fit into") {
					t.Logf("size %d: %v", size, err) // the runtime gives a result without elements
					continue
				}
				require.NoError(t, err)
				runs++
				for name, x := range theirs {
					require.Equal(t, x.Dims, append([]int{}, ours[name].Shape()...), name)
					for i, v := range ours[name].Float64s() {
						if w := x.Data[i]; v != w && !(math.IsNaN(v) && math.IsNaN(w)) {
							worst = max(worst, math.Abs(v-w)/(1+math.Abs(w)))
						}
					}
				}
			}
			t.Logf("%s, operator set %d, %d runs: the greatest difference is %.2g", m.Producer(),
				m.Opset(), runs, worst)
			require.Less(t, worst, 1e-4)
			require.Positive(t, runs, "no size suits the model")
		})
	}
}

// drawnInputs are numbers around 0 and rates of 16,000 for the inputs of a model; false if they
// would be too many for the text that goes to the runtime.
func drawnInputs(m *onnx.Model, size int) (in onnx.Values, ok bool) {
	in = onnx.Values{}
	for _, info := range m.Inputs() {
		shape, n := []int{}, 1
		for i, d := range info.Shape {
			k := d.Size
			if k < 0 {
				if k = size; i == 0 && len(info.Shape) > 1 {
					k = min(size, 2)
				}
			}
			shape, n = append(shape, k), n*k
		}
		if n > 400_000 {
			return nil, false
		}
		numbers, key := make([]float64, n), rng.New(3).Named(info.Name)
		for i := range numbers {
			if numbers[i] = key.Normal(uint64(i)); info.Type == onnx.Int64 {
				numbers[i] = 16_000
			}
		}
		in[info.Name] = onnx.Of(info.Type, numbers, shape...)
	}
	return in, true
}
