package train

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/rng"
)

// BatchesConfig says how examples are gathered into batches.
type BatchesConfig struct {
	// examples a batch; the last one of an epoch may have fewer, or come anywhere if the order is
	// shuffled
	Batch   int
	Seed    uint64 // of the order, which is another one each epoch
	InOrder bool   // keep the examples in the order of the data

	// Bucket gathers sequences of like length, for less padding: the examples of so many batches
	// are sorted by length before they are cut into batches. 0 and 1 sort nothing; a Bucket of a
	// whole epoch pads least and mixes least.
	Bucket int

	// Tokens bounds what a batch takes: the longest of its sequences times their number is at most
	// Tokens, so that batches of short sequences have many and those of long ones few. The examples
	// of an epoch are sorted by length; which of like length share a batch, and the order of the
	// batches, differ by epoch. With InOrder they keep their order and are only parted otherwise.
	// Batch is then the most examples of a batch, 0 for no such limit, and Bucket has no meaning. A
	// sequence longer than Tokens is an error. 0: batches have Batch examples.
	Tokens int
	// Sizes is how much each example counts in Tokens, at least 1; nil: its length
	Sizes []int
}

// Batches gathers examples, known by their numbers, into batches: each example once an epoch.
//
// Pairs, such as a source and its target, need one Batches and a [Padded] each:
//
//	for examples := range batches.Epoch() {
//		err := errors.Join(source.Fill(sources, examples, pad), target.Fill(targets, examples, pad))
//		// … and a step
//	}
type Batches struct {
	cfg     BatchesConfig
	lengths []int // of the examples; nil if not sorted by
	n       int
	at      Position
	order   []int // the examples as this epoch takes them
	cuts    []int // where the batches of order begin, and where the last ends; nil: every cfg.Batch
	turns   []int // the batches of order as this epoch takes them
	ready   int   // the epoch for which order and turns are laid out; -1 for none
}

// NewBatches gathers n examples. The lengths of the sequences are used, and then needed, if
// cfg.Bucket or cfg.Tokens asks for them; else they may be nil.
func NewBatches(n int, lengths []int, cfg BatchesConfig) (*Batches, error) {
	bad := check.Problems{Prefix: "batches: "}
	bad.That(n >= 1 && n <= math.MaxInt32, "there are %d examples; it takes 1 to %d", n,
		math.MaxInt32)
	bad.Int("Tokens", cfg.Tokens, 0, math.MaxInt)
	if cfg.Tokens == 0 || cfg.Batch != 0 {
		bad.Int("Batch", cfg.Batch, 1, math.MaxInt)
	}
	bad.Int("Bucket", cfg.Bucket, 0, math.MaxInt)
	bad.That(cfg.Tokens <= 0 || cfg.Bucket <= 1,
		"Bucket is %d, and Tokens sorts the examples of a whole epoch: give one of them",
		cfg.Bucket)
	bad.That(cfg.Tokens <= 0 || len(lengths) == n,
		"Tokens is %d, and there are %d lengths for %d examples", cfg.Tokens, len(lengths), n)
	bad.That(cfg.Sizes == nil || cfg.Tokens > 0 && len(cfg.Sizes) == n,
		"there are %d Sizes for %d examples and %d Tokens: they go together", len(cfg.Sizes), n,
		cfg.Tokens)
	bad.That(cfg.Bucket <= 1 || len(lengths) == n,
		"Bucket is %d, and there are %d lengths for %d examples", cfg.Bucket, len(lengths), n)
	if err := bad.Err(); err != nil {
		return nil, err
	}
	if cfg.Tokens > 0 && cfg.Batch == 0 {
		cfg.Batch = n
	}
	cfg.Batch = min(cfg.Batch, n)
	if cfg.Tokens > 0 && cfg.Sizes == nil {
		cfg.Sizes = lengths
	}
	b := &Batches{cfg: cfg, lengths: lengths, n: n, ready: -1}
	b.order = make([]int, n)
	if cfg.Tokens > 0 {
		if err := b.cut(); err != nil {
			return nil, fmt.Errorf("batches: %w", err)
		}
	}
	b.turns = make([]int, b.Len())
	return b, nil
}

// cut decides where batches of so many Tokens begin. Sorted, the examples have the same lengths and
// sizes, place by place, in every epoch, and so the same cuts.
func (b *Batches) cut() error {
	for i := range b.order {
		b.order[i] = i
	}
	if !b.cfg.InOrder {
		slices.SortFunc(b.order, b.byLength)
	}
	b.cuts = []int{0}
	longest := 0
	for at, i := range b.order {
		size := max(b.cfg.Sizes[i], 1)
		if size > b.cfg.Tokens {
			return check.Example("example", i, "it has %d tokens, and Tokens is %d: leave it "+
				"out, cut it, or give more", size, b.cfg.Tokens)
		}
		first := b.cuts[len(b.cuts)-1]
		longest = max(longest, size)
		if rows := at - first + 1; rows > b.cfg.Batch || longest > b.cfg.Tokens/rows {
			b.cuts, longest = append(b.cuts, at), size
		}
	}
	b.cuts = append(b.cuts, b.n)
	return nil
}

// Len is the number of batches in an epoch.
func (b *Batches) Len() int {
	if b.n == 0 {
		return 0 // NewBatches has not made it
	}
	if b.cuts != nil {
		return len(b.cuts) - 1
	}
	return (b.n-1)/b.cfg.Batch + 1
}

// Next returns the examples of the next batch, valid until the next call; false marks the end of an
// epoch, and the call after it begins the next one.
func (b *Batches) Next() (examples []int, ok bool) {
	if b.at.Next == b.Len() {
		b.at = Position{Epoch: b.at.Epoch + 1}
		return nil, false
	}
	if b.ready != b.at.Epoch {
		b.layOut(b.at.Epoch)
		b.ready = b.at.Epoch
	}
	turn := b.turns[b.at.Next]
	start := turn * b.cfg.Batch
	end := min(start+b.cfg.Batch, b.n)
	if b.cuts != nil {
		start, end = b.cuts[turn], b.cuts[turn+1]
	}
	b.at.Next++
	return b.order[start:end:end], true
}

// layOut decides the order of an epoch, which depends on nothing but the configuration and its
// number.
func (b *Batches) layOut(epoch int) {
	for i := range b.order {
		b.order[i] = i
	}
	for i := range b.turns {
		b.turns[i] = i
	}
	key := rng.New(b.cfg.Seed).Named("batches").Numbered(uint64(epoch))
	if !b.cfg.InOrder {
		shuffle(b.order, key.Named("examples"))
	}
	if b.cfg.Bucket < 2 && (b.cuts == nil || b.cfg.InOrder) {
		return
	}
	bucket := b.n // examples that are sorted together
	if b.cuts == nil && b.cfg.Bucket < b.Len() {
		bucket = b.cfg.Bucket * b.cfg.Batch
	}
	for start := 0; start < b.n; start += bucket {
		slices.SortStableFunc(b.order[start:min(start+bucket, b.n)], b.byLength)
	}
	if !b.cfg.InOrder {
		shuffle(b.turns, key.Named("turns")) // not the short ones first
	}
}

// byLength sorts by length and then, where batches are cut by it, by size.
func (b *Batches) byLength(i, j int) int {
	c := cmp.Compare(b.lengths[i], b.lengths[j])
	if c == 0 && b.cfg.Sizes != nil {
		c = cmp.Compare(b.cfg.Sizes[i], b.cfg.Sizes[j])
	}
	return c
}

func shuffle(s []int, key rng.Key) {
	r := rng.Stream{Key: key}
	for i := len(s) - 1; i > 0; i-- {
		j := r.Intn(i + 1)
		s[i], s[j] = s[j], s[i]
	}
}

// Position is where the batches stand.
func (b *Batches) Position() Position { return b.at }

// Seek goes to a position of batches over the same examples with the same configuration.
func (b *Batches) Seek(p Position) error {
	if err := p.check(b.Len()); err != nil {
		return fmt.Errorf("batches: %w", err)
	}
	b.at = p
	return nil
}

// Padded is a batch of B sequences, filled up to the length T of the longest. Its zero value is
// ready to be filled.
type Padded struct {
	IDs     []int // [T, B], time major: step t of sequence b is at t·B+b
	Lengths []int // [B]
	T, B    int
}

// Fill takes the given examples of sequences, in that order, and writes pad after the end of each.
// The room of earlier batches is used again. A sequence may be empty (its length is then 0); T is
// at least 1.
func (p *Padded) Fill(sequences [][]int, examples []int, pad int) error {
	t := 1
	for i, example := range examples {
		if example < 0 || example >= len(sequences) {
			return fmt.Errorf("pad: examples[%d] is %d; there are %d sequences", i, example,
				len(sequences))
		}
		t = max(t, len(sequences[example]))
	}
	p.T, p.B = t, len(examples)
	p.Lengths = slices.Grow(p.Lengths[:0], p.B)[:p.B]
	p.IDs = slices.Grow(p.IDs[:0], t*p.B)[:t*p.B]
	for b, example := range examples {
		sequence := sequences[example]
		p.Lengths[b] = len(sequence)
		for i := range t {
			id := pad
			if i < len(sequence) {
				id = sequence[i]
			}
			p.IDs[i*p.B+b] = id
		}
	}
	return nil
}
