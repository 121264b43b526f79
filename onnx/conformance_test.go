package onnx_test

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seqzoo/seqzoo/onnx"
	"github.com/stretchr/testify/require"
)

var table = flag.Bool("table", false, "print what became of each of ONNX's node tests")

// onnxData is where Debian's libonnx-testdata keeps ONNX's own tests, nodeTests those of operators.
const (
	onnxData  = "/usr/share/libonnx-testdata/data"
	nodeTests = onnxData + "/node"
)

// readTensor reads a tensor of the given type, which tells bfloat16 from the uint16 that ONNX 1.12
// writes in its place.
func readTensor(file string, as onnx.Type) (onnx.Tensor, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return onnx.Tensor{}, err
	}
	t, err := onnx.DecodeTensor(content)
	if err == nil && as == onnx.BFloat16 && t.Type() == onnx.Uint16 {
		numbers := make([]float32, t.Len())
		for i, bits := range t.Ints() {
			numbers[i] = math.Float32frombits(uint32(bits) << 16)
		}
		return onnx.Of(as, numbers, t.Shape()...), nil
	}
	return t, err
}

// outside are the operators, beyond what the package sets out to read, that ONNX's tests are
// refused for: training, randomness, strings, and geometry of images.
var outside = []string{"ai.onnx.preview.training.Adagrad", "ai.onnx.preview.training.Adam",
	"ai.onnx.preview.training.Momentum", "ai.onnx.preview.training.Gradient", "Bernoulli",
	"RandomUniformLike", "StringNormalizer",
	"TfIdfVectorizer", "Det", "GridSample", "RoiAlign", "NonMaxSuppression", "MaxUnpool", "Unique"}

// mayRefuse reports whether a model may be refused so: for an operator outside of the list, for
// values that are no tensors, and for a dropout whose random numbers are those of another library.
func mayRefuse(err error) bool {
	var u *onnx.UnsupportedError
	if errors.As(err, &u) {
		for op := range u.Operators {
			if !slices.Contains(outside, op) && !strings.Contains(op, "Sequence") {
				return false
			}
		}
		return true
	}
	return strings.Contains(err.Error(), "it is no tensor: sequences, maps and optional values") ||
		strings.Contains(err.Error(), "a dropout that is active drops at random")
}

// filled is an example of a type, the second operand of a CastLike, of the shape that its model
// declares: ONNX 1.12 wrote one element for it.
func filled(info onnx.Info, t onnx.Tensor) onnx.Tensor {
	n := 1
	var shape []int
	for _, d := range info.Shape {
		shape, n = append(shape, d.Size), n*d.Size
	}
	if info.Name != "like" || t.Len() != 1 || n == 1 {
		return t
	}
	return onnx.Of(t.Type(), make([]float32, n), shape...)
}

// nodeTest runs one test and says what is wrong. Refused is what a model says that cannot be run.
func nodeTest(dir string) (refused, failed error) {
	defer func() {
		if r := recover(); r != nil {
			failed = fmt.Errorf("panic: %v", r)
		}
	}()
	m, err := onnx.Import(filepath.Join(dir, "model.onnx"))
	if err != nil {
		return err, nil
	}
	sets, _ := filepath.Glob(filepath.Join(dir, "test_data_set_*"))
	for _, set := range sets {
		in := onnx.Values{}
		for i, info := range m.Inputs() {
			t, err := readTensor(filepath.Join(set, fmt.Sprintf("input_%d.pb", i)), info.Type)
			if err != nil {
				return err, nil
			}
			in[info.Name] = filled(info, t)
		}
		out, err := m.Run(in)
		if err != nil {
			return err, nil
		}
		for i, info := range m.Outputs() {
			want, err := readTensor(filepath.Join(set, fmt.Sprintf("output_%d.pb", i)), info.Type)
			if err != nil {
				return err, nil
			}
			if err := sameTensor(out[info.Name], want, tolerance(dir)); err != nil {
				return nil, fmt.Errorf("output %s: %w", info.Name, err)
			}
		}
	}
	return nil, nil
}

// tolerance is the relative error of a test. ONNX's own runner allows 1e-3 throughout, which the
// windows need: their graphs have 3.1415 for π, their results have not.
func tolerance(dir string) float64 {
	if strings.Contains(dir, "window") {
		return 1e-3
	}
	return 1e-4
}

func sameTensor(got, want onnx.Tensor, relative float64) error {
	if got.Type() != want.Type() || !slices.Equal(got.Shape(), want.Shape()) {
		return fmt.Errorf("%v, want %v", got, want)
	}
	if got.Type() == onnx.String {
		if !slices.Equal(got.Strings(), want.Strings()) {
			return fmt.Errorf("%q, want %q", got.Strings(), want.Strings())
		}
		return nil
	}
	a, b := got.Float64s(), want.Float64s()
	if got.Type() == onnx.BFloat16 {
		relative = 1. / 128 // ONNX 1.12 cuts off what it does not hold, in place of rounding
	}
	for i := range a {
		if a[i] != b[i] && !(math.IsNaN(a[i]) && math.IsNaN(b[i])) &&
			!(math.Abs(a[i]-b[i]) <= 1e-5+relative*math.Abs(b[i])) {
			return fmt.Errorf("element %d is %g, want %g", i, a[i], b[i])
		}
	}
	return nil
}

// TestNodes runs ONNX's own tests, of single operators and of small models, some of them written by
// the first PyTorch that could, each of which passes or is refused.
func TestNodes(t *testing.T) {
	for _, kind := range []string{"node", "pytorch-converted", "pytorch-operator", "simple"} {
		t.Run(kind, func(t *testing.T) {
			dirs, _ := filepath.Glob(filepath.Join(onnxData, kind, "test_*"))
			if len(dirs) == 0 {
				t.Skip("there is no libonnx-testdata: ONNX's own tests are not run")
			}
			passed, refused := 0, 0
			for _, dir := range dirs {
				name := filepath.Base(dir)
				no, bad := nodeTest(dir)
				switch {
				case bad != nil:
					t.Errorf("%s: %v", name, bad)
				case no != nil:
					require.True(t, mayRefuse(no), "%s: %v", name, no)
					refused++
					if *table {
						fmt.Printf("refused %s: %v\n", name,
							strings.TrimPrefix(no.Error(), "onnx: "))
					}
				default:
					passed++
					if *table {
						fmt.Println("passed", name)
					}
				}
			}
			t.Logf("%d passed, %d refused, of %d", passed, refused, len(dirs))
			require.Greater(t, passed, 0)
		})
	}
}
