package label_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/unroll"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/text"
)

var small = label.Config{Recurrent: zoo.Recurrent{Cell: "gru,memory=9", Hidden: 4}, Features: 2,
	Float64: true}

func severalOf(t *testing.T, labels int) *label.Classifier {
	m, err := label.NewClassifier(label.ClassifierConfig{Config: small, Several: true}, nil,
		zootest.Letters(t, labels), 1)
	require.NoError(t, err)
	zootest.Scramble(m)
	return m
}

func crfOf(t *testing.T, cfg label.Config, labels int) *label.Tagger {
	var tokens *text.Vocabulary
	if cfg.Features == 0 {
		tokens = zootest.Letters(t, 5, text.Unk)
	}
	m, err := label.NewTagger(label.TaggerConfig{Config: cfg, CRF: true}, tokens,
		zootest.Letters(t, labels), 1)
	require.NoError(t, err)
	zootest.Scramble(m)
	return m
}

// logits are those of one sequence of features, by a graph of their own: a row of a sequence, or of
// each step.
func logits(t *testing.T, m labeller, s label.Sequence, width int) (rows [][]float64) {
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	x := g.Input("x", len(s.Features)/width, 1, width)
	step, err := run.New([]*nodes.Node{m.Forward(x, nil, unroll.Scan)})
	require.NoError(t, err)
	v, err := run.Feed(x)
	require.NoError(t, err)
	for i, f := range s.Features {
		v.Floats().Set(i, float64(f))
	}
	require.NoError(t, step.Run(0, 0))
	out := step.Output(0)
	labels := out.Shape()[len(out.Shape())-1]
	for chunk := range slices.Chunk(out.Float64s(), labels) {
		rows = append(rows, slices.Clone(chunk))
	}
	return rows
}

// pathScores calls each with every sequence of labels and its score, summed by plain loops.
func pathScores(m *label.Tagger, emissions [][]float64, each func(path []int, score float64)) {
	at := func(name string) []float64 {
		p, _ := m.Params().Get("crf/" + name)
		return p.Value().Float64s()
	}
	transitions, start, end := at("transitions"), at("start"), at("end")
	L, T := len(start), len(emissions)
	path := make([]int, T)
	for {
		score := start[path[0]] + end[path[T-1]]
		for i, y := range path {
			score += emissions[i][y]
			if i > 0 {
				score += transitions[path[i-1]*L+y]
			}
		}
		each(path, score)
		i := 0
		for ; i < T && path[i] == L-1; i++ {
			path[i] = 0
		}
		if i == T {
			return
		}
		path[i]++
	}
}

// The loss of a CRF, its likeliest labels and their probabilities are those of a sum over all
// sequences of labels, written out.
func TestCRFIsTheSumOverAllPaths(t *testing.T) {
	for _, L := range []int{1, 2, 3} {
		m := crfOf(t, small, L)
		all := examples(small, true, 1, 2, 7, 5)
		sum, n := 0.0, 0
		for i := range all {
			r := rng.Stream{Key: rng.New(uint64(i))}
			for k := range all[i].Labels {
				all[i].Labels[k] = r.Intn(L)
			}
			e := logits(t, m, all[i].Sequence, 2)
			var best []int
			high, z, own := math.Inf(-1), 0.0, 0.0
			marginals := make([][]float64, len(e))
			for k := range marginals {
				marginals[k] = make([]float64, L)
			}
			pathScores(m, e, func(path []int, score float64) {
				if score > high {
					best, high = slices.Clone(path), score
				}
				z += math.Exp(score)
				for k, y := range path {
					marginals[k][y] += math.Exp(score)
				}
				if slices.Equal(path, all[i].Labels) {
					own = score
				}
			})
			found, err := m.Predict(all[i].Sequence)
			require.NoError(t, err)
			for k, p := range found {
				require.Equal(t, best[k], p.ID)
				require.Equal(t, string(rune('a'+p.ID)), p.Label)
				require.Equal(t, p.Probs[p.ID], p.Prob)
				for y := range L {
					require.InDelta(t, marginals[k][y]/z, p.Probs[y], 1e-9)
				}
			}
			sum += math.Log(z) - own
			n += len(e)
		}
		e, err := m.Evaluate(context.Background(), all)
		require.NoError(t, err)
		require.InDelta(t, sum/float64(n), e.Loss, 1e-9)
		require.Equal(t, n, e.Confusion.Total())
	}
}

// The loss of a classifier of several labels is the mean of their binary cross-entropies.
func TestSeveralLabels(t *testing.T) {
	m := severalOf(t, 4)
	all := examples(small, false, 3, 1, 6)
	all[0].Labels, all[1].Labels, all[2].Labels = []int{3, 0}, nil, []int{0, 1, 2, 3}
	sum, exact := 0.0, 0
	for i := range all {
		row := logits(t, m, all[i].Sequence, 2)[0]
		p, err := m.Predict(all[i].Sequence)
		require.NoError(t, err)
		var ids []int
		for id, x := range row {
			q := 1 / (1 + math.Exp(-x))
			require.InDelta(t, q, p.Probs[id], 1e-12)
			if q >= 0.5 {
				ids = append(ids, id)
			}
			if slices.Contains(all[i].Labels, id) {
				sum -= math.Log(q)
			} else {
				sum -= math.Log(1 - q)
			}
		}
		require.Equal(t, ids, p.IDs)
		require.Equal(t, slices.Max(p.Probs), p.Prob)
		slices.Sort(all[i].Labels)
		if slices.Equal(ids, all[i].Labels) {
			exact++
		}
	}
	e, err := m.Evaluate(context.Background(), all)
	require.NoError(t, err)
	require.InDelta(t, sum/12, e.Loss, 1e-9)
	require.InDelta(t, float64(exact)/3, e.Several.Exact(), 1e-12)
	require.Nil(t, e.Confusion)
	all[0].Labels = []int{1, 1}
	_, err = m.Evaluate(context.Background(), all)
	require.ErrorContains(t, err, "example 0: label 1 has id 1, which comes before it already")
}

// weighting are models with data and weights.
func weightings(t *testing.T) map[string]struct {
	m labeller
	d label.Data
} {
	single, err := label.NewClassifier(label.ClassifierConfig{Config: small, Pool: label.PoolMax}, nil,
		zootest.Letters(t, 3), 1)
	require.NoError(t, err)
	tagger, err := label.NewTagger(label.TaggerConfig{Config: small}, nil, zootest.Letters(t, 3), 1)
	require.NoError(t, err)
	zootest.Scramble(single)
	zootest.Scramble(tagger)
	several := examples(small, false, 4, 2, 5)
	several[0].Labels, several[1].Labels, several[2].Labels = []int{2, 0}, nil, []int{1}
	once, each := examples(small, false, 4, 2, 5), examples(small, true, 4, 2, 5)
	w, c := []float64{2, 0.5, 0.25}, []float64{3, 0, 0.7}
	type made = struct {
		m labeller
		d label.Data
	}
	return map[string]made{
		"classes and examples": {single, label.Data{Train: once, ClassWeights: c, Weights: w}},
		"tagger":               {tagger, label.Data{Train: each, ClassWeights: c, Weights: w}},
		"examples":             {tagger, label.Data{Train: each, Weights: w}},
		"several":              {severalOf(t, 3), label.Data{Train: several}},
		"several, weighted":    {severalOf(t, 3), label.Data{Train: several, ClassWeights: c, Weights: w}},
		"several, rare": {severalOf(t, 3), label.Data{Train: several, ClassWeights: c, Weights: w,
			PositiveWeights: []float64{5, 0, 0.3}, Smoothing: 0.2}},
		"several, smoothed": {severalOf(t, 3), label.Data{Train: several, Smoothing: 0.2}},
		"smoothed":          {single, label.Data{Train: once, Smoothing: 0.1}},
		"tagger, smoothed": {tagger, label.Data{Train: each, ClassWeights: c, Weights: w,
			Smoothing: 0.1}},
		"crf":                   {crfOf(t, small, 3), label.Data{Train: each}},
		"crf, weighted":         {crfOf(t, small, 3), label.Data{Train: each, Weights: w}},
		"crf, expanded":         {crfOf(t, small, 3), label.Data{Train: each, Unroll: unroll.Expand}},
		"crf, one token a time": {crfOf(t, small, 2), label.Data{Train: examples1(each)}},
	}
}

// examples1 are the first steps of examples, with labels below 2.
func examples1(all []label.Labelled) (out []label.Labelled) {
	for _, e := range all {
		out = append(out, label.Labelled{Sequence: label.Sequence{Features: e.Features[:2]},
			Labels: []int{e.Labels[0] % 2}})
	}
	return out
}

// Gradients of every loss against finite differences; each resumes to the bit, divides into shards,
// and a weight counts as often as it says.
func TestWeightedLosses(t *testing.T) {
	for name, c := range weightings(t) {
		t.Run(name, func(t *testing.T) {
			task, err := c.m.Task(c.d)
			require.NoError(t, err)
			zootest.CheckGradients(t, task)
			require.NoError(t, train.CheckTask(task, 3))
			whole, err := task.Next(1, 0)
			require.NoError(t, err)

			// By the losses of single examples.
			n, sum := 0, 0.0
			for i, e := range c.d.Train {
				weight, count := 1.0, 1
				if c.d.Weights != nil {
					weight = c.d.Weights[i]
				}
				if _, tagger := c.m.(*label.Tagger); tagger {
					count = len(e.Labels)
				}
				n += count
				if c.d.ClassWeights == nil && c.d.Smoothing == 0 {
					alone, err := c.m.Evaluate(context.Background(), []label.Labelled{e})
					require.NoError(t, err)
					sum += weight * alone.Loss * float64(count)
					continue
				}
				sum += weight * classWeighted(t, c.m, c.d, e)
			}
			require.Equal(t, n, whole.Count)
			require.InDelta(t, sum/float64(n), whole.Loss, 1e-9)
		})
	}
}

// classWeighted is the loss of an example whose labels have weights, from its logits.
func classWeighted(t *testing.T, m labeller, d label.Data, e label.Labelled) (sum float64) {
	class := func(id int) float64 {
		if d.ClassWeights == nil {
			return 1
		}
		return d.ClassWeights[id]
	}
	for i, row := range logits(t, m, e.Sequence, 2) {
		if c, ok := m.(*label.Classifier); ok && c.Config().Several {
			for id, x := range row {
				weight, y := class(id), d.Smoothing/2
				if slices.Contains(e.Labels, id) {
					if y = 1 - y; d.PositiveWeights != nil {
						weight *= d.PositiveWeights[id]
					}
				}
				p := 1 / (1 + math.Exp(-x))
				sum -= weight * (y*math.Log(p) + (1-y)*math.Log(1-p)) / float64(len(row))
			}
			continue
		}
		z := 0.0
		for _, x := range row {
			z += math.Exp(x)
		}
		for id, x := range row {
			y := d.Smoothing / float64(len(row))
			if id == e.Labels[i] {
				y += 1 - d.Smoothing
			}
			sum += class(e.Labels[i]) * y * (math.Log(z) - x)
		}
	}
	return sum
}

// A rare class is found where it counts as much as the others, and not where it does not.
func TestClassWeightsFindRareClasses(t *testing.T) {
	r := rng.Stream{Key: rng.New(3)}
	var all []label.Labelled
	for range 600 {
		x, id := float32(r.Normal()), 0
		if r.Float64() < 0.1 {
			x, id = x+1.5, 1
		}
		all = append(all, label.Labelled{Sequence: label.Sequence{Features: []float32{x}},
			Labels: []int{id}})
	}
	recall := func(weights []float64) float64 {
		m, err := label.NewClassifier(label.ClassifierConfig{Config: label.Config{Features: 1,
			Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 4}}}, nil, zootest.Letters(t, 2), 1)
		require.NoError(t, err)
		task, err := m.Task(label.Data{Train: all, ClassWeights: weights})
		require.NoError(t, err)
		adam, err := train.NewAdam(train.AdamConfig{LR: 0.02})
		require.NoError(t, err)
		_, err = train.Fit(context.Background(), task, train.Config{Optimizer: adam, Epochs: 5})
		require.NoError(t, err)
		e, err := m.Evaluate(context.Background(), all)
		require.NoError(t, err)
		s, err := e.Confusion.Class(1)
		require.NoError(t, err)
		return s.Recall
	}
	plain, balanced := recall(nil), recall(label.Balanced(all, 2))
	require.Less(t, plain, 0.3)
	require.Greater(t, balanced, 0.6)
}

// Tags that begin, go on and end need each other: a CRF over a layer that reads one way finds more
// entities, and a resume of it is one that never stopped, to the bit.
func TestCRFLearnsAndResumes(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains")
	}
	labels, err := text.NewVocabulary(text.VocabularyConfig{}, []string{"O", "B-X", "I-X"})
	require.NoError(t, err)
	id := func(tag string) int { i, _ := labels.ID(tag); return i }
	r := rng.Stream{Key: rng.New(1)}
	var all []label.Labelled
	for range 300 {
		var e label.Labelled
		for len(e.Labels) < 12 {
			n := 0
			if r.Float64() < 0.3 {
				n = 3 // an entity is three long, and its tokens tell little each
			}
			for k := range max(n, 1) {
				tag, mean := "O", 0.0
				if n > 0 {
					tag, mean = "I-X", 1
				}
				if n > 0 && k == 0 {
					tag = "B-X"
				}
				e.Labels = append(e.Labels, id(tag))
				e.Features = append(e.Features, float32(mean+0.4*r.Normal()))
			}
		}
		all = append(all, e)
	}
	var dir string
	fit := func(crf bool, steps int) (f1 float64, weights string) {
		m, err := label.NewTagger(label.TaggerConfig{CRF: crf, Config: label.Config{Features: 1,
			Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 4}}}, nil, labels, 1)
		require.NoError(t, err)
		task, err := m.Task(label.Data{Train: all[:200], Valid: all[200:]})
		require.NoError(t, err)
		adam, err := train.NewAdam(train.AdamConfig{LR: 0.03})
		require.NoError(t, err)
		c := train.Config{Optimizer: adam, Epochs: 12, MaxSteps: steps, Resume: true,
			Monitor: "valid_entity_f1", RestoreBest: true}
		c.Checkpoints, err = train.OpenCheckpoints(dir, 0)
		require.NoError(t, err)
		defer c.Checkpoints.Close()
		result, err := train.Fit(context.Background(), task, c)
		require.NoError(t, err)
		for _, p := range m.Params().Params() {
			weights += fmt.Sprintf("%x", p.Value().Data())
		}
		return result.Best.Value, weights
	}
	dir = t.TempDir()
	plain, _ := fit(false, 0)
	dir = t.TempDir()
	chained, want := fit(true, 0)
	require.Greater(t, chained, plain+0.03, "%v with a CRF, %v without", chained, plain)
	dir = t.TempDir()
	fit(true, 17)
	_, got := fit(true, 0)
	require.True(t, want == got)
}

// A model with a CRF, a head or several labels is saved and loaded as it is.
func TestSaveOutputs(t *testing.T) {
	for _, m := range []labeller{crfOf(t, small, 3), severalOf(t, 3)} {
		dir := t.TempDir()
		require.NoError(t, m.Save(dir))
		loaded, err := zoo.Load(dir)
		require.NoError(t, err)
		all := examples(small, true, 3, 5)
		require.Equal(t, predictAll(t, m, all), predictAll(t, loaded.(labeller), all))
	}
}
