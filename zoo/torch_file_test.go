package zoo

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/safetensors"
	"github.com/seqzoo/seqzoo/nodes"
)

// torchTensors are the tensors of a recurrent layer of 2 inputs and 3 units, each filled with
// numbers of its own.
func torchTensors(gates int, rename func(string) string) (tensors []safetensors.Tensor) {
	for i, t := range []struct {
		name  string
		shape []int
	}{{"weight_ih_l0", []int{3 * gates, 2}}, {"weight_hh_l0", []int{3 * gates, 3}},
		{"bias_ih_l0", []int{3 * gates}}, {"bias_hh_l0", []int{3 * gates}}} {
		n := t.shape[0]
		if len(t.shape) > 1 {
			n *= t.shape[1]
		}
		values := make([]float32, n)
		for k := range values {
			values[k] = float32(i+1) + float32(k)/64
		}
		tensors = append(tensors, safetensors.New(rename(t.name), t.shape, values))
	}
	return tensors
}

func writeTensors(t *testing.T, path string, tensors []safetensors.Tensor) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, safetensors.Write(f, tensors, nil))
	require.NoError(t, f.Close())
}

// recurrentStore holds one cell under "rnn".
func recurrentStore(t *testing.T, cell string) *nodes.Store {
	t.Helper()
	s := nodes.NewStore(nodes.Float32, 1)
	require.NoError(t, nodes.Try(func() {
		in := s.Root().In("rnn")
		switch cell {
		case "rnn":
			cells.NewRNN(in, cells.RNNConfig{In: 2, Hidden: 3})
		case "gru":
			cells.NewGRU(in, cells.GRUConfig{In: 2, Hidden: 3})
		case "lstm":
			cells.NewLSTM(in, cells.LSTMConfig{In: 2, Hidden: 3})
		}
	}))
	return s
}

func storeValues(s *nodes.Store) (all []any) {
	for _, p := range s.Params() {
		all = append(all, p.Value().Data())
	}
	return all
}

// A cell's names, and those that wrappers and larger models give, lead to the same weights as a
// layer's.
func TestImportTorchNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	for cell, gates := range map[string]int{"rnn": 1, "gru": 3, "lstm": 4} {
		want := recurrentStore(t, cell)
		writeTensors(t, path, torchTensors(gates, func(s string) string { return "rnn." + s }))
		require.NoError(t, ImportTorch(path, want, TorchModule{Torch: "rnn", Path: "rnn"}))
		for name, c := range map[string]struct {
			torch  string
			rename func(string) string
		}{
			"cell": {"rnn", func(s string) string {
				return "rnn." + strings.TrimSuffix(s, "_l0")
			}},
			"bare cell": {"", func(s string) string { return strings.TrimSuffix(s, "_l0") }},
			"bare":      {"", func(s string) string { return s }},
			"parallel":  {"rnn", func(s string) string { return "module.rnn." + s }},
			"compiled":  {"rnn", func(s string) string { return "_orig_mod.rnn." + s }},
			"both, inside": {"a.rnn",
				func(s string) string { return "module._orig_mod.a.module.rnn." + s }},
			"named as wrapped": {"module.rnn", func(s string) string { return "module.rnn." + s }},
			"named too fully":  {"module.rnn", func(s string) string { return "rnn." + s }},
			"prefix":           {"rnn", func(s string) string { return "net.core.rnn." + s }},
			"prefix of a cell": {"rnn", func(s string) string {
				return "net.rnn." + strings.TrimSuffix(s, "_l0")
			}},
			"unnamed": {"", func(s string) string { return "net.rnn." + s }},
		} {
			got := recurrentStore(t, cell)
			tensors := append(torchTensors(gates, c.rename), safetensors.New("other.weight",
				[]int{1}, []float32{1}))
			writeTensors(t, path, tensors)
			require.NoError(t, ImportTorch(path, got, TorchModule{Torch: c.torch, Path: "rnn"}),
				"%s %s", cell, name)
			require.Equal(t, storeValues(want), storeValues(got), "%s %s", cell, name)
		}
	}
	two := append(torchTensors(1, func(s string) string { return "a.rnn." + s }), torchTensors(1,
		func(s string) string { return "b.rnn." + s })...)
	writeTensors(t, path, two)
	require.ErrorContains(t, ImportTorch(path, recurrentStore(t, "rnn"), TorchModule{Torch: "rnn",
		Path: "rnn"}), `there 2 times, under ["a." "b."]`)
	require.NoError(t, ImportTorch(path, recurrentStore(t, "rnn"), TorchModule{Torch: "b.rnn",
		Path: "rnn"}))
	twins := append(torchTensors(1, func(s string) string { return "rnn." + s }),
		safetensors.New("module.rnn.weight_ih_l0", []int{1}, []float32{1}))
	writeTensors(t, path, twins)
	require.ErrorContains(t, ImportTorch(path, recurrentStore(t, "rnn"), TorchModule{Torch: "rnn",
		Path: "rnn"}), "are one tensor")
	typo := torchTensors(1, func(s string) string { return "encoder." + s })
	writeTensors(t, path, typo)
	err := ImportTorch(path, recurrentStore(t, "rnn"), TorchModule{Torch: "encodr", Path: "rnn"})
	require.ErrorContains(t, err,
		"encodr.weight_ih_l0 is missing; the nearest is encoder.weight_ih_l0")
	require.ErrorContains(t, err,
		"the file holds encoder.bias_hh_l0, encoder.bias_ih_l0, encoder.weight_hh_l0, "+
			"encoder.weight_ih_l0")
}

// Only what PyTorch has is written under PyTorch's names or read from them: cells of another kind
// are refused, although some have parameters of the same names and shapes.
func TestTorchRefusesCellsOfAnotherKind(t *testing.T) {
	theirs := []string{"rnn", "rnn,no_bias", "rnn,activation=relu", "gru", "gru,no_bias", "lstm",
		"lstm,no_bias", "lstm,projection=2"}
	others := []string{"rnn,activation=sigmoid", "rnn,activation=sigmoid,no_bias", "lstm,coupled",
		"lstm,coupled,no_bias", "lstm,coupled,projection=2", "gru,reset_before",
		"gru,reset_before,no_bias", "cfc,gaps", "cfc,backbone=16", "convlstm,kernel=1",
		"convlstm,height=2", "convlstm,height=2,width=2", "lstm,peephole=full"}
	for _, name := range cells.Registered() {
		if !slices.Contains(theirs, name) {
			others = append(others, name)
		}
	}
	module := TorchModule{Torch: "rnn", Path: "rnn"}
	for _, spec := range slices.Concat(theirs, others) {
		c, err := cells.Parse(spec)
		require.NoError(t, err)
		s := nodes.NewStore(nodes.Float32, 1)
		require.NoError(t, nodes.Try(func() { c.Sized(4, 4).New(s.Root().In("rnn")) }), spec)
		file := filepath.Join(t.TempDir(), "m.safetensors")
		err = ExportTorch(file, s, module)
		if slices.Contains(theirs, spec) {
			require.NoError(t, err, spec)
			continue
		}
		require.Error(t, err, spec)
		require.NoFileExists(t, file, spec)
		for _, gates := range []int{1, 3, 4} {
			writeTensors(t, file, torchTensors(gates, func(s string) string { return "rnn." + s }))
			require.ErrorContains(t, ImportTorch(file, s, module), `path "rnn": `, spec)
		}
	}
}

// Biases that are not there are 0 only if the module is said to have none.
func TestImportTorchBiases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	writeTensors(t, path, torchTensors(4, func(s string) string { return "rnn." + s })[:2])
	s := recurrentStore(t, "lstm")
	require.ErrorContains(t, ImportTorch(path, s, TorchModule{Torch: "rnn", Path: "rnn"}),
		"rnn.bias_ih_l0 is missing")
	require.NoError(t, ImportTorch(path, s, TorchModule{Torch: "rnn", Path: "rnn", NoBias: true}))
	b, ok := s.Get("rnn/b")
	require.True(t, ok)
	require.Equal(t, make([]float32, 12), b.Value().Data())
	require.NoError(t, ExportTorch(path, s, TorchModule{Torch: "rnn", Path: "rnn", NoBias: true}))
	b.Value().Data().([]float32)[3] = 1
	require.ErrorContains(t, ExportTorch(path, s, TorchModule{Torch: "rnn", Path: "rnn",
		NoBias: true}), "rnn/b has a bias that is not 0")
}

// An index leads to shards beside it and nowhere else; a shard alone is refused.
func TestImportTorchShards(t *testing.T) {
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	tensors := torchTensors(4, func(s string) string { return "rnn." + s })
	one, two, index := "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
		file("model.safetensors.index.json")
	writeTensors(t, file(one), tensors[:2])
	writeTensors(t, file(two), tensors[2:])
	writeTensors(t, file("whole.safetensors"), tensors)
	writeIndex := func(shards map[string]string) {
		content, err := json.Marshal(map[string]any{"metadata": map[string]any{"total_size": 1},
			"weight_map": shards})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(index, content, 0o666))
	}
	shards := map[string]string{"rnn.weight_ih_l0": one, "rnn.weight_hh_l0": one,
		"rnn.bias_ih_l0": two, "rnn.bias_hh_l0": two}
	writeIndex(shards)
	module := TorchModule{Torch: "rnn", Path: "rnn"}
	want, got := recurrentStore(t, "lstm"), recurrentStore(t, "lstm")
	require.NoError(t, ImportTorch(file("whole.safetensors"), want, module))
	require.NoError(t, ImportTorch(index, got, module))
	require.Equal(t, storeValues(want), storeValues(got))
	for _, m := range []TorchModule{module, {Torch: "rnn", Path: "rnn", NoBias: true}} {
		require.ErrorContains(t, ImportTorch(file(one), got, m),
			"is one shard of 2, and what it lacks is in the others: import "+index)
	}
	writeTensors(t, file("model-00001-of-00001.safetensors"), tensors)
	require.NoError(t, ImportTorch(file("model-00001-of-00001.safetensors"), got, module))

	for shard, said := range map[string]string{
		"../" + one: "no name of a shard in the same folder", "/etc/passwd": "no name of a shard",
		`..\` + one: "no name of a shard",
		"..":        "no name of a shard", "": "no name of a shard", two: "lacks \"rnn.weight_ih_l0\"",
		"model-00003-of-00003.safetensors": "no such file",
	} {
		shards["rnn.weight_ih_l0"] = shard
		writeIndex(shards)
		require.ErrorContains(t, ImportTorch(index, got, module), said, "%q", shard)
	}
	for content, said := range map[string]string{"{}": "no weight_map", "[": "unexpected end",
		`{"weight_map": 3}`: "cannot unmarshal", "": "unexpected end"} {
		require.NoError(t, os.WriteFile(index, []byte(content), 0o666))
		require.ErrorContains(t, ImportTorch(index, got, module), said)
	}
}

// A file of another kind is called by its name.
func TestImportTorchKinds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pytorch_model.bin")
	for content, want := range map[string]string{
		"PK\x03\x04" + strings.Repeat("x", 60):                                "is a zip archive, as torch.save",
		"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.":                            "is a pickle",
		"GGUF\x03\x00\x00\x00\x01\x00\x00\x00":                                "is a GGUF file",
		"\x89HDF\r\n\x1a\n\x00\x00":                                           "is an HDF5 file",
		"<!DOCTYPE html><html>not found</html>":                               "is a page of HTML",
		"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n": "is a pointer of git-lfs", `{"weight_map": {}}`: "is JSON", "\x1f\x8b\x08 and so on": "is compressed by gzip",
	} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o666))
		require.ErrorContains(t, ImportTorch(path, recurrentStore(t, "rnn"),
			TorchModule{Torch: "rnn", Path: "rnn"}), want)
	}
	writeTensors(t, path, nil)
	require.ErrorContains(t, ImportTorch(path, recurrentStore(t, "rnn"), TorchModule{Torch: "rnn",
		Path: "rnn"}), "the file holds no tensor")
}

// 16-bit floats are read to the bit.
func TestImportTorchHalves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	for dtype, bits := range map[string][2]byte{"F16": {0x00, 0xbe}, "BF16": {0xc0, 0xbf}} { // −1.5
		var halves []safetensors.Tensor
		for _, x := range torchTensors(1, func(s string) string { return s }) {
			x.DType, x.Data = dtype, slices.Repeat(bits[:], len(x.Data)/4)
			halves = append(halves, x)
		}
		writeTensors(t, path, halves)
		s := recurrentStore(t, "rnn")
		require.NoError(t, ImportTorch(path, s, TorchModule{Path: "rnn"}))
		for _, p := range s.Params() {
			want := -1.5
			if p.Leaf() == "b" {
				want = -3 // the sum of two
			}
			for _, x := range p.Value().Data().([]float32) {
				require.EqualValues(t, want, x, fmt.Sprint(dtype, p.Name()))
			}
		}
	}
	huge := torchTensors(1, func(s string) string { return s })
	huge[0] = safetensors.New("weight_ih_l0", []int{3, 2}, []float64{1, 2, 3, 4, 5, 1e300})
	writeTensors(t, path, huge)
	require.ErrorContains(t, ImportTorch(path, recurrentStore(t, "rnn"), TorchModule{Path: "rnn"}),
		"rnn/W_ih: element 5 would be 1e+300")
}

// Shapes are compared before values are read: of a file that claims gigabytes, and takes none on
// the disk, nothing is read.
func TestImportLooksAtShapesFirst(t *testing.T) {
	header := `{"weight":{"dtype":"F32","shape":[1048576,2048],"data_offsets":[0,8589934592]}}`
	path := filepath.Join(t.TempDir(), "sparse.safetensors")
	f, err := os.Create(path)
	require.NoError(t, err)
	_, err = f.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...))
	require.NoError(t, err)
	size := int64(8+len(header)) + 8589934592
	if err := f.Truncate(size); err != nil {
		t.Skip("no sparse files here: ", err)
	}
	require.NoError(t, f.Close())
	s := nodes.NewStore(nodes.Float32, 1)
	require.NoError(t, nodes.Try(func() { s.Root().In("embed").Param("E", nodes.Zeros(), 3, 2) }))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = ImportTorch(path, s, TorchModule{Path: "embed"})
	runtime.ReadMemStats(&after)
	require.ErrorContains(t, err, "weight is")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<24))
}
