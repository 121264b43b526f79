package word2vec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/rng"
)

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

	// Words of text for each worker of a lock-free training between two updates of the learning
	// rate.
	lockFreeChunk = 5_000
)

// Train goes over the text until all epochs are done, or ctx is. Then the error wraps that of ctx,
// and the model holds all that was learnt so far: saved or not, it goes on from there when Train is
// called again with the same sentences. Another text is refused once a training has begun.
func (m *Model) Train(ctx context.Context, sentences [][]string, o TrainOptions) error {
	return m.TrainFrom(ctx, all(sentences), o)
}

// TrainFrom is Train of sentences that come one by one, which it ranges over once, before the first
// epoch: a word that the vocabulary has takes 4 bytes from then on, a sentence 8. The first error
// among them ends it, with the number of the sentence.
func (m *Model) TrainFrom(ctx context.Context, sentences iter.Seq2[[]string, error],
	o TrainOptions) error {
	if sentences == nil {
		return errNoSentences
	}
	if o.Workers < 0 {
		return fmt.Errorf("word2vec: Workers is %d; want at least 0", o.Workers)
	}
	// Workers without a core of their own would only make the others wait.
	o.Workers = min(cmp.Or(o.Workers, math.MaxInt), runtime.GOMAXPROCS(0))
	if err := m.made(); err != nil {
		return fmt.Errorf("word2vec: %w", err)
	}
	if err := o.check(); err != nil {
		return fmt.Errorf("word2vec: %w", err)
	}
	err := m.train(ctx, sentences, o)
	var own ownError
	if errors.As(err, &own) && o.Processes != nil && o.Processes.Size() > 1 {
		o.Processes.Abort(err)
	}
	return err
}

// train is Train with options that have been checked.
func (m *Model) train(ctx context.Context, sentences iter.Seq2[[]string, error],
	o TrainOptions) error {
	c, err := m.encode(ctx, sentences)
	if err != nil {
		return fmt.Errorf("word2vec: %w", ownError{err})
	}
	if p := o.Processes; p != nil && p.Size() > 1 {
		if p.Rank() > 0 {
			o.Progress, o.AfterEpoch, o.Warn = nil, nil, nil
		}
		if err := m.join(p, c.digest, o); err != nil {
			return fmt.Errorf("word2vec: %w", err)
		}
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
	o.warnOfInstructions(m.instructions)
	m.digest, m.instructions = c.digest, kernels.Instructions()
	o.warn(c)
	t := newTrainer(m, c, o)
	defer t.team.close()
	return t.run(ctx, o)
}

// trainer works on a chunk of text at a time, in phases whose tasks touch no common rows:
//
//  1. read: each part of the chunk becomes steps, sorted by the blocks of rows that they touch;
//  2. turns: for t = 0 … 15, the steps of word block p and output block p xor t, for all p;
//  3. CBOW: the gradients of the examples are added to the vectors of the neighbours, block by
//     block.
//
// Who does a task makes no difference, so the result is the same for any number of workers. Steps
// in the order of the text do without the phases: see reader.
type trainer struct {
	*Model
	text    *corpus
	keep    []uint64
	sampler sampler
	team    *team
	parts   [blocks]part
	scratch [blocks][]float32 // a copy of a word vector, by worker
	readers []reader          // of the text in its order; nil where steps are sorted
	rate    float32
	lr      float64
	key     rng.Key // of the epoch
	chunks  int     // of the epoch, done
	losses  *losses // nil if they are not asked for
	crew    *crew   // nil for one process
}

// step is a word vector (or, for CBOW, an example of the part) and an output: output<<1 | label.
type step struct{ in, out uint32 }

// part is a piece of the chunk: sentences from … to−1.
type part struct {
	from, to int
	kept     kept

	// The steps by word block times blocks plus output block; for CBOW by output block alone.
	steps [blocks * blocks][]step

	// CBOW: for each example the mean of the neighbours, and the sum of the steps along the
	// gradient; and by word block which neighbours an example has.
	mean, gradient []float32
	examples       int
	neighbours     [blocks][]step
}

func newTrainer(m *Model, c *corpus, o TrainOptions) *trainer {
	if !o.LockFree {
		o.Workers = min(o.Workers, blocks)
	}
	t := &trainer{Model: m, text: c, keep: keepers(m.vocabulary, m.cfg.Sample),
		team: newTeam(o.Workers), crew: newCrew(o.Processes, m.outputs())}
	if m.cfg.Output == Negative {
		t.sampler = newSampler(m.vocabulary)
	}
	if o.Loss {
		t.losses = new(losses)
	}
	switch {
	case o.LockFree:
		t.readers = make([]reader, o.Workers)
	case t.tree != nil || m.cfg.TextOrder:
		t.readers = make([]reader, 1)
	}
	for i := range t.readers {
		t.readers[i] = newReader(t)
		if t.tree != nil && len(t.readers) > 1 {
			t.readers[i].held = newHeld(m.outputs(), m.cfg.Dim)
		}
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
			WordsPerSec: float64(at-first) / max(shown.Seconds(), 1e-9), Loss: t.losses.mean(),
		})
	}
	for t.epoch < t.cfg.Epochs {
		t.key = rng.New(t.cfg.Seed).Named("word2vec").Numbered(uint64(t.epoch))
		t.chunks = 0
		for s := 0; s < t.sentence; s = t.end(s) {
			t.chunks++
		}
		t.losses.clear()
		for t.sentence < len(t.text.starts)-1 {
			if err := t.interrupted(ctx); err != nil {
				return fmt.Errorf("word2vec: epoch %d of %d: %w", t.epoch+1, t.cfg.Epochs, err)
			}
			t.lr = t.cfg.LR - (t.cfg.LR-t.cfg.MinLR)*float64(at)/float64(total)
			t.rate = float32(t.lr)
			next, err := t.chunk(t.sentence)
			if err != nil {
				return fmt.Errorf("word2vec: epoch %d of %d: %w", t.epoch+1, t.cfg.Epochs, err)
			}
			t.sentence = next
			at = t.epoch*words + t.text.starts[t.sentence]
			if o.Progress != nil && time.Since(begin)-shown > 200*time.Millisecond {
				report(t.epoch + 1)
			}
		}
		if err := t.settle(); err != nil {
			return fmt.Errorf("word2vec: epoch %d of %d: %w", t.epoch+1, t.cfg.Epochs, err)
		}
		t.epoch, t.sentence = t.epoch+1, 0
		for _, x := range t.in {
			if x-x != 0 {
				return fmt.Errorf("word2vec: epoch %d: the vectors are no longer finite; a smaller "+
					"LR than %g may help", t.epoch, t.cfg.LR)
			}
		}
		if o.Progress != nil {
			report(t.epoch)
		}
		if o.AfterEpoch != nil {
			if err := o.AfterEpoch(t.Model); err != nil {
				return t.own(err)
			}
		}
	}
	return nil
}

// interrupted is the error of a context that is done, in all processes once it is in one of them.
func (t *trainer) interrupted(ctx context.Context) error {
	done := interrupt.Err(ctx)
	stop, err := t.agree(done)
	if err == nil && stop {
		err = t.settle()
	}
	if err != nil || !stop {
		return err
	}
	return cmp.Or(done, errOther)
}

// end is where the chunk that begins with a sentence ends.
func (t *trainer) end(from int) int {
	size := skipGramChunk
	switch {
	case len(t.readers) > 1:
		size = lockFreeChunk * len(t.readers)
	case t.cfg.Model == CBOW:
		size = cbowChunk
	}
	starts := t.text.starts
	to := from
	for to < len(starts)-1 && starts[to]-starts[from] < size {
		to++
	}
	return to
}

// chunk trains on the sentences from a number on and returns the next one.
func (t *trainer) chunk(from int) (next int, err error) {
	to := t.end(from)
	if t.readers != nil {
		t.team.share(0, len(t.readers), func(_, first, last int) {
			for i := first; i < last; i++ {
				t.readers[i].learn(t.cut(from, to, i, len(t.readers)),
					t.cut(from, to, i+1, len(t.readers)))
			}
		})
	} else if err := t.sorted(from, to); err != nil {
		return 0, err
	}
	t.chunks++
	if err := t.gatherLosses(); err != nil {
		return 0, err
	}
	t.losses.gather(t.readers)
	return to, nil
}

// cut is the first sentence of part i of n of a chunk: the first one behind i/n of the words.
func (t *trainer) cut(from, to, i, n int) int {
	starts := t.text.starts
	words := starts[to] - starts[from]
	at, _ := slices.BinarySearchFunc(starts[from:to], words*i, func(start, want int) int {
		return cmp.Compare((start-starts[from])*n, want)
	})
	return from + at
}

// sorted trains on a chunk in the three phases.
func (t *trainer) sorted(from, to int) error {
	for i := range t.parts {
		t.parts[i].from, t.parts[i].to = t.cut(from, to, i, blocks), t.cut(from, to, i+1, blocks)
	}
	t.team.share(0, blocks, inTurn(t.read))
	learn := t.learnPairs
	if t.cfg.Model == CBOW {
		learn = t.learnExamples
	}
	if t.crew != nil {
		err := t.learnTogether(learn)
		if err == nil && t.cfg.Model == CBOW {
			err = t.spreadTogether()
		}
		return err
	}
	// While the upper bits of the turn stay as they are, the word blocks of a worker meet the
	// output blocks of the same numbers, or of those of one other worker, which nobody else
	// touches. Every other chunk takes the turns backwards, so that output blocks stay with the
	// worker that had them last. Both save the workers waiting for each other and for rows to come
	// from another core's cache; neither changes the outcome for another number of workers.
	alone := 1
	if n := t.team.n; n&(n-1) == 0 {
		alone = blocks / n
	}
	t.learnTurns(turnsOf(t.chunks), alone, 0, blocks, learn)
	if t.cfg.Model == CBOW {
		t.team.share(0, blocks, inTurn(t.spread))
	}
	return nil
}

// learnTurns is phase 2 of tasks from … to−1 in some turns, so many of them at a time in which no
// worker meets another's outputs.
func (t *trainer) learnTurns(turns []int, alone, from, to int, learn func(worker, task, out int)) {
	for some := range slices.Chunk(turns, alone) {
		t.team.share(from, to, func(worker, first, last int) {
			for _, turn := range some {
				for i := first; i < last; i++ {
					learn(worker, i, i^turn)
				}
			}
		})
	}
}

// turnsOf is the order of the turns in a chunk.
func turnsOf(chunk int) []int {
	var turns [blocks]int
	for i := range turns {
		turns[i] = i
		if chunk%2 == 1 {
			turns[i] = blocks - 1 - i
		}
	}
	return turns[:]
}

// inTurn does tasks one after another.
func inTurn(do func(task int)) func(worker, first, last int) {
	return func(_, first, last int) {
		for i := first; i < last; i++ {
			do(i)
		}
	}
}

// read is phase 1: it turns the sentences of a part into steps.
func (t *trainer) read(i int) {
	p := &t.parts[i]
	for k := range p.steps {
		p.steps[k] = p.steps[k][:0]
	}
	for k := range p.neighbours {
		p.neighbours[k] = p.neighbours[k][:0]
	}
	p.mean, p.gradient, p.examples = p.mean[:0], p.gradient[:0], 0
	for s := p.from; s < p.to; s++ {
		d := p.kept.begin(t, s)
		for at, word := range p.kept {
			from, to := p.kept.window(t, &d, at)
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

// kept are the words of a sentence that subsampling keeps.
type kept []uint32

// begin draws which words of a sentence are kept.
func (k *kept) begin(t *trainer, sentence int) draws {
	d := draws{key: t.key.Numbered(uint64(sentence))}
	*k = (*k)[:0]
	for _, id := range t.text.ids[t.text.starts[sentence]:t.text.starts[sentence+1]] {
		if uint64(d.next()) < t.keep[id] {
			*k = append(*k, id)
		}
	}
	return d
}

// window draws how far the neighbours of a kept word reach: from … to−1, the word itself among
// them.
func (k kept) window(t *trainer, d *draws, at int) (from, to int) {
	reach := t.cfg.Window - int(uint64(d.next())*uint64(t.cfg.Window)>>32)
	return max(0, at-reach), min(len(k), at+reach+1)
}
