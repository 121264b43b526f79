package word2vec

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
)

// To the first order in the rate, what a chunk changes is the rate times the gradient of the
// Network's losses; for the neighbours of CBOW, that times their number.
func TestUpdateIsTheGradient(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		cfg.Dim, cfg.MinCount, cfg.Window, cfg.Sample, cfg.LR = 5, 1, 2, 1, 1e-4
		if cfg.Output == Negative {
			cfg.Negatives = 3
		}
		sentences := topics(6)
		m, err := New(context.Background(), cfg, sentences)
		require.NoError(t, err)
		key := rng.New(3)
		for i := range m.in {
			m.in[i] = float32(key.Normal(uint64(i))) / 2 // so that no score is beyond pathRange
		}
		for i := range m.out {
			m.out[i] = float32(key.Named("out").Normal(uint64(i))) / 2
		}
		in, out := wide(m.in), wide(m.out)
		tr := newTrainer(m, must(m.encode(context.Background(), all(sentences))), TrainOptions{Workers: 1})
		tr.key, tr.rate = rng.New(9), 1e-4
		require.Equal(t, len(tr.text.starts)-1, must(tr.chunk(0)))
		if tr.tree != nil {
			paths(tr)
		}

		dIn, dOut := gradients(t, tr, in, out)
		compare(t, dIn, in, m.in)
		compare(t, dOut, out, m.out)
	})
}

// paths notes the steps of a text in a part, as the training with a tree takes them without noting
// them: what is drawn depends on the sentence alone.
func paths(tr *trainer) {
	p := &tr.parts[0]
	for s := range len(tr.text.starts) - 1 {
		d := p.kept.begin(tr, s)
		for at, word := range p.kept {
			from, to := p.kept.window(tr, &d, at)
			for k := from; k < to; k++ {
				switch {
				case k == at:
					continue
				case tr.cfg.Model == CBOW:
					p.neighbours[0] = append(p.neighbours[0], step{uint32(p.examples), p.kept[k]})
				default:
					for _, out := range tr.tree.path(word) {
						p.steps[0] = append(p.steps[0], step{p.kept[k], out})
					}
				}
			}
			if tr.cfg.Model == CBOW && to-from > 1 {
				for _, out := range tr.tree.path(word) {
					p.steps[0] = append(p.steps[0], step{uint32(p.examples), out})
				}
				p.examples++
			}
		}
	}
}

func wide(x []float32) []float64 {
	w := make([]float64, len(x))
	for i, v := range x {
		w[i] = float64(v)
	}
	return w
}

// compare wants the change from old to now to be −1e-4 times the gradient, to 1 % of the greatest
// change.
func compare(t *testing.T, gradient, old []float64, now []float32) {
	largest := 0.0
	for _, g := range gradient {
		largest = max(largest, math.Abs(g))
	}
	require.NotZero(t, largest)
	for i := range old {
		require.InDelta(t, -1e-4*gradient[i], float64(now[i])-old[i], 1e-6*largest+2e-7,
			"element %d", i)
	}
}

// gradients are those of the Network for the steps of a trainer's chunk, each a path of one node.
func gradients(t *testing.T, tr *trainer, in, out []float64) (dIn, dOut []float64) {
	cbow, D := tr.cfg.Model == CBOW, tr.cfg.Dim
	V := len(out)/D + 1 // so that the network has that many outputs
	var centers, contexts, lengths, points, codes, ones []int
	width := 2 * tr.cfg.Window
	for i := range tr.parts {
		p := &tr.parts[i]
		neighbours := make([][]int, p.examples)
		for _, list := range p.neighbours {
			for _, s := range list {
				neighbours[s.in] = append(neighbours[s.in], int(s.out))
			}
		}
		for _, list := range p.steps {
			for _, s := range list {
				points, codes, ones = append(points, int(s.out>>1)), append(codes, 1-int(s.out&1)),
					append(ones, 1)
				if !cbow {
					centers = append(centers, int(s.in))
					continue
				}
				ids := neighbours[s.in]
				lengths = append(lengths, len(ids))
				contexts = append(append(contexts, ids...), make([]int, width-len(ids))...)
			}
		}
	}
	B := len(points)
	store := nodes.NewStore(nodes.Float64, 1)
	n := NewNetwork(store.Root(), NetworkConfig{Model: tr.cfg.Model, Output: Hierarchical, V: V,
		E: D})
	copy(n.in.Value().Data().([]float64), in)
	copy(n.out.Value().Data().([]float64), out)
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	ids := func(name string, values []int, shape ...int) *nodes.Node {
		x := g.IntInput(name, shape...)
		require.NoError(t, gorgonia.Let(x.Gorgonia(),
			tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))))
		return x
	}
	x := Examples{Points: ids("points", points, B, 1), Codes: ids("codes", codes, B, 1),
		Lengths: ids("lengths", ones, B)}
	if cbow {
		x.Contexts, x.ContextLengths = ids("contexts", contexts, B, width),
			ids("context lengths", lengths, B)
	} else {
		x.Centers = ids("centers", centers, B)
	}
	_, losses := n.Losses(x)
	weighted := losses
	if cbow {
		weighted = nodes.Mul(losses, nodes.Sum(mask(x.ContextLengths, width), 1))
	}
	a := g.Gradients(nodes.Sum(weighted), n.in)[0]
	b := g.Gradients(nodes.Sum(losses), n.out)[0]
	machine, err := graph.Compile(g.Expr(), graph.Keep(a.Gorgonia(), b.Gorgonia()))
	require.NoError(t, err)
	defer machine.Close()
	require.NoError(t, machine.RunAll())
	dIn = a.Value().Data().([]float64)[:len(in)] // the network may have one word more
	return dIn, b.Value().Data().([]float64)[:len(out)]
}

// The steps of a word are itself and what was drawn.
func TestSteps(t *testing.T) {
	sentences := [][]string{strings.Fields("a b c a b a d e f g h")}
	m, err := New(context.Background(), Config{MinCount: 1, Window: 1, Negatives: 4, Sample: 1},
		sentences)
	require.NoError(t, err)
	tr := newTrainer(m, must(m.encode(context.Background(), all(sentences))), TrainOptions{Workers: 1})
	must(tr.chunk(0))
	positives, pairs := 0, map[step]int{}
	for i := range tr.parts {
		for k, list := range tr.parts[i].steps {
			for _, s := range list {
				require.EqualValues(t, k, s.in%blocks*blocks+s.out>>1%blocks)
				pairs[s]++
				positives += int(s.out & 1)
			}
		}
	}
	ids := tr.text.ids
	require.Equal(t, 2*(len(ids)-1), positives)
	for i := range ids {
		for _, j := range []int{i - 1, i + 1} {
			if j >= 0 && j < len(ids) {
				require.Positive(t, pairs[step{ids[j], ids[i]<<1 | 1}])
			}
		}
	}
}

func TestSigmoid(t *testing.T) {
	for x := -20.0; x <= 20; x += 0.0007 {
		require.InDelta(t, 1/(1+math.Exp(-float64(float32(x)))), float64(sigmoid(float32(x))), 4e-6)
	}
	for x, want := range map[float64]float32{math.Inf(1): 1, math.Inf(-1): 0, 16: 1, -16: 0,
		math.NaN(): 0, 0: 0.5} {
		require.Equal(t, want, sigmoid(float32(x)))
	}
	require.InDelta(t, 1, sigmoid(math.Nextafter32(16, 0)), 1e-6)
}
