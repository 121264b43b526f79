package train

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/internal/memtest"
	"github.com/seqzoo/seqzoo/internal/rng"
	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/internal/safefile/safefiletest"
	"github.com/seqzoo/seqzoo/internal/safetensors"
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

func TestCheckpointsKeepTheLastAndTheBest(t *testing.T) {
	dir := t.TempDir()
	s := openCheckpoints(t, dir, 0)
	_, err := s.Latest()
	require.ErrorIs(t, err, ErrNoCheckpoint)
	_, err = s.Best()
	require.ErrorIs(t, err, ErrNoCheckpoint)
	for step := range 5 {
		require.NoError(t, s.Save(sampleCheckpoint(step)))
	}
	require.NoError(t, s.SaveBest(sampleCheckpoint(1)))
	want := []string{".lock", "best.safetensors", "checkpoint-0000000003.safetensors",
		"checkpoint-0000000004.safetensors"}
	require.Equal(t, want, files(t, dir))
	require.NoError(t, s.Save(sampleCheckpoint(4)), "the same step again")
	require.Equal(t, want, files(t, dir))

	err = s.Save(sampleCheckpoint(2))
	require.ErrorContains(t, err, "checkpoint of step 2: "+dir+" holds one of step 4")
	best, err := s.Best()
	require.NoError(t, err)
	sameCheckpoint(t, sampleCheckpoint(1), best)

	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.ErrorContains(t, s.Save(sampleCheckpoint(9)), "closed")
	for _, name := range []string{"checkpoint-9.safetensors",
		"checkpoint-0000000008.safetensors.bak", "checkpoint-.safetensors",
		"checkpoint--000000001.safetensors", "notes.txt", ".seqzoo-1-1.tmp"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o666))
	}
	s = openCheckpoints(t, dir, 1)
	require.NotContains(t, files(t, dir), ".seqzoo-1-1.tmp")
	latest, err := s.Latest()
	require.NoError(t, err)
	sameCheckpoint(t, sampleCheckpoint(4), latest)
	require.NoError(t, s.Save(sampleCheckpoint(9_999_999_999)))
	require.NoError(t, s.Close())
	s = openCheckpoints(t, dir, 2)
	require.NoError(t, s.Save(sampleCheckpoint(10_000_000_000)), "more digits than usual")
	require.NoError(t, s.Close())
	s = openCheckpoints(t, dir, 2)
	require.Equal(t, []int{9_999_999_999, 10_000_000_000}, s.steps)
	require.Contains(t, files(t, dir), "notes.txt")
	require.NotContains(t, files(t, dir), "checkpoint-0000000004.safetensors")
}

func TestOpenCheckpointsErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenCheckpoints(dir, -1)
	require.ErrorContains(t, err, "the number to keep is -1")
	first := openCheckpoints(t, dir, 1)
	_, err = OpenCheckpoints(dir, 1)
	var locked *safefile.LockedError
	require.ErrorAs(t, err, &locked)
	require.EqualError(t, err, fmt.Sprintf("train: checkpoints: %s is in use by process %d", dir,
		os.Getpid()))
	require.NoError(t, first.Close())
	openCheckpoints(t, dir, 1)

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	_, err = OpenCheckpoints(file, 1)
	require.ErrorContains(t, err, file)
	_, err = OpenCheckpoints("", 1)
	require.Error(t, err)
}

// A damaged file is never passed over for an older one.
func TestLatestNamesTheDamagedFile(t *testing.T) {
	dir := t.TempDir()
	s := openCheckpoints(t, dir, 3)
	for step := range 3 {
		require.NoError(t, s.Save(sampleCheckpoint(step)))
	}
	path := s.path(2)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	damaged := slices.Clone(whole)
	damaged[len(damaged)-3] ^= 4
	for want, content := range map[error][]byte{
		safetensors.ErrChecksum:  damaged,
		safetensors.ErrTruncated: whole[:len(whole)-1],
		safetensors.ErrTrailing:  append(slices.Clone(whole), 0),
	} {
		require.NoError(t, os.WriteFile(path, content, 0o666))
		_, err = s.Latest()
		require.ErrorIs(t, err, want)
		require.ErrorContains(t, err, path)
	}
	require.NoError(t, os.Rename(s.path(1), path))
	_, err = s.Latest()
	require.ErrorContains(t, err, path+" is of step 1: it was renamed")
	require.NoError(t, os.Remove(path))
	_, err = s.Latest()
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, path)
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

// Files that are whole safetensors and yet no checkpoints.
func TestForeignCheckpoints(t *testing.T) {
	type tensors = []safetensors.Tensor
	scalar := func(name string, v uint64) safetensors.Tensor {
		return safetensors.New(name, nil,
			[]uint64{v})
	}
	good := map[string]string{formatKey: "1"}
	with := func(key, value string) map[string]string {
		return map[string]string{formatKey: "1",
			key: value}
	}
	for want, c := range map[string]struct {
		tensors  tensors
		metadata map[string]string
	}{
		"holds no checkpoint": {tensors{safetensors.New("W", []int{1},
			[]float32{1})}, map[string]string{"format": "pt"}},
		"it holds no checkpoint of a training run": {nil, map[string]string{formatKey: "0"}},
		"made by checkpoint format 2, this is format 1": {tensors{scalar("step", 1)},
			map[string]string{formatKey: "2", "new": "thing"}},
		"its step is missing": {nil, good},
		`metadata "later": unknown`: {tensors{scalar("step", 1)},
			with("later", "")},
		`metadata "state/a/b": unknown`: {tensors{scalar("step", 1)},
			with("state/a/b", "")},
		`state "a": its step is missing`: {tensors{scalar("step", 1)},
			with("state/a", "sgd")},
		`tensor "W": unknown`:            {tensors{scalar("W", 1)}, good},
		`tensor "state/a/step": unknown`: {tensors{scalar("state/a/step", 1)}, good},
		`tensor "state/a/speed": unknown`: {tensors{scalar("state/a/speed", 1)},
			with("state/a", "sgd")},
		`tensor "step": 9223372036854775808 overf`: {tensors{scalar("step", 1<<63)}, good},
		`tensor "step": shape [1]`: {tensors{safetensors.New("step", []int{1},
			[]uint64{1})}, good},
		`"step" is I64, not U64`: {tensors{safetensors.New("step", nil,
			[]int64{1})}, good},
		`tensor "param/a": I64: it must be`: {tensors{safetensors.New("param/a",
			[]int{1}, []int64{1})}, good},
		`tensor "param/a": 1 axes, 0 bytes`: {tensors{safetensors.New("param/a",
			[]int{0}, []float32{})}, good},
		`tensor "param/a": 9 axes`: {tensors{safetensors.New("param/a",
			slices.Repeat([]int{1}, 9), []float32{1})}, good},
		`tensor "state/a/scalar/lr": shape [0]`: {tensors{safetensors.New("state/a/scalar/lr", []int{0}, []float64{})}, with("state/a", "")},
	} {
		path := filepath.Join(t.TempDir(), "a.safetensors")
		var b bytes.Buffer
		require.NoError(t, safetensors.Write(&b, c.tensors, c.metadata))
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o666))
		_, err := ReadCheckpoint(path)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, path)
	}
	path := filepath.Join(t.TempDir(), "a.safetensors")
	require.NoError(t, os.WriteFile(path, unchecked(t, sampleCheckpoint(1)), 0o666))
	_, err := ReadCheckpoint(path)
	require.ErrorContains(t, err, path+": it has no checksum")
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

// storedSteps opens dir as the next start would, and checks that nothing is left over and all is
// whole.
func storedSteps(t *testing.T, dir string) (steps []int) {
	s, err := OpenCheckpoints(dir, 2)
	require.NoError(t, err)
	defer s.Close()
	for _, name := range files(t, dir) {
		require.NotContains(t, name, ".tmp")
	}
	for _, step := range s.steps {
		c, err := ReadCheckpoint(s.path(step))
		require.NoError(t, err)
		sameCheckpoint(t, sampleCheckpoint(step), c)
	}
	if best, err := s.Best(); err == nil {
		sameCheckpoint(t, sampleCheckpoint(best.Step), best)
		steps = append(steps, -best.Step)
	}
	latest, err := s.Latest()
	require.NoError(t, err)
	require.Equal(t, latest.Step, s.steps[len(s.steps)-1])
	return append(steps, s.steps...)
}

// twoSaved makes a directory with the checkpoints 1 and 2 and with 1 as the best.
func twoSaved(t *testing.T) string {
	dir := t.TempDir()
	s := openCheckpoints(t, dir, 2)
	require.NoError(t, s.Save(sampleCheckpoint(1)))
	require.NoError(t, s.SaveBest(sampleCheckpoint(1)))
	require.NoError(t, s.Save(sampleCheckpoint(2)))
	require.NoError(t, s.Close())
	return dir
}

// A crash at every call of a save, and a disk that kept all, some or nothing of what was not
// synced.
func TestCrashAtEveryCallOfSave(t *testing.T) {
	outcomes := map[string]int{}
	saved := twoSaved(t)
	for k := 1; ; k++ {
		disk, err := safefiletest.ReadDisk(saved)
		require.NoError(t, err)
		s := openCheckpoints(t, saved, 2)
		s.fs = &safefiletest.Faulty{FS: disk, At: k, Err: safefiletest.ErrCrash, Crash: true}
		err = errors.Join(s.Save(sampleCheckpoint(3)), s.SaveBest(sampleCheckpoint(3)))
		require.NoError(t, s.Close())
		for variant := range 4 {
			dir := t.TempDir()
			require.NoError(t, disk.WriteTo(dir, variant&1 > 0, variant&2 > 0))
			got := fmt.Sprint(storedSteps(t, dir))
			require.Contains(t, []string{"[-1 1 2]", "[-1 1 2 3]", "[-1 2 3]", "[-3 2 3]",
				"[-3 1 2 3]"}, got, "crash at call %d", k)
			if err == nil {
				require.Contains(t, got, "3]", "saved, and gone")
				require.Contains(t, got, "[-3", "saved as best, and gone")
			}
			outcomes[got]++
		}
		if err == nil {
			t.Logf("a crash at each of %d calls; best (negative) and steps found after it: %v", k-1,
				outcomes)
			return
		}
		require.ErrorIs(t, err, safefiletest.ErrCrash)
	}
}

// An error at every call of a save. The next save succeeds.
func TestErrorAtEveryCallOfSave(t *testing.T) {
	for k := 1; ; k++ {
		dir := twoSaved(t)
		s := openCheckpoints(t, dir, 2)
		s.fs = &safefiletest.Faulty{FS: safefile.OS, At: k, Err: syscall.ENOSPC}
		err := s.Save(sampleCheckpoint(3))
		if err == nil {
			require.Less(t, s.fs.(*safefiletest.Faulty).Calls, k)
			t.Logf("an error at each of %d calls", k-1)
			return
		}
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.ErrorContains(t, err, dir)
		for _, name := range files(t, dir) {
			require.NotContains(t, name, ".tmp", "left over though the process lives on")
		}
		latest, err := s.Latest()
		require.NoError(t, err)
		sameCheckpoint(t, sampleCheckpoint(latest.Step), latest)
		require.NoError(t, s.Save(sampleCheckpoint(4)), "training goes on")
		require.NoError(t, s.Close())
		steps := storedSteps(t, dir)
		require.Equal(t, 4, steps[len(steps)-1])
		require.Len(t, steps, 3, "the best and two")
	}
}

// Every byte of a checkpoint flipped, every prefix, an insertion at every byte.
func TestEveryDamageToACheckpoint(t *testing.T) {
	whole := checkpointBytes(t, &Checkpoint{
		Step:   5,
		Params: map[string]*tensor.Dense{"W": dense32([]int{2, 2}, 1, 2, 3, 4)},
		States: map[string]State{"optimizer": {Kind: "sgd", Step: 5,
			Scalars: map[string]float64{"lr": 0.1}}},
		Text: map[string]string{"config": "{}"},
	})
	n := 0
	try := func(b []byte) {
		n++
		f, err := safetensors.Read(bytes.NewReader(b), int64(len(b)))
		if err == nil {
			_, err = checkedCheckpoint(f)
		}
		require.Error(t, err)
	}
	for i := range whole {
		for _, mask := range []byte{1, 0x20, 0xff} {
			b := slices.Clone(whole)
			b[i] ^= mask
			try(b)
		}
		try(whole[:i])
		for _, extra := range []byte{0, ' ', whole[i]} {
			try(slices.Insert(slices.Clone(whole), i, extra))
		}
	}
	t.Logf("%d damaged files of a checkpoint of %d bytes, all refused", n, len(whole))
}

// A directory with spaces, of another script, of 200 letters; a clock that has gone back.
func TestCheckpointPaths(t *testing.T) {
	for _, name := range []string{"with spaces", "日本語", strings.Repeat("x", 200)} {
		dir := filepath.Join(t.TempDir(), name)
		s := openCheckpoints(t, dir, 3)
		for step := range 3 {
			require.NoError(t, s.Save(sampleCheckpoint(step)))
		}
		future := sampleTime.AddDate(100, 0, 0)
		require.NoError(t, os.Chtimes(s.path(0), future, future))
		require.NoError(t, os.Chtimes(s.path(2), sampleTime, sampleTime))
		require.NoError(t, s.Close())
		s = openCheckpoints(t, dir, 3)
		latest, err := s.Latest()
		require.NoError(t, err)
		sameCheckpoint(t, sampleCheckpoint(2), latest)
	}
}

// unchecked is the file of c without a checksum, by a changed letter in its key, so that a fuzzer
// gets past it.
func unchecked(t testing.TB, c *Checkpoint) []byte {
	return bytes.Replace(checkpointBytes(t, c), []byte("seqzoo.sha256"), []byte("text/o.sha256"), 1)
}

func loadUnchecked(b []byte) (*Checkpoint, error) {
	f, err := safetensors.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	return decodeCheckpoint(f)
}

// A checkpoint of any number of small or large tensors loads within twice its size and 64 kB.
func TestMemoryOfLoading(t *testing.T) {
	var most int
	refused := 0
	for n := 1; n <= 1024; n *= 2 {
		for _, size := range []int{1, 50, 1000} {
			c := &Checkpoint{Params: map[string]*tensor.Dense{}, Text: map[string]string{},
				Counters: map[string]uint64{},
				States: map[string]State{"optimizer": {Scalars: map[string]float64{},
					Tensors: map[string]*tensor.Dense{}}}}
			for i := range n {
				name := strings.Repeat("n", i%40) + fmt.Sprint(i)
				c.Params[name] = dense64([]int{1, 1, size, 1, 1, 1, 1, 1}, make([]float64, size)...)
				c.States["optimizer"].Scalars[name] = 1
				c.States["optimizer"].Tensors[name] = c.Params[name]
				c.Text[name] = "\n"
				c.Counters[name] = 1
			}
			b := checkpointBytes(t, c)
			var err error
			got := memtest.Allocated(2*len(b)+memtest.Slack, func() { _, err = loadUnchecked(b) })
			require.NoError(t, err)
			most = max(most, got-2*len(b))
			require.LessOrEqual(t, got, 2*len(b)+memtest.Slack, "%d tensors of %d", n, size)

			// The same file from someone who left out the padding that makes room for it.
			header := b[8 : 8+binary.LittleEndian.Uint64(b)]
			bare := bytes.TrimRight(bytes.Replace(header, []byte("seqzoo.sha256"),
				[]byte("text/o.sha256"), 1), " ")
			file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(bare))), bare...)
			file = append(file, b[8+len(header):]...)
			got = memtest.Allocated(2*len(file)+memtest.Slack,
				func() { _, err = loadUnchecked(file) })
			if err != nil {
				require.ErrorIs(t, err, safetensors.ErrCrowded)
				refused++
			}
			require.LessOrEqual(t, got, 2*len(file)+memtest.Slack, "%d tensors of %d, unpadded", n,
				size)
		}
	}
	require.Positive(t, refused)
	t.Logf("most memory beyond twice the file: %d bytes", most)
}

// FuzzCheckpoint holds: no panic, bounded memory, and what is accepted is written back to the same
// checkpoint.
func FuzzCheckpoint(f *testing.F) {
	f.Add(checkpointBytes(f, sampleCheckpoint(1)))
	f.Add(unchecked(f, sampleCheckpoint(1)))
	f.Add(unchecked(f, &Checkpoint{}))
	f.Add(unchecked(f, &Checkpoint{Params: map[string]*tensor.Dense{"W": dense32([]int{2, 1}, 1,
		2)}, Counters: map[string]uint64{"": 0}}))
	f.Add(binary.LittleEndian.AppendUint64(nil, math.MaxUint64))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c *Checkpoint
		var err error
		memtest.Within(t, len(b), func() { c, err = loadUnchecked(b) })
		if err != nil {
			return
		}
		again, err := loadUnchecked(checkpointBytes(t, c))
		require.NoError(t, err)
		sameCheckpoint(t, c, again)
		require.ElementsMatch(t, slices.Collect(maps.Keys(c.Params)),
			slices.Collect(maps.Keys(again.Params)))
	})
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

// A lock that somebody removed while it was held is noticed before a checkpoint is written.
func TestSaveLooksAtTheLock(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows removes no open file")
	}
	dir := t.TempDir()
	s, err := OpenCheckpoints(dir, 0)
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Save(&Checkpoint{Step: 1}))
	require.NoError(t, os.Remove(filepath.Join(dir, ".lock")))
	require.NoError(t, s.Save(&Checkpoint{Step: 2}), "nobody has taken it since")

	require.NoError(t, os.Remove(filepath.Join(dir, ".lock")))
	other, err := OpenCheckpoints(dir, 0)
	require.NoError(t, err)
	defer other.Close()
	require.ErrorContains(t, s.Save(&Checkpoint{Step: 3}), "was removed while this process held it")
	require.ErrorContains(t, s.SaveBest(&Checkpoint{Step: 3}),
		"was removed while this process held it")
	require.NoError(t, other.Save(&Checkpoint{Step: 3}))
}
