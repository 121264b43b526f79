package train

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/memtest"
	"github.com/seqzoo/seqzoo/internal/safetensors"
)

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
			_, err = checkedCheckpoint(f, func(*outline) error { return nil })
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
