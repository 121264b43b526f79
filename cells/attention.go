package cells

import (
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
)

// Score names the function that says how well a query q fits a key k.
type Score string

const (
	// tanh(q·W_q + k·W_k + b)·v (Bahdanau, Cho and Bengio, 2015): the default
	AdditiveScore  Score = "additive"
	DotScore       Score = "dot"        // q·k (Luong, Pham and Manning, 2015)
	GeneralScore   Score = "general"    // q·W·k (Luong, Pham and Manning, 2015)
	ConcatScore    Score = "concat"     // tanh([q; k]·W)·v (Luong, Pham and Manning, 2015)
	ScaledDotScore Score = "scaled_dot" // q·k / √Query (Vaswani et al., 2017)
)

// AttentionConfig sizes an Attention. The zero value of an optional field is its default.
type AttentionConfig struct {
	Score  Score // default AdditiveScore
	Query  int   // width of a query
	Key    int   // width of a key; dot and scaled dot: that of a query, and may be 0
	Hidden int   // additive, concat: width of the hidden layer A; default Query
	Bias   bool  // additive: b, which is left out by default
	// additive: the score also sees how much each place was attended to before, c·w_c (See, Liu and
	// Manning, 2017)
	Coverage bool
	Causal   bool // query t sees places 0 … t alone; for whole sequences of queries
}

// Validate reports every field that is out of range.
func (c AttentionConfig) Validate() error {
	bad := checkWidths("Attention", "Query", c.Query)
	switch c.Score {
	case "", AdditiveScore, GeneralScore, ConcatScore:
		bad.Int("Key", c.Key, 1, MaxWidth)
	case DotScore, ScaledDotScore:
		bad.That(c.Key == 0 || c.Key == c.Query,
			"the score %s of queries %d and keys %d wide: want equal widths", c.Score, c.Query,
			c.Key)
	default:
		check.OneOf(bad, "Score", c.Score, AdditiveScore, DotScore, GeneralScore, ConcatScore,
			ScaledDotScore)
	}
	bad.Optional("Hidden", c.Hidden, 1, MaxWidth, "or 0 for the width of a query")
	bad.That(c.Score == "" || c.Score == AdditiveScore || !c.Bias && !c.Coverage,
		"Bias and Coverage belong to the additive score, not to %s", c.Score)
	bad.That(!c.Causal || !c.Coverage,
		"Causal is for whole sequences of queries, Coverage for one query after another")
	return bad.Err()
}

// Attention reads a memory of S places, each a key with a value, such as the words of a sentence or
// the cells of a picture. A query takes the mean of the values, weighted by how well it fits their
// keys:
//
//	w = softmax over s of score(q, k_s),  context = Σ_s w_s·v_s
type Attention struct {
	cfg              AttentionConfig
	wQ, wK, b, v, wC *nodes.Param // as the score needs them; concat has W_q above W_k in w
	w                *nodes.Param
}

// NewAttention declares under s what the score needs: additive W_q [Query, A], W_k [Key, A], v [A],
// and b [A] and w_c [A] if asked for; general W [Query, Key]; concat W [Query+Key, A] and v [A];
// the others nothing.
func NewAttention(s *nodes.Scope, cfg AttentionConfig) *Attention {
	must(s, "NewAttention", cfg.Validate())
	if cfg.Score == "" {
		cfg.Score = AdditiveScore
	}
	if cfg.Hidden == 0 {
		cfg.Hidden = cfg.Query
	}
	a, xavier, A := &Attention{cfg: cfg}, nodes.XavierUniform(1), cfg.Hidden
	switch cfg.Score {
	case AdditiveScore:
		a.wQ, a.wK = s.Param("W_q", xavier, cfg.Query, A), s.Param("W_k", xavier, cfg.Key, A)
		a.b = bias(s, !cfg.Bias, "b", nodes.Zeros(), A)
		a.wC = bias(s, !cfg.Coverage, "w_c", nodes.Zeros(), A)
	case GeneralScore:
		a.w = s.Param("W", xavier, cfg.Query, cfg.Key)
	case ConcatScore:
		a.w = s.Param("W", xavier, cfg.Query+cfg.Key, A)
	}
	if cfg.Score == AdditiveScore || cfg.Score == ConcatScore {
		bound := math.Sqrt(3 / float64(A)) // of a vector: variance 1/A
		a.v = s.Param("v", nodes.Uniform(-bound, bound), A)
	}
	return a
}

// Over makes a memory of keys [S, B, Key] and values [S, B, Vd]; nil values are the keys. Lengths,
// ints [B], say how many places of each sequence count (the weight of the others is exactly 0);
// nil: all. A sequence of length 0 has weights and a context of 0. What concerns the keys alone is
// computed here, once, outside of any recurrence that attends to them.
func (a *Attention) Over(keys, values, lengths *nodes.Node) *Memory {
	m := newMemory("Attention", 1, keys, values, lengths)
	if want := max(a.cfg.Key, a.keyWidth()); keys.Dim(-1) != want {
		nodes.Failf("Attention", "keys %v are %d wide, want %d", keys.Shape(), keys.Dim(-1), want)
	}
	m.causal, m.covers = a.cfg.Causal, a.cfg.Coverage
	keys = m.keys
	switch a.cfg.Score {
	case AdditiveScore:
		keys = plus(nodes.MatMul(keys, a.wK), a.b)
	case GeneralScore:
		keys = nodes.MatMulT(keys, a.w)
	case ConcatScore:
		w := keys.Graph().Param(a.w)
		keys = nodes.MatMul(keys, nodes.Slice(w, 0, a.cfg.Query, w.Dim(0)))
	}
	m.keys, m.values = swap(keys), swap(m.values)
	m.score = a.score
	return m
}

// keyWidth is the width of a key: the query's if the score compares them directly.
func (a *Attention) keyWidth() int {
	if a.cfg.Score == DotScore || a.cfg.Score == ScaledDotScore {
		return a.cfg.Query
	}
	return a.cfg.Key
}

// score maps queries [Tq, B, Query], keys as Over left them [B, S, ·] and a coverage [B, S] or nil
// to [B, Tq, S].
func (a *Attention) score(q, keys, coverage *nodes.Node) *nodes.Node {
	if q.Dim(-1) != a.cfg.Query {
		nodes.Failf("Attention", "queries are %d wide, want %d", q.Dim(-1), a.cfg.Query)
	}
	switch a.cfg.Score {
	case DotScore, GeneralScore:
		return nodes.MatMulT(swap(q), keys)
	case ScaledDotScore:
		return nodes.Scale(nodes.MatMulT(swap(q), keys), 1/math.Sqrt(float64(a.cfg.Query)))
	case AdditiveScore:
		q = nodes.MatMul(q, a.wQ)
	case ConcatScore:
		q = nodes.MatMul(q, nodes.Slice(q.Graph().Param(a.w), 0, 0, a.cfg.Query))
	}
	q = swap(q)
	B, T, S, A := q.Dim(0), q.Dim(1), keys.Dim(1), q.Dim(2)
	x := nodes.Add(nodes.Reshape(q, B, T, 1, A), nodes.Reshape(keys, B, 1, S, A))
	if coverage != nil {
		x = nodes.Add(x, nodes.Mul(nodes.Reshape(coverage, B, 1, S, 1), a.wC))
	}
	return nodes.Sum(nodes.Mul(nodes.Tanh(x), a.v), -1)
}

// MultiHeadConfig sizes a MultiHead. The zero value of an optional field is its default.
type MultiHeadConfig struct {
	Query  int // width of a query
	Key    int // width of a key; default Query
	Value  int // width of a value; default Key
	Width  int // E of all heads together, and of the context; a multiple of Heads; default Query
	Heads  int // default 1
	NoBias bool
	Causal bool // query t sees places 0 … t alone
}

func (c MultiHeadConfig) withDefaults() MultiHeadConfig {
	for _, d := range []struct {
		field *int
		value int
	}{{&c.Key, c.Query}, {&c.Value, c.Key}, {&c.Width, c.Query}, {&c.Heads, 1}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.Value == 0 {
		c.Value = c.Key
	}
	return c
}

// Validate reports every field that is out of range.
func (c MultiHeadConfig) Validate() error {
	c = c.withDefaults()
	bad := checkWidths("MultiHead", "Query", c.Query, "Key", c.Key, "Value", c.Value, "Width",
		c.Width, "Heads", c.Heads)
	bad.That(!bad.None() || c.Width%c.Heads == 0, "Width is %d, want a multiple of the %d heads",
		c.Width, c.Heads)
	return bad.Err()
}

// MultiHead is attention by several heads side by side, each with its own share of the width E
// (Vaswani et al., 2017):
//
//	context = concat over heads i of scaled-dot attention(q·W_qⁱ, k·W_kⁱ, v·W_vⁱ) · W_o + b_o
type MultiHead struct {
	cfg                            MultiHeadConfig
	wQ, wK, wV, wO, bQ, bK, bV, bO *nodes.Param
}

// NewMultiHead declares W_q [Query, E], W_k [Key, E], W_v [Value, E] and W_o [E, E] under s, and
// biases b_q, b_k, b_v and b_o [E].
func NewMultiHead(s *nodes.Scope, cfg MultiHeadConfig) *MultiHead {
	must(s, "NewMultiHead", cfg.Validate())
	cfg = cfg.withDefaults()
	m := &MultiHead{cfg: cfg}
	declare := func(leaf string, in int) (w, b *nodes.Param) {
		return s.Param("W_"+leaf, nodes.XavierUniform(1), in, cfg.Width),
			bias(s, cfg.NoBias, "b_"+leaf, nodes.Zeros(), cfg.Width)
	}
	m.wQ, m.bQ = declare("q", cfg.Query)
	m.wK, m.bK = declare("k", cfg.Key)
	m.wV, m.bV = declare("v", cfg.Value)
	m.wO, m.bO = declare("o", cfg.Width)
	return m
}

// Over makes a memory, as Attention.Over does. Its weights are [B, Heads, Tq, S], those of one step
// [B, Heads, S].
func (m *MultiHead) Over(keys, values, lengths *nodes.Node) *Memory {
	memory := newMemory("MultiHead", m.cfg.Heads, keys, values, lengths)
	memory.multi, memory.causal = true, m.cfg.Causal
	memory.keys = m.heads(affine(memory.keys, m.wK, m.bK))
	memory.values = m.heads(affine(memory.values, m.wV, m.bV))
	memory.score = func(q, keys, _ *nodes.Node) *nodes.Node {
		scale := 1 / math.Sqrt(float64(m.cfg.Width/m.cfg.Heads))
		return nodes.Scale(nodes.MatMulT(m.heads(affine(q, m.wQ, m.bQ)), keys), scale)
	}
	memory.output = func(context *nodes.Node) *nodes.Node { return affine(context, m.wO, m.bO) }
	return memory
}

// heads cuts [T, B, E] into [B·Heads, T, E/Heads].
func (m *MultiHead) heads(x *nodes.Node) *nodes.Node {
	T, B, n := x.Dim(0), x.Dim(1), m.cfg.Heads
	x = nodes.Transpose(nodes.Reshape(x, T, B, n, m.cfg.Width/n), 1, 2, 0, 3)
	return nodes.Reshape(x, B*n, T, m.cfg.Width/n)
}

// Memory holds the keys and values that an attention attends to. It belongs to the graph in which
// it was made; a step of a recurrence over that graph may attend to it as it is.
type Memory struct {
	heads          int
	multi          bool        // weights have an axis of heads
	keys, values   *nodes.Node // [B·heads, S, ·]
	mask           *nodes.Node // [B, 1, 1, S], 0 where a place does not count; nil: all do
	causal, covers bool
	score          func(q, keys, coverage *nodes.Node) *nodes.Node // [B·heads, Tq, S]
	output         func(context *nodes.Node) *nodes.Node           // or nil
}

func newMemory(op string, heads int, keys, values, lengths *nodes.Node) *Memory {
	if keys == nil || len(keys.Shape()) != 3 {
		nodes.Failf(op, "the keys must be [S, B, Key]")
	}
	if values == nil {
		values = keys
	}
	if len(values.Shape()) != 3 || !slices.Equal(values.Shape()[:2], keys.Shape()[:2]) {
		nodes.Failf(op, "values %v for keys %v: want [S, B, Vd] with the same S and B",
			values.Shape(), keys.Shape())
	}
	m := &Memory{heads: heads, values: values, keys: keys}
	S, B := keys.Dim(0), keys.Dim(1)
	if lengths != nil {
		if !slices.Equal(lengths.Shape(), []int{B}) {
			hint := ""
			if len(lengths.Shape()) == 1 && lengths.Dim(0) == S {
				hint = fmt.Sprintf("; the keys are %v, which looks like [B, S, Key]; want "+
					"[S, B, Key]: transpose them", keys.Shape())
			}
			nodes.Failf(op, "lengths are %v: want one a sequence, [%d]%s", lengths.Shape(), B, hint)
		}
		mask := nodes.LengthMask(lengths, S)
		m.mask = nodes.Reshape(nodes.Transpose(mask, 1, 2, 0), B, 1, 1, S)
		// A weight of 0 does not hide a NaN: 0·NaN is NaN, in the context and in the gradients.
		m.keys = nodes.Select(mask, keys, nodes.Scalar(0))
		if m.values = m.keys; values != keys {
			m.values = nodes.Select(mask, values, nodes.Scalar(0))
		}
	}
	return m
}

// check refuses a memory that no attention made.
func (m *Memory) check(op string) {
	if m == nil || m.keys == nil {
		nodes.Failf(op, "the memory is nil, or an empty value: Attention.Over and "+
			"MultiHead.Over make one")
	}
}

// Places is S, how many places there are to look at.
func (m *Memory) Places() int {
	m.check("Places")
	return m.keys.Dim(1)
}

// Width is the width of a context.
func (m *Memory) Width() int {
	m.check("Width")
	return m.values.Dim(2) * m.heads
}

// Nodes are the nodes of a memory; the first axis of each counts sequences (and heads). See
// Input.
func (m *Memory) Nodes() []*nodes.Node {
	ns := []*nodes.Node{m.keys, m.values}
	if m.mask != nil {
		ns = append(ns, m.mask)
	}
	return ns
}

// Input is a memory of the same kind in a graph of its own, for batch sequences: its Nodes are
// inputs, to be fed with the values of m's. So a graph of a single step of decoding attends to what
// an encoder's graph computed once.
func (m *Memory) Input(g *nodes.Graph, batch int) *Memory {
	m.check("Input")
	in := *m
	B := m.keys.Dim(0) / m.heads
	like := func(name string, n *nodes.Node) *nodes.Node {
		s := n.Shape()
		return g.Input("memory "+name, append([]int{s[0] / B * batch}, s[1:]...)...)
	}
	in.keys, in.values = like("keys", m.keys), like("values", m.values)
	if m.mask != nil {
		in.mask = like("mask", m.mask)
	}
	return &in
}

// Attend reads the memory with a sequence of queries [Tq, B, Query], for contexts [Tq, B, Width]
// and weights [B, Tq, S], or with those of one step [B, Query], for [B, Width] and [B, S]. Coverage
// [B, S], the sum of the weights of the steps before, is for an attention with Coverage, one step
// at a time; else nil.
func (m *Memory) Attend(query, coverage *nodes.Node) (context, weights *nodes.Node) {
	m.check("Attend")
	if query == nil {
		nodes.Failf("Attend", "the query is nil")
	}
	B, S := m.keys.Dim(0)/m.heads, m.keys.Dim(1)
	shape := query.Shape()
	single := len(shape) == 2
	if len(shape) < 2 || len(shape) > 3 || shape[len(shape)-2] != B {
		nodes.Failf("Attend", "the query is %v, want [Tq, %d, Query] or [%d, Query]", shape, B, B)
	}
	switch {
	case m.covers != (coverage != nil):
		nodes.Failf("Attend", "a coverage is given exactly where the attention was made "+
			"with Coverage")
	case (m.covers || m.causal) && m.covers != single:
		nodes.Failf("Attend", "the query is %v: coverage is for one step at a time, causal "+
			"attention for a whole sequence", shape)
	case m.covers && !slices.Equal(coverage.Shape(), []int{B, S}):
		nodes.Failf("Attend", "the coverage is %v, want [%d, %d]", coverage.Shape(), B, S)
	}
	if single {
		query = nodes.Reshape(query, append([]int{1}, shape...)...)
	}
	T := query.Dim(0)
	scores := nodes.Reshape(m.score(query, m.keys, coverage), B, m.heads, T, S)
	mask := m.mask
	if m.causal {
		g := query.Graph()
		seen := nodes.LessEqual(g.Range(S), nodes.Reshape(g.Range(T), T, 1))
		if mask = seen; m.mask != nil {
			mask = nodes.Mul(seen, m.mask)
		}
	}
	if mask == nil {
		weights = nodes.Softmax(scores)
	} else { // a finite score for hidden places, so that nothing is NaN where all are hidden
		weights = nodes.Mul(nodes.Softmax(nodes.Select(mask, scores, nodes.Scalar(-1e30))), mask)
	}
	context = nodes.MatMul(nodes.Reshape(weights, B*m.heads, T, S), m.values) // [B·heads, T, ·]
	if m.multi {
		context = nodes.Reshape(context, B, m.heads, T, m.values.Dim(2))
		context = nodes.Reshape(nodes.Transpose(context, 2, 0, 1, 3), T, B, m.Width())
	} else {
		context, weights = swap(context), nodes.Reshape(weights, B, T, S)
	}
	if m.output != nil {
		context = m.output(context)
	}
	if single {
		context = nodes.Reshape(context, B, m.Width())
		k := len(weights.Shape()) - 2
		weights = nodes.Reshape(weights, slices.Delete(weights.Shape(), k, k+1)...)
	}
	return context, weights
}

// swap exchanges the first two axes of [T, B, ·].
func swap(x *nodes.Node) *nodes.Node {
	s := x.Shape()
	if s[0] == 1 || s[1] == 1 { // no element moves
		return nodes.Reshape(x, s[1], s[0], s[2])
	}
	return nodes.Transpose(x, 1, 0, 2)
}
