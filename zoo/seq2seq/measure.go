package seq2seq

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/decode"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/metrics"
)

// Loss is the mean cross-entropy of targets in nats a token, <eos> included, each token predicted
// from the true ones before it. Exp of it is the perplexity.
func (m *Model) Loss(ctx context.Context, pairs []Pair) (float64, error) {
	if err := m.checkPairs(pairs); err != nil {
		return 0, prefix.Wrap(err)
	}
	batches, err := pairBatches(pairs, train.BatchesConfig{Batch: 32, Bucket: len(pairs),
		InOrder: true})
	if err != nil {
		return 0, prefix.Wrap(err)
	}
	r := newPairRunner(m, Data{}, 32, false)
	defer r.graphs.Close()
	return shared.MeanLoss(ctx, batches, func(examples []int) (train.Batch, error) {
		return r.run(pairs, shared.Whole(examples), 0, 0)
	})
}

// bleu is the BLEU of greedy translations of the sources. What the vocabulary lacks matches nothing
// in it.
func (m *Model) bleu(ctx context.Context, pairs []Pair) (float64, error) {
	pairs = slices.Clone(pairs)
	slices.SortStableFunc(pairs, func(a, b Pair) int { // for fewer shapes
		return cmp.Compare(len(a.Source), len(b.Source))
	})
	var score metrics.BLEU
	chunks := slices.Collect(slices.Chunk(pairs, shared.SourcesAtATime))
	err := train.ShareOut(ctx, len(chunks), func(i int) (both [2][][]string, err error) {
		chunk := chunks[i]
		sources, more := make([][]int, len(chunk)), make([][]string, len(chunk))
		for k, p := range chunk {
			sources[k] = p.Source
			places, err := m.places(p.Source)
			if err != nil {
				return both, prefix.Wrap(err)
			}
			for n := range places.more { // any words, the same on both sides
				more[k] = append(more[k], fmt.Sprintf("<word%d>", n))
			}
		}
		found, err := m.translate(ctx, sources, more, 0, decode.SearchOptions{})
		if err != nil {
			return both, prefix.Wrap(err)
		}
		for k, p := range chunk {
			both[0] = append(both[0], found[k][0].Tokens)
			both[1] = append(both[1], shared.Written(shared.Extended{Vocabulary: m.targets, More: more[k]},
				p.Target))
		}
		return both, nil
	}, func(_ int, both [2][][]string) error {
		for k, written := range both[0] {
			if err := score.Add(written, both[1][k]); err != nil {
				return err
			}
		}
		return nil
	})
	return score.Score().BLEU, err
}
