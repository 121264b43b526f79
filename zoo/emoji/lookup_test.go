package emoji_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	zooemoji "github.com/seqzoo/seqzoo/zoo/emoji"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// An emoji is found however it is written, and one that is not known as a plainer one, which is
// said; a flag is no other's.
func TestLookup(t *testing.T) {
	m, err := zooemoji.New(zooemoji.Config{}, moods(t),
		parsePairs(t, "happy\t☀\tTrue\nsad\t👍\tTrue\nface\t👩\tTrue\n"+
			"tears\t🧑‍🚀\tTrue\njoy\t🏃\tTrue\ncat\t🇫🇷\tTrue\ndog\t1️⃣\tTrue\nstuck\t🏳️\tTrue\nout\t👨‍👩‍👧\tTrue\nangry\t👋🏿\tTrue\n"))
	require.NoError(t, err)
	for asked, want := range map[string]struct {
		known string
		exact bool
	}{
		"☀":        {"☀", true},
		"☀\uFE0F":  {"☀", true},
		"☀\uFE0E":  {"☀", true},
		"1\u20E3":  {"1️⃣", true},
		"👍":        {"👍", true},
		"👍🏽":       {"👍", false},
		"👩🏻":       {"👩", false},
		"👩‍🦰":      {"👩", false}, // hair
		"👩🏽‍🦰":     {"👩", false},
		"👩‍🚀":      {"🧑‍🚀", false}, // the profession, of another person
		"👨🏿‍🚀":     {"🧑‍🚀", false},
		"👩‍🌾":      {"👩", false}, // not known: who it is
		"🏃‍♀️":     {"🏃", false},
		"🏃🏽‍♂️‍➡️": {"🏃", false},
		"👨‍👩‍👧":    {"👨‍👩‍👧", true},
		"👨‍👩‍👧‍👦":  {"👨‍👩‍👧", false},
		"🇫🇷":       {"🇫🇷", true},
		"👋🏿":       {"👋🏿", true},
		"🏳":        {"🏳️", true},
	} {
		known, exact, err := m.Lookup(asked)
		require.NoError(t, err, "%s %+q", asked, asked)
		require.Equal(t, want.known, known, "%s %+q", asked, asked)
		require.Equal(t, want.exact, exact, "%s %+q", asked, asked)
		found, err := m.Vector(asked)
		require.NoError(t, err)
		known2, err := m.Vector(known)
		require.NoError(t, err)
		require.Equal(t, known2, found)
	}
	for _, asked := range []string{
		"🇩🇪", "🇫", "🏳️‍🌈", "🏴\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F", // flags
		"2️⃣", "1", "🦄", "", "\uFE0F", "🏽", "\u200D", "🦄\u200D🦄", "👋", "👋🏻",
	} {
		_, _, err := m.Lookup(asked)
		var none *zooemoji.NoDescriptionError
		require.ErrorAs(t, err, &none, "%+q", asked)
	}
	// What is learned and evaluated is the emoji itself.
	s, err := m.Evaluate(parsePairs(t, "sad\t👍\tTrue\nsad\t👍🏽\tTrue\nhappy\t👍\tFalse\n"))
	require.NoError(t, err)
	require.Equal(t, 1, s.Unknown)
}

// In a Unicode form, words are found however they are written, in vectors as in descriptions,
// before and after saving.
func TestEmojiForms(t *testing.T) {
	words, err := vectors.New([]string{"cafe\u0301", "tea", "caf\u00e9"}, 2,
		[]float32{1, 0, 0, 1, 5, 5})
	require.NoError(t, err)
	pairs := parsePairs(t, "caf\u00e9\t☕\tTrue\ntea\t🍵\tTrue\n")
	m, err := zooemoji.New(zooemoji.Config{Raw: true, Unicode: text.NFC}, words, pairs)
	require.NoError(t, err)
	require.Equal(t, 2, m.Words().Len())
	dir := t.TempDir()
	require.NoError(t, m.Save(dir))
	loaded, err := zooemoji.Load(dir)
	require.NoError(t, err)
	for _, m := range []*zooemoji.Model{m, loaded} {
		a, err := m.Probability("cafe\u0301", "☕")
		require.NoError(t, err)
		b, err := m.Probability("caf\u00e9", "☕")
		require.NoError(t, err)
		require.Equal(t, a, b)
		_, _, err = m.Similar([]string{"Cafe\u0301"}, nil, 1)
		require.NoError(t, err)
	}
	_, err = zooemoji.New(zooemoji.Config{Unicode: "x"}, words, pairs)
	require.ErrorContains(t, err, "the Unicode form is")
}
