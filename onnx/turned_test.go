package onnx_test

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/onnx"
	"github.com/seqzoo/seqzoo/run"
)

// Weights that are read transposed are turned round once, as long as nobody has asked for the
// parameters. The numbers are the same to the bit, and follow when parameters are changed later on.
func TestWeightsThatAreTurnedFollowTheParameters(t *testing.T) {
	dirs, err := filepath.Glob("testdata/conformance/*")
	require.NoError(t, err)
	require.NotEmpty(t, dirs)
	change := func(m *onnx.Model, by float64) {
		for _, p := range m.Params().Params() {
			f := run.ParamFloats(p)
			for i := range f.Len() {
				f.Set(i, f.At(i)*by)
			}
		}
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			c, plain := readCase(t, dir), readCase(t, dir).model
			change(plain, 1) // which asks for them
			shapes := map[string][]int{}
			for name, x := range c.in {
				shapes[name] = x.Shape()
			}
			// what does not depend on an input's value can be compiled beforehand
			step, err := c.model.Compile(shapes, nil)
			if err == nil {
				for name, x := range c.in {
					if ints := step.Ints(name); ints != nil {
						copy(ints, x.Ints())
					} else {
						step.Floats(name).Put64(0, x.Float64s())
					}
				}
				defer step.Close()
			}
			for _, by := range []float64{1, 1, 0.5, 1.5} {
				if by != 1 {
					change(c.model, by)
					change(plain, by)
				}
				want, err := plain.Run(c.in)
				require.NoError(t, err)
				got, err := c.model.Run(c.in)
				require.NoError(t, err)
				if step != nil {
					require.NoError(t, step.Run())
				}
				for name, x := range want {
					require.Equal(t, x.Float64s(), got[name].Float64s(),
						"%s, parameters changed by %g", name, by)
					if step != nil {
						v, err := step.Value(name)
						require.NoError(t, err)
						require.Equal(t, x.Float64s(), v.Float64s(), "%s, compiled, changed by %g",
							name, by)
					}
				}
			}
			file := filepath.Join(t.TempDir(), "m.onnx")
			require.NoError(t, c.model.Save(file))
			saved, err := onnx.Import(file)
			require.NoError(t, err)
			want, err := plain.Run(c.in)
			require.NoError(t, err)
			got, err := saved.Run(c.in)
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

// Many goroutines run a model whose parameters are asked for meanwhile.
func TestWeightsThatAreTurnedInManyGoroutines(t *testing.T) {
	c := readCase(t, "testdata/conformance/torch_lstm_13_stacked")
	want, err := c.model.Run(c.in)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for k := range 5 {
				if i == 0 && k == 2 {
					c.model.Params()
				}
				got, err := c.model.Run(c.in)
				if err != nil {
					t.Error(err)
					return
				}
				for name, x := range want {
					if !slices.Equal(x.Float64s(), got[name].Float64s()) {
						t.Errorf("%s differs", name)
					}
				}
			}
		})
	}
	wg.Wait()
}
