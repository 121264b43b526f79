package zoo

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/seqzoo/seqzoo/internal/names"
	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/internal/safetensors"
)

// torchFile is a state dict, from one file or several.
type torchFile struct {
	tensors map[string]safetensors.Tensor // by plain name
	prefix  string                        // that all modules have in the file
	cells   map[string]bool               // modules, by prefix, whose names lack _l0
	open    []openTensors                 // the files, whose values are read once all shapes fit
}

// openTensors is a file of which the header was read.
type openTensors struct {
	path string
	file *safetensors.File
	from io.Closer
}

func (f *torchFile) close() {
	for _, o := range f.open {
		o.from.Close()
	}
}

// load reads the values of all files.
func (f *torchFile) load() error {
	for _, o := range f.open {
		if err := o.file.Load(); err != nil {
			return fmt.Errorf("%s: %w", o.path, err)
		}
		for _, t := range o.file.Tensors {
			f.tensors[plainName(t.Name)] = t
		}
	}
	return nil
}

// shardName matches the usual names of shards: model-00001-of-00002.safetensors.
var shardName = regexp.MustCompile(`^(.*)-(\d+)-of-(\d+)\.safetensors$`)

const indexSuffix = ".safetensors.index.json"

// readTorch reads what a file of safetensors says of its tensors, or all shards that an index
// names. The caller closes it, after an error too.
func readTorch(path string) (*torchFile, error) {
	f := &torchFile{tensors: map[string]safetensors.Tensor{}, cells: map[string]bool{}}
	base := filepath.Base(path)
	if strings.HasSuffix(base, indexSuffix) {
		return f, f.readShards(path)
	}
	if m := shardName.FindStringSubmatch(base); m != nil && strings.TrimLeft(m[3], "0") != "1" {
		return f, fmt.Errorf("%s is one shard of %s, and what it lacks is in the others: import %s",
			path, strings.TrimLeft(m[3], "0"), filepath.Join(filepath.Dir(path), m[1]+indexSuffix))
	}
	return f, f.add(path, nil)
}

// readShards reads the shards of an index. They lie beside it: an index names no file elsewhere.
func (f *torchFile) readShards(path string) error {
	content, err := safefile.ReadFile(path, maxIndexBytes)
	if err != nil {
		return err
	}
	var index struct {
		Shards map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(content, &index); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if len(index.Shards) == 0 {
		return fmt.Errorf("%s has no weight_map, which says which shard holds which tensor", path)
	}
	in := map[string][]string{}
	for name, shard := range index.Shards {
		if shard != filepath.Base(shard) || strings.ContainsAny(shard, `/\`) ||
			!strings.HasSuffix(shard, ".safetensors") {
			return fmt.Errorf("%s: %.64q is no name of a shard in the same folder", path, shard)
		}
		in[shard] = append(in[shard], name)
	}
	for _, shard := range slices.Sorted(maps.Keys(in)) {
		if err := f.add(filepath.Join(filepath.Dir(path), shard), in[shard]); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
	}
	return nil
}

// maxIndexBytes bounds an index of shards.
const maxIndexBytes = 64 << 20

// add reads a file, which must hold tensors of these names.
func (f *torchFile) add(path string, want []string) error {
	file, from, err := safetensors.OpenFile(path)
	if err != nil {
		return err
	}
	f.open = append(f.open, openTensors{path, file, from})
	for _, name := range want {
		if _, ok := file.Find(name); !ok {
			return fmt.Errorf("%s lacks %.64q, which is said to be there", path, name)
		}
	}
	for _, t := range file.Tensors {
		name := plainName(t.Name)
		if twin, ok := f.tensors[name]; ok {
			return fmt.Errorf("%s: %.64q and %.64q are one tensor", path, twin.Name, t.Name)
		}
		f.tensors[name] = t
	}
	return nil
}

// plainName is a name without what wrappers of modules put into it: DistributedDataParallel and
// torch.compile.
func plainName(name string) string {
	parts := strings.Split(name, ".")
	parts = slices.DeleteFunc(parts[:len(parts)-1],
		func(p string) bool { return p == "module" || p == "_orig_mod" })
	return strings.Join(append(parts, name[strings.LastIndexByte(name, '.')+1:]), ".")
}

// resolve finds the prefix of all modules, and which of them are cells.
func (f *torchFile) resolve(entries []torchEntry, modules []TorchModule) error {
	prefixes := []string{""}
	for name := range f.tensors {
		first := entries[0].name
		for _, end := range []string{first, strings.TrimSuffix(first, "_l0")} {
			if p, ok := strings.CutSuffix(name, "."+plainName(end)); ok &&
				!slices.Contains(prefixes, p+".") {
				prefixes = append(prefixes, p+".")
			}
		}
	}
	slices.Sort(prefixes) // the names as they were given come first
	var fit []string
	best, least := "", len(entries)+1
	for _, p := range prefixes {
		f.prefix = p
		f.findCells(modules)
		lacking := 0
		for _, e := range entries {
			if _, ok := f.find(e); !ok && !e.absent {
				lacking++
			}
		}
		if lacking < least {
			best, least = p, lacking
		}
		if lacking == 0 {
			fit = append(fit, p)
		}
		if lacking == 0 && p == "" {
			return nil
		}
	}
	if len(fit) > 1 {
		return fmt.Errorf("the modules are there %d times, under %.200q: name one of them",
			len(fit), fit)
	}
	f.prefix = best
	f.findCells(modules)
	return nil
}

func (f *torchFile) findCells(modules []TorchModule) {
	clear(f.cells)
	for _, m := range modules {
		_, layer := f.tensors[f.prefix+plainName(m.prefix()+"weight_ih_l0")]
		_, cell := f.tensors[f.prefix+plainName(m.prefix()+"weight_ih")]
		f.cells[m.prefix()] = cell && !layer
	}
}

// name returns the name of an entry in the file.
func (f *torchFile) name(e torchEntry) string {
	name := e.name
	if at := strings.LastIndexByte(name, '.') + 1; f.cells[name[:at]] {
		name = strings.TrimSuffix(name, "_l0")
	}
	return f.prefix + plainName(name)
}

func (f *torchFile) find(e torchEntry) (safetensors.Tensor, bool) {
	t, ok := f.tensors[f.name(e)]
	return t, ok
}

// missing is what to say about a tensor that is not there, with or without a search for what may be
// meant.
func (f *torchFile) missing(e torchEntry, search bool) string {
	name := f.name(e)
	said := name + " is missing"
	if !search {
		return said
	}
	if near := names.Nearest(name, slices.Sorted(maps.Keys(f.tensors))); near != "" {
		said += "; the nearest is " + near
	}
	if strings.Contains(name[strings.LastIndexByte(name, '.')+1:], "bias") {
		said += "; if the module was made with bias=False, say NoBias"
	}
	return said
}

// others are complaints about the tensors of modules that have no counterpart in the model.
func (f *torchFile) others(entries []torchEntry, modules []TorchModule) (differ []string) {
	known := map[string]bool{}
	for _, e := range entries {
		known[f.name(e)] = true
	}
	for _, name := range slices.Sorted(maps.Keys(f.tensors)) {
		for _, m := range modules {
			rest, ok := strings.CutPrefix(name, f.prefix+strings.TrimSuffix(
				plainName(m.prefix()+"x"), "x"))
			if ok && !known[name] && !strings.Contains(rest, ".") {
				differ = append(differ, fmt.Sprintf("%s has no counterpart in %q",
					f.tensors[name].Name, m.Path))
			}
		}
	}
	return differ
}

// holds lists the names in the file, or the first of them.
func (f *torchFile) holds() string {
	const most = 20
	all := slices.Sorted(maps.Keys(f.tensors))
	for i, name := range all {
		all[i] = fmt.Sprintf("%.80s", f.tensors[name].Name)
	}
	if n := len(all); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), n-most)
	} else if n == 0 {
		return "no tensor"
	}
	return strings.Join(all, ", ")
}

// torchValues are the values of a tensor, all finite.
func torchValues(t safetensors.Tensor) (values []float64, err error) {
	switch t.DType {
	case "F64":
		values, err = safetensors.Values[float64](t)
	case "F32", "F16", "BF16":
		var single []float32
		single, err = safetensors.Values[float32](t)
		for _, x := range single {
			values = append(values, float64(x))
		}
	case "F8_E4M3", "F8_E5M2":
		err = fmt.Errorf("it is of the type %s, which is not read: want F64, F32, F16 or BF16",
			t.DType)
	default:
		err = fmt.Errorf("it is of the type %s, which is no float", t.DType)
	}
	if err != nil {
		return nil, err
	}
	for i, x := range values {
		if x-x != 0 {
			return nil, fmt.Errorf("element %d is %g: want a finite number", i, x)
		}
	}
	return values, nil
}
