package word2vec

import (
	"cmp"
	"slices"

	"github.com/seqzoo/seqzoo/zoo/text"
)

// tree is a Huffman tree over a vocabulary: the more frequent a word, the shorter its path. Inner
// nodes are numbered from the leaves up, so the root is the last.
type tree struct {
	starts []uint32 // the path of word w is steps[starts[w]:starts[w+1]]
	// from the root on: node<<1 | label, where label is 1 if the path goes left there
	steps []uint32
}

func newTree(v *text.Vocabulary) *tree {
	n := v.Len()
	order := make([]int, n) // rarest first
	for i := range order {
		order[i] = n - 1 - i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(v.Count(a), v.Count(b)) })

	// Leaves and inner nodes are two queues, each in ascending order. Sums are floats: they do not
	// overflow.
	weight := make([]float64, 2*n-1) // leaves in that order, then inner nodes
	for i, w := range order {
		weight[i] = float64(v.Count(w))
	}
	parent, left := make([]int32, 2*n-1), make([]bool, 2*n-1)
	leaf, inner := 0, n
	for next := n; next < 2*n-1; next++ {
		for side := range 2 {
			child := inner
			if leaf < n && (inner == next || weight[leaf] <= weight[inner]) {
				child = leaf
				leaf++
			} else {
				inner++
			}
			weight[next] += weight[child]
			parent[child], left[child] = int32(next), side == 0
		}
	}

	t := &tree{starts: make([]uint32, n+1)}
	leafOf := make([]int32, n)
	for i, w := range order {
		leafOf[w] = int32(i)
	}
	for w := range n {
		for at := leafOf[w]; int(at) != 2*n-2; at = parent[at] {
			step := uint32(int(parent[at])-n) << 1
			if left[at] {
				step |= 1
			}
			t.steps = append(t.steps, step)
		}
		slices.Reverse(t.steps[t.starts[w]:])
		t.starts[w+1] = uint32(len(t.steps))
	}
	return t
}

// path is the way from the root to a word.
func (t *tree) path(word uint32) []uint32 { return t.steps[t.starts[word]:t.starts[word+1]] }
