package lm

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"runtime"
	"sort"

	"github.com/seqzoo/seqzoo/train"
)

// defaultBuffer is how many tokens of a Data.Stream are in memory at a time.
const defaultBuffer = 1 << 22

// windows are the windows of a text, one after another.
type windows interface {
	Len() int
	Take() (train.Window, error) // the next; the first of the next epoch where one has ended
	Position() train.Position
	Seek(train.Position) error
}

// whole are the windows of a text that is all in memory.
type whole struct{ *train.Stream }

func (w whole) Take() (train.Window, error) { return w.Cycle(), nil }

// blocks are the windows of a text that need not fit in memory: it is read in blocks of nearly the
// same size, each of which is cut into tracks as a whole text would be. A token takes 4 bytes.
//
// The text is read once when it is made, to check and to count it, and once an epoch. So a position
// tells which block it is in, and what was read at first is told from another text by the digests
// of its blocks.
type blocks struct {
	pieces iter.Seq2[[]int, error]
	check  func(ids []int) error
	data   Data

	n       int      // tokens
	count   int      // blocks
	ends    []int    // windows of an epoch up to the end of each block
	digests []string // of each block
	at      train.Position

	block  int // that is at hand; -1: none
	ids    []int32
	stream *train.Stream // of ids

	next func() ([]int, error, bool)
	stop func()
	rest []int // of the piece that was read last
	read int   // tokens that were taken from the pieces
}

// newBlocks reads all of the text once.
func newBlocks(d Data, check func(ids []int) error) (*blocks, error) {
	b := &blocks{pieces: d.Stream, check: check, data: d, block: -1}
	if d.Buffer < 0 {
		return nil, fmt.Errorf("data: Buffer is %d, want a number of tokens, or 0 for %d", d.Buffer,
			defaultBuffer)
	}
	if d.Buffer == 0 {
		b.data.Buffer = defaultBuffer
	}
	for ids, err := range d.Stream {
		if err != nil {
			return nil, fmt.Errorf("the stream fails behind token %d: %w", b.n, err)
		}
		if err := check(ids); err != nil {
			return nil, fmt.Errorf("the piece of the stream behind token %d: %w", b.n, err)
		}
		if b.n += len(ids); b.n > math.MaxInt/2 {
			return nil, errors.New("the stream does not end")
		}
	}
	if err := d.Window.Validate(); err != nil {
		return nil, err
	}
	// A block is not so small that a window does not fit.
	room := max(float64(b.data.Buffer), float64(d.Batch)*float64(d.Window.Stride)+1)
	b.count = max(1, int(math.Ceil(float64(b.n-1)/room)))
	for b.count > 1 && float64(b.n/b.count-1)/float64(d.Batch) < float64(d.Window.Stride) {
		b.count--
	}
	for k := range b.count {
		if err := b.load(k); err != nil {
			return nil, err
		}
		digest, err := train.DigestOf(b.ids)
		if err != nil {
			return nil, err
		}
		b.digests = append(b.digests, digest)
		b.ends = append(b.ends, b.Len()+b.stream.Len())
	}
	return b, nil
}

// span is where a block begins in the text, and how many tokens it has: one of the next block is
// the target of its last.
func (b *blocks) span(block int) (first, n int) {
	at := func(k int) int { return int(float64(b.n-1) / float64(b.count) * float64(k)) }
	end := b.n - 1
	if block+1 < b.count {
		end = at(block + 1)
	}
	return at(block), max(end-at(block), 0) + min(b.n, 1)
}

func (b *blocks) Len() int {
	if len(b.ends) == 0 {
		return 0
	}
	return b.ends[len(b.ends)-1]
}

func (b *blocks) Position() train.Position { return b.at }

func (b *blocks) Seek(p train.Position) error {
	if p.Epoch < 0 || p.Next < 0 || p.Next > b.Len() {
		return fmt.Errorf("position: epoch %d, window %d; an epoch has windows 0 to %d", p.Epoch,
			p.Next, b.Len()-1)
	}
	b.at = p
	return nil
}

// Take returns the next window, which holds until the next call.
func (b *blocks) Take() (train.Window, error) {
	at := b.at
	if at.Next == b.Len() {
		at = train.Position{Epoch: at.Epoch + 1}
	}
	block := sort.SearchInts(b.ends, at.Next+1)
	if b.block != block {
		if err := b.load(block); err != nil {
			return train.Window{}, err
		}
		digest, err := train.DigestOf(b.ids)
		if err == nil && digest != b.digests[block] {
			first, n := b.span(block)
			err = fmt.Errorf("the stream has another text than when the task was made, "+
				"somewhere from token %d to %d: it must give the same each time that it is read", first, first+n-1)
		}
		if err != nil {
			b.block = -1
			return train.Window{}, err
		}
	}
	before := b.ends[block] - b.stream.Len()
	if err := b.stream.Seek(train.Position{Epoch: at.Epoch, Next: at.Next - before}); err != nil {
		return train.Window{}, err
	}
	at.Next++
	b.at = at
	return b.stream.Cycle(), nil
}

// load puts a block at hand.
func (b *blocks) load(block int) (err error) {
	first, n := b.span(block)
	if b.block >= 0 && b.block == block-1 && len(b.ids) > 0 && b.next != nil {
		b.ids = append(b.ids[:0], b.ids[len(b.ids)-1]) // its last token is the first of this
	} else {
		b.start()
		b.ids = b.ids[:0]
	}
	b.block = -1 // until all went well
	for b.read < first {
		if err := b.more(); err != nil {
			return err
		}
		skip := min(len(b.rest), first-b.read)
		b.rest, b.read = b.rest[skip:], b.read+skip
	}
	for len(b.ids) < n {
		if err := b.more(); err != nil {
			return err
		}
		take := min(len(b.rest), n-len(b.ids))
		for _, id := range b.rest[:take] {
			b.ids = append(b.ids, int32(id))
		}
		b.rest, b.read = b.rest[take:], b.read+take
	}
	if block == b.count-1 { // the end of an epoch: a file that it reads is closed
		b.stop()
		b.next = nil
	}
	if b.stream, err = train.NewStream32(b.ids, b.data.Batch, b.data.Window); err != nil {
		return err
	}
	b.block = block
	return nil
}

// start reads the text from its start. What nobody needs any more lets go of the stream.
func (b *blocks) start() {
	if b.next != nil {
		b.stop()
	}
	next, stop := iter.Pull2(b.pieces)
	b.next, b.rest, b.read = next, nil, 0
	c := runtime.AddCleanup(b, func(stop func()) { stop() }, stop)
	b.stop = func() { c.Stop(); stop() }
}

// more sees to it that there is a rest.
func (b *blocks) more() error {
	for len(b.rest) == 0 {
		ids, err, ok := b.next()
		if err == nil && ok {
			if err = b.check(ids); err == nil {
				b.rest = ids
				continue
			}
		}
		b.stop()
		b.next = nil
		if err == nil {
			return fmt.Errorf("the stream ends after %d tokens, and had %d when the task was made",
				b.read, b.n)
		}
		return fmt.Errorf("the stream fails behind token %d: %w", b.read, err)
	}
	return nil
}
