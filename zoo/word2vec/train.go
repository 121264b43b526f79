package word2vec

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/rng"
)

// Progress is where a training stands.
type Progress struct {
	Epoch, Epochs int           // the epoch at hand, from 1
	Words, Total  int           // words of the vocabulary read so far and in all epochs together
	LR            float64       // learning rate
	Elapsed       time.Duration // in this call of Train
	WordsPerSec   float64       // in this call of Train
}

// TrainOptions do not change the result.
type TrainOptions struct {
	// goroutines; 0 means GOMAXPROCS; more than 16 are of no use, nor is a second for a
	// hierarchical softmax
	Workers int
	// called a few times a second at most, if not nil, and at the end of each epoch
	Progress func(Progress)
	// called after each epoch, if not nil, to save the model for example
	AfterEpoch func(*Model) error

	// Warn is told, if not nil, when more than a third of the words of the text are not in the
	// vocabulary, and so are left out.
	Warn func(message string)
}

const (
	// Blocks of rows, of the word vectors and of the output vectors. A step touches one of each, so
	// as many workers as there are blocks can work at once without meeting.
	blocks = 16

	// Steps whose products are computed one right after another, before any of them changes a row:
	// the processor then waits for the rows of all of them at once.
	groupSize = 8

	// A node of a path whose score is beyond this, on either side, is left as it is, as by the
	// original tool (Mikolov et al., 2013): where it is right there is nothing left to learn, where
	// it is wrong the pair does not drag the word across.
	pathRange = 6

	maxSentence = 10_000 // words; longer sentences are cut

	// Words of text whose steps are sorted by blocks at a time. The fewer, the nearer to the order
	// of the text, in which the vectors come out a little better, and the more often the workers
	// meet.
	skipGramChunk = 2_000
	cbowChunk     = 1_000
)

// Train goes over the text until all epochs are done, or ctx is. Then the error wraps that of ctx,
// and the model holds all that was learnt so far: saved or not, it goes on from there when Train is
// called again with the same sentences. Another text is refused once a training has begun.
func (m *Model) Train(ctx context.Context, sentences [][]string, o TrainOptions) error {
	if o.Workers < 0 {
		return fmt.Errorf("word2vec: Workers is %d; want at least 0", o.Workers)
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if err := m.made(); err != nil {
		return fmt.Errorf("word2vec: %w", err)
	}
	c, err := m.encode(ctx, sentences)
	if err != nil {
		return fmt.Errorf("word2vec: %w", err)
	}
	if m.digest != 0 && m.digest != c.digest {
		return errors.New("word2vec: this is not the text that the training began with")
	}
	if len(c.ids) == 0 {
		return errors.New("word2vec: the text has none of the words of the vocabulary")
	}
	if m.sentence >= len(c.starts) {
		return fmt.Errorf("word2vec: the training stands at sentence %d of a text of %d",
			m.sentence, len(c.starts)-1)
	}
	m.digest, m.instructions = c.digest, kernels.Instructions()
	o.warn(c, sentences)
	t := newTrainer(m, c, min(o.Workers, blocks))
	defer t.team.close()
	return t.run(ctx, o)
}

// warn tells of a text most of which is left out.
func (o TrainOptions) warn(c *corpus, sentences [][]string) {
	all := 0
	for _, words := range sentences {
		all += len(words)
	}
	left := all - len(c.ids)
	if 3*left <= all {
		return
	}
	message := fmt.Sprintf("%d of the %d words of the text (%.1f %%) are left out, since the vocabulary lacks them: are too many left out as "+
		"rare, or does the tokeniser not suit the language?", left, all,
		100*float64(left)/float64(all))
	if o.Warn != nil {
		o.Warn(message)
	}
}

// trainer works on a chunk of text at a time, in phases whose tasks touch no common rows:
//
//  1. read: each part of the chunk becomes steps, sorted by the blocks of rows that they touch;
//  2. blocks times, turned by one each time: the steps of word block p and output block p+turn, for all p;
//  3. CBOW: the gradients of the examples are added to the vectors of the neighbours, block by block.
//
// Who does a task makes no difference, so the result is the same for any number of workers. A
// hierarchical softmax does without the phases: see learnPaths.
type trainer struct {
	*Model
	text    *corpus
	keep    []uint64
	sampler sampler
	team    *team
	parts   [blocks]part
	scratch [blocks][]float32 // a copy of a word vector, by worker
	scores  []float32         // of a path
	rate    float32
	lr      float64
	key     rng.Key // of the epoch
	turn    int
}

// step is a word vector (or, for CBOW, an example of the part) and an output: output<<1 | label.
type step struct{ in, out uint32 }

// part is a piece of the chunk: sentences from … to−1.
type part struct {
	from, to int
	kept     []uint32 // words of the sentence at hand

	// The steps by word block times blocks plus output block; for CBOW by output block alone.
	steps [blocks * blocks][]step

	// CBOW: for each example the mean of the neighbours, and the sum of the steps along the
	// gradient; and by word block which neighbours an example has.
	mean, gradient []float32
	examples       int
	neighbours     [blocks][]step
}

func newTrainer(m *Model, c *corpus, workers int) *trainer {
	t := &trainer{Model: m, text: c, keep: keepers(m.vocabulary, m.cfg.Sample),
		team: newTeam(workers)}
	if m.cfg.Output == Negative {
		t.sampler = newSampler(m.vocabulary)
	}
	for i := range t.scratch {
		t.scratch[i] = make([]float32, m.cfg.Dim)
	}
	return t
}

func (t *trainer) run(ctx context.Context, o TrainOptions) error {
	words := len(t.text.ids)
	total := words * t.cfg.Epochs
	begin := time.Now()
	at := t.epoch*words + t.text.starts[t.sentence]
	first, shown := at, time.Duration(0)
	report := func(epoch int) {
		shown = time.Since(begin)
		o.Progress(Progress{
			Epoch: epoch, Epochs: t.cfg.Epochs, Words: at, Total: total, LR: t.lr, Elapsed: shown,
			WordsPerSec: float64(at-first) / max(shown.Seconds(), 1e-9),
		})
	}
	for t.epoch < t.cfg.Epochs {
		t.key = rng.New(t.cfg.Seed).Named("word2vec").Numbered(uint64(t.epoch))
		for t.sentence < len(t.text.starts)-1 {
			if err := interrupt.Err(ctx); err != nil {
				return fmt.Errorf("word2vec: epoch %d of %d: %w", t.epoch+1, t.cfg.Epochs, err)
			}
			t.lr = t.cfg.LR - (t.cfg.LR-t.cfg.MinLR)*float64(at)/float64(total)
			t.rate = float32(t.lr)
			t.sentence = t.chunk(t.sentence)
			at = t.epoch*words + t.text.starts[t.sentence]
			if o.Progress != nil && time.Since(begin)-shown > 200*time.Millisecond {
				report(t.epoch + 1)
			}
		}
		t.epoch, t.sentence = t.epoch+1, 0
		for _, x := range t.in {
			if x-x != 0 {
				return fmt.Errorf("word2vec: epoch %d: the vectors are no longer finite; a smaller LR than %g may help", t.epoch, t.cfg.LR)
			}
		}
		if o.Progress != nil {
			report(t.epoch)
		}
		if o.AfterEpoch != nil {
			if err := o.AfterEpoch(t.Model); err != nil {
				return err
			}
		}
	}
	return nil
}

// chunk trains on the sentences from a number on and returns the next one.
func (t *trainer) chunk(from int) int {
	size, cbow := skipGramChunk, t.cfg.Model == CBOW
	if cbow {
		size = cbowChunk
	}
	starts := t.text.starts
	to := from
	for to < len(starts)-1 && starts[to]-starts[from] < size {
		to++
	}
	if t.tree != nil {
		t.learnPaths(from, to)
		return to
	}
	// Part i begins with the first sentence behind i sixteenths of the words.
	words, sentence := starts[to]-starts[from], from
	for i := range t.parts {
		t.parts[i].from = sentence
		for sentence < to && (starts[sentence]-starts[from])*blocks < words*(i+1) {
			sentence++
		}
		t.parts[i].to = sentence
	}
	t.team.each(blocks, t.read)
	for t.turn = range blocks {
		if cbow {
			t.team.each(blocks, t.learnExamples)
		} else {
			t.team.each(blocks, t.learnPairs)
		}
	}
	if cbow {
		t.team.each(blocks, t.spread)
	}
	return to
}

// read is phase 1: it turns the sentences of a part into steps.
func (t *trainer) read(_, i int) {
	p := &t.parts[i]
	for k := range p.steps {
		p.steps[k] = p.steps[k][:0]
	}
	for k := range p.neighbours {
		p.neighbours[k] = p.neighbours[k][:0]
	}
	p.mean, p.gradient, p.examples = p.mean[:0], p.gradient[:0], 0
	for s := p.from; s < p.to; s++ {
		d := t.begin(p, s)
		for at, word := range p.kept {
			from, to := t.window(p, &d, at)
			if t.cfg.Model == CBOW {
				t.example(p, &d, word, p.kept[from:at], p.kept[at+1:to])
				continue
			}
			for k := from; k < to; k++ {
				if k != at {
					in := p.kept[k]
					t.outputs(p, &d, word, in, in%blocks*blocks)
				}
			}
		}
	}
}

// begin draws which words of a sentence the part keeps.
func (t *trainer) begin(p *part, sentence int) draws {
	d := draws{key: t.key.Numbered(uint64(sentence))}
	p.kept = p.kept[:0]
	for _, id := range t.text.ids[t.text.starts[sentence]:t.text.starts[sentence+1]] {
		if uint64(d.next()) < t.keep[id] {
			p.kept = append(p.kept, id)
		}
	}
	return d
}

// window draws how far the neighbours of a kept word reach: from … to−1, the word itself among
// them.
func (t *trainer) window(p *part, d *draws, at int) (from, to int) {
	reach := t.cfg.Window - int(uint64(d.next())*uint64(t.cfg.Window)>>32)
	return max(0, at-reach), min(len(p.kept), at+reach+1)
}

// learnPaths is the hierarchical softmax, word after word in the order of the text, on one worker.
// Every path begins at the root, so the work cannot be dealt out to workers by what it touches; and
// when it was sorted by blocks of rows, the vectors came out worse (docs/design/0005-word2vec.md).
func (t *trainer) learnPaths(from, to int) {
	p, dim, gradient, mean := &t.parts[0], t.cfg.Dim, t.scratch[0], t.scratch[1]
	for s := from; s < to; s++ {
		d := t.begin(p, s)
		for at, word := range p.kept {
			path := t.tree.path(word)
			from, to := t.window(p, &d, at)
			before, after := p.kept[from:at], p.kept[at+1:to]
			n := len(before) + len(after)
			cbow := t.cfg.Model == CBOW
			if cbow && n > 0 {
				t.average(mean, before, after)
				t.learnPath(gradient, mean, path)
			}
			for _, side := range [][]uint32{before, after} {
				for _, id := range side {
					v := row(t.in, id, dim)
					if !cbow {
						t.learnPath(gradient, v, path)
					}
					kernels.Axpy(v, 1, gradient)
				}
			}
		}
	}
}

// learnPath moves the outputs of a path and leaves in gradient how the input h is to move.
func (t *trainer) learnPath(gradient, h []float32, path []uint32) {
	dim := t.cfg.Dim
	t.scores = slices.Grow(t.scores[:0], len(path))[:len(path)]
	for j, out := range path { // their rows differ, so all products come first: see groupSize
		t.scores[j] = kernels.Dot(h, row(t.out, out>>1, dim))
	}
	clear(gradient)
	for j, out := range path {
		if x := t.scores[j]; !(x > -pathRange && x < pathRange) {
			continue
		}
		g, u := t.slope(out, t.scores[j]), row(t.out, out>>1, dim)
		kernels.Axpy(gradient, g, u)
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

// learnPairs is phase 2 of skip-gram for a word block.
func (t *trainer) learnPairs(worker, block int) {
	k := block*blocks + (block+t.turn)%blocks
	var group [groupSize]step
	n := 0
	for i := range t.parts {
		for _, s := range t.parts[i].steps[k] {
			group[n] = s
			if n++; n == groupSize {
				t.learnGroup(worker, group[:])
				n = 0
			}
		}
	}
	t.learnGroup(worker, group[:n])
}

func (t *trainer) learnGroup(worker int, group []step) {
	var g [groupSize]float32
	dim, old := t.cfg.Dim, t.scratch[worker]
	t.slopes(&g, group, t.in)
	for j, s := range group {
		v, u := row(t.in, s.in, dim), row(t.out, s.out>>1, dim)
		copy(old, v)
		kernels.Axpy(v, g[j], u)
		kernels.Axpy(u, g[j], old)
	}
}

// slopes are the learning rate times y − σ(h·u) for a group of steps, where h are rows of a matrix.
func (t *trainer) slopes(g *[groupSize]float32, group []step, h []float32) {
	dim := t.cfg.Dim
	for j, s := range group {
		g[j] = kernels.Dot(row(h, s.in, dim), row(t.out, s.out>>1, dim))
	}
	for j, s := range group {
		g[j] = t.slope(s.out, g[j])
	}
}

// slope is the learning rate times y − σ(score), for an output with its label.
func (t *trainer) slope(out uint32, score float32) float32 {
	return t.rate * (float32(out&1) - sigmoid(score))
}

// learnExamples is phase 2 of CBOW for a part.
func (t *trainer) learnExamples(_, i int) {
	var g [groupSize]float32
	dim, p := t.cfg.Dim, &t.parts[i]
	for group := range slices.Chunk(p.steps[(i+t.turn)%blocks], groupSize) {
		t.slopes(&g, group, p.mean)
		for j, s := range group {
			u := row(t.out, s.out>>1, dim)
			kernels.Axpy(row(p.gradient, s.in, dim), g[j], u)
			kernels.Axpy(u, g[j], row(p.mean, s.in, dim))
		}
	}
}

// spread is phase 3 of CBOW for a word block.
func (t *trainer) spread(_, block int) {
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

// team is a fixed number of workers that do the tasks of a phase together.
type team struct {
	phases []chan phase // of all workers but the first, which is the caller
	wait   sync.WaitGroup
}

type phase struct {
	n    int32
	next *atomic.Int32
	do   func(worker, task int)
}

func (p phase) run(worker int) {
	for i := p.next.Add(1) - 1; i < p.n; i = p.next.Add(1) - 1 {
		p.do(worker, int(i))
	}
}

func newTeam(workers int) *team {
	t := &team{}
	for w := 1; w < workers; w++ {
		c := make(chan phase)
		t.phases = append(t.phases, c)
		go func() {
			for p := range c {
				p.run(w)
				t.wait.Done()
			}
		}()
	}
	return t
}

// each does tasks 0 … n−1 and returns when all are done.
func (t *team) each(n int, do func(worker, task int)) {
	p := phase{int32(n), new(atomic.Int32), do}
	t.wait.Add(len(t.phases))
	for _, c := range t.phases {
		c <- p
	}
	p.run(0)
	t.wait.Wait()
}

func (t *team) close() {
	for _, c := range t.phases {
		close(c)
	}
}
