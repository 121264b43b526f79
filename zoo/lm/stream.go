package lm

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
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

// blocks are the windows of a text that need not fit in memory. The text is read in blocks of
// nearly the same size, each of which is cut into tracks as a whole text would be. A token takes 4
// bytes.
//
// newBlocks reads the text twice, first to check and to count it, then to digest its blocks; each
// epoch reads it once. A position names a block and a window in it, and the digests tell the text
// that was read at first from another one.
type blocks struct {
	shared.Parts // the blocks, in windows
	check        func(ids []int) error
	data         Data

	n       int      // tokens
	count   int      // blocks
	digests []string // of each block

	block  int // the block in memory; -1: none
	ids    []int32
	stream *train.Stream // of ids

	pieces *shared.Rereader[[]int]
	rest   []int // of the piece that was read last
	read   int   // tokens that were taken from the pieces
}

// newBlocks reads all of the text twice.
func newBlocks(d Data, check func(ids []int) error) (*blocks, error) {
	switch {
	case d.Batch < 1:
		return nil, fmt.Errorf("data: Batch is %d, want at least 1", d.Batch)
	case d.Buffer < 0:
		return nil, fmt.Errorf("data: Buffer is %d, want a number of tokens, or 0 for %d", d.Buffer,
			defaultBuffer)
	}
	if err := d.Window.Validate(); err != nil {
		return nil, err
	}
	d.Buffer = cmp.Or(d.Buffer, defaultBuffer)
	b := &blocks{pieces: shared.NewRereader(d.Stream), check: check, data: d, block: -1}
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
	// A block is not so small that a window does not fit.
	room := max(float64(d.Buffer), float64(d.Batch)*float64(d.Window.Stride)+1)
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
		b.Add(b.stream.Len())
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

// Take returns the next window, which holds until the next call.
func (b *blocks) Take() (train.Window, error) {
	block, within := b.Next()
	if b.block != block {
		if err := b.load(block); err != nil {
			return train.Window{}, err
		}
		digest, err := train.DigestOf(b.ids)
		if err == nil && digest != b.digests[block] {
			first, n := b.span(block)
			err = fmt.Errorf("the stream has another text than when the task was made, somewhere "+
				"from token %d to %d: it must give the same each time that it is read", first,
				first+n-1)
		}
		if err != nil {
			b.block = -1
			return train.Window{}, err
		}
	}
	if err := b.stream.Seek(within); err != nil {
		return train.Window{}, err
	}
	b.Advance()
	return b.stream.Cycle(), nil
}

// load reads a block into memory.
func (b *blocks) load(block int) (err error) {
	first, n := b.span(block)
	if b.block >= 0 && b.block == block-1 && len(b.ids) > 0 && b.pieces.Open() {
		b.ids = append(b.ids[:0], b.ids[len(b.ids)-1]) // its last token is the first of this
	} else {
		b.pieces.Begin()
		b.ids, b.rest, b.read = b.ids[:0], nil, 0
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
		b.pieces.End()
	}
	if b.stream, err = train.NewStream32(b.ids, b.data.Batch, b.data.Window); err != nil {
		return err
	}
	b.block = block
	return nil
}

// more reads the next piece if rest is empty.
func (b *blocks) more() error {
	for len(b.rest) == 0 {
		ids, ok, err := b.pieces.Next()
		if err == nil && !ok {
			return fmt.Errorf("the stream ends after %d tokens, and had %d when the task was made",
				b.read, b.n)
		}
		if err == nil {
			err = b.check(ids)
		}
		if err != nil {
			b.pieces.End()
			return fmt.Errorf("the stream fails behind token %d: %w", b.read, err)
		}
		b.rest = ids
	}
	return nil
}
