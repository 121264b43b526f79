package label_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/zootest"
	"github.com/seqzoo/seqzoo/zoo/label"
	"github.com/seqzoo/seqzoo/zoo/text"
)

var jointConfigs = map[string]label.JointConfig{
	"plain": {Config: label.Config{Recurrent: zoo.Recurrent{Cell: "gru", Hidden: 3}}},
	"both ways": {Config: label.Config{Recurrent: zoo.Recurrent{Hidden: 2, Layers: 2},
		Bidirectional: true, Head: 3}, Pool: label.PoolMax, CRF: true, TagWeight: 0.3},
	"features": {Config: label.Config{Recurrent: zoo.Recurrent{Cell: "rnn", Hidden: 3},
		Features: 2}, Pool: label.PoolMean, TagWeight: 2},
}

// newJoint is a model of 5 letters, 3 labels and 4 tags, with examples of lengths 1 to 4.
func newJoint(t *testing.T, cfg label.JointConfig) (*label.Joint, []label.JointLabelled) {
	tokens := zootest.Letters(t, 5)
	if cfg.Features > 0 {
		tokens = nil
	}
	m, err := label.NewJoint(cfg, tokens, zootest.Letters(t, 3), zootest.Letters(t, 4), 1)
	require.NoError(t, err)
	zootest.Scramble(m)
	r := rng.Stream{Key: rng.New(3)}
	var examples []label.JointLabelled
	for i := range 6 {
		e := label.JointLabelled{Label: r.Intn(3)}
		for range 1 + i%4 {
			e.Tags = append(e.Tags, r.Intn(4))
			if cfg.Features > 0 {
				e.Features = append(e.Features, float32(r.Normal()), float32(r.Normal()))
			} else {
				e.IDs = append(e.IDs, r.Intn(5))
			}
		}
		examples = append(examples, e)
	}
	return m, examples
}

// The loss is that of a classifier and of a tagger with the same weights, and so are the
// predictions; gradients are those of central differences; and a model that was saved and loaded
// is the same.
func TestJointIsBoth(t *testing.T) {
	ctx := context.Background()
	for name, cfg := range jointConfigs {
		t.Run(name, func(t *testing.T) {
			cfg.Float64 = true
			m, examples := newJoint(t, cfg)
			one, err := label.NewClassifier(label.ClassifierConfig{Config: cfg.Config,
				Pool: cfg.Pool}, m.Vocabulary(), m.Labels(), 2)
			require.NoError(t, err)
			each, err := label.NewTagger(label.TaggerConfig{Config: cfg.Config, CRF: cfg.CRF},
				m.Vocabulary(), m.Tags(), 2)
			require.NoError(t, err)
			for _, other := range []zoo.Model{one, each} {
				for _, p := range other.Params().Params() {
					from, ok := m.Params().Get("tags/" + p.Name())
					if !ok || other == zoo.Model(one) {
						from, ok = m.Params().Get(p.Name())
					}
					require.True(t, ok, p.Name())
					copy(p.Value().Float64s(), from.Value().Float64s())
				}
			}
			want := 0.0
			for _, e := range examples {
				l, err := one.Evaluate(ctx, []label.Labelled{{Sequence: e.Sequence,
					Labels: []int{e.Label}}})
				require.NoError(t, err)
				g, err := each.Evaluate(ctx, []label.Labelled{{Sequence: e.Sequence, Labels: e.Tags}})
				require.NoError(t, err)
				weight := cfg.TagWeight
				if weight == 0 {
					weight = 1
				}
				want += (l.Loss + weight*g.Loss) / float64(len(examples))
				p, err := m.Predict(e.Sequence)
				require.NoError(t, err)
				alone, err := one.Predict(e.Sequence)
				require.NoError(t, err)
				testkit.RequireInDelta(t, alone.Probs, p.Label.Probs, 1e-12)
				tags, err := each.Predict(e.Sequence)
				require.NoError(t, err)
				require.Len(t, p.Tags, len(tags))
				for i := range tags {
					require.Equal(t, tags[i].Label, p.Tags[i].Label)
					testkit.RequireInDelta(t, tags[i].Probs, p.Tags[i].Probs, 1e-12)
				}
			}
			e, err := m.Evaluate(ctx, examples)
			require.NoError(t, err)
			require.InDelta(t, want, e.Loss, 1e-12)
			task, err := m.Task(label.JointData{Train: examples, Valid: examples})
			require.NoError(t, err)
			b, err := task.Next(0, 0)
			require.NoError(t, err)
			require.InDelta(t, want, b.Loss, 1e-12)
			zootest.CheckGradients(t, task)

			dir := t.TempDir()
			require.NoError(t, m.Save(dir))
			loaded, err := label.LoadJoint(dir)
			require.NoError(t, err)
			require.Equal(t, m.Config(), loaded.Config())
			p, err := m.Predict(examples[3].Sequence)
			require.NoError(t, err)
			q, err := loaded.Predict(examples[3].Sequence)
			require.NoError(t, err)
			require.Equal(t, p, q)
		})
	}
}

// Of a conditional random field a layout has what Viterbi's algorithm reads, as that of a Tagger.
func TestJointLayouts(t *testing.T) {
	for name, want := range map[string][]string{
		"plain":     {"probabilities", "tags"},
		"features":  {"probabilities", "tags"},
		"both ways": {"probabilities", "emissions", "transitions", "start", "end"},
	} {
		m, _ := newJoint(t, jointConfigs[name])
		require.Len(t, m.Layouts(), 1)
		var got []string
		require.NoError(t, nodes.Try(func() {
			g := nodes.NewGraph(nodes.Options{Dtype: m.Params().Dtype()})
			in, out := m.Layouts()[0].Build(g, []int{5, 2})
			require.Len(t, in, 2)
			for _, p := range out {
				got = append(got, p.Name)
			}
		}))
		require.Equal(t, want, got, name)
	}
}

// What is all right is right in a share of exactly 1.
func TestJointExact(t *testing.T) {
	m, examples := newJoint(t, jointConfigs["plain"])
	var right []label.JointLabelled
	for i := range 10 {
		e := examples[i%len(examples)]
		p, err := m.Predict(e.Sequence)
		require.NoError(t, err)
		e.Label, e.Tags = p.Label.ID, nil
		for _, tag := range p.Tags {
			e.Tags = append(e.Tags, tag.ID)
		}
		right = append(right, e)
	}
	e, err := m.Evaluate(context.Background(), right)
	require.NoError(t, err)
	require.Equal(t, 1.0, e.Exact)
	right[3].Label = (right[3].Label + 1) % 3
	e, err = m.Evaluate(context.Background(), right)
	require.NoError(t, err)
	require.Equal(t, 0.9, e.Exact)
}

func TestJointDoubts(t *testing.T) {
	m, examples := newJoint(t, jointConfigs["plain"])
	for i := range examples {
		examples[i].Label, examples[i].Tags = 1, make([]int, len(examples[i].Tags))
	}
	task, err := m.Task(label.JointData{Train: examples, Valid: examples})
	require.NoError(t, err)
	said := train.Warnings(task)
	require.Len(t, said, 3)
	require.Contains(t, said[0], `all 6 sequences of the training data have the label "b"`)
	require.Contains(t, said[1], `all 13 steps of the training data have the label "a"`)
	require.Contains(t, said[2], "6 of the 6 validation examples")
}

// Intents and slots of made-up requests are learned by one model.
func TestJointLearnsIntentAndSlots(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains")
	}
	r := rng.Stream{Key: rng.New(8)}
	var sentences [][]string
	var intents []string
	var slots [][]string
	add := func(intent string, words, tags []string) {
		sentences, intents = append(sentences, words), append(intents, intent)
		slots = append(slots, tags)
	}
	places, days := []string{"rome", "oslo", "lima", "kiel"}, []string{"today", "monday", "sunday"}
	for range 300 {
		place, day := places[r.Intn(4)], days[r.Intn(3)]
		switch r.Intn(3) {
		case 0:
			add("weather", []string{"weather", "in", place, day}, []string{"O", "O", "B-place", "B-day"})
		case 1:
			add("flight", []string{"fly", "to", place, "from", places[r.Intn(4)], day},
				[]string{"O", "O", "B-to", "O", "B-from", "B-day"})
		default:
			add("music", []string{"on", day, "play", "jazz"}, []string{"O", "B-day", "O", "O"})
		}
	}
	words := func(of ...[]string) *text.Vocabulary {
		v, err := text.NewVocabulary(text.VocabularyConfig{}, of...)
		require.NoError(t, err)
		return v
	}
	m, err := label.NewJoint(label.JointConfig{Config: label.Config{Recurrent: zoo.Recurrent{
		Cell: "gru", Hidden: 12}, Bidirectional: true}}, words(sentences...), words(intents),
		words(slots...), 1)
	require.NoError(t, err)
	var examples []label.JointLabelled
	for i := range sentences {
		e, err := m.EncodeLabelled(sentences[i], intents[i], slots[i])
		require.NoError(t, err)
		examples = append(examples, e)
	}
	task, err := m.Task(label.JointData{Train: examples[:200], Valid: examples[200:], Batch: 16})
	require.NoError(t, err)
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.01})
	require.NoError(t, err)
	_, err = train.Fit(context.Background(), task, train.Config{Optimizer: adam, Epochs: 12,
		Monitor: "valid_exact"})
	require.NoError(t, err)
	e, err := m.Evaluate(context.Background(), examples[200:])
	require.NoError(t, err)
	t.Logf("accuracy of intents %.3f, F1 of slots %.3f, all right %.3f",
		e.Label.Confusion.Accuracy(), e.Tags.Entities.Micro().F1, e.Exact)
	require.Greater(t, e.Exact, 0.95)
}

func TestJointErrors(t *testing.T) {
	m, examples := newJoint(t, jointConfigs["plain"])
	for want, change := range map[string]func(e *label.JointLabelled){
		"example 2: label: label 0 has id 3":      func(e *label.JointLabelled) { e.Label = 3 },
		"example 2: tags: it has 1 labels; want ": func(e *label.JointLabelled) { e.Tags = e.Tags[:1] },
		"example 2: tags: label 2 has id -1":      func(e *label.JointLabelled) { e.Tags = []int{0, 0, -1} },
		"example 2: label: the sequence is empty": func(e *label.JointLabelled) { e.IDs = nil },
	} {
		bad := append([]label.JointLabelled{}, examples...)
		change(&bad[2])
		_, err := m.Task(label.JointData{Train: bad})
		require.ErrorContains(t, err, want)
		_, err = m.Evaluate(context.Background(), bad)
		require.ErrorContains(t, err, want)
	}
	for _, weight := range []float64{-1, math.NaN(), math.Inf(1)} {
		require.ErrorContains(t, label.JointConfig{Config: label.Config{Recurrent: zoo.Recurrent{
			Hidden: 2}}, TagWeight: weight}.Validate(), "tag_weight", fmt.Sprint(weight))
	}
	_, err := label.NewJoint(jointConfigs["plain"], zootest.Letters(t, 2), zootest.Letters(t, 2),
		nil, 1)
	require.ErrorContains(t, err, "it needs tags")
	_, err = m.EncodeLabelled([]string{"a"}, "a", []string{"z"})
	require.ErrorContains(t, err, `the label "z" is unknown`)
	_, err = m.PredictAll(context.Background(), []label.Sequence{{IDs: []int{0}}, {}})
	require.ErrorContains(t, err, "sequence 1: the sequence is empty")
	var empty label.Joint
	_, err = empty.Predict(label.Sequence{IDs: []int{1}})
	require.Error(t, err)
}
