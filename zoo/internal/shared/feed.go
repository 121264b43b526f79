package shared

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sort"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
)

// Order says which examples come next in a training.
type Order interface {
	Len() int             // batches in an epoch
	Take() ([]int, error) // the next batch; that of the next epoch where one has ended
	Position() train.Position
	Seek(train.Position) error
}

// Listed is the order of examples that are all at hand.
func Listed(b *train.Batches) Order { return listed{b} }

type listed struct{ *train.Batches }

// Take returns the examples of the next batch.
func (l listed) Take() ([]int, error) { return l.Cycle(), nil }

// Source is the data of a task: examples that are all at hand, or a stream of them, of which a
// window is in memory at a time.
type Source[E any] struct {
	Kind   string // of an example, in errors, such as "pair"
	Train  []E
	Stream iter.Seq2[E, error]
	Buffer int    // examples in a window; 0: DefaultBuffer
	Seed   uint64 // of the order

	Check   func(examples []E) error // counts from examples[0]
	Batches func(examples []E, seed uint64) (*train.Batches, error)
	Size    func(e E) int                      // by which the largest example is found
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
// the digests of its windows.
type Feed[E any] struct {
	At      []E // the examples at hand: all, or those of a window
	First   int // number in the data of At[0]
	Largest int // number of the largest example
	Most    E   // which is this

	source  Source[E]
	batches *train.Batches // of At

	// of a stream
	n       int      // examples
	ends    []int    // batches of an epoch up to the end of each window
	digests []string // of each window
	at      train.Position
	window  int // that is at hand; -1: none
	next    func() (E, error, bool)
	stop    func()
	read    int // examples that next has given
}

// NewFeed reads all data once.
func NewFeed[E any](s Source[E]) (*Feed[E], error) {
	f := &Feed[E]{source: s, window: -1}
	if s.Stream == nil {
		switch {
		case s.Buffer != 0:
			return nil, fmt.Errorf("data: Buffer is %d, and there is no Stream", s.Buffer)
		default:
			return f, f.listed()
		}
	}
	switch {
	case len(s.Train) > 0:
		return nil, fmt.Errorf("there are %d examples in Train and a Stream: give one of them",
			len(s.Train))
	case s.Buffer < 0:
		return nil, fmt.Errorf("data: Buffer is %d, want a number of examples, or 0 for %d", s.Buffer,
			DefaultBuffer)
	case s.Buffer == 0:
		f.source.Buffer = DefaultBuffer
	}
	return f, f.survey()
}

// Streamed reports whether only a window of the data is at hand.
func (f *Feed[E]) Streamed() bool { return f.source.Stream != nil }

func (f *Feed[E]) listed() (err error) {
	if err = f.source.Check(f.source.Train); err != nil {
		return err
	}
	f.At = f.source.Train
	if f.batches, err = f.source.Batches(f.At, f.source.Seed); err != nil {
		return err
	}
	f.largestOf(f.At, 0)
	return nil
}

func (f *Feed[E]) largestOf(examples []E, first int) {
	for i, e := range examples {
		if first+i == 0 || f.source.Size(e) > f.source.Size(f.Most) {
			f.Largest, f.Most = first+i, e
		}
	}
}

// survey reads the stream to its end, and keeps its first window at hand.
func (f *Feed[E]) survey() error {
	var window []E
	end := func() error {
		if err := f.source.Check(window); err != nil {
			return moved(err, f.n)
		}
		batches, err := f.source.Batches(window, f.seed(len(f.ends)))
		if err != nil {
			return moved(err, f.n)
		}
		digest, err := f.digest(window)
		if err != nil {
			return err
		}
		f.largestOf(window, f.n)
		if f.n == 0 {
			f.At, f.batches, f.window = slices.Clone(window), batches, 0
		}
		f.ends = append(f.ends, f.Len()+batches.Len())
		f.digests = append(f.digests, digest)
		f.n += len(window)
		window = window[:0]
		return nil
	}
	for e, err := range f.source.Stream {
		if err != nil {
			return f.failed(f.n+len(window), err)
		}
		if window = append(window, e); len(window) == f.source.Buffer {
			if err := end(); err != nil {
				return err
			}
		}
	}
	if len(window) > 0 {
		if err := end(); err != nil {
			return err
		}
	}
	if f.n == 0 {
		return errors.New("the Stream has no examples")
	}
	return nil
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

// seed is that of the order of a window.
func (f *Feed[E]) seed(window int) uint64 {
	return rng.New(f.source.Seed).Named("window").Numbered(uint64(window)).Uint64(0)
}

// Data is what tells the training data from others in a digest.
func (f *Feed[E]) Data() any {
	if f.Streamed() {
		return []any{f.source.Buffer, f.digests}
	}
	return f.source.Train
}

// Len is the number of batches in an epoch.
func (f *Feed[E]) Len() int {
	switch {
	case !f.Streamed():
		return f.batches.Len()
	case len(f.ends) == 0:
		return 0
	}
	return f.ends[len(f.ends)-1]
}

// Position is where the feed stands.
func (f *Feed[E]) Position() train.Position {
	if f.Streamed() {
		return f.at
	}
	return f.batches.Position()
}

// Seek goes to a position in the same data.
func (f *Feed[E]) Seek(p train.Position) error {
	if !f.Streamed() {
		return f.batches.Seek(p)
	}
	if p.Epoch < 0 || p.Next < 0 || p.Next > f.Len() {
		return fmt.Errorf("position: epoch %d, batch %d; an epoch has batches 0 to %d", p.Epoch,
			p.Next, f.Len()-1)
	}
	f.at = p
	return nil
}

// Take returns the examples of the next batch, which are in At until the next call.
func (f *Feed[E]) Take() ([]int, error) {
	if !f.Streamed() {
		return f.batches.Cycle(), nil
	}
	at := f.at
	if at.Next == f.Len() {
		at = train.Position{Epoch: at.Epoch + 1}
	}
	window := sort.SearchInts(f.ends, at.Next+1)
	if err := f.load(window); err != nil {
		return nil, err
	}
	before := f.ends[window] - f.batches.Len()
	if err := f.batches.Seek(train.Position{Epoch: at.Epoch, Next: at.Next - before}); err != nil {
		return nil, err
	}
	at.Next++
	f.at = at
	return f.batches.Cycle(), nil
}

// load puts a window at hand.
func (f *Feed[E]) load(window int) (err error) {
	if f.window == window {
		return nil
	}
	first := window * f.source.Buffer
	n := min(f.source.Buffer, f.n-first)
	if f.next == nil || f.read > first {
		f.start()
	}
	f.window = -1 // until all went well
	for ; f.read < first; f.read++ {
		if _, err, ok := f.next(); err != nil || !ok {
			return f.ended(err)
		}
	}
	f.At = f.At[:0]
	for range n {
		e, err, ok := f.next()
		if err != nil || !ok {
			return f.ended(err)
		}
		f.At = append(f.At, e)
		f.read++
	}
	digest, err := f.digest(f.At)
	if err != nil {
		return err
	}
	if digest != f.digests[window] {
		return fmt.Errorf("the stream has other examples than when the task was made, "+
			"somewhere from number %d to %d: it must give the same each time that it is read", first, first+n-1)
	}
	if window == len(f.ends)-1 { // the end of an epoch: a file that it reads is closed
		f.stop()
		f.next = nil
	}
	if f.batches, err = f.source.Batches(f.At, f.seed(window)); err != nil {
		return err
	}
	f.First, f.window = first, window
	return nil
}

// start reads the stream from its start. A feed that nobody needs any more lets go of it.
func (f *Feed[E]) start() {
	if f.next != nil {
		f.stop()
	}
	next, stop := iter.Pull2(f.source.Stream)
	f.next, f.read = next, 0
	c := runtime.AddCleanup(f, func(stop func()) { stop() }, stop)
	f.stop = func() { c.Stop(); stop() }
}

// ended is the error of a stream that ends before its time.
func (f *Feed[E]) ended(err error) error {
	f.stop()
	f.next = nil
	if err != nil {
		return f.failed(f.read, err)
	}
	return fmt.Errorf("the stream ends after %d examples, and had %d when the task was made",
		f.read, f.n)
}

// Batching is how a task's Data say that examples are gathered; what they leave out is 0.
type Batching struct {
	Batch, Bucket, Tokens int
	Seed                  uint64
}

// Config fills in a task's own numbers for what was left out.
func (b Batching) Config(batch, bucket int) train.BatchesConfig {
	c := train.BatchesConfig{Batch: b.Batch, Bucket: b.Bucket, Tokens: b.Tokens, Seed: b.Seed}
	if b.Tokens == 0 {
		c.Batch, c.Bucket = cmp.Or(b.Batch, batch), cmp.Or(b.Bucket, bucket)
	}
	return c
}

// Rows is how many rows every batch is filled up to; 0: each to what it has, rounded up.
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
		return fmt.Errorf("data: Recompute is %d: want the number of steps from one kept state to the next, "+
			"0 to keep all, or unroll.SqrtT", recompute)
	case recompute != 0 && s == unroll.Expand:
		return errors.New("data: Recompute is of a Scan, and Unroll is Expand, which keeps every step")
	}
	return nil
}
