package onnx

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
	"github.com/seqzoo/seqzoo/run"
)

// Model is an imported model. Any number of goroutines may run it at once, as long as nobody
// changes its parameters.
type Model struct {
	proto    *pb.ModelProto
	versions map[string]int // of operator sets, by domain
	inputs   []Info
	outputs  []Info
	known    map[string]*value // initialisers
	store    *nodes.Store
	dtype    tensor.Dtype
	turned   turnedParams

	mu      sync.Mutex
	fixed   map[string]bool   // inputs whose values a graph is compiled for
	carried map[string]string // nil: not looked for yet
	idle    run.Pool[run.Of[string], *Step]
}

// Info describes an input or an output.
type Info struct {
	Name string
	Type Type
	// Shape is the sizes of the axes; nil if the file does not say even their number.
	Shape []Dim
}

// Dim is the size of an axis.
type Dim struct {
	Size int    // −1: open
	Name string // of an open size; may be empty
}

func (d Dim) String() string {
	switch {
	case d.Size >= 0:
		return fmt.Sprint(d.Size)
	case d.Name != "":
		return d.Name
	}
	return "?"
}

// String is the description in one line: "x float [batch 80]".
func (i Info) String() string {
	if i.Shape == nil {
		return fmt.Sprintf("%s %v of any shape", i.Name, i.Type)
	}
	return fmt.Sprintf("%s %v %v", i.Name, i.Type, i.Shape)
}

// The operator sets that are read and written.
const (
	minOpset     = 1
	maxOpset     = 22
	defaultOpset = 17
)

func newModel(p *pb.ModelProto, files *folder) (*Model, error) {
	m := &Model{proto: p, versions: map[string]int{}, known: map[string]*value{},
		fixed: map[string]bool{}}
	for _, o := range p.OpsetImport {
		m.versions[domainOf(o.GetDomain())] = int(o.GetVersion())
	}
	v, given := m.versions[""]
	if !given {
		v = 1
		m.versions[""] = v
	}
	if v < minOpset || v > maxOpset {
		return nil, fmt.Errorf("it is of operator set %d: want %d to %d", v, minOpset, maxOpset)
	}
	if err := checkGraph(p.Graph, 0); err != nil {
		return nil, err
	}
	m.dtype = floatType(p.Graph)
	m.store = nodes.NewStore(m.dtype, 0)
	if err := m.initialisers(p.Graph, files); err != nil {
		return nil, err
	}
	for _, in := range p.Graph.Input {
		if m.known[in.GetName()] != nil {
			continue
		}
		info, err := infoOf(in)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", in.GetName(), err)
		}
		m.inputs = append(m.inputs, info)
	}
	for _, out := range p.Graph.Output {
		info, err := infoOf(out)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", out.GetName(), err)
		}
		m.outputs = append(m.outputs, info)
	}
	return m, nil
}

// domainOf is the domain of an operator set under its short name.
func domainOf(d string) string {
	if d == "ai.onnx" {
		return ""
	}
	return d
}

// settings are operands that say how an operator computes, and are nothing to train: exponents and
// bounds, if they are single numbers, and the means and variances that a training has measured.
var settings = map[string][]int{"Pow": {1}, "Clip": {1, 2}, "BatchNormalization": {3, 4}}

// settingsOf are the names that all nodes of a graph read as such operands alone.
func settingsOf(g *pb.GraphProto) map[string]bool {
	only, many := map[string]bool{}, map[string]bool{}
	for _, t := range g.Initializer {
		many[t.GetName()] = host.Size(toInts(t.Dims)) != 1
	}
	eachNode(g, func(n *pb.NodeProto) {
		for i, name := range n.Input {
			before, seen := only[name]
			only[name] = slices.Contains(settings[opName(n)], i) && (before || !seen) &&
				(n.GetOpType() == "BatchNormalization" || !many[name])
		}
	})
	for _, out := range g.Output {
		only[out.GetName()] = false
	}
	return only
}

// initialisers makes the floats of a file parameters, and constants of all else.
func (m *Model) initialisers(g *pb.GraphProto, files *folder) error {
	if len(g.SparseInitializer) > 0 {
		return fmt.Errorf("sparse initialisers are not supported")
	}
	names, settings := newNamer(), settingsOf(g)
	for _, p := range g.Initializer {
		if m.known[p.GetName()] != nil {
			return fmt.Errorf("two initialisers are called %q", p.GetName())
		}
		t, err := host.Decode(p, files.read)
		if err != nil {
			return err
		}
		if !t.Type.IsFloat() || t.Len() == 0 || settings[p.GetName()] {
			m.known[p.GetName()] = constant(t)
			continue
		}
		var w *nodes.Param
		if err := nodes.Try(func() { w = names.param(m.store, p.GetName(), t.Shape) }); err != nil {
			return fmt.Errorf("initialiser %q: %w", p.GetName(), err)
		}
		run.ParamFloats(w).Put64(0, t.F)
		m.known[p.GetName()] = &value{typ: t.Type, shape: t.Shape, param: w}
	}
	return nil
}

// namer makes paths of parameters from names in files, which may hold anything.
type namer struct{ used map[string]bool }

func newNamer() *namer { return &namer{map[string]bool{}} }

// param declares a parameter whose path is the name as far as a path can hold it.
func (n *namer) param(s *nodes.Store, name string, shape []int) *nodes.Param {
	clean := func(r rune) rune {
		if r <= ' ' || r >= 0x7f {
			return '_'
		}
		return r
	}
	parts := strings.FieldsFunc(strings.Map(clean, name), func(r rune) bool { return r == '/' })
	if len(parts) == 0 {
		parts = []string{"_"}
	}
	leaf := len(parts) - 1
	last := parts[leaf]
	for k := 2; n.used[strings.Join(parts, "/")]; k++ {
		parts[leaf] = fmt.Sprintf("%s_%d", last, k)
	}
	n.used[strings.Join(parts, "/")] = true
	scope := s.Root()
	for _, p := range parts[:leaf] {
		scope = scope.In("%s", p)
	}
	if len(shape) == 0 {
		shape = []int{1} // a parameter has at least one axis
	}
	return scope.Param(parts[leaf], nodes.Zeros(), shape...)
}

// infoOf reads the description of an input or output.
func infoOf(v *pb.ValueInfoProto) (Info, error) {
	info := Info{Name: v.GetName()}
	t := v.GetType().GetTensorType()
	if t == nil {
		return info, fmt.Errorf("it is no tensor: sequences, maps and optional values are not " +
			"supported")
	}
	info.Type = Type(t.GetElemType())
	if !host.Type(info.Type).Known() {
		return info, fmt.Errorf("tensors of %v are not supported", info.Type)
	}
	if t.Shape == nil {
		return info, nil
	}
	info.Shape = []Dim{}
	for _, d := range t.Shape.Dim {
		dim := Dim{Size: -1, Name: d.GetDimParam()}
		if x, ok := d.Value.(*pb.TensorShapeProto_Dimension_DimValue); ok && x.DimValue >= 0 &&
			x.DimValue <= host.MaxElements {
			dim.Size = int(x.DimValue)
		}
		info.Shape = append(info.Shape, dim)
	}
	return info, nil
}

// floatType is the float type that a model computes in: float64 if any of its values has it.
func floatType(g *pb.GraphProto) tensor.Dtype {
	double := func(t int32) bool { return host.Type(t) == host.Float64 }
	for _, v := range slices.Concat(g.Input, g.Output) {
		if double(v.GetType().GetTensorType().GetElemType()) {
			return nodes.Float64
		}
	}
	for _, t := range g.Initializer {
		if double(t.GetDataType()) && host.Size(toInts(t.Dims)) > 1 {
			return nodes.Float64
		}
	}
	return nodes.Float32
}

func toInts(xs []int64) []int {
	out := make([]int, len(xs))
	for i, x := range xs {
		out[i] = int(x)
	}
	return out
}

// Inputs are what a run takes.
func (m *Model) Inputs() []Info { return slices.Clone(m.inputs) }

// Outputs are what a run gives.
func (m *Model) Outputs() []Info { return slices.Clone(m.outputs) }

// Params are the model's parameters: the float initialisers of the file, under their names as far
// as a path can hold them. One without axes has the shape [1]. Single numbers that are exponents of
// Pow or bounds of Clip are none, nor are the means and variances of a BatchNormalization: no
// training could mean them. Until they are asked for they cannot change, and graphs that Run and
// Compile make keep matrices that are read transposed the other way about; afterwards they turn
// them at each run.
func (m *Model) Params() *nodes.Store {
	if m == nil {
		return nil
	}
	m.turned.handOut()
	return m.store
}

// Dtype is the float type in which the model computes: Float64 if its file has such values, else
// Float32. Half precision is computed in Float32.
func (m *Model) Dtype() tensor.Dtype { return m.dtype }

// Metadata is what the file says of the model beside its graph: texts by name.
func (m *Model) Metadata() map[string]string {
	out := map[string]string{}
	for _, e := range m.proto.GetMetadataProps() {
		out[e.GetKey()] = e.GetValue()
	}
	return out
}

// Producer is the program that wrote the file, with its version.
func (m *Model) Producer() string {
	return strings.TrimSpace(m.proto.GetProducerName() + " " + m.proto.GetProducerVersion())
}

// Opset is the version of ONNX's operators that the file was written for.
func (m *Model) Opset() int { return m.versions[""] }

// Operators counts the model's operators by name, those of inner graphs included.
func (m *Model) Operators() map[string]int {
	count := map[string]int{}
	eachNode(m.proto.GetGraph(), func(n *pb.NodeProto) { count[opName(n)]++ })
	return count
}

// opName is the name of a node's operator, with its domain if that is not ONNX's own.
func opName(n *pb.NodeProto) string {
	if d := domainOf(n.GetDomain()); d != "" {
		return d + "." + n.GetOpType()
	}
	return n.GetOpType()
}

// eachNode visits the nodes of a graph and of all graphs in it.
func eachNode(g *pb.GraphProto, visit func(*pb.NodeProto)) {
	for _, n := range g.GetNode() {
		visit(n)
		for _, a := range n.Attribute {
			eachNode(a.G, visit)
			for _, sub := range a.Graphs {
				eachNode(sub, visit)
			}
		}
	}
}

// UnsupportedError names the operators of a model that this library lacks.
type UnsupportedError struct {
	// Operators are the nodes that need each, by the operator's name. A node without a name is
	// called by its first output.
	Operators map[string][]string
}

func (e *UnsupportedError) Error() string {
	var parts []string
	for _, op := range slices.Sorted(maps.Keys(e.Operators)) {
		at := e.Operators[op]
		parts = append(parts, fmt.Sprintf("%s (%d times, first in node %q)", op, len(at), at[0]))
	}
	return "operators that are not supported: " + strings.Join(parts, ", ")
}

func (m *Model) unsupported() error {
	missing := map[string][]string{}
	eachNode(m.proto.Graph, func(n *pb.NodeProto) {
		if domainOf(n.GetDomain()) == "" &&
			(operators[n.GetOpType()] != nil || host.Known(n.GetOpType())) {
			return
		}
		missing[opName(n)] = append(missing[opName(n)], nodeName(n))
	})
	if len(missing) > 0 {
		return &UnsupportedError{missing}
	}
	return nil
}

// nodeName is what errors call a node.
func nodeName(n *pb.NodeProto) string {
	if n.GetName() != "" {
		return n.GetName()
	}
	for _, out := range n.Output {
		if out != "" {
			return out
		}
	}
	return n.GetOpType()
}

// checkGraph refuses what the rest relies on not to be there.
func checkGraph(g *pb.GraphProto, depth int) error {
	if depth > 16 {
		return fmt.Errorf("graphs lie more than 16 deep in each other")
	}
	for _, n := range g.Node {
		if n == nil {
			return fmt.Errorf("a node is missing")
		}
		for _, a := range n.Attribute {
			if a.GetRefAttrName() != "" {
				return fmt.Errorf("node %q takes an attribute from a function, which is not "+
					"supported", nodeName(n))
			}
			if a.G != nil {
				if err := checkGraph(a.G, depth+1); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
