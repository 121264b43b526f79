package onnx

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/onnx/internal/host"
	"github.com/seqzoo/seqzoo/onnx/internal/pb"
	"github.com/seqzoo/seqzoo/zoo"
)

// exporter writes a layout: it builds its graph for several sizes, walks through all of them at
// once, and writes each operation with its numbers as functions of the open sizes.
type exporter struct {
	*openSizes
	o        ExportOptions
	store    *nodes.Store
	graph    *pb.GraphProto     // at hand: the whole, or a step's
	root     *pb.GraphProto     // the whole
	names    map[*G.Node]string // of nodes of the first graph
	scans    map[*G.Node]*scanned
	params   map[*G.Node]*nodes.Param
	serial   int
	sources  []string // of each open size: a scalar in the graph, computed when first asked for
	ports    []port   // inputs
	children []map[*G.Node][]*G.Node
	consts   map[string]string
}

type port struct {
	name  string
	shape []size
}

// encode writes a layout.
func encode(l zoo.Layout, store *nodes.Store, o ExportOptions) (p *pb.ModelProto, err error) {
	if l.Build == nil || store == nil {
		return nil, fmt.Errorf("the layout or the store is empty")
	}
	if o.Opset == 0 {
		o.Opset = defaultOpset
	}
	if o.Opset < 16 || o.Opset > maxOpset {
		return nil, fmt.Errorf("operator set %d: want 16 to %d", o.Opset, maxOpset)
	}
	sizes, err := newOpenSizes(l.Sizes)
	if err != nil {
		return nil, err
	}
	e := &exporter{openSizes: sizes, o: o, store: store, names: map[*G.Node]string{},
		scans: map[*G.Node]*scanned{}, params: map[*G.Node]*nodes.Param{},
		graph: &pb.GraphProto{Name: ptr("seqzoo " + l.Name)}, sources: make([]string, len(l.Sizes)),
		consts: map[string]string{}}
	e.root = e.graph
	err = guard(func() { p = e.model(l) })
	return p, err
}

func ptr[T any](x T) *T { return &x }

// model builds all graphs and writes them as one.
func (e *exporter) model(l zoo.Layout) *pb.ModelProto {
	var graphs []*nodes.Graph
	var ins, outs [][]zoo.Port
	for _, sizes := range e.sizes {
		g := nodes.NewGraph(nodes.Options{Dtype: e.store.Dtype()})
		in, out := l.Build(g, slices.Clone(sizes))
		graphs, ins, outs = append(graphs, g), append(ins, in), append(outs, out)
		if len(in) != len(ins[0]) || len(out) != len(outs[0]) || len(out) == 0 {
			host.Failf("the layout has other inputs or outputs for other sizes, or no output")
		}
	}
	for _, p := range graphs[0].Parameters() {
		e.params[graphs[0].Param(p).Gorgonia()] = p
	}
	states := map[string]string{}
	for i, in := range ins[0] {
		at := e.column(ins, i)
		e.names[at[0]] = in.Name
		shape := e.shapes(at)
		e.ports = append(e.ports, port{in.Name, shape})
		e.graph.Input = append(e.graph.Input, e.info(in.Name, at[0], shape))
		if in.From != "" {
			states[in.Name] = in.From
		}
	}
	lists := make([][]*G.Node, len(graphs))
	for k := range graphs {
		children, err := ops.Children(graphs[k].Expr())
		if err != nil {
			host.Failf("%w", err)
		}
		e.children = append(e.children, children)
		var keep []*G.Node
		for i := range outs[k] {
			keep = append(keep, outs[k][i].Node.Gorgonia())
		}
		lists[k] = ops.Needed(keep, children, nil)
	}
	e.walk(lists, e.children)
	for i, out := range outs[0] {
		at := e.column(outs, i)
		e.graph.Node = append(e.graph.Node, &pb.NodeProto{OpType: ptr("Identity"),
			Input: []string{e.names[at[0]]}, Output: []string{out.Name}})
		e.graph.Output = append(e.graph.Output, e.info(out.Name, at[0], e.shapes(at)))
	}
	prune(e.graph)
	p := &pb.ModelProto{IrVersion: ptr(int64(8)), ProducerName: ptr("seqzoo"), Graph: e.graph,
		OpsetImport: []*pb.OperatorSetIdProto{{Domain: ptr(""), Version: ptr(int64(e.o.Opset))}}}
	if len(states) > 0 {
		text, err := json.Marshal(states)
		if err != nil {
			host.Failf("%w", err)
		}
		addMetadata(p, statesKey, string(text))
	}
	return p
}

// prune leaves out what nothing reads: weights that became others, for example.
func prune(g *pb.GraphProto) {
	used := map[string]bool{}
	for _, o := range g.Output {
		used[o.GetName()] = true
	}
	var reads func(n *pb.NodeProto)
	reads = func(n *pb.NodeProto) {
		for _, in := range n.Input {
			used[in] = true
		}
		for _, a := range n.Attribute {
			for _, inner := range a.GetG().GetNode() {
				reads(inner)
			}
		}
	}
	var kept []*pb.NodeProto
	for _, n := range slices.Backward(g.Node) {
		if slices.ContainsFunc(n.Output, func(name string) bool { return used[name] }) {
			kept = append(kept, n)
			reads(n)
		}
	}
	slices.Reverse(kept)
	g.Node = kept
	g.Initializer = slices.DeleteFunc(g.Initializer, func(t *pb.TensorProto) bool {
		return !used[t.GetName()]
	})
}

// statesKey is the metadata that name the output which continues each input.
const statesKey = "seqzoo.states"

func (e *exporter) column(ports [][]zoo.Port, i int) []*G.Node {
	var at []*G.Node
	for k := range ports {
		if ports[k][i].Node == nil {
			host.Failf("the port %q has no node", ports[k][i].Name)
		}
		at = append(at, ports[k][i].Node.Gorgonia())
	}
	return at
}

// shapes is the shape of a node, given in all graphs.
func (e *exporter) shapes(at []*G.Node) []size {
	out := []size{}
	for axis := range at[0].Shape() {
		out = append(out, e.number(at, func(n *G.Node) int { return n.Shape()[axis] }))
	}
	return out
}

// number is a number of a node as a function of the open sizes.
func (e *exporter) number(at []*G.Node, f func(n *G.Node) int) size {
	var values []int
	for _, n := range at {
		values = append(values, f(n))
	}
	return e.fit(values)
}

func (e *exporter) elem(n *G.Node) host.Type {
	switch n.Dtype() {
	case nodes.Int:
		return host.Int64
	case nodes.Float64:
		return host.Float64
	}
	return host.Float32
}

func (e *exporter) info(name string, n *G.Node, shape []size) *pb.ValueInfoProto {
	s := &pb.TensorShapeProto{}
	for _, d := range shape {
		dim := &pb.TensorShapeProto_Dimension{}
		if v, ok := d.known(); ok {
			dim.Value = &pb.TensorShapeProto_Dimension_DimValue{DimValue: int64(v)}
		} else {
			dim.Value = &pb.TensorShapeProto_Dimension_DimParam{DimParam: e.name(d)}
		}
		s.Dim = append(s.Dim, dim)
	}
	return &pb.ValueInfoProto{Name: &name, Type: &pb.TypeProto{Value: &pb.TypeProto_TensorType{
		TensorType: &pb.TypeProto_Tensor{ElemType: ptr(int32(e.elem(n))), Shape: s}}}}
}

// walk writes the nodes of a graph, given as it is for every combination of sizes.
func (e *exporter) walk(lists [][]*G.Node, children []map[*G.Node][]*G.Node) {
	index := make([]map[*G.Node]int, len(lists))
	for k, list := range lists {
		if len(list) != len(lists[0]) {
			host.Failf("the graph has %d nodes for some sizes and %d for others", len(lists[0]),
				len(list))
		}
		index[k] = map[*G.Node]int{}
		for i, n := range list {
			index[k][n] = i
		}
	}
	for i, n := range lists[0] {
		at := make([]*G.Node, len(lists))
		for k := range lists {
			at[k] = lists[k][i]
			a, b := children[0][n], children[k][at[k]]
			same := len(a) == len(b) && reflect.TypeOf(n.Op()) == reflect.TypeOf(at[k].Op())
			for c := range a {
				same = same && index[0][a[c]] == index[k][b[c]]
			}
			if !same {
				host.Failf("%v is another operation for other sizes", n)
			}
		}
		if e.names[n] == "" {
			e.node(at, children[0][n])
		}
	}
}

// node writes one node.
func (e *exporter) node(at []*G.Node, operands []*G.Node) {
	n := at[0]
	op, own := n.Op().(*ops.Op)
	switch {
	case n.Op() == nil && e.params[n] != nil:
		e.names[n] = e.parameter(e.params[n])
	case n.Op() == nil:
		e.input(n)
	case !own:
		host.Failf("%v is an operation of Gorgonia's: the layout has to be written with "+
			"package nodes", n)
	default:
		w := exportOps[reflect.TypeOf(op.Fn).Name()]
		if w == nil {
			host.Failf("%v has no counterpart in ONNX that is written", ops.PlaceOf(n))
		}
		c := &exported{exporter: e, at: at, fn: op.Fn, operands: operands}
		for _, o := range operands {
			c.in = append(c.in, e.names[o])
		}
		e.names[n] = w(c)
	}
}

// input writes an input that is no port: what it is bound to is a constant.
func (e *exporter) input(n *G.Node) {
	if n.Name() == "noise/key" {
		e.names[n] = "-" // only says to which graph something belongs
		return
	}
	x, err := ops.TensorOf(n.Value())
	if err != nil {
		host.Failf("the input %q is no port of the layout, and has no value", n.Name())
	}
	t := host.New(e.elem(n), n.Shape()...)
	fromEngine(x, t)
	e.names[n] = e.constant(t)
}

// parameter writes an initialiser under the name of the parameter.
func (e *exporter) parameter(p *nodes.Param) string {
	t := host.New(e.elem0(), p.Shape()...)
	for i := range t.F {
		t.F[i] = paramAt(p, i)
	}
	e.root.Initializer = append(e.root.Initializer, host.Encode(p.Name(), t))
	return p.Name()
}

func (e *exporter) elem0() host.Type {
	if e.store.Dtype() == nodes.Float64 {
		return host.Float64
	}
	return host.Float32
}

func paramAt(p *nodes.Param, i int) float64 {
	switch d := p.Value().Data().(type) {
	case []float32:
		return float64(d[i])
	case []float64:
		return d[i]
	}
	return 0
}

// constant writes an initialiser, one for equal ones.
func (e *exporter) constant(t *host.Tensor) string {
	key := fmt.Sprint(t.Type, t.Shape, t.F, t.I)
	if t.Len() > 64 {
		key = ""
	}
	if name := e.consts[key]; key != "" && name != "" {
		return name
	}
	e.serial++
	name := fmt.Sprintf("constant_%d", e.serial)
	e.root.Initializer = append(e.root.Initializer, host.Encode(name, t))
	e.consts[key] = name
	return name
}

// float is a number of the graph's float type as a constant.
func (e *exporter) float(x float64) string {
	return e.constant((&host.Tensor{Type: e.elem0(), Shape: []int{}, F: []float64{x}}).Round())
}

func (e *exporter) ints(xs ...int) string { return e.constant(host.Ints(xs...)) }

// emit adds a node and gives its result a name.
func (e *exporter) emit(op string, in []string, attrs ...*pb.AttributeProto) string {
	return e.emitTo(e.graph, op, in, attrs...)
}

func (e *exporter) emitTo(g *pb.GraphProto, op string, in []string,
	attrs ...*pb.AttributeProto) string {
	e.serial++
	name := fmt.Sprintf("v%d", e.serial)
	for _, x := range in {
		if x == "-" {
			host.Failf("%s: noise is not drawn in ONNX", op)
		}
	}
	g.Node = append(g.Node, &pb.NodeProto{OpType: &op, Name: ptr(op + "_" + name), Input: in,
		Output: []string{name}, Attribute: attrs})
	return name
}

func attrInt(name string, x int) *pb.AttributeProto {
	return &pb.AttributeProto{Name: &name, Type: ptr(pb.AttributeProto_INT), I: ptr(int64(x))}
}

func attrList(name string, xs ...int) *pb.AttributeProto {
	a := &pb.AttributeProto{Name: &name, Type: ptr(pb.AttributeProto_INTS)}
	for _, x := range xs {
		a.Ints = append(a.Ints, int64(x))
	}
	return a
}

func attrText(name, text string) *pb.AttributeProto {
	return &pb.AttributeProto{Name: &name, Type: ptr(pb.AttributeProto_STRING), S: []byte(text)}
}
