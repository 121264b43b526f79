package word2vec

import (
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// outputs notes the steps of one input for a word: base is the input's part of their place.
func (t *trainer) outputs(p *part, d *draws, word, in, base uint32) {
	k := base + word%blocks
	p.steps[k] = append(p.steps[k], step{in, word<<1 | 1})
	for range t.cfg.Negatives {
		if out := t.sampler.word(d.next()); out != word {
			k := base + out%blocks
			p.steps[k] = append(p.steps[k], step{in, out << 1})
		}
	}
}

// example notes one of CBOW.
func (t *trainer) example(p *part, d *draws, word uint32, before, after []uint32) {
	n := len(before) + len(after)
	if n == 0 {
		return
	}
	dim := t.cfg.Dim
	at := len(p.mean)
	p.mean, p.gradient = extend(p.mean, dim), extend(p.gradient, dim)
	t.average(p.mean[at:], before, after)
	clear(p.gradient[at:])
	for _, side := range [][]uint32{before, after} {
		for _, id := range side {
			p.neighbours[id%blocks] = append(p.neighbours[id%blocks], step{uint32(p.examples), id})
		}
	}
	t.outputs(p, d, word, uint32(p.examples), 0)
	p.examples++
}

// extend makes x longer by n elements of any value.
func extend(x []float32, n int) []float32 {
	if len(x)+n <= cap(x) {
		return x[:len(x)+n]
	}
	return append(x, make([]float32, n)...)
}

func row(x []float32, i uint32, dim int) []float32 {
	at := int(i) * dim
	return x[at : at+dim : at+dim]
}

// learnPairs is phase 2 of skip-gram for a word block and an output block.
func (t *trainer) learnPairs(worker, block, out int) {
	k := block*blocks + out
	var group [groupSize]step
	n := 0
	for i := range t.parts {
		for _, s := range t.parts[i].steps[k] {
			group[n] = s
			if n++; n == groupSize {
				t.learnGroup(worker, block, group[:])
				n = 0
			}
		}
	}
	t.learnGroup(worker, block, group[:n])
}

func (t *trainer) learnGroup(worker, block int, group []step) {
	var g [groupSize]float32
	dim, old := t.cfg.Dim, t.scratch[worker]
	t.slopes(&g, block, group, t.in)
	for j, s := range group {
		v, u := row(t.in, s.in, dim), row(t.out, s.out>>1, dim)
		copy(old, v)
		kernels.Axpy(v, g[j], u)
		kernels.Axpy(u, g[j], old)
	}
}

// slopes are the learning rate times y − σ(h·u) for a group of steps, where h are rows of a matrix.
// The losses count for task.
func (t *trainer) slopes(g *[groupSize]float32, task int, group []step, h []float32) {
	dim := t.cfg.Dim
	for j, s := range group {
		g[j] = kernels.Dot(row(h, s.in, dim), row(t.out, s.out>>1, dim))
	}
	for j, s := range group {
		if t.losses != nil {
			t.losses.tasks[task].add(s.out, g[j])
		}
		g[j] = t.slope(s.out, g[j])
	}
}

// slope is the learning rate times y − σ(score), for an output with its label.
func (t *trainer) slope(out uint32, score float32) float32 {
	return t.rate * (float32(out&1) - sigmoid(score))
}

// learnExamples is phase 2 of CBOW for a part and an output block.
func (t *trainer) learnExamples(_, i, out int) {
	var g [groupSize]float32
	dim, p := t.cfg.Dim, &t.parts[i]
	for group := range slices.Chunk(p.steps[out], groupSize) {
		t.slopes(&g, i, group, p.mean)
		for j, s := range group {
			u := row(t.out, s.out>>1, dim)
			kernels.Axpy(row(p.gradient, s.in, dim), g[j], u)
			kernels.Axpy(u, g[j], row(p.mean, s.in, dim))
		}
	}
}

// spread is phase 3 of CBOW for a word block.
func (t *trainer) spread(block int) {
	dim := t.cfg.Dim
	for i := range t.parts {
		p := &t.parts[i]
		for _, s := range p.neighbours[block] {
			kernels.Axpy(row(t.in, s.out, dim), 1, row(p.gradient, s.in, dim))
		}
	}
}

// The logistic function is a table with linear interpolation, off by less than 4e-6. Beyond its
// range it is 0 or 1.
const (
	sigmoidRange = 16
	sigmoidSteps = 64 // to 1
)

var sigmoids = func() (table [2*sigmoidRange*sigmoidSteps + 2]float32) {
	for i := range table {
		table[i] = float32(1 / (1 + math.Exp(sigmoidRange-float64(i)/sigmoidSteps)))
	}
	return table
}()

func sigmoid(x float32) float32 {
	if !(x > -sigmoidRange) { // NaN too
		return 0
	}
	if x >= sigmoidRange {
		return 1
	}
	x = (x + sigmoidRange) * sigmoidSteps
	i := int(x)
	return sigmoids[i] + (x-float32(i))*(sigmoids[i+1]-sigmoids[i])
}
