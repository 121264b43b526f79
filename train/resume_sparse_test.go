package train_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/memtest"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

// inflate makes the tensors of a checkpoint's file whose names end so ones of a gigabyte and more,
// in a file that takes no room on a disk.
func inflate(t *testing.T, path, suffix string) {
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	n := binary.LittleEndian.Uint64(content)
	var header map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(content[8:8+n], &header))
	end, found := 0, false
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if name == "__metadata__" {
			continue
		}
		var entry struct {
			DType   string `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets [2]int `json:"data_offsets"`
		}
		require.NoError(t, json.Unmarshal(header[name], &entry))
		size := entry.Offsets[1] - entry.Offsets[0]
		if strings.HasSuffix(name, suffix) && !found {
			found = true
			entry.Shape = []int{1 << 28}
			size = 1 << 30
			if entry.DType == "F64" {
				size = 1 << 31
			}
		}
		entry.Offsets = [2]int{end, end + size}
		end += size
		header[name], err = json.Marshal(entry)
		require.NoError(t, err)
	}
	require.True(t, found, suffix)
	written, err := json.Marshal(header)
	require.NoError(t, err)
	written = append(written, strings.Repeat(" ", int(n)+1<<10)...)
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(written))), written...))
	require.NoError(t, err)
	require.NoError(t, f.Truncate(int64(8+len(written)+end)))
}

// The shapes in a checkpoint are compared before memory is taken for its values, of weights, of
// what an optimizer keeps, and of what the task saved.
func TestResumeComparesShapesFirst(t *testing.T) {
	config := func() train.Config {
		return train.Config{Optimizer: adam(0.05), Epochs: 1, Seed: 3, RestoreBest: true}
	}
	task := func() train.Task { return smallLM(t, unroll.Window{Stride: 5}) }
	dir := tempDir(t)
	_, _, err := fit(t, context.Background(), dir, task(), config())
	require.NoError(t, err)
	paths, err := filepath.Glob(filepath.Join(dir, "checkpoint-*"))
	require.NoError(t, err)
	path := paths[len(paths)-1]
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for suffix, want := range map[string]string{
		"/W_ih":         "1 parameters differ",
		"/W_ih/exp_avg": "is of another model",
		"carried 0":     "what the task has now",
	} {
		require.NoError(t, os.WriteFile(path, whole, 0o666))
		inflate(t, path, suffix)
		c := config()
		c.Epochs = 2
		took := memtest.Allocated(1<<28, func() {
			_, _, err = fit(t, context.Background(), dir, task(), c)
		})
		require.ErrorIs(t, err, train.ErrOtherModel)
		require.ErrorContains(t, err, want)
		require.Less(t, took, 1<<28)
	}
}
