package word2vec

import "github.com/seqzoo/seqzoo/internal/kernels"

const (
	// Outputs that each worker of a lock-free training holds copies of: the inner nodes nearest to
	// the root, of 8 levels if the tree were even.
	heldNodes = 255

	// How often a worker uses a copy before it adds what it has learned to the row that all share.
	heldUses = 16
)

// held are copies of the rows that all words' paths share, for one worker of a lock-free training.
// Each pair of words changes the root, and half of all pairs each of its children. Where two cores
// write to one row in turn, it travels between them each time, which takes longer than what they
// compute. So a worker works on a copy, and adds its change to the row after a few uses; then it
// takes a new copy. What other workers have learned meanwhile it sees that much later.
type held struct {
	first       uint32    // the outputs from here on
	own, before []float32 // the copies, and what they were when they were taken
	left        []uint8   // how often each copy may still be used
	taken       []bool
}

// newHeld holds nothing yet, of so many outputs.
func newHeld(outputs, dim int) *held {
	n := min(heldNodes, outputs)
	return &held{first: uint32(outputs - n), own: make([]float32, n*dim),
		before: make([]float32, n*dim), left: make([]uint8, n), taken: make([]bool, n)}
}

// rows appends the copies of the outputs of a path, with labels, that are held: the first of them.
func (h *held) rows(to [][]float32, out []float32, path []uint32, dim int) [][]float32 {
	if h == nil {
		return to
	}
	for _, o := range path {
		if o>>1 < h.first {
			break
		}
		k := o>>1 - h.first
		if h.left[k] == 0 {
			h.renew(out, k, dim)
		}
		h.left[k]--
		to = append(to, row(h.own, k, dim))
	}
	return to
}

// renew adds what was learned to the row of an output, and takes a new copy of it.
func (h *held) renew(out []float32, k uint32, dim int) {
	h.settle(out, k, dim)
	own := row(h.own, k, dim)
	copy(own, row(out, h.first+k, dim))
	copy(row(h.before, k, dim), own)
	h.left[k], h.taken[k] = heldUses, true
}

// settle adds what was learned to the row of an output, and gives the copy up.
func (h *held) settle(out []float32, k uint32, dim int) {
	if h.taken[k] {
		own := row(h.own, k, dim)
		kernels.Axpy(own, -1, row(h.before, k, dim))
		kernels.Axpy(row(out, h.first+k, dim), 1, own)
	}
	h.left[k], h.taken[k] = 0, false
}

// settleAll gives all copies up.
func (h *held) settleAll(out []float32, dim int) {
	if h != nil {
		for k := range h.left {
			h.settle(out, uint32(k), dim)
		}
	}
}
