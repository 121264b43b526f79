package emoji

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/internal/kernels"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/zoo"
	"github.com/seqzoo/seqzoo/zoo/internal/shared"
	"github.com/seqzoo/seqzoo/zoo/text"
	"github.com/seqzoo/seqzoo/zoo/vectors"
)

// prefix stands before the errors of this package.
const prefix = check.Prefix("zoo: emoji2vec: ")

// Config says how a Model learns. The zero value of a field is its default.
type Config struct {
	// emoji drawn for each description that they do not have, anew each time; default 1
	Negatives int `json:"negatives"`
	// of the numbers of a description's vector, in training
	Dropout float64 `json:"dropout,omitempty"`
	// a description is the mean of its words' vectors, not their sum
	Mean bool `json:"mean,omitempty"`
	// words and descriptions are brought to this form; as they are by default
	Unicode text.Form `json:"unicode,omitempty"`
	// words' vectors as they are; by default they are centred: less their mean, and then of length
	// 1
	Raw     bool `json:"raw,omitempty"`
	Float64 bool `json:"float64,omitempty"` // vectors of emoji of double precision
}

// Validate reports every field that is out of range.
func (c Config) Validate() error {
	var bad check.Problems
	bad.Optional("negatives", c.Negatives, 1, 1000, "or 0 for 1")
	bad.Rate("dropout", c.Dropout)
	bad.Add(c.Unicode.Validate())
	return bad.Err()
}

// Model gives emoji vectors in the space of words, from what they are said to show (Eisner et al.,
// 2016): the vector x of an emoji is to tell its descriptions from others, where a description is
// the sum v of its words' vectors, which stay as they are:
//
//	P(the description is that of the emoji) = σ(x·v)
//
// An emoji is known with and without variation selectors, which choose its looks, and by
// [Model.Lookup] one that is not known may be found as a plainer one; what is learned and evaluated
// is always the emoji itself. Words are looked up as they are, then in lower case, then piece by
// piece ("stuck-out"); those without a vector are passed over. By default words' vectors are
// centred, since what all have in common tells no two descriptions apart (Mu and Viswanath, 2018).
// Vectors of emoji start at 0, so they are made of their descriptions and those of others alone.
//
// Its parameter is emoji/E [emoji, D], D being the width of the words' vectors.
//
// Its methods other than training are safe for concurrent use.
type Model struct {
	cfg   Config
	words *vectors.Vectors // as given
	space *vectors.Vectors // as used
	emoji *text.Vocabulary // each with the number of its descriptions
	ids   map[string]int   // of emoji, by bare
	store *nodes.Store
	table *nodes.Param
}

// New makes a model for the emoji that have a description with a known word among the true ones of
// pairs, with initial vectors of 0.
func New(cfg Config, words *vectors.Vectors, pairs []Pair) (*Model, error) {
	if words == nil || words.Len() == 0 {
		return nil, prefix.Errorf("it needs vectors of words")
	}
	if err := cfg.Validate(); err != nil {
		return nil, prefix.Wrap(err)
	}
	words, err := singleWords(cfg, words)
	if err != nil {
		return nil, err
	}
	space, err := wordSpace(cfg, words)
	if err != nil {
		return nil, err
	}
	m := &Model{cfg: cfg, words: words, space: space}
	first := map[string]string{}
	var described []string
	for _, p := range pairs {
		if _, known, _ := m.describe(p.Phrase); p.Match && known {
			key := bare(p.Emoji)
			if first[key] == "" {
				first[key] = p.Emoji
			}
			described = append(described, first[key])
		}
	}
	if len(described) == 0 {
		return nil, prefix.Errorf("none of %d pairs is true and has a known word in its "+
			"description", len(pairs))
	}
	emoji, err := text.NewVocabulary(text.VocabularyConfig{}, described)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return newEmoji2Vec(cfg, words, space, emoji)
}

// singleWords brings words to their form, and leaves out those with blanks in them, since no
// description can have one and the model's file cannot hold them, and all but the first of those
// that have become the same.
func singleWords(cfg Config, words *vectors.Vectors) (*vectors.Vectors, error) {
	var names []string
	var data []float32
	same := true
	seen := make(map[string]bool, words.Len())
	for i := range words.Len() {
		w := cfg.Unicode.Of(words.Word(i))
		same = same && w == words.Word(i)
		if !seen[w] && !strings.ContainsFunc(w, unicode.IsSpace) {
			seen[w] = true
			names, data = append(names, w), append(data, words.Row(i)...)
		}
	}
	if same && len(names) == words.Len() {
		return words, nil
	}
	single, err := vectors.New(names, words.Dim(), data)
	if err != nil {
		return nil, prefix.Errorf("words without a blank: %w", err)
	}
	return single, nil
}

// wordSpace is the vectors of words as a model uses them.
func wordSpace(cfg Config, words *vectors.Vectors) (*vectors.Vectors, error) {
	if cfg.Raw {
		return words, nil
	}
	n, D := words.Len(), words.Dim()
	mean, data, names := make([]float64, D), make([]float32, n*D), make([]string, n)
	for i := range n {
		names[i] = words.Word(i)
		for k, x := range words.Row(i) {
			mean[k] += float64(x) / float64(n)
		}
	}
	for i := range n {
		norm := 0.0
		for k, x := range words.Row(i) {
			norm += (float64(x) - mean[k]) * (float64(x) - mean[k])
		}
		norm = max(math.Sqrt(norm), math.SmallestNonzeroFloat64)
		for k, x := range words.Row(i) {
			data[i*D+k] = float32((float64(x) - mean[k]) / norm)
		}
	}
	space, err := vectors.New(names, D, data)
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return space, nil
}

func newEmoji2Vec(cfg Config, words, space *vectors.Vectors, emoji *text.Vocabulary) (*Model,
	error) {
	if err := cfg.Validate(); err != nil {
		return nil, prefix.Wrap(err)
	}
	cfg.Negatives = cmp.Or(cfg.Negatives, 1)
	m := &Model{cfg: cfg, words: words, space: space, emoji: emoji, ids: map[string]int{},
		store: nodes.NewStore(shared.DtypeOf(cfg.Float64), 0)}
	for i := range emoji.Len() {
		e, _ := emoji.Token(i)
		if twin, ok := m.ids[bare(e)]; ok {
			t, _ := emoji.Token(twin)
			return nil, prefix.Errorf("%+q and %+q are one emoji", t, e)
		}
		m.ids[bare(e)] = i
	}
	err := nodes.Try(func() {
		m.table = m.store.Root().In("emoji").Param("E", nodes.Zeros(), emoji.Len(), words.Dim())
	})
	if err != nil {
		return nil, prefix.Wrap(err)
	}
	return m, nil
}

// describe is the vector of a description, whether any of its words is known, and the words that
// are not.
func (m *Model) describe(phrase string) (v []float32, known bool, unknown []string) {
	v = make([]float32, m.words.Dim())
	n := 0
	add := func(word string) bool {
		for _, w := range [2]string{word, strings.ToLower(word)} {
			if i, ok := m.words.Index(w); ok {
				kernels.Axpy(v, 1, m.space.Row(i))
				n++
				return true
			}
		}
		return false
	}
	for _, word := range strings.Fields(m.cfg.Unicode.Of(phrase)) {
		if add(word) {
			continue
		}
		found := false
		for _, piece := range strings.FieldsFunc(word,
			func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			found = piece != word && add(piece) || found
		}
		if !found {
			unknown = append(unknown, word)
		}
	}
	if m.cfg.Mean && n > 0 {
		kernels.MulScalar(v, v, 1/float32(n))
	}
	return v, n > 0, unknown
}

func length(x []float32) float64 {
	sum := 0.0
	for _, a := range x {
		sum += float64(a) * float64(a)
	}
	return math.Sqrt(sum)
}

// NoDescriptionError says that an emoji has no vector.
type NoDescriptionError struct{ Emoji string }

// Error names the emoji, and why it has no vector.
func (e *NoDescriptionError) Error() string {
	return fmt.Sprintf("no vector for %s: among the pairs learned from it has no description, or "+
		"none with a known word", quoteEmoji(e.Emoji))
}

func quoteEmoji(e string) string {
	if len(e) > 64 {
		return fmt.Sprintf("%.40q…", e)
	}
	return fmt.Sprintf("%s (%+q)", e, e)
}

// Emoji lists the emoji, those with the most descriptions first.
func (m *Model) Emoji() []string {
	out := make([]string, m.emoji.Len())
	for i := range out {
		out[i], _ = m.emoji.Token(i)
	}
	return out
}

// Vectors are the emoji with a copy of their vectors as they are now.
func (m *Model) Vectors() (*vectors.Vectors, error) {
	if err := shared.Made(m.store); err != nil {
		return nil, prefix.Wrap(err)
	}
	return vectors.New(m.Emoji(), m.words.Dim(), run.ParamFloats(m.table).Float32s())
}

// Words are the vectors of words that it was made with.
func (m *Model) Words() *vectors.Vectors { return m.words }

// row is the vector of emoji i, not to be changed.
func (m *Model) row(i int) []float32 {
	D := m.words.Dim()
	if all, ok := m.table.Value().Data().([]float32); ok {
		return all[i*D : (i+1)*D]
	}
	return run.ParamFloats(m.table).Rows(i, i+1).Float32s()
}

// score is x·v of emoji i and a description.
func (m *Model) score(i int, v []float32) (dot float64) {
	if !m.cfg.Float64 {
		return float64(kernels.Dot(m.row(i), v))
	}
	for k, x := range run.ParamFloats(m.table).Rows(i, i+1).Float64s() {
		dot += x * float64(v[k])
	}
	return dot
}

// Vector is a copy of the vector of an emoji, or of the one that stands for it by [Model.Lookup].
// The error is a [*NoDescriptionError].
func (m *Model) Vector(emoji string) ([]float32, error) {
	i, _, ok := m.find(emoji)
	if !ok {
		return nil, &NoDescriptionError{emoji}
	}
	return slices.Clone(m.row(i)), nil
}

// Probability is how likely a description is that of an emoji, or of the one that stands for it by
// [Model.Lookup], in [0, 1]. The error is a [*NoDescriptionError], or a [*vectors.UnknownError] if
// none of the words has a vector.
func (m *Model) Probability(phrase, emoji string) (float64, error) {
	i, _, ok := m.find(emoji)
	if !ok {
		return 0, &NoDescriptionError{emoji}
	}
	v, known, unknown := m.describe(phrase)
	if !known {
		return 0, &vectors.UnknownError{Words: unknown}
	}
	dot := m.score(i, v)
	if math.IsNaN(dot) {
		return 0, prefix.Errorf("the vectors of %s and %.40q are too large to be compared",
			quoteEmoji(emoji), phrase)
	}
	return 1 / (1 + math.Exp(-dot)), nil
}

// Similar lists the n emoji and the n words whose vectors are nearest to the sum of the positive
// terms less the negative ones, each at length 1, best first and without the terms themselves. A
// term is an emoji, which [Model.Lookup] finds, or a word. The error is a [*NoDescriptionError] or
// a [*vectors.UnknownError].
func (m *Model) Similar(positive, negative []string, n int) (emoji, words []vectors.Match,
	err error) {
	if err := shared.Made(m.store); err != nil {
		return nil, nil, prefix.Wrap(err)
	}
	if len(positive)+len(negative) == 0 {
		return nil, nil, prefix.Errorf("there is no term to search for")
	}
	query, given := make([]float32, m.words.Dim()), map[string]bool{}
	for k, term := range append(append([]string(nil), positive...), negative...) {
		x, err := m.term(term, given)
		if err != nil {
			return nil, nil, err
		}
		sign := float32(1)
		if k >= len(positive) {
			sign = -1
		}
		if norm := length(x); norm > 0 {
			kernels.Axpy(query, sign/float32(norm), x)
		}
	}
	all, err := m.Vectors()
	if err != nil {
		return nil, nil, prefix.Wrap(err)
	}
	for _, from := range []struct {
		to *[]vectors.Match
		v  *vectors.Vectors
	}{{&emoji, all}, {&words, m.space}} {
		found, err := from.v.SimilarTo(query, max(n, 0)+len(given))
		if err != nil {
			return nil, nil, prefix.Wrap(err)
		}
		for _, f := range found {
			if !given[f.Word] && len(*from.to) < n {
				*from.to = append(*from.to, f)
			}
		}
	}
	return emoji, words, nil
}

// term is the vector of an emoji or a word, which is noted in given as it is listed.
func (m *Model) term(term string, given map[string]bool) ([]float32, error) {
	if i, _, ok := m.find(term); ok {
		e, _ := m.emoji.Token(i)
		given[e] = true
		return m.Vector(e)
	}
	term = m.cfg.Unicode.Of(term)
	for _, w := range [2]string{term, strings.ToLower(term)} {
		if x, err := m.space.Vector(w); err == nil {
			given[w] = true
			return x, nil
		}
	}
	for _, r := range term {
		if unicode.IsLetter(r) {
			return nil, &vectors.UnknownError{Words: []string{term}}
		}
	}
	return nil, &NoDescriptionError{term}
}

// Architecture is "Emoji2Vec".
func (m *Model) Architecture() string { return "Emoji2Vec" }

// Params holds the vectors of the emoji.
func (m *Model) Params() *nodes.Store { return m.store }

// Config is the configuration that the model was made with, defaults filled in.
func (m *Model) Config() Config { return m.cfg }

// wordsFile holds the vectors of words of a Model, in word2vec's binary form.
const wordsFile = "words.bin"

// Save writes config.json, vocabulary.json, which are the emoji, words.bin, the vectors of words in
// word2vec's binary form, and model.safetensors to path; see zoo.Save.
func (m *Model) Save(path string) error { return zoo.Save(path, m) }

// Files are the files that Save writes beside the weights.
func (m *Model) Files() zoo.Files {
	return zoo.Files{Config: m.cfg, Extra: map[string]func(io.Writer) error{
		zoo.VocabularyFile: func(w io.Writer) error { _, err := m.emoji.WriteTo(w); return err },
		wordsFile:          func(w io.Writer) error { return m.words.Write(w, vectors.Binary) },
	}}
}

func init() { zoo.Register("Emoji2Vec", open, wordsFile, zoo.VocabularyFile) }

func open(d *zoo.Dir, cfg Config) (*Model, error) {
	emoji, err := shared.ReadVocabulary(d, zoo.VocabularyFile)
	if err != nil {
		return nil, err
	}
	f, err := d.File(wordsFile)
	if err != nil {
		return nil, err
	}
	words, err := vectors.Read(context.Background(), f, f.Size(),
		vectors.ReadOptions{Format: vectors.Binary})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", wordsFile, err)
	}
	space, err := wordSpace(cfg, words)
	if err != nil {
		return nil, err
	}
	return newEmoji2Vec(cfg, words, space, emoji)
}

// Load is Load for a directory that must hold a Model.
func Load(dir string) (*Model, error) { return zoo.LoadAs[*Model](dir, "an Emoji2Vec") }
