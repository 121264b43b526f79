package label

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/unroll"
)

// inBatches calls read with the numbers of a few sequences of like length at a time, and the shape
// of a graph that takes them.
func (m *labeller) inBatches(ctx context.Context, sequences []Sequence,
	read func(shape labelShape, batch []int) error) error {
	order := make([]int, len(sequences))
	for i, s := range sequences {
		if err := m.check(s); err != nil {
			return m.prefix.Wrap(check.Example("sequence", i, "%w", err))
		}
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Compare(m.steps(sequences[i]), m.steps(sequences[j]))
	})
	for batch := range slices.Chunk(order, evaluationBatch) {
		if err := interrupt.Err(ctx); err != nil {
			return err
		}
		longest := m.steps(sequences[batch[len(batch)-1]])
		if err := read(labelShape{T: longest, B: len(batch), padded: true}, batch); err != nil {
			return m.errorf("%w", err)
		}
	}
	return nil
}

// predict calls found with the predictions for each sequence, one or one for each step of it.
func (m *labeller) predict(ctx context.Context, sequences []Sequence,
	found func(example int, predictions []Prediction)) error {
	build := func(s labelShape) (*labelGraph, error) {
		return m.build(s, unroll.Options{}, labelsUnknown, nil)
	}
	return m.inBatches(ctx, sequences, func(shape labelShape, batch []int) error {
		return m.idle.Do(shape, build, func(g *labelGraph) error {
			return m.predictBatch(g, sequences, batch, found)
		})
	})
}

// predictBatch is predict for those of sequences that a graph takes at once.
func (m *labeller) predictBatch(g *labelGraph, sequences []Sequence, batch []int,
	found func(example int, predictions []Prediction)) error {
	g.clear()
	for k, i := range batch {
		g.put(k, sequences[i])
	}
	if err := g.Run(0, 0); err != nil {
		return err
	}
	rows := g.rows()
	for k, i := range batch {
		predictions, err := m.predictions(rows(k, m.steps(sequences[i])))
		if err != nil {
			return check.Example("sequence", i, "%w", err)
		}
		found(i, predictions)
	}
	return nil
}

// checkSum is checkProbs of all labels together. Of scores so large that their differences are lost
// each label would have the probability 1.
func checkSum(probs []float64) error {
	sum := 0.0
	for _, p := range probs {
		sum += p
	}
	if err := checkProbs(probs); err != nil || math.Abs(sum-1) < 1e-3 {
		return err
	}
	return fmt.Errorf("the probabilities of all labels sum to %g: weights or features are "+
		"too large for the model's numbers", sum)
}

// checkProbs refuses probabilities that are none: of NaN the first label would be the likeliest.
func checkProbs(probs []float64) error {
	for id, p := range probs {
		if p-p != 0 {
			return fmt.Errorf("the probability of label %d is %g: weights or features are too "+
				"large for the model's numbers", id, p)
		}
	}
	return nil
}
