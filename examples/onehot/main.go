// Onehot shows, step by step, that looking up a word's vector is a product of a one-hot vector with
// a matrix, in value and in gradient, and what it saves not to carry the product out.
package main

import (
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/seqzoo/seqzoo/examples/cli"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	compiled "github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
)

func main() {
	cli.Main("onehot", func(args []string, out io.Writer) error {
		f := flag.NewFlagSet("onehot", flag.ContinueOnError)
		vocabulary := f.Int("vocab", 10_000, "words in the vocabulary")
		width := f.Int("embed", 128, "width of a vector")
		var batch int
		var quick bool
		cli.BatchFlag(f, &batch, 512, ": words at a time")
		cli.QuickFlag(f, &quick)
		cli.OldNames(f, "v", "vocab", "e", "embed", "b", "batch")
		if err := cli.Parse(f, args,
			"Shows that a word's vector is a product with a one-hot vector, and what a lookup "+
				"saves.\n\n"+
				cli.Lesson("07-word2vec"), out); err != nil {
			return err
		}
		if f.NArg() > 0 {
			return cli.Usagef("unexpected argument %q", f.Arg(0))
		}
		if quick {
			*vocabulary, *width, batch = 100, 8, 16
		}
		return run(out, *vocabulary, *width, batch)
	})
}

func run(out io.Writer, v, e, b int) error {
	const most = 1 << 20
	if v < 1 || v > most || e < 1 || e > most || b < 1 || b > most || v*e > 1<<28 || v*b > 1<<28 {
		return cli.Usagef("-vocab %d, -embed %d, -batch %d: want 1 … %d each, and -vocab times "+
			"the others at most %d", v, e, b, most, 1<<28)
	}
	if err := tell(out); err != nil {
		return err
	}
	return race(out, v, e, b)
}

// model is the loss ½·Σ y² of vectors y [B, E] that stand for words, made one way or the other.
type model struct {
	*train.Step
	table *nodes.Param // [V, E]
	ids   []int        // [B]
}

func newModel(v, e, b int, look func(table *nodes.Param, ids *nodes.Node) *nodes.Node) (m *model,
	err error) {
	m = &model{}
	var ids, y, loss *nodes.Node
	err = nodes.Try(func() {
		store := nodes.NewStore(nodes.Float32, 1) // the same seed for both, so the same table
		m.table = store.Root().Param("E", nodes.Uniform(-1, 1), v, e)
		g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float32, Training: true})
		ids = g.IntInput("ids", b)
		y = look(m.table, ids)
		loss = nodes.Scale(nodes.Sum(nodes.Square(y)), 0.5)
	})
	if err != nil {
		return nil, err
	}
	if m.Step, err = train.NewStep(loss, y); err != nil {
		return nil, err
	}
	var in compiled.Inputs
	m.ids = in.Ints(ids)
	return m, in.Err()
}

// The two ways.
func byProduct(table *nodes.Param, ids *nodes.Node) *nodes.Node {
	return nodes.MatMul(nodes.OneHot(ids, table.Shape()[0]), table) // [B, V]·[V, E]
}

func byLookup(table *nodes.Param, ids *nodes.Node) *nodes.Node {
	return nodes.Embedding(table, ids, -1)
}

// both makes the model both ways, and lets it read the words of id.
func both(v, e, b int, id func(i int) int) (product, lookup *model, err error) {
	if product, err = newModel(v, e, b, byProduct); err != nil {
		return nil, nil, err
	}
	if lookup, err = newModel(v, e, b, byLookup); err != nil {
		return nil, nil, err
	}
	for i := range b {
		product.ids[i], lookup.ids[i] = id(i), id(i)
	}
	for _, m := range []*model{product, lookup} {
		if _, err := m.Run(0, 0); err != nil {
			return nil, nil, err
		}
	}
	return product, lookup, nil
}

func (m *model) values() []float32 { return m.Output(0).Float32s() }

func (m *model) gradient() ([]float32, error) {
	g, err := m.Grads()[0].Grad()
	if err != nil {
		return nil, err
	}
	return g.Data().([]float32), nil
}

// tell is the story in small numbers.
func tell(out io.Writer) error {
	words := []string{"the", "cat", "sat", "on", "mat"}
	said := []int{1, 4, 1}
	product, lookup, err := both(5, 3, 3, func(i int) int { return said[i] })
	if err != nil {
		return err
	}
	defer product.Close()
	defer lookup.Close()
	print := func(label string, row []float32) { fmt.Fprintf(out, "    %-14s% .3f\n", label, row) }
	fmt.Fprintln(out, "Five words, each with a vector of three numbers, the rows of a matrix E:")
	table := product.table.Value().Data().([]float32)
	for i, w := range words {
		print(w, table[3*i:3*i+3])
	}
	fmt.Fprintln(out, "\nA word as a one-hot vector has a 1 in its own place. Times E, that is "+
		"the word's row; so is a lookup:")
	for i, id := range said {
		hot := make([]int, 5)
		hot[id] = 1
		fmt.Fprintf(out, "    %-14s%v\n", words[id], hot)
		print("  one-hot · E", product.values()[3*i:3*i+3])
		print("  E["+fmt.Sprint(id)+"]", lookup.values()[3*i:3*i+3])
	}
	a, err := product.gradient()
	if err != nil {
		return err
	}
	b, err := lookup.gradient()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "\nThe gradient of ½·Σy² by E, one way and the other: rows of words that "+
		"were not said are 0, and what comes")
	fmt.Fprintln(out, "twice counts twice. The product is one-hotᵀ·y; the lookup adds the rows "+
		"of y up where they belong.")
	for i, w := range words {
		print(w, a[3*i:3*i+3])
		print("", b[3*i:3*i+3])
	}
	fmt.Fprintf(out, "    greatest difference: %g\n\n", difference(a, b))
	return nil
}

// race measures both ways at a size of practice.
func race(out io.Writer, v, e, b int) error {
	key := rng.New(7)
	product, lookup, err := both(v, e, b,
		func(i int) int { return int(key.Uint64(uint64(i)) % uint64(v)) })
	if err != nil {
		return err
	}
	defer product.Close()
	defer lookup.Close()
	x, err := product.gradient()
	if err != nil {
		return err
	}
	y, err := lookup.gradient()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The same with %d words of width %d, %d at a time. Greatest difference of "+
		"the vectors %g, of the gradients %g.\n",
		v, e, b, difference(product.values(), lookup.values()), difference(x, y))
	slow, err := timeOf(product)
	if err != nil {
		return err
	}
	fast, err := timeOf(lookup)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "    one-hot · E   %10v a step, there and back; %d numbers for the "+
		"one-hot vectors\n", slow.Round(time.Microsecond), b*v)
	fmt.Fprintf(out, "    E[id]         %10v a step; %d numbers for the ids\n",
		fast.Round(time.Microsecond), b)
	fmt.Fprintf(out, "    the lookup is %.0f times as fast; most of what is left is the "+
		"gradient, a matrix as large as E\n", float64(slow)/float64(fast))
	return nil
}

// timeOf is the time of a step, the best of some.
func timeOf(m *model) (best time.Duration, err error) {
	begin := time.Now()
	for n := 0; n < 3 || time.Since(begin) < time.Second/2 && n < 100; n++ {
		start := time.Now()
		if _, err := m.Run(0, 0); err != nil {
			return 0, err
		}
		if d := time.Since(start); best == 0 || d < best {
			best = d
		}
	}
	return max(best, 1), nil
}

// difference is the greatest between two lists.
func difference(a, b []float32) float32 {
	greatest := float32(0)
	for i := range a {
		greatest = max(greatest, a[i]-b[i], b[i]-a[i])
	}
	return greatest
}
