package word2vec

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/rng"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// topics is a text of sentences that each keep to one of two lists of words.
func topics(sentences int) [][]string {
	lists := [][]string{strings.Fields("sun moon star sky cloud"),
		strings.Fields("salt pepper soup bread butter")}
	s := rng.Stream{Key: rng.New(7)}
	var text [][]string
	for i := range sentences {
		var words []string
		for range 3 + s.Intn(9) {
			words = append(words, lists[i%2][s.Intn(5)])
		}
		text = append(text, append(words, "the"))
	}
	return text
}

var settings = []Config{
	{Model: SkipGram, Output: Negative}, {Model: SkipGram, Output: Hierarchical},
	{Model: CBOW, Output: Negative}, {Model: CBOW, Output: Hierarchical},
}

func each(t *testing.T, run func(t *testing.T, cfg Config)) {
	for _, cfg := range settings {
		t.Run(fmt.Sprint(cfg.Model, " ", cfg.Output), func(t *testing.T) { run(t, cfg) })
	}
}

func TestLearnsTopics(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		cfg.Dim, cfg.Epochs, cfg.Sample, cfg.LR = 16, 10, 1, 0.05
		sentences := topics(1500)
		m, err := New(context.Background(), cfg, sentences)
		require.NoError(t, err)
		var last Progress
		require.NoError(t, m.Train(context.Background(), sentences,
			TrainOptions{Workers: 2, Progress: func(p Progress) { last = p }}))
		require.True(t, m.Done())
		require.Equal(t, 10, last.Epoch)
		require.Equal(t, last.Total, last.Words)
		v, err := m.Vectors()
		require.NoError(t, err)
		near, err := v.Similarity("sun", "moon")
		require.NoError(t, err)
		far, err := v.Similarity("sun", "soup")
		require.NoError(t, err)
		require.Greater(t, near, far+0.3)
		// nothing left to do
		require.NoError(t, m.Train(context.Background(), sentences, TrainOptions{}))
	})
}

// Workers, an interruption and a save on the way make no difference to a bit.
func TestSameBits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(16)) // as many as Train starts at most
	each(t, func(t *testing.T, cfg Config) {
		cfg.Dim, cfg.Epochs, cfg.MinCount = 7, 3, 1
		sentences := topics(700) // several chunks for CBOW
		if cfg.Model == SkipGram {
			sentences = topics(5000)
		}
		train := func(workers int) *Model {
			m, err := New(context.Background(), cfg, sentences)
			require.NoError(t, err)
			require.NoError(t, m.Train(context.Background(), sentences,
				TrainOptions{Workers: workers}))
			return m
		}
		want := train(1)
		for _, workers := range []int{2, 3, 16} {
			got := train(workers)
			require.Equal(t, want.in, got.in, "%d workers", workers)
			require.Equal(t, want.out, got.out, "%d workers", workers)
		}

		m, err := New(context.Background(), cfg, sentences)
		require.NoError(t, err)
		dir := filepath.Join(t.TempDir(), "model")
		stops := 0
		for !m.Done() {
			ctx := &countdown{Context: context.Background(), left: 2}
			if err := m.Train(ctx, sentences, TrainOptions{Workers: 2}); err != nil {
				require.ErrorIs(t, err, context.Canceled)
				stops++
			}
			require.NoError(t, m.Save(dir))
			m, err = Load(dir)
			require.NoError(t, err)
		}
		require.GreaterOrEqual(t, stops, 2)
		require.Equal(t, want.in, m.in)
		require.Equal(t, want.out, m.out)
		require.Equal(t, want.Config(), m.Config())
	})
}

// countdown is a context that is done after its error was asked for so many times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func vocabulary(t *testing.T, counts ...int) *text.Vocabulary {
	var words []string
	for i, n := range counts {
		for range n {
			words = append(words, fmt.Sprint(i))
		}
	}
	v, err := text.NewVocabulary(text.VocabularyConfig{}, words)
	require.NoError(t, err)
	return v
}

func TestTree(t *testing.T) {
	for _, c := range []struct {
		counts []int
		bits   int // of the whole text
	}{
		{[]int{5}, 0}, {[]int{5, 5}, 10}, {[]int{4, 2, 1, 1}, 14}, {[]int{1, 1, 1, 1}, 8},
		{[]int{9, 5, 3, 2, 1, 1}, 46},
	} {
		v := vocabulary(t, c.counts...)
		tree, bits, kraft := newTree(v), 0, 0.0
		seen := map[string]bool{}
		for w := range v.Len() {
			path := tree.path(uint32(w))
			bits += len(path) * int(v.Count(w))
			kraft += math.Pow(2, -float64(len(path)))
			seen[fmt.Sprint(path)] = true
			if len(path) > 0 {
				require.EqualValues(t, v.Len()-2, path[0]>>1, "every path begins at the root")
			}
		}
		require.Equal(t, c.bits, bits, "%v", c.counts)
		require.Equal(t, 1.0, kraft)
		require.Len(t, seen, v.Len())
	}
}

func TestSampler(t *testing.T) {
	v := vocabulary(t, 1000, 100, 10, 1, 1)
	s, total := newSampler(v), 0.0
	for i := range v.Len() {
		total += math.Pow(float64(v.Count(i)), 0.75)
	}
	const n = 1 << 20
	counts := make([]float64, v.Len())
	for i := range uint32(n) {
		counts[s.word(i*(1<<12)+i%(1<<12))]++ // evenly over all numbers
	}
	for i, got := range counts {
		require.InDelta(t, math.Pow(float64(v.Count(i)), 0.75)/total, got/n, 1e-4)
	}
	keep := keepers(v, 0.01)
	f := 1000.0 / 1112
	require.InDelta(t, math.Sqrt(0.01/f)+0.01/f, float64(keep[0])/(1<<32), 1e-9)
	require.EqualValues(t, 1<<32, keep[3])
}

func TestSmallTexts(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		cfg.MinCount, cfg.Dim = 1, 1
		for _, sentences := range [][][]string{{{"a"}}, {{"a", "a"}}, {{"a"}, nil, {"b"}},
			{{"a", "b"}}} {
			m, err := New(context.Background(), cfg, sentences)
			require.NoError(t, err)
			require.NoError(t, m.Train(context.Background(), sentences, TrainOptions{}))
			dir := t.TempDir()
			require.NoError(t, m.Save(dir))
			got, err := Load(dir)
			require.NoError(t, err)
			require.Equal(t, m.in, got.in)
		}
		long := [][]string{make([]string, 2*maxSentence+1)}
		for i := range long[0] {
			long[0][i] = fmt.Sprint(i % 10)
		}
		m, err := New(context.Background(), cfg, long)
		require.NoError(t, err)
		require.Len(t, must(m.encode(context.Background(), all(long))).starts, 4)
	})
}

func TestPhrases(t *testing.T) {
	var sentences [][]string
	for i := range 200 {
		sentences = append(sentences,
			strings.Fields(fmt.Sprintf("w%d new york w%d the w%d", i%17, i%13, i%19)))
	}
	p, err := FindPhrases(context.Background(), PhrasesConfig{Threshold: 5}, sentences)
	require.NoError(t, err)
	require.Equal(t, 1, p.Len())
	require.InDelta(t, 195./200/200*1200, p.Score("new", "york"), 1e-9)
	require.Equal(t, strings.Fields("in new_york new new_york new"),
		p.Join(strings.Fields("in new york new new york new")))
	require.Empty(t, p.Join(nil))
	ctx, cancel := context.WithCancel(t.Context())
	joined, err := p.JoinContext(ctx, []string{"new", "york"})
	require.NoError(t, err)
	require.Equal(t, []string{"new_york"}, joined)
	cancel()
	_, err = p.JoinContext(ctx, []string{"new", "york"})
	require.ErrorIs(t, err, context.Canceled)
	for _, cfg := range []PhrasesConfig{{MinCount: -1}, {Threshold: -1}, {Threshold: math.NaN()},
		{Joiner: " "}} {
		_, err := FindPhrases(context.Background(), cfg, sentences)
		require.Error(t, err)
	}
}

func BenchmarkTrain(b *testing.B) {
	sentences := topics(20000)
	words := 0
	for _, s := range sentences {
		words += len(s)
	}
	for _, cfg := range settings {
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("model=%s/output=%s/workers=%d", cfg.Model, cfg.Output, workers),
				func(b *testing.B) {
					cfg.Epochs, cfg.Sample = 1, 1
					for b.Loop() {
						m, err := New(context.Background(), cfg, sentences)
						require.NoError(b, err)
						require.NoError(b, m.Train(context.Background(), sentences,
							TrainOptions{Workers: workers}))
					}
					b.ReportMetric(float64(words)*float64(b.N)/b.Elapsed().Seconds(), "words/s")
				})
		}
	}
}

// A model says with which instructions its weights were computed, also after it was saved.
func TestInstructions(t *testing.T) {
	was := kernels.CurrentLevel()
	defer kernels.SetLevel(was)
	sentences := [][]string{{"a", "b", "a", "b"}, {"b", "a"}}
	cfg := Config{Dim: 2, MinCount: 1, Epochs: 2, Sample: 1}
	for _, level := range kernels.Levels() {
		kernels.SetLevel(level)
		m, err := New(context.Background(), cfg, sentences)
		require.NoError(t, err)
		require.NoError(t, m.Train(context.Background(), sentences, TrainOptions{}))
		dir, want := t.TempDir(), kernels.Instructions()
		require.NoError(t, m.Save(dir))
		kernels.SetLevel(was)
		m, err = Load(dir)
		require.NoError(t, err)
		require.Equal(t, want, m.Instructions())
	}
}

// A text of which most words are left out is trained on, and said.
func TestWarnOfLeftOutWords(t *testing.T) {
	words := []string{"a", "b", "a", "b", "a", "b"}
	for i := range 4 {
		words = append(words, fmt.Sprint("rare", i))
	}
	var warned []string
	m, err := New(context.Background(), Config{Dim: 2, MinCount: 2, Epochs: 1}, [][]string{words})
	require.NoError(t, err)
	o := TrainOptions{Warn: func(message string) { warned = append(warned, message) }}
	require.NoError(t, m.Train(context.Background(), [][]string{words}, o))
	require.Len(t, warned, 1)
	require.Contains(t, warned[0], "4 of the 10 words of the text (40.0 %) are left out")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
