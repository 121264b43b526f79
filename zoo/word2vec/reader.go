package word2vec

import (
	"slices"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// reader learns word after word in the order of the text: with a hierarchical softmax, with
// Config.TextOrder, and in a lock-free training, where each worker has a reader of its own.
//
// A hierarchical softmax cannot be dealt out to workers by what it touches, since every path begins
// at the root; and when its steps were sorted by blocks of rows, the vectors came out worse
// (docs/design/0005-word2vec.md).
type reader struct {
	*trainer
	kept           kept
	gradient, mean []float32
	outputs        []uint32    // of the example at hand, with labels: output<<1 | label
	rows           [][]float32 // of the first of these outputs, as far as they are held
	scores         []float32
	held           *held // nil where rows are used as they are
	loss           loss
}

func newReader(t *trainer) reader {
	return reader{trainer: t, gradient: make([]float32, t.cfg.Dim),
		mean: make([]float32, t.cfg.Dim)}
}

// learn learns from the sentences first … last−1.
func (r *reader) learn(first, last int) {
	for s := first; s < last; s++ {
		d := r.kept.begin(r.trainer, s)
		for at, word := range r.kept {
			from, to := r.kept.window(r.trainer, &d, at)
			r.word(&d, word, r.kept[from:at], r.kept[at+1:to])
		}
	}
	r.held.settleAll(r.out, r.cfg.Dim)
}

// word learns from a word and its neighbours.
func (r *reader) word(d *draws, word uint32, before, after []uint32) {
	cbow := r.cfg.Model == CBOW
	if n := len(before) + len(after); cbow && n > 0 {
		r.average(r.mean, before, after)
		r.draw(d, word)
		r.example(r.mean)
	}
	for _, side := range [][]uint32{before, after} {
		for _, id := range side {
			v := row(r.in, id, r.cfg.Dim)
			if !cbow {
				r.draw(d, word)
				r.example(v)
			}
			kernels.Axpy(v, 1, r.gradient)
		}
	}
}

// draw notes the outputs for a word: its path, or the word itself and negatives.
func (r *reader) draw(d *draws, word uint32) {
	if r.tree != nil {
		r.outputs = r.tree.path(word)
		return
	}
	r.outputs = append(r.outputs[:0], word<<1|1)
	for range r.cfg.Negatives {
		if out := r.sampler.word(d.next()); out != word {
			r.outputs = append(r.outputs, out<<1)
		}
	}
}

// example moves the outputs and leaves in gradient how the input h is to move.
func (r *reader) example(h []float32) {
	dim := r.cfg.Dim
	r.scores = slices.Grow(r.scores[:0], len(r.outputs))[:len(r.outputs)]
	// All products come first, on the same h: see groupSize. What is held comes first on a path.
	r.rows = r.held.rows(r.rows[:0], r.out, r.outputs, dim)
	for j, u := range r.rows {
		r.scores[j] = kernels.Dot(h, u)
	}
	for j := len(r.rows); j < len(r.outputs); j++ {
		r.scores[j] = kernels.Dot(h, row(r.out, r.outputs[j]>>1, dim))
	}
	if r.losses != nil {
		r.loss.examples++
		for j, out := range r.outputs {
			r.loss.sum += nats(out, r.scores[j])
		}
	}
	clear(r.gradient)
	for j, out := range r.outputs {
		if x := r.scores[j]; r.tree != nil && !(x > -pathRange && x < pathRange) {
			continue
		}
		g, u := r.slope(out, r.scores[j]), row(r.out, out>>1, dim)
		if j < len(r.rows) {
			u = r.rows[j]
		}
		kernels.Axpy(r.gradient, g, u)
		kernels.Axpy(u, g, h)
	}
}

// average is the mean of the vectors of the neighbours of a word.
func (t *trainer) average(mean []float32, before, after []uint32) {
	clear(mean)
	for _, side := range [][]uint32{before, after} {
		for _, id := range side {
			kernels.Axpy(mean, 1, row(t.in, id, t.cfg.Dim))
		}
	}
	kernels.MulScalar(mean, mean, 1/float32(len(before)+len(after)))
}
