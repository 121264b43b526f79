package host

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/seqzoo/seqzoo/onnx/internal/pb"
)

// Attrs are the attributes of a node by name.
type Attrs map[string]*pb.AttributeProto

// Has reports whether an attribute is given.
func (a Attrs) Has(name string) bool { return a[name] != nil }

// Int is an integer attribute, or otherwise if it is not given.
func (a Attrs) Int(name string, otherwise int) int {
	if p := a.of(name, pb.AttributeProto_INT); p != nil {
		return int(p.GetI())
	}
	return otherwise
}

// Float is a float attribute, or otherwise if it is not given.
func (a Attrs) Float(name string, otherwise float64) float64 {
	if p := a.of(name, pb.AttributeProto_FLOAT); p != nil {
		return float64(p.GetF())
	}
	return otherwise
}

// String is a text attribute, or otherwise if it is not given.
func (a Attrs) String(name, otherwise string) string {
	if p := a.of(name, pb.AttributeProto_STRING); p != nil {
		return string(p.GetS())
	}
	return otherwise
}

// Ints is a list of integers; nil if it is not given.
func (a Attrs) Ints(name string) []int {
	p := a.of(name, pb.AttributeProto_INTS)
	if p == nil {
		return nil
	}
	out := make([]int, len(p.Ints))
	for i, x := range p.Ints {
		out[i] = int(x)
	}
	return out
}

// Floats is a list of floats; nil if it is not given.
func (a Attrs) Floats(name string) []float64 {
	p := a.of(name, pb.AttributeProto_FLOATS)
	if p == nil {
		return nil
	}
	out := make([]float64, len(p.Floats))
	for i, x := range p.Floats {
		out[i] = float64(x)
	}
	return out
}

// Strings is a list of texts; nil if it is not given.
func (a Attrs) Strings(name string) []string {
	p := a.of(name, pb.AttributeProto_STRINGS)
	if p == nil {
		return nil
	}
	out := make([]string, len(p.Strings))
	for i, s := range p.Strings {
		out[i] = string(s)
	}
	return out
}

// Tensor is a tensor attribute; nil if it is not given.
func (a Attrs) Tensor(name string) *Tensor {
	p := a.of(name, pb.AttributeProto_TENSOR)
	if p == nil {
		return nil
	}
	t, err := Decode(p.T, nil)
	if err != nil {
		Failf("attribute %s: %w", name, err)
	}
	return t
}

// Graph is a graph attribute; nil if it is not given.
func (a Attrs) Graph(name string) *pb.GraphProto {
	if p := a.of(name, pb.AttributeProto_GRAPH); p != nil {
		return p.G
	}
	return nil
}

// of finds an attribute and holds it to its type. Files of the first version have none.
func (a Attrs) of(name string, t pb.AttributeProto_AttributeType) *pb.AttributeProto {
	p := a[name]
	if p != nil && p.GetType() != t && p.GetType() != pb.AttributeProto_UNDEFINED {
		Failf("attribute %s is %v, want %v", name, p.GetType(), t)
	}
	return p
}

// Call is an operator on its operands, of which those left out are nil.
type Call struct {
	Op      string
	Version int // of the operator set
	Attrs   Attrs
	In      []*Tensor
	Outputs int
	// Shapes says that only types and shapes are wanted: the elements of some operands are not
	// known and are 0. Operators do not refuse values then.
	Shapes bool
}

// Arg is operand i, or nil if it is not given.
func (c *Call) Arg(i int) *Tensor {
	if i < len(c.In) {
		return c.In[i]
	}
	return nil
}

// need is operand i.
func (c *Call) need(i int) *Tensor {
	t := c.Arg(i)
	if t == nil {
		Failf("operand %d is missing", i)
	}
	return t
}

// needNumbers is operand i, of an operator that takes no texts.
func (c *Call) needNumbers(i int) *Tensor {
	t := c.need(i)
	if t.S != nil {
		Failf("operand %d is of texts; want numbers", i)
	}
	return t
}

// Axis resolves an axis of a tensor of n axes.
func Axis(a, n int) int {
	if a < -n || a >= n {
		Failf("axis %d of %d axes", a, n)
	}
	if a < 0 {
		a += n
	}
	return a
}

// axes are attribute axes, or operand i in newer versions; nil if neither is given.
func (c *Call) axes(i int) []int {
	if t := c.Arg(i); t != nil {
		return t.Ints()
	}
	return c.Attrs.Ints("axes")
}

// Func computes an operator. It panics with a Failure where it cannot.
type Func func(c *Call) []*Tensor

// Known reports whether there is a Func for an operator.
func Known(op string) bool { return funcs[op] != nil }

// Run computes an operator.
func Run(c *Call) (out []*Tensor, err error) {
	defer Catch(&err)
	f := funcs[c.Op]
	if f == nil {
		return nil, fmt.Errorf("%s is not computed on %v", c.Op, c.In)
	}
	out = f(c)
	for _, t := range out {
		if t != nil {
			t.Round()
		}
	}
	return out, nil
}

// Bug is a mistake of this package that a file has met: an operator that did not look before it
// indexed. A hostile file must not end the process by one.
type Bug struct {
	Err   runtime.Error
	Stack []byte // where
}

func (b Bug) Error() string {
	return fmt.Sprintf("this library makes a mistake with such a model: %v", b.Err)
}

func (b Bug) Unwrap() error { return b.Err }

// Catch, deferred, turns a Failure into an error, and so an index out of range or the like.
func Catch(err *error) {
	switch r := recover().(type) {
	case nil:
	case Failure:
		*err = r.Err
	case runtime.Error:
		*err = Bug{r, debug.Stack()}
	default:
		panic(r)
	}
}

// funcs are the operators by name.
var funcs map[string]Func

func init() {
	funcs = map[string]Func{}
	for _, table := range []map[string]Func{elementFuncs(), shapeFuncs(), indexFuncs(),
		reduceFuncs(), quantFuncs(), signalFuncs()} {
		for name, f := range table {
			funcs[name] = f
		}
	}
}
