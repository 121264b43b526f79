package dialogue

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
)

// EvaluateOptions say how a Model is evaluated. The zero value of a field is its default.
type EvaluateOptions struct {
	Samples int    // draws of each latent variable; default 1
	Seed    uint64 // of the draws; refused, as Samples is, where there is none
}

// Score is how well a model predicts dialogues, all turns but the first of each.
type Score struct {
	Turns, Tokens int // that were predicted; tokens with the <eos> of each turn

	// mean of −log p(token | z), in nats a token; without a latent variable −log p(token)
	Reconstruction float64
	KL             float64 // mean of KL(q‖p), in nats an utterance
	// mean of −log p(token) or, with a latent variable, a bound of it: both the above, in nats a
	// token
	Bound float64

	// Weighted is the tighter bound −log mean of p(u|z)·p(z)/q(z) over the samples (Burda et al.,
	// 2016), in nats a token.
	Weighted float64

	// ActiveUnits are those units of the latent variable whose posterior mean has a variance above
	// 0.01 over all turns (Burda et al., 2016). Since the prior moves with the context too, that
	// alone does not show that a unit says something of its utterance: InformativeUnits are those
	// whose KL(q‖p) is above 0.01 nats on average.
	ActiveUnits, InformativeUnits int
}

// Perplexity is exp(Bound).
func (s Score) Perplexity() float64 { return math.Exp(s.Bound) }

// maxSamples is a number beyond all use.
const maxSamples = 1 << 16

// Evaluate measures how well the model predicts dialogues, each turn from the true ones before it,
// each token from the true ones before it.
func (m *Model) Evaluate(ctx context.Context, ds []Dialogue, o EvaluateOptions) (s Score,
	err error) {
	if o.Samples < 0 || o.Samples > maxSamples {
		return s, prefix.Errorf("the option Samples is %d, want 1 … %d, or 0 for 1",
			o.Samples, maxSamples)
	}
	if m.cfg.Latent.Width == 0 && (o.Samples > 1 || o.Seed != 0) {
		return s, prefix.Errorf("the options Samples and Seed are of a latent variable, and "+
			"the model has none; they are %d and %d", o.Samples, o.Seed)
	}
	if err := m.checkDialogues(ds); err != nil {
		return s, prefix.Wrap(err)
	}
	batches, err := dialogueBatches(ds, train.BatchesConfig{Batch: 8, Bucket: max(len(ds), 1),
		InOrder: true})
	if err != nil {
		return s, prefix.Wrap(err)
	}
	samples := 1
	if m.cfg.Latent.Width > 0 {
		samples = max(o.Samples, 1)
	}
	r := newDialogueRunner(m, Data{}, ds, 8, false)
	defer r.graphs.Close()
	var t totals
	var all [][]int
	for examples := range batches.Epoch() {
		all = append(all, slices.Clone(examples))
	}
	err = train.ShareOut(ctx, len(all), func(i int) (t totals, err error) {
		weights := make([][]float64, samples)
		for k := range weights {
			if err := interrupt.Err(ctx); err != nil {
				return t, err
			}
			g, err := r.run(ds, shared.Whole(all[i]), o.Seed, i*samples+k)
			if err != nil {
				return t, err
			}
			weights[k] = t.add(g, k == 0)
		}
		t.weigh(weights)
		return t, nil
	}, func(_ int, batch totals) error {
		t.join(batch)
		return nil
	})
	if err != nil {
		return s, err
	}
	s = t.score(samples)
	if err := errors.Join(shared.CheckLoss(s.Bound), shared.CheckLoss(s.Weighted)); err != nil {
		return s, prefix.Wrap(err)
	}
	return s, nil
}

// totals are sums over all that was evaluated.
type totals struct {
	Turns, Tokens     int
	NLL, KL, Weighted float64
	// of each unit of the latent variable: the posterior mean, its square, KL(q‖p)
	Means, Squares, KLs []float64
}

// join adds those of a batch.
func (t *totals) join(batch totals) {
	t.Turns += batch.Turns
	t.Tokens += batch.Tokens
	t.NLL += batch.NLL
	t.KL += batch.KL
	t.Weighted += batch.Weighted
	if t.KLs == nil {
		t.Means, t.Squares, t.KLs = batch.Means, batch.Squares, batch.KLs
		return
	}
	for j := range batch.KLs {
		t.Means[j] += batch.Means[j]
		t.Squares[j] += batch.Squares[j]
		t.KLs[j] += batch.KLs[j]
	}
}

// add counts a batch as it was run for one sample, and returns log p(u|z)·p(z)/q(z) of each turn
// that was predicted.
func (t *totals) add(g *dialogueGraph, first bool) []float64 {
	rows := make([]float64, len(g.live)) // log p(u|z)
	for i, x := range g.Output(keptNLL).Float64s()[:len(g.rowOf)] {
		t.NLL += x
		rows[g.rowOf[i]] -= x
	}
	if first {
		t.Turns += len(g.predicted)
		t.Tokens += len(g.rowOf)
	}
	if g.latent {
		t.addLatent(g, rows, first)
	}
	weights := make([]float64, len(g.predicted))
	for i, row := range g.predicted {
		weights[i] = rows[row]
	}
	return weights
}

func (t *totals) addLatent(g *dialogueGraph, rows []float64, first bool) {
	ratio, kl := g.Output(keptLogRatio).Float64s(), g.Output(keptKL).Float64s()
	mu := g.Output(keptMu).Float64s()
	z := len(kl) / len(rows)
	if t.KLs == nil {
		t.Means, t.Squares, t.KLs = make([]float64, z), make([]float64, z), make([]float64, z)
	}
	for _, row := range g.predicted {
		rows[row] += ratio[row]
		for j := range z {
			if x, mean := kl[row*z+j], mu[row*z+j]; first {
				t.KL += x
				t.KLs[j] += x
				t.Means[j] += mean
				t.Squares[j] += mean * mean
			}
		}
	}
}

// weigh adds the bound of many samples [samples][turns].
func (t *totals) weigh(weights [][]float64) {
	for i := range weights[0] {
		top, sum := math.Inf(-1), 0.0
		for _, w := range weights {
			top = max(top, w[i])
		}
		for _, w := range weights {
			sum += math.Exp(w[i] - top)
		}
		t.Weighted -= top + math.Log(sum/float64(len(weights)))
	}
}

func (t *totals) score(samples int) (s Score) {
	s.Turns, s.Tokens = t.Turns, t.Tokens
	turns, tokens := float64(t.Turns), float64(t.Tokens)
	s.Reconstruction, s.KL = t.NLL/float64(samples)/tokens, t.KL/turns
	s.Bound, s.Weighted = s.Reconstruction+t.KL/tokens, t.Weighted/tokens
	for j := range t.KLs {
		if mean := t.Means[j] / turns; t.Squares[j]/turns-mean*mean > 0.01 {
			s.ActiveUnits++
		}
		if t.KLs[j]/turns > 0.01 {
			s.InformativeUnits++
		}
	}
	return s
}
