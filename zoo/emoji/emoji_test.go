package emoji_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/train"
	"github.com/seqzoo/seqzoo/zoo"
	zooemoji "github.com/seqzoo/seqzoo/zoo/emoji"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// moods are words with vectors of random directions.
func moods(t testing.TB) *vectors.Vectors {
	words := strings.Fields("happy sad angry face tears joy cat dog stuck out")
	data := make([]float32, len(words)*16)
	for i := range data {
		data[i] = float32(rng.New(4).Normal(uint64(i)))
	}
	v, err := vectors.New(words, 16, data)
	require.NoError(t, err)
	return v
}

const moodPairs = `happy face	😀	True
joy	😀	True
sad face	😢	True
tears	😢	True
Angry FACE	😠	True
tears joy	😂	True
cat	🐈️	True
dog	🐕	True
zebra	🦓	True
stuck-out, face	😛	True
`

func parsePairs(t testing.TB, s string) []zooemoji.Pair {
	pairs, err := zooemoji.ParsePairs(s)
	require.NoError(t, err)
	return pairs
}

func fitEmoji(t testing.TB, m *zooemoji.Model, d zooemoji.Data, c train.Config) {
	task, err := m.Task(d)
	require.NoError(t, err)
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.05})
	require.NoError(t, err)
	c.Optimizer = adam
	_, err = train.Fit(context.Background(), task, c)
	require.NoError(t, err)
}

// Descriptions are told apart, sums answer, what is unknown is said, and a saved model does the
// same.
func TestEmoji2Vec(t *testing.T) {
	pairs := parsePairs(t, moodPairs)
	m, err := zooemoji.New(zooemoji.Config{Negatives: 2}, moods(t), pairs)
	require.NoError(t, err)
	require.Len(t, m.Emoji(), 7) // nobody knows zebra
	require.Equal(t, "😀", m.Emoji()[0])
	fitEmoji(t, m, zooemoji.Data{Train: pairs, Batch: 4}, train.Config{Epochs: 100})

	test := parsePairs(t, "joy\t😀\tTrue\njoy\t😠\tFalse\ncat\t🐈\tTrue\ndog\t🐈\tFalse\nstuck\t😛\tTrue\nzebra\t🦓\tTrue\nzebra\t😀\tFalse\nhappy\t🦓\tFalse\n")
	s, err := m.Evaluate(test)
	require.NoError(t, err)
	require.Equal(t, zooemoji.Score{AUC: 1, Loss: s.Loss, Accuracy: 1, F1: 1, Pairs: 5,
		UnknownWords: 2, Unknown: 1}, s)
	require.Less(t, s.Loss, 0.3)
	loss := 0.0
	for _, p := range test[:5] {
		probability, err := m.Probability(p.Phrase, p.Emoji)
		require.NoError(t, err)
		if !p.Match {
			probability = 1 - probability
		}
		loss -= math.Log(probability) / 5
	}
	require.InDelta(t, loss, s.Loss, 1e-6)

	emoji, words, err := m.Similar([]string{"😢", "joy"}, nil, 2)
	require.NoError(t, err)
	require.Equal(t, "😂", emoji[0].Word)
	require.Len(t, words, 2)
	require.NotContains(t, []string{words[0].Word, words[1].Word}, "joy")
	emoji, _, err = m.Similar([]string{"🐈\uFE0F", "Dog"}, []string{"cat"}, 1)
	require.NoError(t, err)
	require.Equal(t, "🐕", emoji[0].Word)
	requireMoodErrors(t, m, test)
	requireMoodsSaved(t, m, test, s)
}

// requireMoodErrors asks a model of moods for what it has not.
func requireMoodErrors(t *testing.T, m *zooemoji.Model, test []zooemoji.Pair) {
	t.Helper()
	var none *zooemoji.NoDescriptionError
	_, err := m.Vector("🦄")
	require.ErrorAs(t, err, &none)
	require.ErrorContains(t, err,
		"no vector for 🦄 (\"\\U0001f984\"): among the pairs learned from it has no description")
	_, _, err = m.Similar([]string{"🦓"}, nil, 1)
	require.ErrorAs(t, err, &none)
	var unknown *vectors.UnknownError
	_, _, err = m.Similar([]string{"zebra"}, nil, 1)
	require.ErrorAs(t, err, &unknown)
	_, err = m.Probability("zebra crossing", "😀")
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, []string{"zebra", "crossing"}, unknown.Words)
	_, _, err = m.Similar(nil, nil, 1)
	require.ErrorContains(t, err, "no term")
	_, err = m.Evaluate(test[:1])
	require.ErrorContains(t, err, "of 1 pairs 0 have no known word")
}

// requireMoodsSaved holds that a model that was saved is as good, on 32 goroutines too, and that a
// changed file is seen.
func requireMoodsSaved(t *testing.T, m *zooemoji.Model, test []zooemoji.Pair, s zooemoji.Score) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, m.Save(dir))
	loaded, err := zooemoji.Load(dir)
	require.NoError(t, err)
	require.Equal(t, m.Config(), loaded.Config())
	require.Equal(t, m.Emoji(), loaded.Emoji())
	var wg sync.WaitGroup
	var errs [32]error
	for i := range errs {
		wg.Go(func() {
			got, err := loaded.Evaluate(test)
			if err == nil && got != s {
				err = fmt.Errorf("%+v", got)
			}
			_, _, err2 := loaded.Similar([]string{"😀"}, []string{"sad"}, 3)
			errs[i] = errors.Join(err, err2)
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs[:]...))
	words2, err := os.ReadFile(filepath.Join(dir, "words.bin"))
	require.NoError(t, err)
	words2[len(words2)-3]++
	require.NoError(t, os.WriteFile(filepath.Join(dir, "words.bin"), words2, 0o666))
	_, err = zoo.Load(dir)
	require.ErrorContains(t, err, "words.bin does not belong to")
	_, err = zooemoji.Load(t.TempDir())
	require.Error(t, err)
}

// The gradient of a batch is that of the equation, in which no negative can be drawn.
func TestEmoji2VecGradient(t *testing.T) {
	pairs := parsePairs(t, "joy\t😀\tTrue\njoy\t😢\tTrue\nsad face\t😀\tFalse\n")
	for _, cfg := range []zooemoji.Config{{}, {Mean: true, Raw: true}} {
		m, err := zooemoji.New(cfg, moods(t), pairs)
		require.NoError(t, err)
		task, err := m.Task(zooemoji.Data{Train: pairs, Batch: 3})
		require.NoError(t, err)
		b, err := task.Next(1, 0)
		require.NoError(t, err)
		require.Equal(t, 3, b.Count)
		g, err := b.Grads[0].Grad()
		require.NoError(t, err)
		got, want := g.Data().([]float32), make([]float64, 32)
		for _, p := range pairs {
			v := make([]float64, 16)
			n := 0.0
			for _, w := range strings.Fields(p.Phrase) {
				x, err := m.Words().Vector(w)
				require.NoError(t, err)
				mean, norm := make([]float64, 16), 1.0
				if !cfg.Raw {
					norm = 0
					for k := range mean {
						for i := range m.Words().Len() {
							mean[k] += float64(m.Words().Row(i)[k]) / float64(m.Words().Len())
						}
						norm += (float64(x[k]) - mean[k]) * (float64(x[k]) - mean[k])
					}
				}
				for k, a := range x {
					v[k] += (float64(a) - mean[k]) / math.Sqrt(norm)
				}
				n++
			}
			probability, err := m.Probability(p.Phrase, p.Emoji)
			require.NoError(t, err)
			if p.Match {
				probability--
			}
			row := slices.Index(m.Emoji(), p.Emoji)
			for k := range v {
				if cfg.Mean {
					v[k] /= n
				}
				want[row*16+k] += probability * v[k] / 3
			}
		}
		for i := range want {
			require.InDelta(t, want[i], got[i], 1e-6)
		}
	}
}

func TestEmoji2VecResumes(t *testing.T) {
	pairs := parsePairs(t, moodPairs)
	run := func(dir string, epochs ...int) any {
		var m *zooemoji.Model
		for i, n := range epochs {
			var err error
			m, err = zooemoji.New(zooemoji.Config{Negatives: 3, Dropout: 0.2}, moods(t), pairs)
			require.NoError(t, err)
			checkpoints, err := train.OpenCheckpoints(dir, 0)
			require.NoError(t, err)
			valid := append(slices.Clone(pairs), zooemoji.Pair{Phrase: "cat", Emoji: "😀"})
			fitEmoji(t, m, zooemoji.Data{Train: pairs, Valid: valid, Batch: 4},
				train.Config{Epochs: n, Seed: 3, Checkpoints: checkpoints, Resume: i > 0})
			require.NoError(t, checkpoints.Close())
		}
		p, _ := m.Params().Get("emoji/E")
		return p.Value().Data()
	}
	require.Equal(t, run(t.TempDir(), 5), run(t.TempDir(), 2, 5))
}

func TestEmojiPairErrors(t *testing.T) {
	long := strings.Repeat("x", zooemoji.MaxPhraseBytes+1)
	for s, want := range map[string]string{
		"":                         "no pair in it",
		"\n \n":                    "no pair in it",
		"a\tb":                     "line 1: 2 fields",
		"a\t😀\tTrue\n\nb\t😀\ttrue": "line 3: the third field is \"true\"",
		"\t😀\tTrue":                "the description has 0 bytes",
		long + "\t😀\tTrue":         "the description has 4097 bytes",
		"a\t\tTrue":                "the emoji has 0 bytes",
		"a\t\uFE0F\tTrue":          "the emoji has 0 bytes",
		"a\t😀 😀\tTrue":             "has a space in it",
		"a\t" + strings.Repeat("😀", 65) + "\tTrue": "the emoji has 260 bytes",
	} {
		_, err := zooemoji.ParsePairs(s)
		require.ErrorContains(t, err, want)
	}
	pairs, err := zooemoji.ParsePairs("a b\t😀\tTrue\r\nc\t😢\tFalse\r\n")
	require.NoError(t, err)
	require.Equal(t, []zooemoji.Pair{{"a b", "😀", true}, {"c", "😢", false}}, pairs)
	path := filepath.Join(t.TempDir(), "pairs")
	require.NoError(t, os.WriteFile(path, []byte("a\t\xff\tTrue\n"), 0o666))
	_, err = zooemoji.ReadPairs(path)
	require.ErrorContains(t, err, path)

	for want, cfg := range map[string]zooemoji.Config{
		"negatives is -1": {Negatives: -1}, "dropout is 1": {Dropout: 1},
		"dropout is NaN": {Dropout: math.NaN()},
	} {
		_, err := zooemoji.New(cfg, moods(t), parsePairs(t, moodPairs))
		require.ErrorContains(t, err, want)
	}
	_, err = zooemoji.New(zooemoji.Config{}, moods(t),
		parsePairs(t, "zebra\t🦓\tTrue\ncat\t🐈\tFalse\n"))
	require.ErrorContains(t, err, "none of 2 pairs is true and has a known word")
	_, err = zooemoji.New(zooemoji.Config{}, nil, nil)
	require.ErrorContains(t, err, "needs vectors of words")
	m, err := zooemoji.New(zooemoji.Config{}, moods(t), parsePairs(t, moodPairs))
	require.NoError(t, err)
	_, err = m.Task(zooemoji.Data{})
	require.ErrorContains(t, err, "there are 0 examples")
}

func FuzzEmojiPairs(f *testing.F) {
	f.Add(moodPairs)
	f.Add("a\tb\tFalse")
	f.Fuzz(func(t *testing.T, s string) {
		pairs, err := zooemoji.ParsePairs(s)
		if err == nil && len(pairs) == 0 {
			t.Fatal("no pairs and no error")
		}
		for _, p := range pairs {
			if p.Phrase == "" || p.Emoji == "" {
				t.Fatalf("%+v", p)
			}
		}
	})
}

// Emoji in a space of three words.
func ExampleModel() {
	words, err := vectors.New([]string{"sun", "rain", "snow"}, 3,
		[]float32{1, 0, 0, 0, 1, 0, 0, 0, 1})
	if err != nil {
		panic(err)
	}
	pairs, err := zooemoji.ParsePairs("sun\t☀️\tTrue\nrain\t☔\tTrue\nsnow\t⛄\tTrue\nsun " +
		"rain\t🌈\tTrue\n")
	if err != nil {
		panic(err)
	}
	m, err := zooemoji.New(zooemoji.Config{}, words, pairs)
	if err != nil {
		panic(err)
	}
	task, err := m.Task(zooemoji.Data{Train: pairs})
	if err != nil {
		panic(err)
	}
	adam, err := train.NewAdam(train.AdamConfig{LR: 0.1})
	if err != nil {
		panic(err)
	}
	if _, err := train.Fit(context.Background(), task,
		train.Config{Optimizer: adam, Epochs: 200}); err != nil {
		panic(err)
	}
	near, _, err := m.Similar([]string{"☀", "rain"}, nil, 1)
	fmt.Println("☀ + rain =", near[0].Word, err)
	_, _, err = m.Similar([]string{"🌵"}, nil, 1)
	fmt.Println(err)
	// Output:
	// ☀ + rain = 🌈 <nil>
	// no vector for 🌵 ("\U0001f335"): among the pairs learned from it has no description, or none with a known word
}

// Vectors may have words with spaces, which no description can use: a model leaves them out and can
// be saved.
func TestEmoji2VecSpacedWords(t *testing.T) {
	v, err := vectors.New([]string{"cat", ". . .", "dog"}, 2, []float32{1, 2, 3, 4, 5, -6})
	require.NoError(t, err)
	m, err := zooemoji.New(zooemoji.Config{Raw: true}, v,
		parsePairs(t, "cat	🐈	True\ndog	🐕	True\n"))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, m.Save(dir))
	_, err = zooemoji.Load(dir)
	require.NoError(t, err)
}
