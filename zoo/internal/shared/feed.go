package shared

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

// Order says which examples come next in a training.
type Order interface {
	Len() int             // batches in an epoch
	Take() ([]int, error) // the next batch; after the last of an epoch the first of the next one
	First() int           // the number in the data of what Take calls example 0
	Position() train.Position
	Seek(train.Position) error
}

// Listed is the order of examples that are all at hand.
func Listed(b *train.Batches) Order { return listed{b} }

type listed struct{ *train.Batches }

// Take returns the examples of the next batch.
func (l listed) Take() ([]int, error) { return l.Cycle(), nil }

// First is 0: examples have the numbers that they have in the data.
func (l listed) First() int { return 0 }

// Source is the data of a task: examples that are all at hand, or a stream of them, of which a
// window is in memory at a time.
type Source[E any] struct {
	Kind   string // of an example, in errors, such as "pair"
	Train  []E
	Stream iter.Seq2[E, error]
	Buffer int                 // examples in a window; 0: DefaultBuffer
	Gather train.BatchesConfig // of the batches, and the seed of their order

	Check func(examples []E) error // counts from examples[0]
	// tokens or steps of an example, by which the largest is found, and examples of like length are
	// gathered unless Batches gathers them
	Size    func(e E) int
	Batches func(examples []E, c train.BatchesConfig) (*train.Batches, error)
	Digest  func(examples []E) (string, error) // nil: train.DigestOf
}

// DefaultBuffer is how many examples of a stream are in memory at a time.
const DefaultBuffer = 1 << 13

// Feed is the Order of a Source. Batches name examples by their numbers in At.
//
// A stream is cut into windows of as many examples each. It is read once when the Feed is made, to
// check and to count it, and once an epoch, from its start on; the examples of a window are put in
// an order of their own each epoch. So a position tells which window it is in, and which batch: a
// resumed training reads the stream up to there. What was read at first is told from other data by
// the digests of its windows. Examples that are all at hand are one window, which stays.
type Feed[E any] struct {
	Parts     // the windows
	At    []E // the examples at hand: those of a window

	source  Source[E]
	n       int            // examples in all
	largest int            // number of the largest
	most    E              // which is this
	window  int            // that is at hand; -1: none
	batches *train.Batches // of it

	// of a stream
	stream  *Rereader[E]
	read    int      // examples that it has given since its start
	digests []string // of each window
}

// NewFeed reads all data once.
func NewFeed[E any](s Source[E]) (*Feed[E], error) {
	f := &Feed[E]{source: s, window: -1}
	switch {
	case s.Stream == nil && s.Buffer != 0:
		return nil, fmt.Errorf("data: Buffer is %d, and there is no Stream", s.Buffer)
	case s.Stream == nil:
		return f, f.add(s.Train)
	case len(s.Train) > 0:
		return nil, fmt.Errorf("there are %d examples in Train and a Stream: give one of them",
			len(s.Train))
	case s.Buffer < 0:
		return nil, fmt.Errorf("data: Buffer is %d, want a number of examples, or 0 for %d",
			s.Buffer, DefaultBuffer)
	}
	f.source.Buffer = cmp.Or(s.Buffer, DefaultBuffer)
	f.stream = NewRereader(s.Stream)
	return f, f.survey()
}

// Streamed reports whether only a window of the data is at hand.
func (f *Feed[E]) Streamed() bool { return f.stream != nil }

// survey reads the stream to its end.
func (f *Feed[E]) survey() error {
	var window []E
	for e, err := range f.source.Stream {
		if err != nil {
			return f.failed(f.n+len(window), err)
		}
		if window = append(window, e); len(window) == f.source.Buffer {
			if err := f.add(slices.Clone(window)); err != nil {
				return err
			}
			window = window[:0]
		}
	}
	switch {
	case len(window) > 0:
		return f.add(window)
	case f.n == 0:
		return errors.New("the Stream has no examples")
	}
	return nil
}

// add checks and counts the examples of the next window. The first is kept at hand.
func (f *Feed[E]) add(examples []E) error {
	if err := f.source.Check(examples); err != nil {
		return moved(err, f.n)
	}
	batches, err := f.gather(examples, f.Count())
	if err != nil {
		return moved(err, f.n)
	}
	if f.Streamed() {
		digest, err := f.digest(examples)
		if err != nil {
			return err
		}
		f.digests = append(f.digests, digest)
	}
	if f.n == 0 {
		f.At, f.batches, f.window, f.most = examples, batches, 0, examples[0]
	}
	for i, e := range examples {
		if f.source.Size(e) > f.source.Size(f.most) {
			f.largest, f.most = f.n+i, e
		}
	}
	f.Add(batches.Len())
	f.n += len(examples)
	return nil
}

// gather makes batches of the examples of a window.
func (f *Feed[E]) gather(examples []E, window int) (*train.Batches, error) {
	c := f.source.Gather
	if f.Streamed() {
		c.Seed = rng.New(c.Seed).Named("window").Numbered(uint64(window)).Uint64(0)
	}
	if f.source.Batches == nil {
		return BatchesBy(f.source.Size, examples, c)
	}
	return f.source.Batches(examples, c)
}

// BatchesBy gathers examples that are of like length.
func BatchesBy[E any](length func(E) int, examples []E, c train.BatchesConfig) (*train.Batches,
	error) {
	lengths := make([]int, len(examples))
	for i, e := range examples {
		lengths[i] = length(e)
	}
	return train.NewBatches(len(examples), lengths, c)
}

func (f *Feed[E]) digest(examples []E) (string, error) {
	if f.source.Digest != nil {
		return f.source.Digest(examples)
	}
	return train.DigestOf(examples)
}

func (f *Feed[E]) failed(example int, err error) error {
	return check.Example(f.source.Kind, example, "the stream fails: %w", err)
}

// moved counts the example that an error is about from the start of the data.
func moved(err error, first int) error {
	var e *check.ExampleError
	if errors.As(err, &e) {
		e.Index += first
	}
	return err
}

// Data is the part of a digest that tells the training data from other data.
func (f *Feed[E]) Data() any {
	if f.Streamed() {
		return []any{f.source.Buffer, f.digests}
	}
	return f.source.Train
}

// First is the number in the data of At[0].
func (f *Feed[E]) First() int { return max(f.window, 0) * f.source.Buffer }

// Take returns the examples of the next batch, which are in At until the next call.
func (f *Feed[E]) Take() ([]int, error) {
	window, within := f.Next()
	if err := f.load(window); err != nil {
		return nil, err
	}
	if err := f.batches.Seek(within); err != nil {
		return nil, err
	}
	f.Advance()
	return f.batches.Cycle(), nil
}

// load puts a window of a stream at hand.
func (f *Feed[E]) load(window int) (err error) {
	if f.window == window {
		return nil
	}
	first := window * f.source.Buffer
	n := min(f.source.Buffer, f.n-first)
	if !f.stream.Open() || f.read > first {
		f.stream.Begin()
		f.read = 0
	}
	f.window = -1 // until all went well
	f.At = f.At[:0]
	for ; f.read < first+n; f.read++ {
		e, ok, err := f.stream.Next()
		if err != nil {
			return f.failed(f.read, err)
		}
		if !ok {
			return fmt.Errorf("the stream ends after %d examples, and had %d when the "+
				"task was made", f.read, f.n)
		}
		if f.read >= first {
			f.At = append(f.At, e)
		}
	}
	digest, err := f.digest(f.At)
	if err != nil {
		return err
	}
	if digest != f.digests[window] {
		return fmt.Errorf("the stream has other examples than when the task was made, somewhere "+
			"from number %d to %d: it must give the same each time that it is read",
			first, first+n-1)
	}
	if first+n == f.n { // the end of an epoch: a file that it reads is closed
		f.stream.End()
	}
	if f.batches, err = f.gather(f.At, window); err != nil {
		return err
	}
	f.window = window
	return nil
}

// longSequence is how many tokens, or steps, an example may have before the memory that it takes is
// looked at.
const longSequence = 128

// Foresee has the graph for the largest example built before a training starts, since one long
// example decides what a batch takes: if there is no memory for it, that is told now, with its
// number and its tokens, and not after hours. Build is given it as a batch of its own.
func (f *Feed[E]) Foresee(build func(largest []E, whole Rows) error) error {
	return foresee(f.most, f.largest, f.source.Size(f.most), build)
}

// ForeseeValid is Foresee for validation data, by the size of an example.
func ForeseeValid[E any](valid []E, size func(E) int, build func(largest []E,
	whole Rows) error) error {
	if len(valid) == 0 {
		return nil
	}
	at := 0
	for i, e := range valid {
		if size(e) > size(valid[at]) {
			at = i
		}
	}
	return foresee(valid[at], at, size(valid[at]), build)
}

func foresee[E any](largest E, number, size int, build func(largest []E, whole Rows) error) error {
	if size < longSequence {
		return nil
	}
	err := build([]E{largest}, Whole([]int{0}))
	switch {
	case errors.Is(err, train.ErrMemory):
		return check.Example("example", number,
			"%d tokens: %w; leave it out, cut it, or put fewer side by side", size, err)
	case err != nil: // such as a shape beyond what any graph takes
		return check.Example("example", number, "%d tokens: %w", size, err)
	}
	return nil
}

// Batching is how a task's Data say that examples are gathered; a field that they leave out is 0.
type Batching struct {
	Batch, Bucket, Tokens int
	Seed                  uint64
}

// Config fills in a task's own defaults for fields that are 0.
func (b Batching) Config(batch, bucket int) train.BatchesConfig {
	c := train.BatchesConfig{Batch: b.Batch, Bucket: b.Bucket, Tokens: b.Tokens, Seed: b.Seed}
	if b.Tokens == 0 {
		c.Batch, c.Bucket = cmp.Or(b.Batch, batch), cmp.Or(b.Bucket, bucket)
	}
	return c
}

// Rows is the number of rows that every batch is filled up to; 0: each to its own number of rows,
// rounded up.
func (b Batching) Rows(batch int) int {
	if b.Tokens > 0 {
		return 0
	}
	return cmp.Or(b.Batch, batch)
}

// More appends to the settings of a task, which a digest is made of, what older ones did not have.
func (b Batching) More(settings []any, recompute int) []any {
	if b.Tokens > 0 {
		settings = append(settings, "tokens", b.Tokens)
	}
	if recompute != 0 { // gradients are sums in another order
		settings = append(settings, "recompute", recompute)
	}
	return settings
}

// CheckRecompute refuses what unroll.Options.Recompute does not take, or takes no notice of.
func CheckRecompute(recompute int, s unroll.Strategy) error {
	switch {
	case recompute < unroll.SqrtT:
		return fmt.Errorf("data: Recompute is %d: want the number of steps from one kept state to "+
			"the next, 0 to keep all, or unroll.SqrtT", recompute)
	case recompute != 0 && s == unroll.Expand:
		return errors.New("data: Recompute is of a Scan, and Unroll is Expand, which keeps " +
			"every step")
	}
	return nil
}
