package vectors_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	_ "github.com/seqzoo/seqzoo/internal/testkit"

	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// royals are vectors in which the parts are royalty, maleness and edibility.
func royals(t testing.TB) *vectors.Vectors {
	v, err := vectors.New([]string{"king", "queen", "man", "woman", "apple", "nothing"}, 3,
		[]float32{
			1, 1, 0,
			1, -1, 0,
			0, 2, 0,
			0, -2, 0,
			0, 0, 3,
			0, 0, 0,
		})
	require.NoError(t, err)
	return v
}

func TestLookup(t *testing.T) {
	v := royals(t)
	require.Equal(t, 6, v.Len())
	require.Equal(t, 3, v.Dim())
	i, ok := v.Index("man")
	require.True(t, ok)
	require.Equal(t, "man", v.Word(i))
	require.Equal(t, []float32{0, 2, 0}, v.Row(i))
	require.Empty(t, v.Word(-1))
	require.Empty(t, v.Word(6))
	require.Nil(t, v.Row(6))
	_, err := v.Vector("pear")
	require.EqualError(t, err, `no vector for "pear"`)

	few := v.First(2)
	require.Equal(t, 2, few.Len())
	_, ok = few.Index("man")
	require.False(t, ok)
	require.Nil(t, few.Row(2))
	require.Zero(t, v.First(-1).Len())
	require.Equal(t, 6, v.First(100).Len())
	none, err := v.First(0).SimilarTo([]float32{1, 0, 0}, 3)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestSimilar(t *testing.T) {
	v := royals(t)
	s, err := v.Similarity("king", "man")
	require.NoError(t, err)
	require.InDelta(t, math.Sqrt2/2, s, 1e-6)
	s, err = v.Similarity("nothing", "man")
	require.NoError(t, err)
	require.Zero(t, s)

	for _, f := range []func(positive, negative []string, n int) ([]vectors.Match, error){v.Similar,
		v.SimilarMul} {
		got, err := f([]string{"king", "woman"}, []string{"man"}, 1)
		require.NoError(t, err)
		require.Len(t, got, 1)
		require.Equal(t, "queen", got[0].Word)
		for n, want := range map[int]int{-1: 0, 0: 0, 2: 2, 100: 5, math.MaxInt: 5} {
			got, err = f([]string{"king"}, nil, n)
			require.NoError(t, err)
			require.Len(t, got, want)
		}
		_, err = f(nil, nil, 3)
		require.Error(t, err)
		_, err = f([]string{"king", "ka", "kb"}, []string{"kc"}, 3)
		require.EqualError(t, err, `no vector for "ka", "kb", "kc"`)
	}
	got, err := v.SimilarTo([]float32{0, 0, 1e-30}, 2)
	require.NoError(t, err)
	require.Equal(t, []vectors.Match{{Word: "apple", Similarity: 1}, {Word: "king"}}, got)
	_, err = v.SimilarTo([]float32{1}, 2)
	require.EqualError(t, err, "vectors: the vector has 1 numbers, those of the words 3")
	_, err = v.SimilarTo([]float32{1, 2, float32(math.NaN())}, 2)
	require.ErrorContains(t, err, "must be finite")

	rank, err := v.Rank("king", "queen")
	require.NoError(t, err)
	require.Equal(t, 2, rank) // man is nearer
	odd, err := v.DoesntMatch("king", "man", "apple")
	require.NoError(t, err)
	require.Equal(t, "apple", odd)
	_, err = v.DoesntMatch()
	require.Error(t, err)
	_, err = v.DoesntMatch("king", "pear")
	require.Error(t, err)
}

// The partial sort finds what sorting everything finds.
func TestSimilarOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 1009
	words, data := make([]string, n), make([]float32, n)
	for i := range words {
		words[i], data[i] = fmt.Sprint(i), float32(rng.IntN(3)-1)
	}
	v, err := vectors.New(words, 1, data)
	require.NoError(t, err)
	all, err := v.SimilarTo([]float32{2}, n)
	require.NoError(t, err)
	for _, k := range []int{1, 2, 7, 400, n - 1} {
		some, err := v.SimilarTo([]float32{2}, k)
		require.NoError(t, err)
		require.Equal(t, all[:k], some)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		words []string
		dim   int
		data  []float32
		want  string
	}{
		"nothing":    {nil, 1, nil, "at least one"},
		"no width":   {[]string{"a"}, 0, nil, "at least one"},
		"negative":   {[]string{"a"}, -1, []float32{1}, "at least one"},
		"data":       {[]string{"a"}, 2, []float32{1, 2, 3}, "have 3 numbers"},
		"empty word": {[]string{""}, 1, []float32{1}, "words[0]: the word is empty"},
		"long word":  {[]string{strings.Repeat("a", 1025)}, 1, []float32{1}, "1025 bytes"},
		"bytes":      {[]string{"\xff"}, 1, []float32{1}, "not UTF-8"},
		"twice": {[]string{"a", "b", "a"}, 1, []float32{1, 2, 3},
			`words[0] and words[2] are both "a"`},
		"infinite": {[]string{"a", "b"}, 1, []float32{1, float32(math.Inf(1))},
			`the vector of "b": number 0 is +Inf`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := vectors.New(c.words, c.dim, c.data)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestConcurrentUse(t *testing.T) {
	v := royals(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			got, err := v.First(5).Similar([]string{"king"}, nil, 1)
			if err != nil || got[0].Word != "man" {
				t.Error(got, err)
			}
		})
	}
	group.Wait()
}

func load(file []byte, o vectors.ReadOptions) (*vectors.Vectors, error) {
	return vectors.Read(context.Background(), bytes.NewReader(file), int64(len(file)), o)
}

func TestAnalogies(t *testing.T) {
	v := royals(t)
	got, err := v.Analogies(context.Background(),
		strings.NewReader(": royal\nMan king Woman queen\nman king woman apple\r\n\nfour words "+
			"or less\n: other\nking pear man woman\n"))
	require.NoError(t, err)
	require.Equal(t, vectors.AnalogyResult{
		Sections: []vectors.Section{{Name: "royal", Correct: 1, Asked: 2}, {Name: "other"}},
		Total:    vectors.Section{Name: "total", Correct: 1, Asked: 2},
		Unknown:  2,
	}, got)
	require.Equal(t, 0.5, got.Total.Accuracy())
	_, err = v.Analogies(context.Background(), strings.NewReader("man king woman queen\n"))
	require.ErrorContains(t, err, "line 1: a section")
	_, err = v.Analogies(context.Background(),
		strings.NewReader(": x\n"+strings.Repeat("a", 1<<20)))
	require.ErrorContains(t, err, "line 2: the line is too long")
	got, err = v.First(0).Analogies(context.Background(),
		strings.NewReader(": royal\nman king woman queen\n"))
	require.NoError(t, err)
	require.Equal(t, 1, got.Unknown)
}

func TestPairs(t *testing.T) {
	v := royals(t)
	got, err := v.Pairs(context.Background(),
		strings.NewReader("# Words\nKing\tman\t9\r\nking\tqueen\t5\nking\twoman\t1\nking\tpear\t1\nno number\tx\ty\n"))
	require.NoError(t, err)
	require.Equal(t, 3, got.Pairs)
	require.Equal(t, 1, got.Unknown)
	require.InDelta(t, 1, got.Spearman, 1e-9)
	_, err = v.Pairs(context.Background(), strings.NewReader("x\ty\t1\n"))
	require.ErrorContains(t, err, "there is no line")
	_, err = v.Pairs(context.Background(), strings.NewReader("king\tman\t9\n"))
	require.ErrorContains(t, err, "does not vary")
}

const python = "/usr/bin/python3"

// gensim runs a program with gensim loaded, or skips.
func gensim(t *testing.T, dir, program string) string {
	if exec.Command(python, "-c", "import gensim").Run() != nil {
		t.Skipf("%s has no gensim (Debian: python3-gensim)", python)
	}
	cmd := exec.Command(python, "-c",
		"import numpy, gensim\nfrom gensim.models import KeyedVectors as K\n"+program)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// gensimScript reads our files, writes its own, and prints what it makes of them.
const gensimScript = `
t = K.load_word2vec_format("our.text")
b = K.load_word2vec_format("our.binary", binary=True)
g = K.load_word2vec_format("our.glove", no_header=True)
assert t.index_to_key == b.index_to_key == g.index_to_key and (t.vectors == b.vectors).all() and (t.vectors == g.vectors).all()
t.save_word2vec_format("their.text")
t.save_word2vec_format("their.binary", binary=True)
t.save_word2vec_format("their.glove", write_header=False)
w = t.index_to_key
print(*[m[0] for m in t.most_similar([w[1], w[2]], [w[3]], topn=5)])
print(*[m[0] for m in t.most_similar_cosmul([w[1], w[2]], [w[3]], topn=5)])
print(t.doesnt_match(w[10:14]))
print(t.rank(w[1], w[2]))
print("%.6f" % t.similarity(w[1], w[2]))
_, s = t.evaluate_word_analogies("questions")
print([(len(x["correct"]), len(x["correct"]) + len(x["incorrect"])) for x in s])
p, s, o = t.evaluate_word_pairs("pairs")
print("%.6f %.6f" % (p[0], s[0]))`

// drawnVectors are vectors of made-up words, two of which differ in case alone, with questions of
// analogies and pairs of words for them.
func drawnVectors(t *testing.T) (v *vectors.Vectors, words []string, questions, pairs string) {
	rng := rand.New(rand.NewPCG(3, 4))
	const n, dim = 301, 10
	words = make([]string, n)
	data := make([]float32, n*dim)
	for i := range words {
		words[i] = fmt.Sprintf("w%d猫é", i)
	}
	words[5], words[6] = "W4猫É", "</s>" // 5 and 4 are the same but for case
	for i := range data {
		data[i] = float32(rng.NormFloat64())
	}
	v, err := vectors.New(words, dim, data)
	require.NoError(t, err)
	var asked, judged strings.Builder
	asked.WriteString(": a\n")
	for i := range 60 {
		w := func() string { return words[rng.IntN(n)] }
		a, b, c := w(), w(), w()
		best, err := v.Similar([]string{b, c}, []string{a}, 1)
		require.NoError(t, err)
		d := best[0].Word
		if i%3 == 0 {
			d = w()
		}
		fmt.Fprintf(&asked, "%s %s %s %s\n", a, b, strings.ToUpper(c), d)
		fmt.Fprintf(&judged, "%s\t%s\t%d\n", a, b, rng.IntN(10))
	}
	asked.WriteString(": b\nx y z w\n")
	judged.WriteString("x\ty\t1\n")
	return v, words, asked.String(), judged.String()
}

// answers are what gensimScript prints, by our functions, with the analogies of unknown words.
func answers(t *testing.T, v *vectors.Vectors, words []string, questions,
	pairs string) (printed string, unknown int) {
	var ours strings.Builder
	for _, similar := range []func(p, n []string, k int) ([]vectors.Match, error){v.Similar,
		v.SimilarMul} {
		found, err := similar([]string{words[1], words[2]}, []string{words[3]}, 5)
		require.NoError(t, err)
		for i, m := range found {
			ours.WriteString(strings.Repeat(" ", min(i, 1)) + m.Word)
		}
		ours.WriteString("\n")
	}
	odd, err := v.DoesntMatch(words[10:14]...)
	require.NoError(t, err)
	rank, err := v.Rank(words[1], words[2])
	require.NoError(t, err)
	similarity, err := v.Similarity(words[1], words[2])
	require.NoError(t, err)
	a, err := v.Analogies(context.Background(), strings.NewReader(questions))
	require.NoError(t, err)
	p, err := v.Pairs(context.Background(), strings.NewReader(pairs))
	require.NoError(t, err)
	fmt.Fprintf(&ours, "%s\n%d\n%.6f\n[(%d, %d), (0, 0), (%[4]d, %[5]d)]\n%.6f %.6f\n",
		odd, rank, similarity, a.Total.Correct, a.Total.Asked, p.Pearson, p.Spearman)
	return ours.String(), a.Unknown
}

// Both sides write vectors, both read what the other wrote, to the bit, and answer the same
// questions alike.
func TestGensim(t *testing.T) {
	dir := t.TempDir()
	v, words, questions, pairs := drawnVectors(t)
	for name, content := range map[string]string{"questions": questions, "pairs": pairs} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666))
	}
	for _, f := range formats {
		require.NoError(t, v.WriteFile(filepath.Join(dir, "our."+f.String()), f))
	}
	out := gensim(t, dir, gensimScript)
	for _, f := range formats {
		got, err := vectors.ReadFile(context.Background(), filepath.Join(dir, "their."+f.String()),
			vectors.ReadOptions{})
		require.NoError(t, err)
		same(t, v, got)
	}
	ours, unknown := answers(t, v, words, questions, pairs)
	require.Equal(t, out, ours)
	require.Equal(t, 1, unknown)
}

func BenchmarkSimilar(b *testing.B) {
	const n, dim = 20000, 100
	words, data := make([]string, n), make([]float32, n*dim)
	for i := range words {
		words[i] = fmt.Sprint(i)
	}
	for i := range data {
		data[i] = float32(i%7) - 3
	}
	v, err := vectors.New(words, dim, data)
	require.NoError(b, err)
	for b.Loop() {
		v.Similar([]string{"1", "2"}, []string{"3"}, 10)
	}
}
