package label

import (
	"math"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/unroll"
)

// crf is a linear-chain conditional random field over the labels of a sequence (Lafferty, McCallum
// and Pereira, 2001; over recurrent layers: Lample et al., 2016). With the emissions e of the
// output layer, the score of labels y_1 … y_T is
//
//	start[y_1] + Σ_t e_t[y_t] + Σ_t A[y_t−1, y_t] + end[y_T]
//
// and their probability exp(score) over the sum of that for all L^T sequences of labels.
type crf struct {
	transitions *nodes.Param // A [L, L], from a label to the next
	start, end  *nodes.Param // [L]
}

func newCRF(s *nodes.Scope, labels int) *crf {
	small := nodes.Uniform(-0.1, 0.1)
	return &crf{s.Param("transitions", small, labels, labels), s.Param("start", small, labels),
		s.Param("end", small, labels)}
}

// crfInputs are what the loss reads beside the emissions and the labels [T, B], which are 0 where
// there is none.
type crfInputs struct {
	steps, rest, last *nodes.Node // ints [B]: of a sequence, beside its first, and its last label
}

func newCRFInputs(g *nodes.Graph, B int) crfInputs {
	return crfInputs{g.IntInput("crf/steps", B), g.IntInput("crf/rest", B), g.IntInput("crf/last", B)}
}

// loss is −log p of the labels of each sequence, [B]: emissions are [T, B, L].
func (c *crf) loss(emissions, labels *nodes.Node, in crfInputs, s unroll.Strategy) *nodes.Node {
	T, B, L := emissions.Dim(0), emissions.Dim(1), emissions.Dim(2)
	first := nodes.TimeSlice(emissions, 0)
	alpha := nodes.Add(first, c.start) // log of the sum over all labels before, [B, L]
	mask := nodes.LengthMask(in.steps, T)
	hot := nodes.OneHot(labels, L) // [T, B, L]
	score := nodes.Sum(nodes.Mul(nodes.Mul(hot, mask), emissions), 0)
	score = nodes.Add(score, nodes.Mul(nodes.TimeSlice(hot, 0), c.start),
		nodes.Mul(nodes.OneHot(in.last, L), c.end))
	if T > 1 {
		layer := unroll.Over(forwardCell{c.transitions, L})
		alpha = layer.Unroll(nodes.Slice(emissions, 0, 1, T), cells.State{alpha},
			unroll.Options{Strategy: s, Lengths: in.rest}).Final()[0]
		from := nodes.MatMul(nodes.Slice(hot, 0, 0, T-1), c.transitions)
		to := nodes.Mul(nodes.Slice(hot, 0, 1, T), nodes.Slice(mask, 0, 1, T))
		score = nodes.Add(score, nodes.Sum(nodes.Mul(from, to), 0))
	}
	all := nodes.LogSumExp(nodes.Add(alpha, c.end))
	return nodes.Reshape(nodes.Sub(all, nodes.Sum(score, -1)), B)
}

// forwardCell is a step of the forward algorithm, whose state is a log-sum a label:
//
//	α'[j] = log Σ_i exp(α[i] + A[i, j]) + e[j]
type forwardCell struct {
	transitions *nodes.Param
	labels      int
}

func (c forwardCell) Parts() []cells.Part { return []cells.Part{{Name: "alpha", Width: c.labels}} }

func (c forwardCell) Step(x *nodes.Node, s cells.State) cells.State {
	B, L := x.Dim(0), c.labels
	alpha := nodes.Broadcast(nodes.Reshape(s[0], B, 1, L), B, L, L) // [B, to, from]
	moved := nodes.Add(alpha, nodes.Reshape(nodes.Transpose(x.Graph().Param(c.transitions)), 1, L, L))
	return cells.State{nodes.Add(nodes.LogSumExp(moved), x)}
}

// crfScores are the parameters of a crf as numbers.
type crfScores struct {
	transitions [][]float64
	start, end  []float64
}

func (c *crf) scores() crfScores {
	L := c.start.Shape()[0]
	s := crfScores{start: numbers(c.start), end: numbers(c.end)}
	all := numbers(c.transitions)
	for i := range L {
		s.transitions = append(s.transitions, all[i*L:(i+1)*L])
	}
	return s
}

func numbers(p *nodes.Param) []float64 {
	v := p.Value()
	if v.Dtype() == nodes.Float64 {
		return append([]float64{}, v.Float64s()...)
	}
	out := make([]float64, 0, v.Size())
	for _, x := range v.Float32s() {
		out = append(out, float64(x))
	}
	return out
}

// viterbi is the likeliest sequence of labels (Viterbi, 1967) for emissions [T][L]. Of equally
// likely ones it is the one whose labels, from the last to the first, are least.
func (s crfScores) viterbi(emissions [][]float64) []int {
	T, L := len(emissions), len(s.start)
	best, from := make([][]float64, T), make([][]int, T)
	for t, e := range emissions {
		best[t], from[t] = make([]float64, L), make([]int, L)
		for j := range L {
			if t == 0 {
				best[t][j] = s.start[j] + e[j]
				continue
			}
			at := 0
			for i := range L {
				if best[t-1][i]+s.transitions[i][j] > best[t-1][at]+s.transitions[at][j] {
					at = i
				}
			}
			best[t][j], from[t][j] = best[t-1][at]+s.transitions[at][j]+e[j], at
		}
	}
	labels := make([]int, T)
	for j := range L {
		if last := labels[T-1]; best[T-1][j]+s.end[j] > best[T-1][last]+s.end[last] {
			labels[T-1] = j
		}
	}
	for t := T - 1; t > 0; t-- {
		labels[t-1] = from[t][labels[t]]
	}
	return labels
}

// marginals are the probabilities of each label at each step, [T][L], by the forward-backward
// algorithm.
func (s crfScores) marginals(emissions [][]float64) [][]float64 {
	T, L := len(emissions), len(s.start)
	forward, backward := make([][]float64, T), make([][]float64, T)
	terms := make([]float64, L)
	for t, e := range emissions {
		forward[t] = make([]float64, L)
		for j := range L {
			if t == 0 {
				forward[t][j] = s.start[j] + e[j]
				continue
			}
			for i := range L {
				terms[i] = forward[t-1][i] + s.transitions[i][j]
			}
			forward[t][j] = logSumExp(terms) + e[j]
		}
	}
	for t := T - 1; t >= 0; t-- {
		backward[t] = make([]float64, L)
		for i := range L {
			if t == T-1 {
				backward[t][i] = s.end[i]
				continue
			}
			for j := range L {
				terms[j] = s.transitions[i][j] + emissions[t+1][j] + backward[t+1][j]
			}
			backward[t][i] = logSumExp(terms)
		}
	}
	probs := make([][]float64, T)
	for t := range probs {
		for j := range L {
			terms[j] = forward[t][j] + backward[t][j]
		}
		all := logSumExp(terms)
		probs[t] = make([]float64, L)
		for j := range L {
			probs[t][j] = math.Exp(terms[j] - all)
		}
	}
	return probs
}

func logSumExp(x []float64) float64 {
	largest := math.Inf(-1)
	for _, v := range x {
		largest = math.Max(largest, v)
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(v - largest)
	}
	return largest + math.Log(sum)
}
