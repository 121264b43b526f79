package onnx

import (
	"sync"
	"sync/atomic"

	"gorgonia.org/gorgonia"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/ops"
	"github.com/seqzoo/seqzoo/nodes"
)

// weights is a matrix that products read. Files hold those of recurrent layers, and of Gemm with
// transB, as [out, in], while a product of few rows is fast with [in, out]: turning the matrix
// round takes longer than multiplying by it.
type weights struct {
	n      *nodes.Node
	turned bool // n is [in, out]
}

// times is the product of x and the weights.
func (w weights) times(x *nodes.Node) *nodes.Node {
	if w.turned {
		return nodes.MatMul(x, w.n)
	}
	return nodes.MatMulT(x, w.n)
}

// outputs are the weights of the outputs from ≤ o < to.
func (w weights) outputs(from, to int) weights {
	axis := 0
	if w.turned {
		axis = 1
	}
	return weights{nodes.Slice(w.n, axis, from, to), w.turned}
}

// weights are matrix i of an operand [N, out, in], or an operand [out, in].
func (b *builder) weights(v *value, i int) weights {
	n := len(v.shape)
	out, in := v.shape[n-2], v.shape[n-1]
	x, turned := b.turned(v)
	if !turned {
		x = b.node(v)
	} else {
		out, in = in, out
	}
	if n == 3 {
		x = nodes.Slice(x, 0, i, i+1)
	}
	return weights{nodes.Reshape(x, out, in), turned}
}

// turned is a parameter's value with its last two axes exchanged, if the graph is one that runs and
// does not train.
func (b *builder) turned(v *value) (n *nodes.Node, ok bool) {
	if b.step == nil || v.param == nil || len(v.shape) < 2 {
		return nil, false
	}
	t := b.step.turned[v.param]
	if t == nil {
		t = b.m.turned.of(v.param)
		shape := t.value.Shape
		t.node = b.root.Input("turned "+v.param.Name(), shape...)
		if err := gorgonia.Let(t.node.Gorgonia(), t.value.Value()); err != nil {
			nodes.Failf("ONNX", "%v", err)
		}
		b.step.turned[v.param] = t
	}
	return t.node, true
}

// turnedParam is a parameter's value turned round, in the graph of a step.
type turnedParam struct {
	value ops.Tensor
	node  *nodes.Node
	own   bool // the step's alone
}

// turnedParams are the values that all steps of a model share. They are right as long as nobody can
// have changed the parameters.
type turnedParams struct {
	handed atomic.Bool // somebody may hold the parameters
	mu     sync.Mutex
	all    map[*nodes.Param]ops.Tensor
}

// of is the value of a parameter for a step.
func (t *turnedParams) of(p *nodes.Param) *turnedParam {
	t.mu.Lock()
	defer t.mu.Unlock()
	x, ok := t.all[p]
	if !ok {
		x = turn(p, ops.Tensor{})
	}
	if !ok && !t.handed.Load() { // else no later step is to read it
		if t.all == nil {
			t.all = map[*nodes.Param]ops.Tensor{}
		}
		t.all[p] = x
	}
	return &turnedParam{value: x}
}

// handOut notes that the parameters may change from now on.
func (t *turnedParams) handOut() {
	if t.handed.Swap(true) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = nil
}

// turn writes the value of a parameter to a tensor, a new one if that is empty.
func turn(p *nodes.Param, to ops.Tensor) ops.Tensor {
	x, _ := ops.TensorOf(p.Value())
	n := len(x.Shape)
	rows, cols := x.Shape[n-2], x.Shape[n-1]
	if to.Shape == nil {
		shape := append(append([]int{}, x.Shape[:n-2]...), cols, rows)
		to = ops.NewTensor(ops.Type{Dtype: x.Dtype(), Shape: shape})
	}
	for at := 0; at < ops.Size(x.Shape); at += rows * cols {
		if x.F32 != nil {
			kernels.Transpose(to.F32[at:], rows, x.F32[at:], cols, rows, cols)
		} else {
			kernels.Transpose(to.F64[at:], rows, x.F64[at:], cols, rows, cols)
		}
	}
	return to
}

// refresh turns the parameters round as they are now, where they may have changed.
func (s *Step) refresh() error {
	if len(s.turned) == 0 || !s.m.turned.handed.Load() {
		return nil
	}
	for p, t := range s.turned {
		if t.own {
			turn(p, t.value)
			continue
		}
		t.value, t.own = turn(p, ops.Tensor{}), true // others may read the shared one
		if err := gorgonia.UnsafeLet(t.node.Gorgonia(), t.value.Value()); err != nil {
			return err
		}
	}
	return nil
}
