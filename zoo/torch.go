package zoo

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/internal/safefile"
	"github.com/seqzoo/seqzoo/internal/safetensors"
	"github.com/seqzoo/seqzoo/internal/steps"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
)

// TorchModule is a module of PyTorch and what it is in a model.
type TorchModule struct {
	// the module's name in the state dict, such as "encoder" or "rnn.0"; "" if its tensors have no
	// prefix
	Torch string
	// of its counterpart: recurrent layers such as "layers" or "encoder", an embedding "embed", a
	// linear layer "out"
	Path string

	// the module was made with bias=False: biases of the counterpart, if it has any, are 0
	NoBias bool
}

// mostDifferences is how many of the differences between a file and a model an error lists.
const mostDifferences = 9

// ImportTorch fills parts of a model with weights that PyTorch saved as safetensors, under its
// own names. What Path holds says which module it is:
//
//	l0, l1, … (forward and   nn.RNN, nn.GRU, nn.LSTM: weight_ih_l0, weight_hh_l0,
//	backward below), or one  bias_ih_l0, bias_hh_l0, weight_hr_l0, … _l0_reverse, …
//	cell
//	one cell, or l0 alone    nn.RNNCell, nn.GRUCell, nn.LSTMCell too: weight_ih, weight_hh, …
//	E                        nn.Embedding: weight
//	W, and b                 nn.Linear: weight, bias
//
// A weight of PyTorch is [out, in], here it is [in, out]. Its two biases of a recurrent layer are
// added up, save the one of nn.GRU that the reset gate multiplies, which is b_hn here. The
// activation of nn.RNN is not in the file. Float64 is rounded where the model is float32; 16-bit
// floats are widened.
//
// File may be the index of a file in shards, model.safetensors.index.json, which lie beside it;
// one shard alone is refused. What wrappers put into names, "module." and "_orig_mod.", is passed
// over; and modules that are there once, all under one prefix, such as those of a larger model,
// are found without it.
//
// It is an error, and nothing is changed, if a tensor is missing (biases too, unless NoBias says
// so), has another shape, is not finite or is not a float, if the module has tensors without a
// counterpart (more layers, a second direction), or if PyTorch has no counterpart to what is at
// Path: peepholes, coupled gates, layer normalisation, a reset before the product, an RNN of
// sigmoids, or a cell of another kind, though its parameters have the names and shapes of one.
func ImportTorch(file string, s *nodes.Store, modules ...TorchModule) error {
	fail := func(err error) error { return fmt.Errorf("zoo: import of %s: %w", file, err) }
	entries, err := torchEntries(s, modules)
	if err != nil {
		return fail(err)
	}
	f, err := readTorch(file)
	defer f.close()
	if err != nil {
		return fmt.Errorf("zoo: import: %w", err)
	}
	if err := f.resolve(entries, modules); err != nil {
		return fail(err)
	}
	sums := map[*nodes.Param][]float64{}
	var differ []string
	lacking := false
	for _, e := range entries {
		for _, p := range e.parts {
			if sums[p.param] == nil {
				sums[p.param] = make([]float64, ops.Size(p.param.Shape()))
			}
		}
		t, ok := f.find(e)
		if e.absent && !ok {
			continue
		}
		switch {
		case !ok:
			differ, lacking = append(differ, f.missing(e, len(differ) < mostDifferences)), true
			continue
		case e.absent:
			differ = append(differ, t.Name+" is there, and the module is said to have no bias")
			continue
		case !slices.Equal(t.Shape, e.shape):
			differ = append(differ, fmt.Sprintf("%s is %s, and %s in the model wants %s", t.Name,
				ops.ShapeString(t.Shape), e.parts[0].param.Name(), ops.ShapeString(e.shape)))
		}
	}
	if differ = append(differ, f.others(entries, modules)...); len(differ) > 0 {
		if n := len(differ); n > mostDifferences+1 {
			differ = append(differ[:mostDifferences], fmt.Sprintf("and %d more", n-mostDifferences))
		}
		if lacking {
			differ = append(differ, "the file holds "+f.holds())
		}
		return fail(fmt.Errorf("it does not fit the model:\n\t%s", strings.Join(differ, "\n\t")))
	}
	if err := f.load(); err != nil { // only now: the shapes bound its memory
		return fail(err)
	}
	for _, e := range entries {
		t, ok := f.find(e)
		if !ok {
			continue // a bias that is said not to be there
		}
		values, err := torchValues(t)
		if err != nil {
			return fail(fmt.Errorf("%s: %w", t.Name, err))
		}
		e.each(func(p torchPart, theirs, ours int) { sums[p.param][ours] += values[theirs] })
	}
	for p, v := range sums {
		for i, x := range v {
			if x-x != 0 || s.Dtype() == tensor.Float32 && math.Abs(x) > math.MaxFloat32 {
				return fail(fmt.Errorf("%s: element %d would be %g, which is more than its float "+
					"type holds", p.Name(), i, x))
			}
		}
	}
	for p, v := range sums {
		steps.Blank(p)
		run.ParamFloats(p).Put64(0, v)
	}
	return nil
}

// ExportTorch writes parts of a model as ImportTorch reads them: a state dict for PyTorch's
// load_state_dict, as safetensors of the model's float type. Of two biases that are added up
// here, bias_hh is 0. A module of NoBias is written without biases, which must be 0.
func ExportTorch(file string, s *nodes.Store, modules ...TorchModule) error {
	fail := func(err error) error { return fmt.Errorf("zoo: export to %s: %w", file, err) }
	entries, err := torchEntries(s, modules)
	if err != nil {
		return fail(err)
	}
	var tensors []safetensors.Tensor
	ours := map[*nodes.Param][]float64{}
	for _, e := range entries {
		for _, p := range e.parts {
			if ours[p.param] == nil {
				ours[p.param] = run.ParamFloats(p.param).Float64s()
			}
		}
		n := 1
		for _, d := range e.shape {
			n *= d
		}
		values := make([]float64, n)
		biased := false
		e.each(func(p torchPart, theirs, at int) {
			if !p.added {
				values[theirs] = ours[p.param][at]
				biased = biased || values[theirs] != 0
			}
		})
		if e.absent && biased {
			return fail(fmt.Errorf("%s has a bias that is not 0, and the module is said to "+
				"have none", e.parts[0].param.Name()))
		}
		if e.absent {
			continue
		}
		if s.Dtype() == tensor.Float64 {
			tensors = append(tensors, safetensors.New(e.name, e.shape, values))
			continue
		}
		single := make([]float32, n)
		for i, x := range values {
			single[i] = float32(x)
		}
		tensors = append(tensors, safetensors.New(e.name, e.shape, single))
	}
	err = safefile.Write(safefile.OS, file, func(w io.Writer) error {
		return safetensors.Write(w, tensors, map[string]string{"format": "pt"})
	})
	if err != nil {
		return fail(err)
	}
	return nil
}

func (m TorchModule) prefix() string {
	if m.Torch == "" {
		return ""
	}
	return m.Torch + "."
}

// torchEntry is a tensor of a state dict and where it lies in the model.
type torchEntry struct {
	name   string
	shape  []int
	absent bool // a bias that the module is said not to have
	parts  []torchPart
}

// torchPart says that rows from … from+n−1 of a tensor of PyTorch are columns 0 … n−1 of a
// parameter, transposed.
type torchPart struct {
	param   *nodes.Param
	from, n int
	same    bool // it is laid out as PyTorch has it
	added   bool // it is added to what another tensor gives; exported, it is 0
}

// each calls f with the places of all elements in the tensor and in the parameter.
func (e torchEntry) each(f func(p torchPart, theirs, ours int)) {
	width := 1
	for _, d := range e.shape[1:] {
		width *= d
	}
	for _, p := range e.parts {
		for o := range p.n {
			for i := range width {
				theirs := (p.from+o)*width + i
				if p.same {
					f(p, theirs, theirs)
				} else {
					f(p, theirs, i*p.n+o)
				}
			}
		}
	}
}

// torchEntries are the tensors of modules, in order of their parameters.
func torchEntries(s *nodes.Store, modules []TorchModule) (entries []torchEntry, err error) {
	if s == nil || len(modules) == 0 {
		return nil, errors.New("there is no module, or no model")
	}
	names, params := map[string]bool{}, map[*nodes.Param]bool{}
	for _, m := range modules {
		found, err := m.entries(s)
		if err != nil {
			return nil, fmt.Errorf("path %q: %w", m.Path, err)
		}
		for _, e := range found {
			if names[e.name] {
				return nil, fmt.Errorf("the tensor %s belongs to two modules", e.name)
			}
			names[e.name] = true
		}
		for _, e := range found {
			if p := e.parts[0]; !p.added && params[p.param] {
				return nil, fmt.Errorf("%s belongs to two modules", p.param.Name())
			}
			params[e.parts[0].param] = true
		}
		entries = append(entries, found...)
	}
	return entries, nil
}

// entries returns the tensors of the module at the path.
func (m TorchModule) entries(s *nodes.Store) ([]torchEntry, error) {
	below := map[string]map[string]*nodes.Param{} // scope, relative to the path: leaf: parameter
	path := strings.Trim(m.Path, "/")
	for _, p := range s.Params() {
		rest := p.Name()
		if path != "" {
			var ok bool
			if rest, ok = strings.CutPrefix(rest, path+"/"); !ok {
				continue
			}
		}
		scope := strings.TrimSuffix(strings.TrimSuffix(rest, p.Leaf()), "/")
		if below[scope] == nil {
			below[scope] = map[string]*nodes.Param{}
		}
		below[scope][p.Leaf()] = p
	}
	only := func(leaves ...string) bool {
		for leaf := range below[""] {
			if !slices.Contains(leaves, leaf) {
				return false
			}
		}
		return len(below) == 1 && below[""][leaves[0]] != nil
	}
	switch {
	case len(below) == 0:
		return nil, errors.New("the model has no parameter there")
	case only("E"):
		table := below[""]["E"]
		return []torchEntry{{name: m.prefix() + "weight", shape: table.Shape(),
			parts: []torchPart{{param: table, n: table.Shape()[0], same: true}}}}, nil
	case only("W", "b"):
		return m.linear(below[""]["W"], below[""]["b"])
	}
	var entries []torchEntry
	for _, scope := range slices.Sorted(maps.Keys(below)) {
		layer, direction, err := torchLayer(scope)
		if err != nil {
			return nil, fmt.Errorf("%w; there is neither a recurrent layer nor an embedding nor "+
				"a linear layer", err)
		}
		found, err := m.recurrent(below[scope], fmt.Sprintf("_l%d%s", layer, direction))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", scope, err)
		}
		entries = append(entries, found...)
	}
	return entries, nil
}

// torchLayer reads a scope such as "", "l1", "forward" or "l0/backward".
func torchLayer(scope string) (layer int, direction string, err error) {
	rest := scope
	if number, ok := strings.CutPrefix(scope, "l"); ok {
		number, rest, _ = strings.Cut(number, "/")
		if layer, err = strconv.Atoi(number); err != nil || layer < 0 {
			return 0, "", fmt.Errorf("%q is no layer", scope)
		}
	}
	switch rest {
	case "", "forward":
		return layer, "", nil
	case "backward":
		return layer, "_reverse", nil
	}
	return 0, "", fmt.Errorf("%q is no layer", scope)
}

func (m TorchModule) linear(w, b *nodes.Param) ([]torchEntry, error) {
	if len(w.Shape()) != 2 {
		return nil, fmt.Errorf("the weight W is %s: want a matrix", ops.ShapeString(w.Shape()))
	}
	in, out := w.Shape()[0], w.Shape()[1]
	entries := []torchEntry{{name: m.prefix() + "weight", shape: []int{out, in},
		parts: []torchPart{{param: w, n: out}}}}
	if b != nil {
		entries = append(entries,
			torchEntry{name: m.prefix() + "bias", shape: []int{out}, absent: m.NoBias,
				parts: []torchPart{{param: b, n: out}}})
	}
	return entries, nil
}

// recurrent is the tensors of one cell.
func (m TorchModule) recurrent(cell map[string]*nodes.Param, suffix string) ([]torchEntry, error) {
	for _, leaf := range slices.Sorted(maps.Keys(cell)) {
		if !slices.Contains([]string{"W_ih", "W_hh", "W_hr", "b", "b_hn"}, leaf) {
			return nil, fmt.Errorf("PyTorch has no counterpart to %s", leaf)
		}
	}
	wIH, wHH, wHR, b, bHN := cell["W_ih"], cell["W_hh"], cell["W_hr"], cell["b"], cell["b_hn"]
	if wIH == nil || wHH == nil {
		return nil, errors.New("there is no W_ih and W_hh: it is no recurrent layer")
	}
	if own := steps.OwnOf(wIH); own != "" {
		return nil, fmt.Errorf("PyTorch has no counterpart to %s", own)
	}
	in, rows, h := wIH.Shape()[0], wIH.Shape()[1], wHH.Shape()[0]
	hidden := h
	if wHR != nil {
		hidden = wHR.Shape()[0]
	}
	if gates := rows / hidden; rows%hidden != 0 || gates != 1 && gates != 3 && gates != 4 {
		return nil, fmt.Errorf("a cell of %d gates is not one of PyTorch", gates)
	}
	name := func(what string) string { return m.prefix() + what + suffix }
	entries := []torchEntry{
		{name: name("weight_ih"), shape: []int{rows, in},
			parts: []torchPart{{param: wIH, n: rows}}},
		{name: name("weight_hh"), shape: []int{rows, h}, parts: []torchPart{{param: wHH, n: rows}}},
	}
	if b != nil {
		hh := []torchPart{{param: b, n: rows, added: true}}
		if bHN != nil { // the reset gate multiplies the last third
			hh = []torchPart{{param: b, n: rows - hidden, added: true},
				{param: bHN, from: rows - hidden, n: hidden}}
		}
		entries = append(entries,
			torchEntry{name: name("bias_ih"), absent: m.NoBias, shape: []int{rows},
				parts: []torchPart{{param: b, n: rows}}},
			torchEntry{name: name("bias_hh"), absent: m.NoBias, shape: []int{rows}, parts: hh})
	}
	if wHR != nil {
		entries = append(entries,
			torchEntry{name: name("weight_hr"), shape: []int{h, hidden},
				parts: []torchPart{{param: wHR, n: h}}})
	}
	return entries, nil
}
