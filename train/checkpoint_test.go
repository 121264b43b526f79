package train

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/internal/safetensors"
	"github.com/seqzoo/seqzoo/rng"
)

var sampleTime = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)

func dense32(shape []int, values ...float32) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))
}

func dense64(shape []int, values ...float64) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))
}

// sampleCheckpoint has one of everything; its values are functions of step.
func sampleCheckpoint(step int) *Checkpoint {
	k := rng.New(uint64(step))
	w := dense32([]int{2, 3}, float32(k.Normal(0)), 1, -2, 1e-45, float32(math.Inf(-1)),
		math.Float32frombits(0x7fc00001))
	return &Checkpoint{
		Step: step,
		Params: map[string]*tensor.Dense{
			"encoder/l0/W_ih": w,
			"encoder/l0/b":    dense64([]int{1, 2}, k.Normal(1), math.Copysign(0, -1)),
			"scale":           tensor.New(tensor.FromScalar(k.Normal(2))),
		},
		States: map[string]State{
			"optimizer": {Kind: "adam", Step: step,
				Scalars: map[string]float64{"lr": 1e-3, "encoder/l0/W_ih/steps": float64(step)},
				Tensors: map[string]*tensor.Dense{"encoder/l0/W_ih/exp_avg": w.Clone().(*tensor.Dense)}},
			"schedule": {Kind: "plateau", Scalars: map[string]float64{"best": math.Inf(1)},
				Tensors: map[string]*tensor.Dense{}},
		},
		Tensors: map[string]*tensor.Dense{"carry/0": dense32([]int{1, 1}, float32(step)),
			"x": tensor.New(tensor.FromScalar(float32(0.5)))},
		Counters: map[string]uint64{"seed": math.MaxUint64, "data/batch": uint64(step)},
		Text: map[string]string{"config": `{"cell":"lstm","hidden":7}`,
			"history": "step,loss\n1,0.5\n", "日本": ""},
	}
}

func checkpointBytes(t testing.TB, c *Checkpoint) []byte {
	var b bytes.Buffer
	require.NoError(t, c.Write(&b))
	return b.Bytes()
}

// sameCheckpoint compares through the file format, in which equal means equal to the bit, NaNs
// included.
func sameCheckpoint(t testing.TB, want, got *Checkpoint) {
	require.Equal(t, want.Step, got.Step)
	require.True(t, bytes.Equal(checkpointBytes(t, want), checkpointBytes(t, got)),
		"checkpoints differ")
}

func openCheckpoints(t testing.TB, dir string, keep int) *Checkpoints {
	s, err := OpenCheckpoints(dir, keep)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func files(t testing.TB, dir string) (names []string) {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestCheckpointRoundTrip(t *testing.T) {
	s := openCheckpoints(t, filepath.Join(t.TempDir(), "new", "dir"), 0)
	for _, c := range []*Checkpoint{{}, sampleCheckpoint(7), sampleCheckpoint(math.MaxInt)} {
		require.NoError(t, s.Save(c))
		got, err := s.Latest()
		require.NoError(t, err)
		sameCheckpoint(t, c, got)
		require.Equal(t, c.Counters["seed"], got.Counters["seed"])
		require.Equal(t, len(c.States), len(got.States))
		for name, d := range c.Params {
			require.Equal(t, d.Shape(), got.Params[name].Shape(), name)
			require.Equal(t, d.Dtype(), got.Params[name].Dtype(), name)
		}
	}
	got, err := s.Latest()
	require.NoError(t, err)
	want := sampleCheckpoint(math.MaxInt)
	require.Equal(t, want.States["schedule"], got.States["schedule"])
	require.Equal(t, want.Text, got.Text)
	require.Equal(t, want.Counters, got.Counters)
	require.Equal(t, math.Float32bits(want.Params["encoder/l0/W_ih"].Float32s()[5]),
		math.Float32bits(got.Params["encoder/l0/W_ih"].Float32s()[5]))
}

func TestCheckpointRoundTripRandom(t *testing.T) {
	name := rapid.StringMatching(`[a-zA-Z0-9_/日 ]{0,12}`)
	number := rapid.Custom(func(t *rapid.T) float64 { return math.Float64frombits(rapid.Uint64().Draw(t, "bits")) })
	array := rapid.Custom(func(t *rapid.T) *tensor.Dense {
		shape := rapid.SliceOfN(rapid.SampledFrom([]int{1, 2, 3, 7}), 0, 3).Draw(t, "shape")
		n := 1
		for _, d := range shape {
			n *= d
		}
		values := rapid.SliceOfN(number, n, n).Draw(t, "values")
		switch {
		case len(shape) == 0:
			return tensor.New(tensor.FromScalar(values[0]))
		case rapid.Bool().Draw(t, "single"):
			single := make([]float32, n)
			for i, v := range values {
				single[i] = math.Float32frombits(uint32(math.Float64bits(v)))
			}
			return dense32(shape, single...)
		}
		return dense64(shape, values...)
	})
	rapid.Check(t, func(t *rapid.T) {
		arrays := rapid.MapOfN(name, array, 0, 4)
		c := &Checkpoint{
			Step:    rapid.IntRange(0, math.MaxInt).Draw(t, "step"),
			Params:  arrays.Draw(t, "params"),
			Tensors: arrays.Draw(t, "tensors"),
			States: map[string]State{
				"": {Scalars: rapid.MapOfN(name, number, 0, 4).Draw(t, "scalars"),
					Tensors: arrays.Draw(t, "moments")},
			},
			Counters: rapid.MapOfN(name, rapid.Uint64(), 0, 4).Draw(t, "counters"),
			Text:     rapid.MapOfN(name, rapid.String(), 0, 4).Draw(t, "text"),
		}
		var first, second bytes.Buffer
		require.NoError(t, c.Write(&first))
		f, err := safetensors.Read(bytes.NewReader(first.Bytes()), int64(first.Len()))
		require.NoError(t, err)
		got, err := decodeCheckpoint(f)
		require.NoError(t, err)
		require.NoError(t, got.Write(&second))
		require.True(t, bytes.Equal(first.Bytes(), second.Bytes()))
	})
}

func TestCheckpointRefusesToBeWritten(t *testing.T) {
	transposed := dense32([]int{2, 3}, 1, 2, 3, 4, 5, 6)
	require.NoError(t, transposed.T())
	one := func(d *tensor.Dense) map[string]*tensor.Dense { return map[string]*tensor.Dense{"W": d} }
	for want, c := range map[string]*Checkpoint{
		"Step is -1":                {Step: -1},
		`"param/W" has no values`:   {Params: one(nil)},
		`"tensor/W" has no values`:  {Tensors: one(new(tensor.Dense))},
		`"param/W" of shape (3, 2)`: {Params: one(transposed)},
		`"param/W" has type int`: {Params: one(tensor.New(tensor.WithShape(1),
			tensor.WithBacking([]int{1})))},
		"at most 8 axes": {Params: one(dense64(slices.Repeat([]int{1}, 9),
			1))},
		`state "a/b"`:                          {States: map[string]State{"a/b": {}}},
		`state "a" at step -2`:                 {States: map[string]State{"a": {Step: -2}}},
		`"state/a/tensor/W" has no values`:     {States: map[string]State{"a": {Tensors: one(nil)}}},
		`name "counter/\xff": invalid UTF-8`:   {Counters: map[string]uint64{"\xff": 1}},
		`metadata "text/a": invalid UTF-8`:     {Text: map[string]string{"a": "\xff"}},
		`metadata "state/\xff": invalid UTF-8`: {States: map[string]State{"\xff": {}}},
	} {
		s := openCheckpoints(t, t.TempDir(), 1)
		err := s.Save(c)
		require.ErrorContains(t, err, want)
		require.Equal(t, []string{".lock"}, files(t, s.dir))
	}
}

func TestApply(t *testing.T) {
	c := sampleCheckpoint(3)
	model := map[string]*tensor.Dense{
		"encoder/l0/W_ih": dense32([]int{2, 3}, make([]float32, 6)...),
		"encoder/l0/b":    dense64([]int{1, 2}, 0, 0),
		"scale":           tensor.New(tensor.FromScalar(0.)),
	}
	backing := model["encoder/l0/b"].Float64s()
	require.NoError(t, c.Apply(model))
	sameCheckpoint(t, &Checkpoint{Params: c.Params}, &Checkpoint{Params: model})
	require.Equal(t, c.Params["encoder/l0/b"].Float64s(), backing, "values are copied in place")

	other := map[string]*tensor.Dense{
		"encoder/l0/W_ih": dense32([]int{3, 2}, make([]float32, 6)...),
		"encoder/l0/b":    dense32([]int{1, 2}, 0, 0),
		"decoder/b":       dense32([]int{1}, 0),
		"none":            nil,
		"zero":            new(tensor.Dense),
	}
	c.Params["none"], c.Params["zero"] = dense32([]int{1}, 1), dense32([]int{1}, 1)
	require.EqualError(t, c.Apply(other), `train: the checkpoint is of another architecture, 6 parameters differ:
	decoder/b: missing in the checkpoint
	encoder/l0/W_ih: float32 [2 3] in the checkpoint, float32 [3 2] in the model
	encoder/l0/b: float64 [1 2] in the checkpoint, float32 [1 2] in the model
	none: in the model it has no values
	scale: in the checkpoint, but not in the model
	zero: in the model it has no values`)
	require.Zero(t, other["decoder/b"].Float32s()[0])

	many := map[string]*tensor.Dense{}
	for i := range 40 {
		many[fmt.Sprintf("l%02d/W", i)] = dense32([]int{1}, 0)
	}
	err := (&Checkpoint{Params: many}).Apply(nil)
	require.Equal(t, 11, len(strings.Split(err.Error(), "\n")))
	require.True(t, strings.HasSuffix(err.Error(),
		"l08/W: in the checkpoint, but not in the model\n\tand 31 more"), err)
	require.NoError(t, new(Checkpoint).Apply(nil))
}

func BenchmarkSave(b *testing.B) {
	for _, n := range []int{1 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("params=%d", n), func(b *testing.B) {
			s := openCheckpoints(b, b.TempDir(), 2)
			w := func() map[string]*tensor.Dense {
				return map[string]*tensor.Dense{"W": dense32([]int{n}, make([]float32, n)...)}
			}
			c := &Checkpoint{Params: w(),
				States: map[string]State{"optimizer": {Tensors: map[string]*tensor.Dense{"m": w()["W"], "v": w()["W"]}}}}
			b.SetBytes(int64(3 * 4 * n))
			for b.Loop() {
				c.Step++
				require.NoError(b, s.Save(c))
			}
		})
	}
}
