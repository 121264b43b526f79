package text_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/internal/memtest"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func trainBPE(t testing.TB, cfg text.BPEConfig, texts ...string) *text.BPE {
	b, err := text.TrainBPE(context.Background(), cfg, texts...)
	require.NoError(t, err)
	return b
}

// slowBPE learns by counting all pairs anew for each merge. The chunks are given.
func slowBPE(chunks []string, size, least int) (merges [][2]int) {
	words := make([][]int, len(chunks))
	for i, chunk := range chunks {
		for _, c := range []byte(chunk) {
			words[i] = append(words[i], int(c))
		}
	}
	for 256+len(merges) < size {
		counts := map[[2]int]int{}
		for _, w := range words {
			for k := 1; k < len(w); k++ {
				counts[[2]int{w[k-1], w[k]}]++
			}
		}
		var best [2]int
		for pair, n := range counts {
			if m := counts[best]; n > m || n == m &&
				(pair[0] < best[0] || pair[0] == best[0] && pair[1] < best[1]) {
				best = pair
			}
		}
		if counts[best] < least {
			break
		}
		merges = append(merges, best)
		for i, w := range words {
			words[i] = slowMerge(w, best, 255+len(merges))
		}
	}
	return merges
}

func slowMerge(w []int, pair [2]int, id int) (out []int) {
	for k := 0; k < len(w); k++ {
		if k+1 < len(w) && w[k] == pair[0] && w[k+1] == pair[1] {
			out = append(out, id)
			k++
		} else {
			out = append(out, w[k])
		}
	}
	return out
}

// mergesOf are the merges in the file of b.
func mergesOf(t testing.TB, b *text.BPE) [][2]int {
	var file struct {
		Format string
		Pairs  [][2]int
	}
	require.NoError(t, json.Unmarshal(bpeFile(t, b), &file))
	return file.Pairs
}

func bpeFile(t testing.TB, b *text.BPE) []byte {
	var out bytes.Buffer
	n, err := b.WriteTo(&out)
	require.NoError(t, err)
	require.EqualValues(t, out.Len(), n)
	return out.Bytes()
}

// Random words over few letters, so that runs such as aaaa come up, against the slow way: merges
// and ids.
func TestBPEAgainstLoops(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		letters := []string{"ab", "abc", "aあ", "xyzw"}[round%4]
		var chunks []string
		for range 1 + r.IntN(40) {
			runes := []rune(letters)
			chunk := ""
			for range 1 + r.IntN(9) {
				chunk += string(runes[r.IntN(len(runes))])
			}
			if len(chunks) > 0 {
				chunk = " " + chunk
			}
			chunks = append(chunks, chunk)
		}
		s, size := strings.Join(chunks, ""), 256+r.IntN(40)
		want := slowBPE(chunks, size, 2)
		b := trainBPE(t, text.BPEConfig{Size: size}, s)
		got := mergesOf(t, b)
		require.Equal(t, len(want), len(got))
		for k := range want {
			require.Equal(t, want[k], got[k], "round %d, merge %d", round, k)
		}
		var ids []int
		for _, chunk := range chunks {
			var w []int
			for _, c := range []byte(chunk) {
				w = append(w, int(c))
			}
			for k, pair := range want {
				w = slowMerge(w, pair, 256+k)
			}
			ids = append(ids, w...)
		}
		encoded, err := b.Encode(s)
		require.NoError(t, err)
		require.Equal(t, ids, encoded)
	}
}

// A run of one letter is merged from the left, in powers of two.
func TestBPERuns(t *testing.T) {
	b := trainBPE(t, text.BPEConfig{Size: 259}, strings.Repeat("aaaaaaaa ", 4))
	require.Equal(t, [][2]int{{'a', 'a'}, {256, 256}, {257, 257}}, mergesOf(t, b))
	for s, want := range map[string][]int{"aaa": {256, 'a'}, "aaaaa": {257, 'a'},
		"aaaaaaa": {257, 256, 'a'}, "aaaaaaaaa": {258, 'a'}} {
		ids, err := b.Encode(s)
		require.NoError(t, err)
		require.Equal(t, want, ids, s)
	}
}

// The example of Sennrich et al. (2016) with the space before the word and not an end behind it:
// counted by hand. " newest" comes 6 times and " widest" 3: e s (9), es t (9), then the first of
// the pairs that come 7 times, " l" of " low" (5) and " lower" (2), and so on.
func TestBPEByHand(t *testing.T) {
	s := strings.Repeat(" low", 5) + strings.Repeat(" lower", 2) + strings.Repeat(" newest", 6) +
		strings.Repeat(" widest", 3)
	b := trainBPE(t, text.BPEConfig{Size: 256 + 5}, s)
	var pieces []string
	for id := 256; id < b.Size(); id++ {
		pieces = append(pieces, b.Token(id))
	}
	require.Equal(t, []string{"es", "est", "Ġl", "ow", "Ġlow"}, pieces)
	tokens, err := b.Tokens(" lowest newer")
	require.NoError(t, err)
	require.Equal(t, []string{"Ġlow", "est", "Ġ", "n", "e", "w", "e", "r"}, tokens)
}

// Where a text is cut before anything is merged. The cuts are those of GPT-2's pattern.
func TestBPEChunks(t *testing.T) {
	for s, want := range map[string][]string{
		"":                     nil,
		"Hello world":          {"Hello", " world"},
		"  two  spaces ":       {" ", " two", " ", " spaces", " "},
		"don't we'll I'd 'tis": {"don", "'t", " we", "'ll", " I", "'d", " '", "tis"},
		"a\n\nb\n":             {"a", "\n", "\n", "b", "\n"},
		"a \n b":               {"a", " \n", " b"},
		"3.14 ... x2":          {"3", ".", "14", " ...", " x", "2"},
		"<unk> = Robert =":     {"<", "unk", ">", " =", " Robert", " ="},
		"吾輩は猫である。名前は\u3000まだ": {"吾輩は猫である", "。", "名前は", "\u3000", "まだ"},
		"\t\tx": {"\t", "\t", "x"},
		"\ta":   {"\t", "a"},
	} {
		// All pairs inside a chunk are merged, so that pieces are chunks, as nothing is merged
		// across a border.
		b := trainBPE(t, text.BPEConfig{Size: 3000, Min: 1}, s)
		tokens, err := b.Tokens(s)
		require.NoError(t, err)
		var got []string
		for _, token := range tokens {
			got = append(got, b.Join([]string{token}))
		}
		require.Equal(t, want, got, "%q", s)
	}
}

func TestBPERoundTrip(t *testing.T) {
	b := trainBPE(t, text.BPEConfig{Size: 300}, "the cat sat on the mat, the dog on the log\n")
	for _, s := range []string{"", "the cat", "日本語 and 🦊\n\n tabs\t \x00\x7f", "ÿ®\u00ad Ġ",
		strings.Repeat("the dog ", 100)} {
		ids, err := b.Encode(s)
		require.NoError(t, err)
		back, err := b.Decode(ids)
		require.NoError(t, err)
		require.Equal(t, s, back)
		tokens, err := b.Tokens(s)
		require.NoError(t, err)
		require.Len(t, tokens, len(ids))
		require.Equal(t, s, b.Join(tokens))
		for i, token := range tokens {
			require.Equal(t, b.Token(ids[i]), token)
		}
	}
	lower := trainBPE(t, text.BPEConfig{Size: 260, Lower: true}, "The cat THE CAT")
	ids, err := lower.Encode("THE\r\nCat")
	require.NoError(t, err)
	back, err := lower.Decode(ids)
	require.NoError(t, err)
	require.Equal(t, "the\ncat", back)
	require.Equal(t, "the<unk>", b.Join([]string{"the", text.Unk, text.EOS}))
	require.Equal(t, text.LineEnd, b.Token('\n'))
	require.Empty(t, b.Token(-1)+b.Token(b.Size()))
}

func TestBPEErrors(t *testing.T) {
	for _, size := range []int{-1, 0, 255, text.MaxBPE + 1} {
		_, err := text.TrainBPE(context.Background(), text.BPEConfig{Size: size}, "a")
		require.ErrorContains(t, err, fmt.Sprintf("Size is %d", size))
	}
	_, err := text.TrainBPE(context.Background(), text.BPEConfig{Size: 300, Min: -1}, "a")
	require.ErrorContains(t, err, "Min is -1")
	_, err = text.TrainBPE(context.Background(), text.BPEConfig{Size: 300}, "a\n\xff")
	var bad *text.EncodingError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, 2, bad.Line)
	b := trainBPE(t, text.BPEConfig{Size: 300})
	require.Equal(t, 256, b.Size(), "nothing to learn from")
	_, err = b.Encode("\xff")
	require.ErrorAs(t, err, &bad)
	_, err = b.Tokens("\xff")
	require.ErrorAs(t, err, &bad)
	for _, id := range []int{-1, 256} {
		_, err = b.Decode([]int{1, id})
		require.ErrorContains(t, err, fmt.Sprintf("ids[1] is %d", id))
	}
	s, err := b.Decode([]int{0xe6, 0x97})
	require.NoError(t, err)
	require.Equal(t, "\ufffd", s)
}

// A piece never grows beyond what a vocabulary takes, and a long run of letters is no hang.
func TestBPELongRuns(t *testing.T) {
	long := strings.Repeat("é", 1<<16)
	b := trainBPE(t, text.BPEConfig{Size: 400, Min: 1}, long)
	tokens, err := b.Tokens(long)
	require.NoError(t, err)
	for _, token := range tokens {
		require.LessOrEqual(t, len(token), text.MaxTokenBytes)
	}
	require.Equal(t, long, b.Join(tokens))
}

func TestBPEFile(t *testing.T) {
	b := trainBPE(t, text.BPEConfig{Size: 290, Lower: true},
		strings.Repeat("The cat sat on the mat. ", 9))
	file := bpeFile(t, b)
	require.True(t, json.Valid(file))
	path := filepath.Join(t.TempDir(), "bpe.json")
	require.NoError(t, os.WriteFile(path, file, 0o666))
	again, err := text.LoadBPE(path)
	require.NoError(t, err)
	require.Equal(t, b, again)
	empty := trainBPE(t, text.BPEConfig{Size: 256})
	again, err = parseBPE(string(bpeFile(t, empty)))
	require.NoError(t, err)
	require.Equal(t, 256, again.Size())
	_, err = text.LoadBPE(filepath.Join(t.TempDir(), "absent"))
	require.ErrorContains(t, err, "absent")
	_, err = text.LoadBPE(t.TempDir())
	require.ErrorContains(t, err, "not a regular file")
	for k := range file { // every prefix
		_, err := parseBPE(string(file[:k]))
		require.Error(t, err)
	}
}

func parseBPE(file string) (*text.BPE, error) {
	return text.ReadBPE(strings.NewReader(file), int64(len(file)))
}

func bpeText(n string, lines ...string) string {
	return `{"format": "seqzoo bpe 1", "lower": false, "merges": ` + n + `, "pairs": [` + "\n" +
		strings.Join(append(lines, "]}"), "\n") + "\n"
}

// long is a chain of merges that doubles a piece each time.
func doubling(n int) string {
	lines := []string{"[0, 0],"}
	for k := 1; k < n; k++ {
		lines = append(lines, fmt.Sprintf("[%d, %d],", 255+k, 255+k))
	}
	lines[n-1] = strings.TrimSuffix(lines[n-1], ",")
	return bpeText(fmt.Sprint(n), lines...)
}

var badBPE = map[string]string{
	"":                              "the file ends too early",
	"{}\n":                          "not the first line",
	bpeText("-1"):                   `"merges" is -1`,
	bpeText("9000000000"):           `"merges" is 9000000000`,
	bpeText("99999999999999999999"): "not the first line",
	bpeText("01", "[1, 2]"):         "not the first line",
	bpeText("2", "[1, 2]"):          "expected, the last one without a comma",
	bpeText("1", "[1, 2],"):         "expected, the last one without a comma",
	bpeText("1", "[1,2]"):           "a pair of ids",
	bpeText("1", "[-1, 2]"):         "a pair of ids",
	bpeText("1", "[01, 2]"):         "a pair of ids",
	bpeText("1", "[4294967296, 2]"): "a pair of ids",
	bpeText("1", "[256, 2]"): "merge 0 is of ids 256 and 2; before it there are ids " +
		"0 to 255", bpeText("2", "[1, 2],", "[3, 257]"): "merge 1 is of ids 3 and 257",
	bpeText("2", "[1, 2],", "[1, 2]"):                            "merges 0 and 1 are the same",
	bpeText("1", "[1, 2]", "[3, 4]"):                             "expected after 1 merges",
	bpeText("1", "[1, 2]") + "\n":                                "nothing may follow",
	strings.Replace(bpeText("1", "[1, 2]"), "bpe 1", "bpe 2", 1): "not the first line",
	bpeText("1", "["+strings.Repeat("1", 5000)+", 2]"):           "the line is too long",
	doubling(20): "merge 9 makes a piece of 1024 bytes",
}

func TestBadBPE(t *testing.T) {
	for file, want := range badBPE {
		_, err := parseBPE(file)
		require.ErrorContains(t, err, want, "%.200q", file)
		require.ErrorContains(t, err, "bpe: line ")
	}
}

// Whatever a file holds, it takes less memory than twice its size and 64 kB.
func TestBPEMemory(t *testing.T) {
	var lines []string
	for k := range 50000 { // as many merges as fit: pairs of small ids
		lines = append(lines, fmt.Sprintf("[%d, %d],", k/224, k%224))
	}
	lines[len(lines)-1] = strings.TrimSuffix(lines[len(lines)-1], ",")
	for name, file := range map[string]string{
		"many": bpeText("50000", lines...), "claims": bpeText("1000000"),
		"zeros": strings.Repeat("\n", 1<<20),
	} {
		var err error
		memtest.Within(t, len(file), func() {
			_, err = text.ReadBPE(strings.NewReader(file), int64(len(file)))
		})
		require.Equal(t, name == "many", err == nil, "%s: %v", name, err)
	}
}

func FuzzReadBPE(f *testing.F) {
	f.Add([]byte(bpeText("2", "[1, 2],", "[256, 3]")), "some text")
	for file := range badBPE {
		if len(file) < 300 {
			f.Add([]byte(file), "")
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, s string) {
		b, err := text.ReadBPE(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		require.True(t, json.Valid(data))
		require.Equal(t, string(data), string(bpeFile(t, b)))
		ids, err := b.Encode(s)
		require.Equal(t, utf8.ValidString(s), err == nil)
		if err == nil && !strings.ContainsAny(s, "\r\ufeff") &&
			!bytes.Contains(data, []byte("true")) {
			back, err := b.Decode(ids)
			require.NoError(t, err)
			require.Equal(t, s, back)
		}
	})
}

// The order of the texts and of Go's maps does not matter.
func TestBPEDeterministic(t *testing.T) {
	texts := []string{"the cat sat\n", "on the mat\n", "the rat ate the oat\n"}
	want := bpeFile(t, trainBPE(t, text.BPEConfig{Size: 290}, texts...))
	for range 5 {
		slices.Reverse(texts)
		require.Equal(t, want, bpeFile(t, trainBPE(t, text.BPEConfig{Size: 290}, texts...)))
	}
}

// Pieces are learned from a text, and then write any other.
func ExampleTrainBPE() {
	b, err := text.TrainBPE(context.Background(), text.BPEConfig{Size: 256 + 8},
		"the cat sat on the mat, the rat on the cat")
	if err != nil {
		panic(err)
	}
	tokens, err := b.Tokens("the fat cat 猫")
	if err != nil {
		panic(err)
	}
	fmt.Println(tokens)
	fmt.Println(b.Join(tokens))
	// Output:
	// [the Ġ f at Ġcat Ġ ç Į «]
	// the fat cat 猫
}

func BenchmarkBPE(b *testing.B) {
	s := strings.Repeat("We are accounted poor citizens, the patricians good.\n", 2000)
	bpe := trainBPE(b, text.BPEConfig{Size: 400}, s)
	b.SetBytes(int64(len(s)))
	for b.Loop() {
		if _, err := bpe.Encode(s); err != nil {
			b.Fatal(err)
		}
	}
}
