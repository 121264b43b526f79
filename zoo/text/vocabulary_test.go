package text_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/seqzoo/seqzoo/internal/memtest"
	"github.com/seqzoo/seqzoo/zoo/text"
)

func tokensOf(v *text.Vocabulary) []string {
	tokens := make([]string, v.Len())
	for id := range tokens {
		tokens[id], _ = v.Token(id)
	}
	return tokens
}

func TestNewVocabulary(t *testing.T) {
	tokens := strings.Fields("b c a b c b <eos> d")
	for _, c := range []struct {
		name   string
		cfg    text.VocabularyConfig
		want   string
		counts []int64
	}{
		{"all", text.VocabularyConfig{}, "b c <eos> a d", []int64{3, 2, 1, 1, 1}},
		{"specials first", text.VocabularyConfig{Specials: []string{text.Unk, text.EOS}},
			"<unk> <eos> b c a d", []int64{0, 1, 3, 2, 1, 1}},
		{"minimum count", text.VocabularyConfig{MinCount: 2,
			Specials: []string{text.Pad, text.Unk}}, "<pad> <unk> b c", []int64{0, 3, 3, 2}},
		{"maximum size", text.VocabularyConfig{MaxSize: 3, Specials: []string{text.Unk}},
			"<unk> b c", []int64{3, 3, 2}},
		{"maximum size, ties by text", text.VocabularyConfig{MaxSize: 4}, "b c <eos> a",
			[]int64{3, 2, 1, 1}},
		{"ties as first seen", text.VocabularyConfig{FirstSeen: true}, "b c a <eos> d",
			[]int64{3, 2, 1, 1, 1}},
		{"maximum size, ties as first seen", text.VocabularyConfig{FirstSeen: true, MaxSize: 3,
			Specials: []string{"d"}}, "d b c", []int64{1, 3, 2}},
		{"specials only", text.VocabularyConfig{MaxSize: 1, Specials: []string{text.Unk}}, "<unk>",
			[]int64{8}},
		{"room to spare", text.VocabularyConfig{MaxSize: math.MaxInt}, "b c <eos> a d",
			[]int64{3, 2, 1, 1, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := text.NewVocabulary(c.cfg, tokens[:3], nil, tokens[3:])
			require.NoError(t, err)
			require.Equal(t, strings.Fields(c.want), tokensOf(v))
			require.Equal(t, append([]string{}, c.cfg.Specials...), v.Specials())
			for id, token := range tokensOf(v) {
				require.Equal(t, c.counts[id], v.Count(id), token)
				got, ok := v.ID(token)
				require.True(t, ok)
				require.Equal(t, id, got)
			}
		})
	}
}

func TestNewVocabularyErrors(t *testing.T) {
	some := []string{"a", "b"}
	for _, c := range []struct {
		cfg    text.VocabularyConfig
		tokens []string
		want   string
	}{
		{text.VocabularyConfig{}, nil, "the text has no tokens"},
		{text.VocabularyConfig{MinCount: -1}, some, "MinCount is -1"},
		{text.VocabularyConfig{MaxSize: -1}, some, "MaxSize is -1"},
		{text.VocabularyConfig{MaxSize: 1, Specials: some}, some,
			"MaxSize is 1; it must be 0 (no limit) or hold at least the 2 specials"},
		{text.VocabularyConfig{MinCount: 2}, some, "no token was seen 2 times or more"},
		{text.VocabularyConfig{Specials: []string{""}}, some, "Specials[0]: the token is empty"},
		{text.VocabularyConfig{Specials: []string{"\xff"}}, some,
			`Specials[0]: the token "\xff" is not UTF-8`},
		{text.VocabularyConfig{Specials: []string{text.Unk, text.Unk}}, some,
			`Specials[1]: "<unk>" stands there twice`},
	} {
		_, err := text.NewVocabulary(c.cfg, c.tokens)
		require.ErrorContains(t, err, c.want)
	}
}

func TestTokensThatNoVocabularyTakes(t *testing.T) {
	tokens := []string{"", "a\xff", strings.Repeat("x", text.MaxTokenBytes+1),
		strings.Repeat("y", text.MaxTokenBytes)}
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}}, tokens)
	require.NoError(t, err)
	require.Equal(t, []string{text.Unk, tokens[3]}, tokensOf(v))
	require.EqualValues(t, 3, v.Count(0))
}

func TestEncodeDecode(t *testing.T) {
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}},
		strings.Fields("some of them"))
	require.NoError(t, err)
	phrase := strings.Fields("some zebra of quagga zebra")
	require.Equal(t, []string{"zebra", "quagga"}, v.Unknowns(phrase))
	ids, err := v.Encode(phrase)
	require.NoError(t, err)
	require.Equal(t, []int{2, 0, 1, 0, 0}, ids)
	back, err := v.Decode(ids)
	require.NoError(t, err)
	require.Equal(t, "some <unk> of <unk> <unk>", strings.Join(back, " "))

	for _, id := range []int{-1, 4, math.MaxInt, math.MinInt} {
		_, err = v.Decode([]int{0, id})
		require.EqualError(t, err, fmt.Sprintf("ids[1] is %d; the vocabulary has ids 0 to 3", id))
		_, ok := v.Token(id)
		require.False(t, ok)
		require.Zero(t, v.Count(id))
	}
	_, ok := v.ID("")
	require.False(t, ok)

	v, err = text.NewVocabulary(text.VocabularyConfig{}, []string{"a"})
	require.NoError(t, err)
	_, err = v.Encode([]string{"a", "x", "y", "x"})
	require.EqualError(t, err, `the vocabulary lacks "x", "y", and has no <unk> to stand for them`)
	_, err = v.Encode([]string{"1", "2", "3", "4", "5", "6", "7"})
	require.ErrorContains(t, err, `"5" and 2 more`)
	_, err = v.Encode([]string{strings.Repeat("é", 1000)})
	require.Less(t, len(err.Error()), 200)
}

func written(t require.TestingT, v *text.Vocabulary) string {
	var b bytes.Buffer
	n, err := v.WriteTo(&b)
	require.NoError(t, err)
	require.EqualValues(t, b.Len(), n)
	return b.String()
}

func parse(s string) (*text.Vocabulary, error) {
	return text.ReadVocabulary(strings.NewReader(s), int64(len(s)))
}

func TestVocabularyFile(t *testing.T) {
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}},
		strings.Split("the the \n \" \\ \x01 猫", " "))
	require.NoError(t, err)
	want := `{"format": "seqzoo vocabulary 1", "size": 7, "specials": 1, "tokens": [
["<unk>", 0],
["the", 2],
["\u0001", 1],
["\n", 1],
["\"", 1],
["\\", 1],
["猫", 1]
]}
`
	require.Equal(t, want, written(t, v))
	path := filepath.Join(t.TempDir(), "vocabulary.json")
	require.NoError(t, os.WriteFile(path, []byte(want), 0o600))
	got, err := text.LoadVocabulary(path)
	require.NoError(t, err)
	require.Equal(t, v, got)

	// Any JSON reader can read it.
	var file struct {
		Format         string
		Size, Specials int
		Tokens         [][2]any
	}
	require.NoError(t, json.Unmarshal([]byte(want), &file))
	require.Len(t, file.Tokens, file.Size)
	require.Equal(t, "\x01", file.Tokens[2][0])

	require.NoError(t, os.WriteFile(path, []byte(want[:99]), 0o600))
	_, err = text.LoadVocabulary(path)
	require.EqualError(t, err, path+": vocabulary: line 4: the file ends too early")
}

func TestVocabularyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tokens := rapid.SliceOfN(rapid.StringN(1, 8, -1), 1, 50).Draw(t, "tokens")
		v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk, text.EOS}},
			tokens)
		require.NoError(t, err)
		got, err := parse(written(t, v))
		require.NoError(t, err)
		require.Equal(t, v, got)
		require.Empty(t, v.Unknowns(tokens))
		ids, err := got.Encode(tokens)
		require.NoError(t, err)
		back, err := v.Decode(ids)
		require.NoError(t, err)
		require.Equal(t, tokens, back)
	})
}

func vocabularyFile(size, specials string, lines ...string) string {
	return `{"format": "seqzoo vocabulary 1", "size": ` + size + `, "specials": ` + specials +
		`, "tokens": [` + "\n" +
		strings.Join(lines, "\n") + "\n]}\n"
}

var badVocabularies = []struct{ name, file, want string }{
	{"empty", "", "line 1: the file ends too early"},
	{"other JSON", `{"the": 1}` + "\n", "line 1: not the first line of a vocabulary"},
	{"newer format", strings.Replace(vocabularyFile("1", "0", `["a", 1]`), "lary 1", "lary 2", 1),
		"line 1: not the first line"},
	{"size absent", vocabularyFile("", "0", `["a", 1]`), "line 1: not the first line"},
	{"no tokens", vocabularyFile("0", "0"), `line 1: "size" is 0`},
	{"size negative", vocabularyFile("-1", "0", `["a", 1]`), `line 1: "size" is -1`},
	{"size huge", vocabularyFile("9223372036854775807", "0", `["a", 1]`),
		`can hold 1 to 10 tokens`},
	{"size beyond 64 bits", vocabularyFile("99999999999999999999", "0", `["a", 1]`),
		"line 1: not the first line"},
	{"specials missing", vocabularyFile("1", "2", `["a", 1]`),
		`line 1: "specials" is 2; the vocabulary has 1 tokens`},
	{"specials negative", vocabularyFile("1", "-2", `["a", 1]`), `line 1: "specials" is -2`},
	{"size too large", vocabularyFile("2", "0", `["a", 1],`), "line 3: a line such as"},
	{"size too small", vocabularyFile("1", "0", `["a", 1]`, `["b", 1]`),
		`line 3: "]}" expected after 1 tokens`},
	{"duplicate", vocabularyFile("3", "0", `["a", 1],`, `["b", 1],`, `["a", 1]`),
		`line 4: the token "a" stands on line 2 already`},
	{"duplicate by escape", vocabularyFile("2", "0", `["\"", 1],`, `["\"", 1]`),
		`line 3: the token "\"" stands on line 2`},
	{"empty token", vocabularyFile("1", "0", `["", 10]`), "line 2: the token is empty"},
	{"invalid UTF-8", vocabularyFile("1", "0", "[\"\xff\", 1]"),
		`line 2: the token "\xff" is not UTF-8`},
	{"long token", vocabularyFile("1", "0", `["`+strings.Repeat("a", 1025)+`", 1]`),
		"line 2: the token has 1025 bytes"},
	{"long line", vocabularyFile("1", "0", `["`+strings.Repeat("a", 1<<20)+`", 1]`),
		"line 2: the line is too long"},
	{"raw control character", vocabularyFile("1", "0", "[\"a\tb\", 1]"),
		"line 2: the control character 0x09 must be escaped"},
	{"other escape", vocabularyFile("1", "0", `["\/", 1]`),
		`line 2: \/ is not an escape of this format`},
	{"surrogate", vocabularyFile("1", "0", `["\ud800", 1]`),
		`line 2: \u is not an escape of this format`},
	{"escape cut off", vocabularyFile("1", "0", `["\u00`, `abcdef`),
		"line 2: the token has no closing"},
	{"backslash last", vocabularyFile("1", "0", `["aaaaaaa\`), "line 2: the token has no closing"},
	{"not quoted", vocabularyFile("1", "0", `[abcde, 1]`), "line 2: a line such as"},
	{"no count", vocabularyFile("1", "0", `["abcdef"]`), "line 2: a count such as"},
	{"count negative", vocabularyFile("1", "0", `["a", -1]`), "line 2: a count such as"},
	{"count a fraction", vocabularyFile("1", "0", `["a", 1.5]`), "line 2: a count such as"},
	{"count signed", vocabularyFile("1", "0", `["a", +1]`), "line 2: a count such as"},
	{"count with a leading 0", vocabularyFile("1", "0", `["a", 01]`), "line 2: a count such as"},
	{"count huge", vocabularyFile("1", "0", `["a", 9223372036854775808]`),
		"line 2: a count such as"},
	{"comma after the last", vocabularyFile("1", "0", `["a", 1],`), "line 2: a count such as"},
	{"CRLF", strings.ReplaceAll(vocabularyFile("1", "0", `["a", 1]`), "\n", "\r\n"),
		"line 1: not the first line"},
	{"more behind", vocabularyFile("1", "0", `["a", 1]`) + "\n", "line 4: nothing may follow"},
}

func TestBadVocabularyFiles(t *testing.T) {
	for _, c := range badVocabularies {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse(c.file)
			require.ErrorContains(t, err, c.want)
		})
	}
	good := vocabularyFile("2", "1", `["<unk>", 0],`, `["a", 1]`)
	for n := range good {
		_, err := parse(good[:n])
		require.Error(t, err, n)
	}
	_, err := text.ReadVocabulary(strings.NewReader(good), 1<<40)
	require.ErrorContains(t, err, "the limit is")
	_, err = text.ReadVocabulary(strings.NewReader(good), -1)
	require.Error(t, err)
}

// A failing disk is reported, whichever write it fails.
func TestVocabularyWriteErrors(t *testing.T) {
	v, err := text.NewVocabulary(text.VocabularyConfig{}, []string{"a", "b"})
	require.NoError(t, err)
	for calls := range 4 {
		_, err := v.WriteTo(&brokenWriter{calls})
		require.ErrorIs(t, err, errFull)
	}
	_, err = v.WriteTo(&brokenWriter{4})
	require.NoError(t, err)
}

var errFull = errors.New("no space left")

type brokenWriter struct{ calls int }

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.calls == 0 {
		return 0, errFull
	}
	w.calls--
	return len(p), nil
}

// The worst case for memory: as many tokens as the file can hold.
func TestReadVocabularyMemory(t *testing.T) {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	const n = len(digits)
	for _, end := range []string{`", 0`, `", 100`, `", 9223372036854775807`, `\"\n\u0001", 0`} {
		var lines []string
		for i := range n * n * n {
			lines = append(lines, fmt.Sprintf(`["%c%c%c%s],`, digits[i%n], digits[i/n%n],
				digits[i/n/n], end))
		}
		last := len(lines) - 1
		lines[last] = strings.TrimSuffix(lines[last], ",")
		file := vocabularyFile(fmt.Sprint(len(lines)), "0", lines...)
		memtest.Within(t, len(file), func() {
			v, err := parse(file)
			require.NoError(t, err)
			require.Equal(t, len(lines), v.Len())
		})
	}
}

func FuzzReadVocabulary(f *testing.F) {
	f.Add([]byte(vocabularyFile("2", "1", `["<unk>", 0],`, `["a", 1]`)))
	for _, c := range badVocabularies {
		if len(c.file) < 200 {
			f.Add([]byte(c.file))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := parse(string(data))
		if err == nil {
			require.True(t, json.Valid(data))
			again, err := parse(written(t, v))
			require.NoError(t, err)
			require.Equal(t, v, again)
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	words := text.Words{Lower: true, Lines: true}
	tokens, err := words.Tokens(strings.Repeat("We are accounted poor citizens, the patricians "+
		"good.\n", 2000))
	require.NoError(b, err)
	v, err := text.NewVocabulary(text.VocabularyConfig{Specials: []string{text.Unk}}, tokens)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Encode(tokens); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(tokens))*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}

func TestMerge(t *testing.T) {
	make := func(specials []string, tokens string) *text.Vocabulary {
		v, err := text.NewVocabulary(text.VocabularyConfig{Specials: specials},
			strings.Fields(tokens))
		require.NoError(t, err)
		return v
	}
	special := []string{text.Unk}
	v, err := make(special, "a a a b b c <unk>").Merge(make(special, "c c c d d a <unk> <unk>"))
	require.NoError(t, err)
	want := []struct {
		token string
		count int64
	}{{text.Unk, 3}, {"a", 4}, {"c", 4}, {"b", 2}, {"d", 2}}
	require.Equal(t, len(want), v.Len())
	for id, w := range want {
		token, _ := v.Token(id)
		require.Equal(t, w.token, token)
		require.Equal(t, w.count, v.Count(id))
		got, ok := v.ID(w.token)
		require.True(t, ok)
		require.Equal(t, id, got)
	}
	_, err = make(special, "a").Merge(make(nil, "b"))
	require.ErrorContains(t, err, "specials")
	_, err = make(nil, "a").Merge(nil)
	require.ErrorContains(t, err, "nil")
	_, err = (*text.Vocabulary)(nil).Merge(make(nil, "a"))
	require.ErrorContains(t, err, "nil")
}
