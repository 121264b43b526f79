package native

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	G "gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/ops"
)

// Expr computes the value of a node from its operands, of which there are In.
type Expr struct {
	In     int
	Steps  []Step
	Result int // number of the operand or step whose value it is
}

// Step applies an operation. Args below Expr.In are operands of the node; In+i is the result of
// step i.
type Step struct {
	Fn   ops.Operation
	Args []int
}

// Translate gives the expression that equals op, for operands and a result of the given types. The
// error says why there is none; then the op's own Do has to be run.
func Translate(op G.Op, in []ops.Type, out ops.Type) (*Expr, error) {
	_, name := inspect(op)
	if translations[name] == nil {
		return nil, fmt.Errorf("%s has no translation", describe(op))
	}
	return translate(op, in, out, translations[name])
}

func translate(op G.Op, in []ops.Type, out ops.Type, build func(*builder) int) (e *Expr,
	err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case misfit:
			e, err = nil, fmt.Errorf("%s: %w", describe(op), r.error)
		default:
			panic(r)
		}
	}()
	v, _ := inspect(op)
	b := &builder{Expr: Expr{In: len(in)}, op: op, fields: v, types: slices.Clone(in), out: out}
	b.Result = build(b)
	if got := b.types[b.Result]; got.Dtype != out.Dtype || !slices.Equal(got.Shape, out.Shape) {
		return nil, fmt.Errorf("%s gives %v, the node is %v", describe(op), got, out)
	}
	return &b.Expr, nil
}

// inspect looks into an op of Gorgonia's. The name is empty for an op of another package.
func inspect(op G.Op) (v reflect.Value, name string) {
	if op == nil {
		return v, ""
	}
	v = reflect.Indirect(reflect.ValueOf(op))
	if !v.IsValid() || v.Type().PkgPath() != "gorgonia.org/gorgonia" {
		return v, ""
	}
	return v, v.Type().Name()
}

// describe names an op for a message: "dropoutOp (Dropout{training=true}())".
func describe(op G.Op) string {
	if op == nil {
		return "an input"
	}
	t := reflect.Indirect(reflect.ValueOf(op)).Type()
	return fmt.Sprintf("%s (%s)", t.Name(), strings.TrimSpace(op.String()))
}

// Read is the place that a Read node writes to.
func Read(op G.Op) (into *G.Value, ok bool) {
	v, name := inspect(op)
	if name != "readOp" {
		return nil, false
	}
	return (*G.Value)(v.FieldByName("into").UnsafePointer()), true
}

// IsStatement reports whether op makes no value: a Read, or a Set, which Gorgonia's own machine
// ignores.
func IsStatement(op G.Op) bool {
	_, name := inspect(op)
	return name == "readOp" || name == "letOp"
}

// IsConstant reports whether op is a constant. Its value is the node's.
func IsConstant(op G.Op) bool {
	_, name := inspect(op)
	return name == "constantScalar" || name == "constantTensor"
}

// ScalarInVector reports whether the value of n, a scalar, is a tensor of one element in Gorgonia:
// Tensordot of two vectors.
func ScalarInVector(n *G.Node) bool {
	_, name := inspect(n.Op())
	return name == "tensordotOp" && len(n.Shape()) == 0
}

// Unasked reports whether n is a derivative that gorgonia.Grad made on the way and gave to nobody,
// such as that of an input outside its list.
func Unasked(n *G.Node) bool {
	if len(n.DerivOf()) > 0 {
		return false
	}
	group := reflect.ValueOf(n).Elem().FieldByName("group") // Gorgonia's own, for its drawings
	return group.Kind() == reflect.String && (group.String() == "gradients" ||
		group.String() == "undifferentiated nodes")
}

// Warning tells of a node in whose graph Gorgonia may have merged different nodes, or whose
// derivative is known to be wrong; it is empty if nothing is known against the node.
func Warning(n *G.Node, operands []*G.Node) string {
	v, name := inspect(n.Op())
	switch name {
	case "sliceOp", "sliceIncrOp":
		s := operands[0].Shape()
		if axis := int(v.FieldByName("along").Int()); axis < len(s) && s[axis] > 255 {
			return fmt.Sprintf("%v slices axis %d, of size %d: gorgonia.Slice tells ranges apart by the lowest byte of their "+
				"bounds, so Gorgonia may have taken different slices of this tensor for one; "+
				"nodes.Slice does not", n, axis, s[axis])
		}
	case "dropoutOp":
		return fmt.Sprintf("%v: gorgonia.Dropout takes dropouts of one tensor with different probabilities for one, draws "+
			"its mask from the clock, and scales its gradient by 1/p instead of 1/(1−p); "+
			"nodes.Dropout does not", n)
	case "avgPoolOp":
		return fmt.Sprintf("%v: gorgonia.AveragePool2D divides by the width of its input instead of by the elements of its window, "+
			"and its gradient is not that of what it computes", n)
	}
	return ""
}

// Apply computes e by means of apply, which says what an operation makes of values.
func Apply[V any](e *Expr, operands []V, apply func(ops.Operation, ...V) V) V {
	vs := slices.Clone(operands)
	for _, s := range e.Steps {
		args := make([]V, len(s.Args))
		for i, a := range s.Args {
			args[i] = vs[a]
		}
		vs = append(vs, apply(s.Fn, args...))
	}
	return vs[e.Result]
}

// Eval computes e the plain way.
func (e *Expr) Eval(operands []ops.Tensor) (out ops.Tensor, err error) {
	out = Apply(e, operands, func(fn ops.Operation, in ...ops.Tensor) ops.Tensor {
		types := make([]ops.Type, len(in))
		for i, t := range in {
			types[i] = ops.Type{Dtype: t.Dtype(), Shape: t.Shape}
		}
		t, inferErr := fn.Infer(types)
		if err == nil {
			err = inferErr
		}
		if err != nil {
			return ops.Tensor{}
		}
		out := ops.NewTensor(t)
		if evalErr := fn.Eval(in, out); evalErr != nil {
			err = fmt.Errorf("%s: %w", fn.Key(), evalErr)
		}
		return out
	})
	return out, err
}

func (e *Expr) String() string {
	var b strings.Builder
	for i, s := range e.Steps {
		fmt.Fprintf(&b, "%%%d = %s", e.In+i, s.Fn.Key())
		for _, a := range s.Args {
			fmt.Fprintf(&b, " %%%d", a)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%%%d", e.Result)
	return b.String()
}
