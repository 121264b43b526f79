package nodes

import (
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/ops"
)

// AdaptiveSoftmaxConfig sizes an AdaptiveSoftmax.
type AdaptiveSoftmaxConfig struct {
	In int // H, the width of the input
	V  int // vocabulary, ids by falling frequency

	// Cutoffs are where clusters end, rising, each in 1 … V−1: ids below the first are the head,
	// and the others fall into a tail for each cutoff, the last of which ends with the vocabulary.
	Cutoffs []int

	// Div is by how much the width of a tail is smaller than that of the one before: tail i = 0, 1,
	// … has the width In/Div^(i+1), at least 1. 0 means 4.
	Div float64

	// Shares are the shares of the targets that are expected in each tail. They say how much room a
	// batch gets, which has an influence on speed only. Nil: as if every token were equally
	// frequent.
	Shares []float64
}

// Validate reports every field that is out of range.
func (c AdaptiveSoftmaxConfig) Validate() error {
	bad := check.Problems{Prefix: "adaptive softmax: "}
	bad.Int("In", c.In, 1, math.MaxInt)
	bad.Int("V", c.V, 2, math.MaxInt)
	bad.That(len(c.Cutoffs) > 0, "no cutoffs: want at least one, such as a tenth of the vocabulary")
	last := 0
	for _, at := range c.Cutoffs {
		bad.That(at > last && at < c.V,
			"cutoffs are %v, want rising ones in 1 … %d, the vocabulary less one", c.Cutoffs, c.V-1)
		if at <= last || at >= c.V {
			break
		}
		last = at
	}
	bad.That(c.Div == 0 || c.Div >= 1 && !math.IsInf(c.Div, 0),
		"Div is %g, want at least 1, or 0 for 4", c.Div)
	bad.That(c.Shares == nil || len(c.Shares) == len(c.Cutoffs), "%d shares for %d tails",
		len(c.Shares), len(c.Cutoffs))
	for _, s := range c.Shares {
		bad.That(s >= 0 && s <= 1, "a share is %g, want 0 … 1", s)
	}
	return bad.Err()
}

// AdaptiveSoftmax is a softmax over a large vocabulary in two steps (Grave et al., 2017): frequent
// tokens stand in a head, beside an entry for each cluster of rarer ones, and a cluster is scored
// only where the target is in it.
//
//	p(id) = softmax(x·W_head + b)[id]                                    in the head
//	p(id) = softmax(x·W_head + b)[C+i] · softmax(x·P_i·W_i)[id − start_i] in tail i
//
// where C is the first cutoff. Probabilities are exact, in training as in use. PyTorch's
// AdaptiveLogSoftmaxWithLoss with head_bias is the same, its weights transposed.
//
// # Batches
//
// How many targets fall into a tail differs from batch to batch, and the shapes of a graph do not.
// So the rows whose targets are in a tail are gathered into room for a fixed number of them, and
// unused rows count nothing. The room comes in levels: Level gives the lowest that
// holds a batch, a graph is built for a level, and Fill lays the targets out. The level depends on
// the batch alone, so a training that is resumed has the same graphs.
type AdaptiveSoftmax struct {
	cfg   AdaptiveSoftmaxConfig
	head  *Param // [In, C + tails]
	bias  *Param // [C + tails]
	tails []adaptiveTail
}

type adaptiveTail struct {
	from, to int    // its ids
	project  *Param // P [In, width]
	weight   *Param // W [width, to−from]
}

// NewAdaptiveSoftmax declares under s: W_head [In, C + tails], b [C + tails], and for each tail, in
// a scope tail0, tail1, …, P [In, width] and W [width, size].
func NewAdaptiveSoftmax(s *Scope, c AdaptiveSoftmaxConfig) *AdaptiveSoftmax {
	if err := c.Validate(); err != nil {
		ops.Failf("AdaptiveSoftmax", "%w", err)
	}
	if c.Div == 0 {
		c.Div = 4
	}
	c.Cutoffs, c.Shares = slices.Clone(c.Cutoffs), slices.Clone(c.Shares)
	ends := append(slices.Clone(c.Cutoffs), c.V)
	if c.Shares == nil {
		for i := range c.Cutoffs {
			c.Shares = append(c.Shares, float64(ends[i+1]-ends[i])/float64(c.V))
		}
	}
	a := &AdaptiveSoftmax{cfg: c}
	a.head = s.Param("W_head", XavierUniform(1), c.In, c.Cutoffs[0]+len(c.Cutoffs))
	a.bias = s.Param("b", Zeros(), c.Cutoffs[0]+len(c.Cutoffs))
	for i := range c.Cutoffs {
		width := max(1, int(float64(c.In)/math.Pow(c.Div, float64(i+1))))
		tail := s.In("tail%d", i)
		a.tails = append(a.tails, adaptiveTail{
			from: ends[i], to: ends[i+1],
			project: tail.Param("P", XavierUniform(1), c.In, width),
			weight:  tail.Param("W", XavierUniform(1), width, ends[i+1]-ends[i]),
		})
	}
	return a
}

// room is for how many targets of n a tail has rows at a level: what is expected and half as much
// again at level 0, and twice as much at every level above, all n in the end.
func (a *AdaptiveSoftmax) room(tail, n, level int) int {
	expected := max(1, a.cfg.Shares[tail]*float64(n))
	room := math.Ceil(1.5 * expected * math.Pow(2, float64(level)))
	if room >= float64(n) {
		return n
	}
	return min(n, (int(room)+7)/8*8)
}

// Level is the lowest level whose room holds the targets.
func (a *AdaptiveSoftmax) Level(targets []int) int {
	counts := make([]int, len(a.tails))
	for _, id := range targets {
		if i := a.tailOf(id); i >= 0 {
			counts[i]++
		}
	}
	level := 0
	for i, count := range counts {
		for a.room(i, len(targets), level) < count {
			level++
		}
	}
	return level
}

// tailOf is the tail of an id, or −1 for the head.
func (a *AdaptiveSoftmax) tailOf(id int) int {
	i, found := slices.BinarySearch(a.cfg.Cutoffs, id)
	if found {
		return i
	}
	return i - 1
}

// Inputs declares what Loss needs to know of n targets at a level, to be filled by Fill before each
// run.
func (a *AdaptiveSoftmax) Inputs(g *Graph, n, level int) []*Node {
	g.check()
	if n < 1 || level < 0 {
		ops.Failf("AdaptiveSoftmax", "%d targets at level %d: want at least 1 at level 0 or above",
			n, level)
	}
	inputs := []*Node{g.IntInput("head targets", n)}
	for i := range a.tails {
		room := a.room(i, n, level)
		inputs = append(inputs, g.IntInput(fmt.Sprintf("tail %d rows", i), room),
			g.IntInput(fmt.Sprintf("tail %d targets", i), room))
	}
	return inputs
}

// unused marks room that a batch does not need.
const unused = -1

// Fill lays out targets in the memory of Inputs. It is an error if they do not fit the level.
func (a *AdaptiveSoftmax) Fill(values [][]int, targets []int) error {
	fits := len(values) == 1+2*len(a.tails) && len(values[0]) == len(targets)
	for i := 1; fits && i < len(values); i += 2 { // rows and targets of each tail
		fits = values[i] != nil && len(values[i]) == len(values[i+1])
	}
	if !fits {
		return fmt.Errorf("adaptive softmax: the values are not those of Inputs for %d targets",
			len(targets))
	}
	head := values[0]
	used := make([]int, len(a.tails))
	for at, id := range targets {
		if id < 0 || id >= a.cfg.V {
			return fmt.Errorf("adaptive softmax: target %d at position %d is outside 0 … %d", id,
				at, a.cfg.V-1)
		}
		i := a.tailOf(id)
		if i < 0 {
			head[at] = id
			continue
		}
		head[at] = a.cfg.Cutoffs[0] + i
		rows, ids := values[1+2*i], values[2+2*i]
		if used[i] == len(rows) {
			return fmt.Errorf("adaptive softmax: more than %d targets in tail %d; build the "+
				"graph for the level that Level gives", len(rows), i)
		}
		rows[used[i]], ids[used[i]] = at, id-a.tails[i].from
		used[i]++
	}
	for i, n := range used {
		rows, ids := values[1+2*i], values[2+2*i]
		clear(rows[n:])
		for k := n; k < len(ids); k++ {
			ids[k] = unused
		}
	}
	return nil
}

// rows is x [..., In] as a matrix of its rows.
func (a *AdaptiveSoftmax) rows(x Operand) *Node {
	h := one("AdaptiveSoftmax", x)
	shape := h.Shape()
	if len(shape) == 0 || shape[len(shape)-1] != a.cfg.In {
		ops.Failf("AdaptiveSoftmax", "x is %s; want [..., %d]", ops.ShapeString(shape), a.cfg.In)
	}
	return Reshape(h, ops.Size(shape)/a.cfg.In, a.cfg.In)
}

// Loss is the mean cross-entropy of n targets, laid out in inputs: x is [..., In] with n rows in
// all.
func (a *AdaptiveSoftmax) Loss(x Operand, inputs []*Node) *Node {
	h := a.rows(x)
	n := h.Dim(0)
	if len(inputs) != 1+2*len(a.tails) || inputs[0].Dim(0) != n {
		ops.Failf("AdaptiveSoftmax", "the inputs are not those that Inputs declares for %d targets",
			n)
	}
	sum := CrossEntropyOptions{Reduction: ReduceSum, Ignore: []int{unused}}
	loss := CrossEntropy(Add(MatMul(h, a.head), a.bias), inputs[0], sum)
	for i, t := range a.tails {
		rows := Embedding(h, inputs[1+2*i], -1) // [room, In]
		loss = Add(loss, CrossEntropy(MatMul(MatMul(rows, t.project), t.weight), inputs[2+2*i],
			sum))
	}
	return Scale(loss, 1/float64(n))
}

// LogProb is the logarithm of the probability of every token: x [..., In] becomes [..., V].
func (a *AdaptiveSoftmax) LogProb(x Operand) *Node {
	h := a.rows(x)
	head := LogSoftmax(Add(MatMul(h, a.head), a.bias))
	c := a.cfg.Cutoffs[0]
	parts := []*Node{Slice(head, 1, 0, c)}
	for i, t := range a.tails {
		tail := LogSoftmax(MatMul(MatMul(h, t.project), t.weight))
		parts = append(parts, Add(tail, Slice(head, 1, c+i, c+i+1)))
	}
	shape := slices.Clone(one("AdaptiveSoftmax", x).Shape())
	shape[len(shape)-1] = a.cfg.V
	return Reshape(Concat(1, parts...), shape...)
}
