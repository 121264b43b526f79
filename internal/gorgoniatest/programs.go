package gorgoniatest

import (
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/rng"
)

// Program is a training program written for Gorgonia alone, as far as the choice of its machine.
type Program struct {
	Graph      *G.ExprGraph
	Cost       *G.Node
	Learnables G.Nodes
	Feed       func(step int) error // binds the data of a step
}

// Train runs steps of a program on a machine, and returns the cost of each.
func (p *Program) Train(vm G.VM, solver G.Solver, steps int) ([]float64, error) {
	var cost G.Value
	costs := make([]float64, steps)
	for i := range costs {
		if err := p.Feed(i); err != nil {
			return nil, err
		}
		if err := vm.RunAll(); err != nil {
			return nil, err
		}
		cost = p.Cost.Value()
		switch v := cost.Data().(type) {
		case float32:
			costs[i] = float64(v)
		case float64:
			costs[i] = v
		}
		if solver != nil {
			if err := solver.Step(G.NodesToValueGrads(p.Learnables)); err != nil {
				return nil, err
			}
		}
		vm.Reset()
	}
	return costs, nil
}

// numbers makes tensors of random numbers of a type.
type numbers struct {
	dt  tensor.Dtype
	key rng.Key
	n   uint64
}

func (r *numbers) uniform(scale float64, shape ...int) *tensor.Dense {
	r.n++
	k := r.key.Numbered(r.n)
	t := tensor.New(tensor.Of(r.dt), tensor.WithShape(shape...))
	for i := range t.DataSize() {
		v := scale * (2*k.Float64(uint64(i)) - 1)
		if r.dt == tensor.Float32 {
			t.Set(i, float32(v))
		} else {
			t.Set(i, v)
		}
	}
	return t
}

func (r *numbers) matrix(g *G.ExprGraph, name string, rows, cols int) *G.Node {
	w := r.uniform(1/math.Sqrt(float64(rows)), rows, cols)
	return G.NewMatrix(g, r.dt, G.WithShape(rows, cols), G.WithName(name), G.WithValue(w))
}

func (r *numbers) bias(g *G.ExprGraph, name string, cols int) *G.Node {
	return G.NewMatrix(g, r.dt, G.WithShape(1, cols), G.WithName(name),
		G.WithValue(r.uniform(0.1, 1, cols)))
}

// MLP fits the sine of a sum by two hidden layers and a trained scale.
func MLP(dt tensor.Dtype, batch, in, hidden int) (*Program, error) {
	g := G.NewGraph()
	r := &numbers{dt: dt, key: rng.New(1)}
	x := G.NewMatrix(g, dt, G.WithShape(batch, in), G.WithName("x"))
	y := G.NewVector(g, dt, G.WithShape(batch), G.WithName("y"))
	w1, b1 := r.matrix(g, "w1", in, hidden), r.bias(g, "b1", hidden)
	w2, b2 := r.matrix(g, "w2", hidden, hidden), r.bias(g, "b2", hidden)
	w3 := G.NewVector(g, dt, G.WithShape(hidden), G.WithName("w3"),
		G.WithValue(r.uniform(0.3, hidden)))
	one := any(1.0)
	if dt == tensor.Float32 {
		one = float32(1)
	}
	scale := G.NewScalar(g, dt, G.WithName("scale"), G.WithValue(one))

	h1 := G.Must(G.Tanh(G.Must(G.BroadcastAdd(G.Must(G.Mul(x, w1)), b1, nil, []byte{0}))))
	h2 := G.Must(G.Rectify(G.Must(G.BroadcastAdd(G.Must(G.Mul(h1, w2)), b2, nil, []byte{0}))))
	pred := G.Must(G.HadamardProd(G.Must(G.Mul(h2, w3)), scale))
	cost := G.Must(G.Mean(G.Must(G.Square(G.Must(G.Sub(pred, y))))))

	learnables := G.Nodes{w1, b1, w2, b2, w3, scale}
	if _, err := G.Grad(cost, learnables...); err != nil {
		return nil, err
	}
	return &Program{g, cost, learnables, func(int) error {
		xs := r.uniform(1, batch, in)
		ys := tensor.New(tensor.Of(dt), tensor.WithShape(batch))
		for i := range batch {
			switch xs := xs.Data().(type) {
			case []float32:
				var s float32
				for _, v := range xs[i*in : (i+1)*in] {
					s += v
				}
				ys.Set(i, float32(math.Sin(float64(s))))
			case []float64:
				var s float64
				for _, v := range xs[i*in : (i+1)*in] {
					s += v
				}
				ys.Set(i, math.Sin(s))
			}
		}
		if err := G.Let(x, xs); err != nil {
			return err
		}
		return G.Let(y, ys)
	}}, nil
}

// Classifier is a softmax classifier of images with one hidden layer, trained on batches of the
// data in order.
func Classifier(dt tensor.Dtype, data *Images, batch, hidden int) (*Program, error) {
	g := G.NewGraph()
	r := &numbers{dt: dt, key: rng.New(2)}
	pixels := len(data.Pixels) / len(data.Labels)
	x := G.NewMatrix(g, dt, G.WithShape(batch, pixels), G.WithName("x"))
	y := G.NewMatrix(g, dt, G.WithShape(batch, 10), G.WithName("y"))
	w1, b1 := r.matrix(g, "w1", pixels, hidden), r.bias(g, "b1", hidden)
	w2, b2 := r.matrix(g, "w2", hidden, 10), r.bias(g, "b2", 10)

	h := G.Must(G.Rectify(G.Must(G.BroadcastAdd(G.Must(G.Mul(x, w1)), b1, nil, []byte{0}))))
	prob := G.Must(G.SoftMax(G.Must(G.BroadcastAdd(G.Must(G.Mul(h, w2)), b2, nil, []byte{0})), 1))
	cost := G.Must(G.Neg(G.Must(G.Mean(G.Must(G.HadamardProd(G.Must(G.Log(prob)), y))))))

	learnables := G.Nodes{w1, b1, w2, b2}
	if _, err := G.Grad(cost, learnables...); err != nil {
		return nil, err
	}
	xs := tensor.New(tensor.Of(dt), tensor.WithShape(batch, pixels))
	ys := tensor.New(tensor.Of(dt), tensor.WithShape(batch, 10))
	return &Program{g, cost, learnables, func(step int) error {
		ys.Zero()
		for i := range batch {
			k := (step*batch + i) % len(data.Labels)
			for p, v := range data.Pixels[k*pixels : (k+1)*pixels] {
				if dt == tensor.Float32 {
					xs.Float32s()[i*pixels+p] = float32(v) / 255
				} else {
					xs.Float64s()[i*pixels+p] = float64(v) / 255
				}
			}
			if dt == tensor.Float32 {
				ys.Float32s()[i*10+int(data.Labels[k])] = 1
			} else {
				ys.Float64s()[i*10+int(data.Labels[k])] = 1
			}
		}
		if err := G.Let(x, xs); err != nil {
			return err
		}
		return G.Let(y, ys)
	}}, nil
}

// RNN is a recurrent network of the simplest kind, laid out step by step, that learns to repeat its
// input one step later.
func RNN(dt tensor.Dtype, T, batch, in, hidden int) (*Program, error) {
	g := G.NewGraph()
	r := &numbers{dt: dt, key: rng.New(3)}
	wx, wh, wy := r.matrix(g, "wx", in, hidden), r.matrix(g, "wh", hidden, hidden),
		r.matrix(g, "wy", hidden, in)
	b := r.bias(g, "b", hidden)
	h := G.NewMatrix(g, dt, G.WithShape(batch, hidden), G.WithName("h0"),
		G.WithValue(tensor.New(tensor.Of(dt), tensor.WithShape(batch, hidden))))
	xs := make(G.Nodes, T)
	var cost *G.Node
	for t := range T {
		xs[t] = G.NewMatrix(g, dt, G.WithShape(batch, in), G.WithName(fmt.Sprintf("x%d", t)))
		a := G.Must(G.Add(G.Must(G.Mul(xs[t], wx)), G.Must(G.Mul(h, wh))))
		h = G.Must(G.Tanh(G.Must(G.BroadcastAdd(a, b, nil, []byte{0}))))
		if t == 0 {
			continue
		}
		e := G.Must(G.Sum(G.Must(G.Square(G.Must(G.Sub(G.Must(G.Mul(h, wy)), xs[t-1]))))))
		if cost == nil {
			cost = e
		} else {
			cost = G.Must(G.Add(cost, e))
		}
	}
	n := any(1 / float64(T*batch*in))
	if dt == tensor.Float32 {
		n = 1 / float32(T*batch*in)
	}
	cost = G.Must(G.Mul(cost, G.NewConstant(n)))
	learnables := G.Nodes{wx, wh, wy, b}
	if _, err := G.Grad(cost, learnables...); err != nil {
		return nil, err
	}
	return &Program{g, cost, learnables, func(int) error {
		for _, x := range xs {
			if err := G.Let(x, r.uniform(1, batch, in)); err != nil {
				return err
			}
		}
		return nil
	}}, nil
}

// Convolutions is a small convolutional network with pooling.
func Convolutions(dt tensor.Dtype, batch, side int) (*Program, error) {
	g := G.NewGraph()
	r := &numbers{dt: dt, key: rng.New(4)}
	x := G.NewTensor(g, dt, 4, G.WithShape(batch, 1, side, side), G.WithName("x"))
	kernel := G.NewTensor(g, dt, 4, G.WithShape(2, 1, 3, 3), G.WithName("kernel"),
		G.WithValue(r.uniform(0.5, 2, 1, 3, 3)))
	y, err := G.Conv2d(x, kernel, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1})
	if err != nil {
		return nil, err
	}
	if y, err = G.MaxPool2D(G.Must(G.Rectify(y)), tensor.Shape{2, 2}, []int{0, 0},
		[]int{2, 2}); err != nil {
		return nil, err
	}
	n := 2 * (side / 2) * (side / 2)
	w := r.matrix(g, "w", n, 4)
	out := G.Must(G.Mul(G.Must(G.Reshape(y, tensor.Shape{batch, n})), w))
	cost := G.Must(G.Mean(G.Must(G.Square(out))))
	learnables := G.Nodes{kernel, w}
	if _, err := G.Grad(cost, learnables...); err != nil {
		return nil, err
	}
	return &Program{g, cost, learnables,
		func(int) error { return G.Let(x, r.uniform(1, batch, 1, side, side)) }}, nil
}

// Convnet is the network of Gorgonia's example of that name, without its dropout: three times a
// convolution of 3 × 3, a rectifier and a pooling, with 32, 64 and 128 channels, then a layer of
// 625 and ten classes. Pictures are 28 × 28.
func Convnet(dt tensor.Dtype, batch int) (*Program, error) {
	g := G.NewGraph()
	r := &numbers{dt: dt, key: rng.New(6)}
	x := G.NewTensor(g, dt, 4, G.WithShape(batch, 1, 28, 28), G.WithName("x"))
	y := G.NewMatrix(g, dt, G.WithShape(batch, 10), G.WithName("y"))
	var learnables G.Nodes
	h, in := x, 1
	for _, out := range []int{32, 64, 128} {
		w := G.NewTensor(g, dt, 4, G.WithShape(out, in, 3, 3), G.WithName(fmt.Sprint("w", out)),
			G.WithValue(r.uniform(math.Sqrt(2/float64(9*in)), out, in, 3, 3)))
		c, err := G.Conv2d(h, w, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1})
		if err != nil {
			return nil, err
		}
		h, err = G.MaxPool2D(G.Must(G.Rectify(c)), tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2})
		if err != nil {
			return nil, err
		}
		learnables, in = append(learnables, w), out
	}
	const flat = 128 * 3 * 3
	w3, w4 := r.matrix(g, "w3", flat, 625), r.matrix(g, "w4", 625, 10)
	h = G.Must(G.Rectify(G.Must(G.Mul(G.Must(G.Reshape(h, tensor.Shape{batch, flat})), w3))))
	p := G.Must(G.SoftMax(G.Must(G.Mul(h, w4))))
	cost := G.Must(G.Neg(G.Must(G.Mean(G.Must(G.HadamardProd(G.Must(G.Log(p)), y))))))
	learnables = append(learnables, w3, w4)
	if _, err := G.Grad(cost, learnables...); err != nil {
		return nil, err
	}
	labels := tensor.New(tensor.Of(dt), tensor.WithShape(batch, 10))
	for i := range batch {
		if err := labels.SetAt(one(dt), i, i%10); err != nil {
			return nil, err
		}
	}
	return &Program{g, cost, learnables, func(int) error {
		if err := G.Let(y, labels); err != nil {
			return err
		}
		return G.Let(x, r.uniform(1, batch, 1, 28, 28))
	}}, nil
}

// one is 1 of a float type.
func one(dt tensor.Dtype) any {
	if dt == tensor.Float32 {
		return float32(1)
	}
	return 1.0
}

// Images are pictures of digits.
type Images struct {
	Pixels []byte // of all images, one after another
	Labels []byte
}

// MNIST reads the first n training images from the folder of the data sets: that which the
// environment variable SEQZOO_DATA names, else fallback.
func MNIST(fallback string, n int) (*Images, error) {
	dir := os.Getenv("SEQZOO_DATA")
	if dir == "" {
		dir = fallback
	}
	read := func(name string, head, size int) ([]byte, error) {
		f, err := os.Open(filepath.Join(dir, "mnist", name))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, err
		}
		b := make([]byte, head+size)
		_, err = io.ReadFull(z, b)
		return b[head:], err
	}
	pixels, err := read("train-images-idx3-ubyte.gz", 16, n*28*28)
	if err != nil {
		return nil, err
	}
	labels, err := read("train-labels-idx1-ubyte.gz", 8, n)
	return &Images{pixels, labels}, err
}
