package word2vec

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/internal/rng"
	"github.com/seqzoo/seqzoo/nodes"
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
		for _, workers := range []int{2, 3, 7, 16, 40} {
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

// To the first order in the rate, what a chunk changes is the rate times the gradient of the
// Network's losses; for the neighbours of CBOW, that times their number.
func TestUpdateIsTheGradient(t *testing.T) {
	each(t, func(t *testing.T, cfg Config) {
		cfg.Dim, cfg.MinCount, cfg.Window, cfg.Negatives, cfg.Sample, cfg.LR = 5, 1, 2, 3, 1, 1e-4
		sentences := topics(6)
		m, err := New(context.Background(), cfg, sentences)
		require.NoError(t, err)
		key := rng.New(3)
		for i := range m.in {
			m.in[i] = float32(key.Normal(uint64(i))) / 2 // so that no score is beyond pathRange
		}
		for i := range m.out {
			m.out[i] = float32(key.Named("out").Normal(uint64(i))) / 2
		}
		in, out := wide(m.in), wide(m.out)
		tr := newTrainer(m, must(m.encode(context.Background(), sentences)), 1)
		tr.key, tr.rate = rng.New(9), 1e-4
		require.Equal(t, len(tr.text.starts)-1, tr.chunk(0))
		if tr.tree != nil {
			paths(tr)
		}

		dIn, dOut := gradients(t, tr, in, out)
		compare(t, dIn, in, m.in)
		compare(t, dOut, out, m.out)
	})
}

// paths notes the steps of a text in a part, as the training with a tree takes them without noting
// them: what is drawn depends on the sentence alone.
func paths(tr *trainer) {
	p := &tr.parts[0]
	for s := range len(tr.text.starts) - 1 {
		d := tr.begin(p, s)
		for at, word := range p.kept {
			from, to := tr.window(p, &d, at)
			for k := from; k < to; k++ {
				switch {
				case k == at:
					continue
				case tr.cfg.Model == CBOW:
					p.neighbours[0] = append(p.neighbours[0], step{uint32(p.examples), p.kept[k]})
				default:
					for _, out := range tr.tree.path(word) {
						p.steps[0] = append(p.steps[0], step{p.kept[k], out})
					}
				}
			}
			if tr.cfg.Model == CBOW && to-from > 1 {
				for _, out := range tr.tree.path(word) {
					p.steps[0] = append(p.steps[0], step{uint32(p.examples), out})
				}
				p.examples++
			}
		}
	}
}

func wide(x []float32) []float64 {
	w := make([]float64, len(x))
	for i, v := range x {
		w[i] = float64(v)
	}
	return w
}

// compare wants the change from old to now to be −1e-4 times the gradient, to 1 % of the greatest
// change.
func compare(t *testing.T, gradient, old []float64, now []float32) {
	largest := 0.0
	for _, g := range gradient {
		largest = max(largest, math.Abs(g))
	}
	require.NotZero(t, largest)
	for i := range old {
		require.InDelta(t, -1e-4*gradient[i], float64(now[i])-old[i], 1e-6*largest+2e-7,
			"element %d", i)
	}
}

// gradients are those of the Network for the steps of a trainer's chunk, each a path of one node.
func gradients(t *testing.T, tr *trainer, in, out []float64) (dIn, dOut []float64) {
	cbow, D := tr.cfg.Model == CBOW, tr.cfg.Dim
	V := len(out)/D + 1 // so that the network has that many outputs
	var centers, contexts, lengths, points, codes, ones []int
	width := 2 * tr.cfg.Window
	for i := range tr.parts {
		p := &tr.parts[i]
		neighbours := make([][]int, p.examples)
		for _, list := range p.neighbours {
			for _, s := range list {
				neighbours[s.in] = append(neighbours[s.in], int(s.out))
			}
		}
		for _, list := range p.steps {
			for _, s := range list {
				points, codes, ones = append(points, int(s.out>>1)), append(codes, 1-int(s.out&1)),
					append(ones, 1)
				if !cbow {
					centers = append(centers, int(s.in))
					continue
				}
				ids := neighbours[s.in]
				lengths = append(lengths, len(ids))
				contexts = append(append(contexts, ids...), make([]int, width-len(ids))...)
			}
		}
	}
	B := len(points)
	store := nodes.NewStore(nodes.Float64, 1)
	n := NewNetwork(store.Root(), NetworkConfig{Model: tr.cfg.Model, Output: Hierarchical, V: V,
		E: D})
	copy(n.in.Value().Data().([]float64), in)
	copy(n.out.Value().Data().([]float64), out)
	g := nodes.NewGraph(nodes.Options{Dtype: nodes.Float64})
	ids := func(name string, values []int, shape ...int) *nodes.Node {
		x := g.IntInput(name, shape...)
		require.NoError(t, gorgonia.Let(x.Gorgonia(),
			tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))))
		return x
	}
	x := Examples{Points: ids("points", points, B, 1), Codes: ids("codes", codes, B, 1),
		Lengths: ids("lengths", ones, B)}
	if cbow {
		x.Contexts, x.ContextLengths = ids("contexts", contexts, B, width),
			ids("context lengths", lengths, B)
	} else {
		x.Centers = ids("centers", centers, B)
	}
	_, losses := n.Losses(x)
	weighted := losses
	if cbow {
		weighted = nodes.Mul(losses, nodes.Sum(mask(x.ContextLengths, width), 1))
	}
	a := g.Gradients(nodes.Sum(weighted), n.in)[0]
	b := g.Gradients(nodes.Sum(losses), n.out)[0]
	machine, err := graph.Compile(g.Expr(), graph.Keep(a.Gorgonia(), b.Gorgonia()))
	require.NoError(t, err)
	defer machine.Close()
	require.NoError(t, machine.RunAll())
	dIn = a.Value().Data().([]float64)[:len(in)] // the network may have one word more
	return dIn, b.Value().Data().([]float64)[:len(out)]
}

// The steps of a word are itself and what was drawn.
func TestSteps(t *testing.T) {
	sentences := [][]string{strings.Fields("a b c a b a d e f g h")}
	m, err := New(context.Background(), Config{MinCount: 1, Window: 1, Negatives: 4, Sample: 1},
		sentences)
	require.NoError(t, err)
	tr := newTrainer(m, must(m.encode(context.Background(), sentences)), 1)
	tr.chunk(0)
	positives, pairs := 0, map[step]int{}
	for i := range tr.parts {
		for k, list := range tr.parts[i].steps {
			for _, s := range list {
				require.EqualValues(t, k, s.in%blocks*blocks+s.out>>1%blocks)
				pairs[s]++
				positives += int(s.out & 1)
			}
		}
	}
	ids := tr.text.ids
	require.Equal(t, 2*(len(ids)-1), positives)
	for i := range ids {
		for _, j := range []int{i - 1, i + 1} {
			if j >= 0 && j < len(ids) {
				require.Positive(t, pairs[step{ids[j], ids[i]<<1 | 1}])
			}
		}
	}
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

func TestSigmoid(t *testing.T) {
	for x := -20.0; x <= 20; x += 0.0007 {
		require.InDelta(t, 1/(1+math.Exp(-float64(float32(x)))), float64(sigmoid(float32(x))), 4e-6)
	}
	for x, want := range map[float64]float32{math.Inf(1): 1, math.Inf(-1): 0, 16: 1, -16: 0,
		math.NaN(): 0, 0: 0.5} {
		require.Equal(t, want, sigmoid(float32(x)))
	}
	require.InDelta(t, 1, sigmoid(math.Nextafter32(16, 0)), 1e-6)
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
		require.Len(t, must(m.encode(context.Background(), long)).starts, 4)
	})
}

func TestRefusals(t *testing.T) {
	sentences := topics(50)
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Model: "x"}, `Model is "x"`}, {Config{Output: Full}, `Output is "full"`},
		{Config{Dim: -1}, "Dim is -1"},
		{Config{Dim: 1 << 40}, "Dim is"}, {Config{Window: -1}, "Window"},
		{Config{Window: 1 << 40}, "Window"}, {Config{MinCount: -1}, "MinCount"},
		{Config{MaxVocab: -1}, "MaxVocab"}, {Config{Negatives: -1}, "Negatives"},
		{Config{Sample: 2}, "Sample"}, {Config{Sample: math.NaN()}, "Sample"},
		{Config{LR: math.Inf(1)}, "LR"}, {Config{LR: -1}, "LR"}, {Config{MinLR: 1}, "MinLR"},
		{Config{Epochs: -1}, "Epochs"},
		{Config{MinCount: 1e9}, "no token"},
	} {
		_, err := New(context.Background(), c.cfg, sentences)
		require.ErrorContains(t, err, c.want)
	}
	_, err := New(context.Background(), Config{}, nil)
	require.ErrorContains(t, err, "no tokens")

	m, err := New(context.Background(), Config{Dim: 4}, sentences)
	require.NoError(t, err)
	ctx := context.Background()
	require.ErrorContains(t, m.Train(ctx, sentences, TrainOptions{Workers: -1}), "Workers is -1")
	require.ErrorContains(t, m.Train(ctx, [][]string{{"unheard"}}, TrainOptions{}),
		"none of the words")
	full := errors.New("disk full")
	require.ErrorIs(t, m.Train(ctx, sentences,
		TrainOptions{AfterEpoch: func(*Model) error { return full }}), full)
	require.ErrorContains(t, m.Train(ctx, topics(51), TrainOptions{}), "not the text")
	require.Equal(t, 1, m.Epoch())
}

func TestLoadRefuses(t *testing.T) {
	m, err := New(context.Background(), Config{Dim: 3}, topics(50))
	require.NoError(t, err)
	_, err = Load(t.TempDir())
	require.ErrorIs(t, err, ErrNoModel)
	for name, c := range map[string]struct {
		file   string
		change func([]byte) []byte
		want   string
	}{
		"config of another kind": {configFile,
			func(b []byte) []byte {
				return []byte(strings.Replace(string(b), architecture, "GRU",
					1))
			}, `"GRU"`},
		"newer format": {configFile,
			func(b []byte) []byte {
				return []byte(strings.Replace(string(b), `"format": 1`,
					`"format": 2`, 1))
			}, "newer version"},
		"unknown field": {configFile,
			func(b []byte) []byte {
				return []byte(strings.Replace(string(b), `"dim"`, `"dimension"`,
					1))
			}, "dimension"},
		"other config": {configFile,
			func(b []byte) []byte {
				return []byte(strings.Replace(string(b), `"window": 5`,
					`"window": 6`, 1))
			}, "does not belong"},
		"endless config": {configFile, func(b []byte) []byte { return make([]byte, 2<<20) },
			"longer than"},
		"other words": {vocabularyFile,
			func(b []byte) []byte { return []byte(strings.Replace(string(b), "sun", "son", 1)) },
			"does not belong"},
		"damaged weights": {weightsFile,
			func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, "checksum"},
		"truncated weights": {weightsFile, func(b []byte) []byte { return b[:len(b)/2] },
			"shorter"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, m.Save(dir))
			path := filepath.Join(dir, c.file)
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, c.change(b), 0o666))
			_, err = Load(dir)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestNetworkRefuses(t *testing.T) {
	for _, cfg := range []NetworkConfig{{}, {Model: CBOW}, {Model: SkipGram, Output: Full, V: 3},
		{Model: CBOW, Output: Negative, V: -1, E: 3}} {
		var e *nodes.BuildError
		require.ErrorAs(t, nodes.Try(func() {
			NewNetwork(nodes.NewStore(nodes.Float32, 1).Root(),
				cfg)
		}), &e)
	}
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
