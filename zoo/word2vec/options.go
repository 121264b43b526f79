package word2vec

import (
	"errors"
	"fmt"
	"time"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// Progress is where a training stands.
type Progress struct {
	Epoch, Epochs int           // the epoch at hand, from 1
	Words, Total  int           // words of the vocabulary read so far and in all epochs together
	LR            float64       // learning rate
	Elapsed       time.Duration // in this call of Train
	WordsPerSec   float64       // in this call of Train
	// mean loss of the epoch's examples so far in this call of Train, in nats, each measured before
	// its step, added up in float64; an example is a pair of words, for CBOW a word. 0 unless
	// TrainOptions.Loss asks for it
	Loss float64
}

// TrainOptions do not change the result, but for LockFree.
type TrainOptions struct {
	// goroutines; 0 means GOMAXPROCS, and more than that are not started. Without LockFree more
	// than 16 are of no use, nor is a second where steps are taken in the order of the text: for a
	// hierarchical softmax, and with Config.TextOrder
	Workers int
	// LockFree lets all workers read the text at once and write to the same vectors without locks
	// (Hogwild: Recht, Ré, Wright and Niu, 2011), as gensim and the original tool do, all in the
	// order of the text. It is for a hierarchical softmax, whose words all pass one root, on
	// several cores; each worker then holds copies of the nodes near the root, which it gives back
	// every few uses. With more than one worker the result is another one in each run, as good as
	// any but not repeatable, and a program that is built with Go's race detector reports it.
	LockFree bool
	// Loss measures Progress.Loss, which costs a logarithm for each output.
	Loss bool
	// called a few times a second at most, if not nil, and at the end of each epoch
	Progress func(Progress)
	// called after each epoch, if not nil, to save the model for example
	AfterEpoch func(*Model) error

	// Processes share the steps out, each with the same model, text and options; nil: this one
	// alone. All read the text; the first one's weights are where they go on, and it alone calls
	// Progress, AfterEpoch and Warn. The result is that of one process, to the bit. Outputs change
	// hands within each chunk of text, so that it takes a fast network, or one machine; steps in
	// the order of the text are not shared out
	Processes Processes

	// Warn is told, if not nil, when more than a third of the words of the text are not in the
	// vocabulary, and so are left out.
	Warn func(message string)
}

// check refuses what processes cannot train together.
func (o TrainOptions) check() error {
	if o.Processes == nil || o.Processes.Size() == 1 {
		return nil
	}
	if n := o.Processes.Size(); n > blocks {
		return fmt.Errorf("%d processes: more than %d have nothing to do", n, blocks)
	}
	if o.LockFree {
		return errors.New("LockFree is for the cores of one machine, and there are " +
			"several processes")
	}
	return nil
}

// warnOfInstructions tells that the weights so far were computed with other instructions than those
// that this process uses. An old file does not say with which.
func (o TrainOptions) warnOfInstructions(was string) {
	if is := kernels.Instructions(); o.Warn != nil && was != "" && was != is {
		o.Warn(fmt.Sprintf("the model was made with the instructions %s, and this machine goes on "+
			"with %s: the outcome is not, to the bit, that of a training on one of them", was, is))
	}
}

// warn tells of a text most of which is left out.
func (o TrainOptions) warn(c *corpus) {
	all := c.words
	left := all - len(c.ids)
	if o.Warn == nil || 3*left <= all {
		return
	}
	o.Warn(fmt.Sprintf("%d of the %d words of the text (%.1f %%) are left out, since the "+
		"vocabulary lacks them: are too many left out as rare, or does the tokeniser not suit the "+
		"language?", left, all, 100*float64(left)/float64(all)))
}
