package onnx_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/run"
)

// conformanceCase is a folder of testdata/conformance; see make_conformance.py there.
type conformanceCase struct {
	model     *onnx.Model
	in        onnx.Values
	out       map[string]onnx.Tensor
	cotangent map[string]onnx.Tensor
	gradient  map[string]onnx.Tensor
}

func readCase(t *testing.T, dir string) conformanceCase {
	t.Helper()
	m, err := onnx.Import(filepath.Join(dir, "model.onnx"))
	require.NoError(t, err)
	c := conformanceCase{model: m, in: onnx.Values{}}
	for what, to := range map[string]*map[string]onnx.Tensor{"input": (*map[string]onnx.Tensor)(&c.in),
		"output": &c.out, "cotangent": &c.cotangent, "gradient": &c.gradient} {
		*to = map[string]onnx.Tensor{}
		files, err := filepath.Glob(filepath.Join(dir, "test_data_set_0", what+"_*.pb"))
		require.NoError(t, err)
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			name, x, err := onnx.DecodeNamed(content)
			require.NoError(t, err)
			(*to)[name] = x
		}
	}
	return c
}

func requireNear(t *testing.T, want onnx.Tensor, got []float64, tolerance float64, what string) {
	t.Helper()
	ws := want.Float64s()
	require.Len(t, got, len(ws), what)
	for i, w := range ws {
		if !(math.Abs(w-got[i]) <= tolerance*(1+math.Abs(w))) {
			t.Fatalf("%s: element %d of %v is %g, want %g", what, i, want.Shape(), got[i], w)
		}
	}
}

// gradients runs a case in a graph of its own and returns the gradients by name.
func (c conformanceCase) gradients(t *testing.T) map[string][]float64 {
	t.Helper()
	var outputs []*nodes.Node
	var names []string
	inputs := map[string]*nodes.Node{}
	g := nodes.NewGraph(nodes.Options{Dtype: c.model.Dtype()})
	require.NoError(t, nodes.Try(func() {
		for _, in := range c.model.Inputs() {
			x := c.in[in.Name]
			if x.Type() == onnx.Float32 {
				inputs[in.Name] = g.Input(in.Name, x.Shape()...)
			} else {
				inputs[in.Name] = g.IntInput(in.Name, x.Shape()...)
			}
		}
	}))
	outs, err := c.model.Build(g, inputs, nil)
	require.NoError(t, err)
	cotangents := map[string]*nodes.Node{}
	require.NoError(t, nodes.Try(func() {
		var loss *nodes.Node
		for _, name := range sortedNames(outs) {
			y := outs[name]
			cot := g.Input("cotangent "+name, y.Shape()...)
			cotangents[name] = cot
			if part := nodes.Sum(nodes.Mul(cot, y)); loss == nil {
				loss = part
			} else {
				loss = nodes.Add(loss, part)
			}
		}
		var wrt []nodes.Operand
		for _, name := range sortedNames(c.gradient) {
			names = append(names, name)
			if n := inputs[name]; n != nil {
				wrt = append(wrt, n)
				continue
			}
			p, ok := c.model.Params().Get(name)
			if !ok {
				nodes.Failf("Gradients", "no parameter %q", name)
			}
			wrt = append(wrt, p)
		}
		outputs = g.Gradients(loss, wrt...)
	}))
	step, err := run.New(outputs)
	require.NoError(t, err)
	defer step.Close()
	var in run.Inputs
	for name, n := range inputs {
		if n.Dtype() == nodes.Int {
			copy(in.Ints(n), c.in[name].Ints())
		} else {
			in.Floats(n).Put64(0, c.in[name].Float64s())
		}
	}
	for name, n := range cotangents {
		in.Floats(n).Put64(0, c.cotangent[name].Float64s())
	}
	require.NoError(t, in.Err())
	require.NoError(t, step.Run(0, 0))
	grads := map[string][]float64{}
	for i, name := range names {
		grads[name] = step.Output(i).Float64s()
	}
	return grads
}

func sortedNames[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// The suite of our own: recurrent operators and PyTorch's exports, with values and gradients that
// PyTorch computed in float64.
func TestConformance(t *testing.T) {
	dirs, err := filepath.Glob("testdata/conformance/*")
	require.NoError(t, err)
	require.NotEmpty(t, dirs)
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			c := readCase(t, dir)
			require.NotEmpty(t, c.gradient)
			for range 2 { // the second time with what was compiled for the first
				out, err := c.model.Run(c.in)
				require.NoError(t, err)
				require.Len(t, out, len(c.out))
				for name, want := range c.out {
					requireNear(t, want, out[name].Float64s(), 1e-5, name)
					require.Equal(t, want.Shape(), out[name].Shape())
				}
			}
			for name, got := range c.gradients(t) {
				requireNear(t, c.gradient[name], got, 5e-5, fmt.Sprintf("gradient of %s", name))
			}
		})
	}
}
