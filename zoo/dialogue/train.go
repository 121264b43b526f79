package dialogue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/text"
)

// Data says on what a Model is trained, and how. The zero value of an optional field is its
// default.
type Data struct {
	Train  []Dialogue
	Valid  []Dialogue      // empty: nothing is validated
	Batch  int             // dialogues side by side; default 8, with Tokens no limit
	Bucket int             // of train.BatchesConfig; default 20
	Tokens int             // of train.BatchesConfig: of all turns, in place of Batch
	Seed   uint64          // of the order
	Unroll unroll.Strategy // default: Scan

	// Recompute saves memory with long turns; see unroll.Options. 0: everything is kept
	Recompute int

	// Stream is read in place of Train: data that need not fit in memory. Each time that it is
	// ranged over, it gives the same dialogues from the first on, which it does not change any
	// more; an error ends the training with the number of the dialogue. Buffer of them, by default
	// 8,192, are in memory at a time, and shuffled among each other
	Stream iter.Seq2[Dialogue, error]
	Buffer int

	// WordDropout is the probability with which the decoder reads <unk> in place of the token
	// before, so that it cannot do without the latent variable (Bowman et al., 2016).
	WordDropout float64

	// KLWeight is the weight of the divergence in batch number n (annealing; Bowman et al., 2016);
	// nil: 1. See RisingTo.
	KLWeight func(n int) float64

	// FreeBits is the divergence, in nats an utterance and unit of the latent variable, that costs
	// nothing: each unit counts with max(FreeBits, its mean over the batch) (Kingma et al., 2016).
	FreeBits float64
}

func (d *Data) check(m *Model) error {
	if err := shared.Made(m.store); err != nil {
		return err
	}
	errs := []error{shared.CheckRecompute(d.Recompute, d.Unroll)}
	if !(d.WordDropout >= 0 && d.WordDropout < 1) {
		errs = append(errs, fmt.Errorf("WordDropout is %g, want [0, 1)", d.WordDropout))
	}
	if _, ok := m.vocabulary.ID(text.Unk); !ok && d.WordDropout > 0 {
		errs = append(errs, fmt.Errorf("WordDropout is %g, and the vocabulary has no %s to read "+
			"instead", d.WordDropout, text.Unk))
	}
	if !(d.FreeBits >= 0) || math.IsInf(d.FreeBits, 1) {
		errs = append(errs, fmt.Errorf("FreeBits is %g, want 0 or more", d.FreeBits))
	}
	if m.cfg.Latent.Width == 0 && (d.FreeBits > 0 || d.KLWeight != nil) {
		errs = append(errs, errors.New("FreeBits and KLWeight are of a latent variable, and "+
			"the model has none"))
	}
	return errors.Join(errs...)
}

// checkValid refuses what cannot be validated on, and tries the graph of the longest.
func (m *Model) checkValid(ds []Dialogue) error {
	if err := m.checkDialogues(ds); err != nil {
		return err
	}
	build := func(longest []Dialogue, whole shared.Rows) error {
		r := newDialogueRunner(m, Data{}, ds, 8, false)
		defer r.graphs.Close()
		_, _, _, err := r.graph(longest, whole)
		return err
	}
	return shared.ForeseeValid(ds, Dialogue.tokens, build)
}

// RisingTo is the schedule min(1, n/batches) for Data.KLWeight.
func RisingTo(batches int) func(n int) float64 {
	return func(n int) float64 { return min(1, float64(n)/float64(max(batches, 1))) }
}

// Task makes a task for train.Fit. Its loss is, in nats a predicted token, <eos> included, the
// cross-entropy, and with a latent variable the divergence as KLWeight and FreeBits have it. Its
// validation measures valid_loss, which is the bound, and valid_perplexity; with a latent variable
// also valid_reconstruction, a token, and valid_kl, an utterance. It keeps the dialogues, which
// must not change.
func (m *Model) Task(d Data) (train.Task, error) {
	if err := d.check(m); err != nil {
		return nil, prefix.Wrap(err)
	}
	batching := shared.Batching{Batch: d.Batch, Bucket: d.Bucket, Tokens: d.Tokens, Seed: d.Seed}
	var runner *dialogueRunner
	return shared.Learner[Dialogue]{
		Prefix: prefix, Params: m.store.Params(), Length: Dialogue.tokens,
		Source: shared.Source[Dialogue]{
			Kind: "dialogue", Train: d.Train, Stream: d.Stream, Buffer: d.Buffer,
			Check: m.checkDialogues, Size: Dialogue.tokens,
			Gather: batching.Config(8, 20), Batches: dialogueBatches,
		},
		Begin: func(feed *shared.Feed[Dialogue]) (shared.TaskData, error) {
			runner = newDialogueRunner(m, d, feed.At, batching.Rows(8), true)
			return m.taskData(d, feed, batching)
		},
		Compile: func(ds []Dialogue, part shared.Rows) error {
			_, _, _, err := runner.graph(ds, part)
			return err
		},
		Run: func(ds []Dialogue, p shared.Rows, seed uint64,
			counter int) (b train.Batch, err error) {
			g, err := runner.run(ds, p, seed, counter)
			if err != nil {
				return b, err
			}
			return train.Batch{Loss: g.loss, Count: len(g.rowOf), Grads: g.Grads()}, nil
		},
		Valid: d.Valid, CheckValid: m.checkValid,
		Measure: m.measure,
	}.Task()
}

// taskData digests the dialogues, and says what is likely a mistake in them.
func (m *Model) taskData(d Data, feed *shared.Feed[Dialogue],
	batching shared.Batching) (data shared.TaskData, err error) {
	data, err = shared.NewTaskData(shared.TaskParts{
		Train: feed.Data(), Valid: d.Valid, Vocabulary: []any{m.vocabulary}, Model: m.cfg,
		Settings: batching.More([]any{cmp.Or(d.Batch, 8), cmp.Or(d.Bucket, 20), d.Seed, d.Unroll,
			d.WordDropout, d.FreeBits}, d.Recompute),
		Schedules: []func(int) float64{d.KLWeight},
	})
	if err != nil {
		return data, err
	}
	data.Empty(d.Valid != nil, len(d.Valid))
	data.Doubts(m.cfg.Encoder.Idle()...)
	data.Unknown("training dialogues", m.vocabulary, turnsOf(feed.At))
	data.Unknown("validation dialogues", m.vocabulary, turnsOf(d.Valid))
	shared.Overlap(&data, feed.At, d.Valid, func(turns Dialogue) shared.Fingerprint {
		p := shared.NoPrint
		for _, ids := range turns {
			p = p.Ids(ids)
		}
		return p
	})
	return data, nil
}

// measure is what validation measures.
func (m *Model) measure(ctx context.Context, valid []Dialogue) (map[string]float64, error) {
	s, err := m.Evaluate(ctx, valid, EvaluateOptions{})
	if err != nil {
		return nil, err
	}
	measured := map[string]float64{"valid_loss": s.Bound, "valid_perplexity": s.Perplexity()}
	if m.cfg.Latent.Width > 0 {
		measured["valid_reconstruction"], measured["valid_kl"] = s.Reconstruction, s.KL
	}
	return measured, nil
}

// turnsOf are all turns of dialogues.
func turnsOf(ds []Dialogue) iter.Seq[[]int] {
	return func(yield func([]int) bool) {
		for _, d := range ds {
			for _, ids := range d {
				if !yield(ids) {
					return
				}
			}
		}
	}
}

// tokens is how many all turns have.
func (d Dialogue) tokens() (n int) {
	for _, turn := range d {
		n += len(turn)
	}
	return n
}

// dialogueBatches gathers dialogues of as many turns, and then of like length.
func dialogueBatches(ds []Dialogue, c train.BatchesConfig) (*train.Batches, error) {
	lengths := make([]int, len(ds))
	for i, d := range ds {
		tokens := 0
		for _, ids := range d {
			tokens += len(ids) + 1
		}
		lengths[i] = len(d)<<24 + min(tokens, 1<<24-1)
		if c.Tokens > 0 {
			c.Sizes = append(c.Sizes, tokens)
		}
	}
	return train.NewBatches(len(ds), lengths, c)
}
