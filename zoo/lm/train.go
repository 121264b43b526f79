package lm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// Data says on what a Model is trained, and how it is read.
type Data struct {
	Train  []int           // token ids
	Valid  []int           // token ids; empty: nothing is validated
	Batch  int             // tracks of the text read side by side; default 32
	Window unroll.Window   // default: a Stride of 35
	Unroll unroll.Strategy // default: Scan

	// Sampled, if positive, trains on a sampled softmax: targets compete with this number of
	// tokens, drawn for each window, and not with all (see nodes.SampledSoftmax). Validation
	// measures the full softmax. It cannot be combined with an adaptive softmax.
	Sampled int

	// Recompute saves memory with long windows; see unroll.Options. 0: everything is kept
	Recompute int

	// Stream is read in place of Train: a text that need not fit in memory, in pieces of any
	// length. Each time that it is ranged over, it gives the same text from its start on; an error
	// ends the training with the place. About Buffer tokens, by default 4,194,304, are in memory at
	// a time, 4 bytes each: such blocks are read one after another, each in Batch tracks that begin
	// with an empty state
	Stream iter.Seq2[[]int, error]
	Buffer int
}

// Task makes a task for train.Fit of truncated backpropagation through time: the state goes on from
// window to window and is zero at the start of each epoch; the gradient is cut as Window says. Its
// validation measures valid_loss, in nats a token, and valid_perplexity, as Perplexity does. It
// keeps the texts, which must not change.
func (m *Model) Task(d Data) (train.Task, error) {
	d.Batch = cmp.Or(d.Batch, 32)
	if d.Window == (unroll.Window{}) {
		d.Window.Stride = 35
	}
	fail := func(text string, err error) (train.Task, error) {
		return nil, prefix.Errorf("%s text: %w", text, err)
	}
	err := errors.Join(shared.Made(m.store), shared.CheckRecompute(d.Recompute, d.Unroll))
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	if err := m.checkIDs(d.Train); err != nil {
		return fail("training", err)
	}
	if err := m.checkIDs(d.Valid); err != nil {
		return fail("validation", err)
	}
	if len(d.Valid) == 1 {
		return fail("validation", errNothingToPredict)
	}
	stream, training, err := m.windows(d)
	if err != nil {
		return fail("training", err)
	}
	loss, err := m.trainingLoss(d.Sampled)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	carried, err := run.NewState(m.layers.Parts(), d.Batch, m.store.Dtype())
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	data, err := shared.NewTaskData(shared.TaskParts{
		Train: training, Valid: d.Valid, Vocabulary: []any{m.vocabulary}, Model: m.cfg,
		Settings: shared.Batching{}.More([]any{d.Batch, d.Window, d.Unroll, d.Sampled},
			d.Recompute),
	})
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	data.Empty(d.Valid != nil, len(d.Valid))
	data.Doubts(m.cfg.Recurrent.Idle()...)
	data.Unknown("training text", m.vocabulary, shared.Alone(d.Train))
	data.Unknown("validation text", m.vocabulary, shared.Alone(d.Valid))
	shared.Part(&data, "text", d.Train, d.Valid)
	return &task{TaskData: data, m: m, data: d, loss: loss, stream: stream, carried: carried,
		runners: map[int]*windowRunner{}}, nil
}

// windows returns the windows of the training text, and what stands for the text in a digest.
func (m *Model) windows(d Data) (w windows, training any, err error) {
	switch {
	case d.Stream == nil && d.Buffer != 0:
		return nil, nil, fmt.Errorf("data: Buffer is %d, and there is no Stream", d.Buffer)
	case d.Stream != nil && len(d.Train) > 0:
		return nil, nil, fmt.Errorf("there are %d tokens in Train and a Stream: give one of them",
			len(d.Train))
	case d.Stream != nil:
		b, err := newBlocks(d, m.checkIDs)
		if err != nil {
			return nil, nil, err
		}
		return b, []any{b.data.Buffer, b.digests}, nil
	}
	s, err := train.NewStream(d.Train, d.Batch, d.Window)
	return whole{s}, d.Train, err
}

func (m *Model) checkIDs(ids []int) error {
	if err := shared.Made(m.store); err != nil {
		return err
	}
	for i, id := range ids {
		if id < 0 || id >= m.vocabulary.Len() {
			return fmt.Errorf("id %d at position %d; the vocabulary has ids 0 … %d", id, i,
				m.vocabulary.Len()-1)
		}
	}
	return nil
}

type task struct {
	shared.TaskData
	m       *Model
	data    Data
	loss    loss
	stream  windows
	window  train.Window          // the batch at hand
	carried *run.State            // of all tracks at the start of the next window
	runners map[int]*windowRunner // by the number of tracks that they run
}

func (t *task) Params() []*nodes.Param { return t.m.store.Params() }
func (t *task) Len() int               { return t.stream.Len() }

func (t *task) Next(seed uint64, counter int) (train.Batch, error) {
	if err := t.Advance(); err != nil {
		return train.Batch{}, err
	}
	return t.Shard(0, 1, seed, counter)
}

// Advance reads the next window.
func (t *task) Advance() (err error) {
	if t.window, err = t.stream.Take(); err != nil {
		return prefix.Errorf("training text: %w", err)
	}
	if t.window.First() {
		t.carried.Zero()
	}
	return nil
}

// Carried is the state of all tracks.
func (t *task) Carried() *run.State { return t.carried }

// Shard runs the window on the tracks of shard k of n, and moves their state on.
func (t *task) Shard(k, n int, seed uint64, counter int) (b train.Batch, err error) {
	if n < 1 || k < 0 || k >= n || t.window.B == 0 {
		return b, prefix.Errorf("shard %d of %d of a window of %d tracks: there is none",
			k, n, t.window.B)
	}
	from, to := train.ShardRows(t.window.B, k, n)
	if from == to {
		return b, nil
	}
	r := t.runners[to-from]
	if r == nil {
		how := unroll.Options{Strategy: t.data.Unroll, Recompute: t.data.Recompute}
		if r, err = newWindowRunner(t.m, t.loss, to-from, true, how); err != nil {
			return b, err
		}
		t.runners[to-from] = r
	}
	b, err = r.runOf(t.carried, t.window, from, seed, counter)
	return b, t.explain(err, to-from)
}

// explain adds to the error of a window for which there is no memory which one it is, how large it
// is, and what would fit: what a graph needs grows as its tracks do, and as its steps.
func (t *task) explain(err error, tracks int) error {
	var m *run.MemoryError
	if !errors.As(err, &m) {
		return err
	}
	at, w := t.stream.Position(), t.window
	share := float64(m.Limit) / float64(max(m.Need, 1))
	fit := "not one track would fit: give a shorter Window"
	if n := int(float64(tracks) * share); n > 0 {
		fit = fmt.Sprintf("about %d tracks would fit (Batch, or more Shards)", n)
	}
	if n := int(float64(w.T) * share); n > 0 {
		fit += fmt.Sprintf(", or windows of %d steps", n)
	}
	return fmt.Errorf("epoch %d, window %d, of %d steps in %d tracks: %w; %s", at.Epoch+1, at.Next,
		w.T, tracks, err, fit)
}

func (t *task) Validate(ctx context.Context) (map[string]float64, error) {
	if len(t.data.Valid) == 0 {
		return nil, nil
	}
	loss, err := t.m.loss(ctx, t.data.Valid)
	if err != nil {
		return nil, err
	}
	return map[string]float64{"valid_loss": loss, "valid_perplexity": math.Exp(loss)}, nil
}

func (t *task) Save(c *train.Checkpoint) {
	train.SavePosition(c, t.stream.Position())
	train.SaveState(c, "carried", t.carried)
	t.SaveDigests(c)
}

func (t *task) Load(c *train.Checkpoint) error {
	p, err := train.LoadPosition(c)
	if err == nil {
		err = t.stream.Seek(p)
	}
	if err != nil {
		return err
	}
	return train.LoadState(c, "carried", t.carried)
}

// Perplexity is exp of the mean cross-entropy a token of a text, each predicted from those before
// it. The text is read in up to 16 tracks side by side, of at least 32 tokens: each begins with an
// empty state, and up to 15 tokens at the end of the text are left out. Measure reads it otherwise.
func (m *Model) Perplexity(ctx context.Context, ids []int) (float64, error) {
	if err := m.checkIDs(ids); err != nil {
		return 0, prefix.Wrap(err)
	}
	loss, err := m.loss(ctx, ids)
	if err != nil {
		return 0, err
	}
	return math.Exp(loss), nil
}

// loss is the mean cross-entropy of a text in nats a token, as Perplexity reads it.
func (m *Model) loss(ctx context.Context, ids []int) (float64, error) {
	const tracks, window = 16, 32
	r, err := m.measure(ctx, ids, MeasureOptions{Tracks: min(tracks, max(1, (len(ids)-1)/window)),
		Window: window})
	return r.Loss, err
}

// MeasureOptions says how Measure reads a text. The zero value reads it as one.
type MeasureOptions struct {
	// Tracks is into how many parts the text is cut that are read side by side, each beginning with
	// an empty state; up to Tracks−1 tokens at the end are left out. Default 1: one stream, of
	// which every token but the first is predicted once. PyTorch's word_language_model example
	// reads its test text in 10.
	Tracks int
	Window int // steps at a time; has an influence on speed alone. Default 35
}

// Measurement is what Measure found.
type Measurement struct {
	Loss   float64 // mean cross-entropy, in nats a token
	Tokens int     // that were predicted
}

// Perplexity is exp of the loss.
func (m Measurement) Perplexity() float64 { return math.Exp(m.Loss) }

// Measure reads a text, the state carried from its start to its end, and predicts each token from
// all before it.
func (m *Model) Measure(ctx context.Context, ids []int, o MeasureOptions) (Measurement, error) {
	if err := m.checkIDs(ids); err != nil {
		return Measurement{}, prefix.Wrap(err)
	}
	o.Tracks, o.Window = cmp.Or(o.Tracks, 1), cmp.Or(o.Window, 35)
	if o.Tracks < 1 || o.Window < 1 {
		return Measurement{}, prefix.Errorf("%d tracks, windows of %d steps; want at "+
			"least 1 of both", o.Tracks, o.Window)
	}
	return m.measure(ctx, ids, o)
}

var errNothingToPredict = errors.New("fewer than 2 tokens leave nothing to predict")

func (m *Model) measure(ctx context.Context, ids []int, o MeasureOptions) (sum Measurement,
	err error) {
	if len(ids) < 2 {
		return sum, prefix.Wrap(errNothingToPredict)
	}
	stream, err := train.NewStream(ids, o.Tracks,
		unroll.Window{Stride: min(o.Window, max(1, (len(ids)-1)/o.Tracks))})
	if err != nil {
		return sum, prefix.Wrap(err)
	}
	shards := min(train.ShardsOf(ctx), o.Tracks)
	err = train.ShareOut(ctx, shards, func(k int) (Measurement, error) {
		return m.measureTracks(ctx, stream, k, shards)
	}, func(_ int, part Measurement) error {
		sum.Loss += part.Loss
		sum.Tokens += part.Tokens
		return nil
	})
	if err != nil {
		return sum, err
	}
	sum.Loss /= float64(sum.Tokens)
	return sum, shared.CheckLoss(sum.Loss)
}

// measureTracks reads the tracks of shard k of n, and sums up the loss of their tokens.
func (m *Model) measureTracks(ctx context.Context, stream *train.Stream, k, n int) (sum Measurement,
	err error) {
	var r *windowRunner
	for w := range stream.Epoch() {
		from, to := train.ShardRows(w.B, k, n)
		if r == nil {
			if r, err = newWindowRunner(m, m.out.loss(), to-from, false,
				unroll.Options{}); err != nil {
				return sum, err
			}
			defer r.close()
		}
		if err := interrupt.Err(ctx); err != nil {
			return sum, err
		}
		if w.First() {
			r.carried.Zero()
		}
		batch, err := r.runTracks(w, from, 0, 0)
		if err != nil {
			return sum, err
		}
		sum.Loss += batch.Loss * float64(batch.Count)
		sum.Tokens += batch.Count
	}
	return sum, nil
}

// windowRunner runs the windows of some tracks and carries their state from one to the next.
type windowRunner struct {
	tracks  int
	carried *run.State // the state at the start of the next window
	windows *train.Truncated
	loss    loss
	targets []int // room for those of its tracks
}

func newWindowRunner(m *Model, loss loss, tracks int, training bool,
	how unroll.Options) (*windowRunner, error) {
	carried, err := run.NewState(m.layers.Parts(), tracks, m.store.Dtype())
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	build := func(w train.WindowShape) (*train.WindowGraph, error) {
		g := nodes.NewGraph(nodes.Options{Dtype: m.store.Dtype(), Training: training, Rows: tracks})
		ids, targets := g.IntInput("ids", w.T, tracks),
			loss.inputs(g, (w.T-w.Scored)*tracks, w.Variant)
		start := shared.InputState(g, m.layers.Parts(), tracks)
		y, layers := m.run(ids, start, w.Scored, how)
		return &train.WindowGraph{
			Loss: loss.of(y, targets), Start: start, Recurrence: layers,
			Inputs: append([]*nodes.Node{ids}, targets...),
		}, nil
	}
	return &windowRunner{tracks: tracks, carried: carried,
		windows: train.NewTruncated(carried, build), loss: loss}, nil
}

// runOf runs the tracks from first on of a window, whose state is among that of all, and moves it
// on.
func (r *windowRunner) runOf(all *run.State, w train.Window, first int, seed uint64,
	counter int) (b train.Batch, err error) {
	own := r.carried.Parts()
	for i, part := range all.Parts() {
		if err := own[i].Copy(part.Rows(first, first+r.tracks)); err != nil {
			return b, err
		}
	}
	if b, err = r.runTracks(w, first, seed, counter); err != nil {
		return b, err
	}
	for i, part := range all.Parts() {
		if err := part.Rows(first, first+r.tracks).Copy(own[i]); err != nil {
			return b, err
		}
	}
	return b, nil
}

// runTracks runs the tracks from first on of a window.
func (r *windowRunner) runTracks(w train.Window, first int, seed uint64,
	counter int) (b train.Batch, err error) {
	r.targets = columns(r.targets, w.Targets, w.B, first, r.tracks)
	c, err := r.windows.Window(train.WindowShape{T: w.T, Scored: w.Scored, Next: w.Next,
		Variant: r.loss.variant(r.targets)})
	if err != nil {
		return b, err
	}
	columns(c.Inputs[0].Ints(), w.IDs, w.B, first, r.tracks)
	if err := r.loss.fill(c.Inputs[1:], r.targets, seed, counter); err != nil {
		return b, err
	}
	loss, err := r.windows.RunRows(c, seed, counter, first, w.B)
	return train.Batch{Loss: loss, Count: len(r.targets), Grads: c.Step.Grads()}, err
}

// columns copies n columns of all [T, B], from column first on, to those of to [T, n].
func columns(to, all []int, B, first, n int) []int {
	T := len(all) / B
	to = slices.Grow(to[:0], T*n)[:T*n]
	for t := range T {
		copy(to[t*n:(t+1)*n], all[t*B+first:])
	}
	return to
}

func (r *windowRunner) close() { r.windows.Close() }
