package word2vec

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/rng"
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
	o.warnOfInstructions(m.instructions)
	m.digest, m.instructions = c.digest, kernels.Instructions()
	o.warn(c, sentences)
	t := newTrainer(m, c, min(o.Workers, blocks))
	defer t.team.close()
	return t.run(ctx, o)
}

// warnOfInstructions tells that the weights so far were computed with other instructions than those
// that this process uses. An old file does not say with which.
func (o TrainOptions) warnOfInstructions(was string) {
	if is := kernels.Instructions(); o.Warn != nil && was != "" && was != is {
		o.Warn(fmt.Sprintf("the model was made with the instructions %s, and this machine goes on with %s: the "+
			"outcome is not, to the bit, that of a training on one of them", was, is))
	}
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
