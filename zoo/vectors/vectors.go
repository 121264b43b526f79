// Package vectors holds words and their vectors: what word2vec, GloVe and their kin give away as
// files.
//
// # Finding
//
// Similarity is the cosine throughout. Similar is 3CosAdd (Mikolov, Yih and Zweig, 2013): with one
// positive word it lists the nearest words, with two positive and one negative it answers an
// analogy: king and woman, less man. SimilarMul is 3CosMul (Levy and Goldberg, 2014). A vector of
// zeros is similar to nothing: 0.
//
// # Files
//
// Read takes word2vec's text and binary form and GloVe's text, plain or compressed by gzip, Write
// writes them. In text, the last fields of a line are the vector and what stands before them is the
// word, which may have spaces. A file may come from anyone: whatever it holds, reading it gives
// vectors or an error that says where the file is wrong, or what it is instead, and takes at most
// twice the file's size and 64 kB of memory; if it is compressed, twice the size of what it holds
// and the decompressor's.
//
// # Evaluation
//
// Analogies and Pairs count as gensim's evaluate_word_analogies and evaluate_word_pairs do, so that
// figures compare.
package vectors

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// MaxWordBytes is the length of the longest word.
const MaxWordBytes = 1024

// Vectors is a list of words, each with a vector of Dim numbers. It does not change, so any number
// of goroutines may use it.
type Vectors struct {
	text   string   // all words, one after another
	starts []uint32 // word i is text[starts[i]:starts[i+1]]
	slots  []uint32 // open addressing: i+1, or 0 where free
	data   []float32
	dim    int
	n      int // words; those behind are out of sight, see First
	units  func() []float32

	warnings []string
}

// UnknownError names words that have no vector.
type UnknownError struct{ Words []string }

func (e *UnknownError) Error() string {
	const most = 5
	var b strings.Builder
	b.WriteString("no vector for ")
	for i, w := range e.Words {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(e.Words)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(w))
	}
	return b.String()
}

// quote is a word for an error message, which may be long.
func quote(w string) string {
	if len(w) > 40 {
		w = strings.ToValidUTF8(w[:40], "") + "…"
	}
	return strconv.Quote(w)
}

// New makes vectors of words, each once, and data [len(words), dim], row-major, which is not
// copied.
func New(words []string, dim int, data []float32) (*Vectors, error) {
	if dim < 1 || len(words) == 0 || len(data)/dim != len(words) || len(data)%dim != 0 {
		return nil, fmt.Errorf("vectors: %d words of width %d need at least one of both, and "+
			"have %d numbers", len(words), dim, len(data))
	}
	bytes := 0
	for i, w := range words {
		if err := checkWord(w); err != nil {
			return nil, fmt.Errorf("vectors: words[%d]: %w", i, err)
		}
		bytes += len(w)
	}
	for i, x := range data {
		if !finite(x) {
			return nil, fmt.Errorf("vectors: the vector of %s: number %d is %v; it must be finite",
				quote(words[i/dim]), i%dim, x)
		}
	}
	b, err := newBuilder(len(words), bytes, dim)
	if err != nil {
		return nil, fmt.Errorf("vectors: %w", err)
	}
	b.data = data
	for i, w := range words {
		if twin, known := b.add(w); known {
			return nil, fmt.Errorf("vectors: words[%d] and words[%d] are both %s", twin, i,
				quote(w))
		}
	}
	return b.vectors(), nil
}

func checkWord(w string) error {
	switch {
	case w == "":
		return errors.New("the word is empty")
	case len(w) > MaxWordBytes:
		return fmt.Errorf("the word has %d bytes; the limit is %d", len(w), MaxWordBytes)
	case !utf8.ValidString(w):
		return fmt.Errorf("the word %s is not UTF-8", quote(w))
	}
	return nil
}

func finite(x float32) bool { return x-x == 0 }

// builder collects words; its slices never grow.
type builder struct {
	Vectors
	words strings.Builder
}

// newBuilder makes room for n words with the given number of bytes in all. The caller allocates the
// numbers.
func newBuilder(n, bytes, dim int) (*builder, error) {
	if bytes > math.MaxUint32 || n >= math.MaxUint32 {
		return nil, fmt.Errorf("%d words of %d bytes; the limit is 4 GiB", n, bytes)
	}
	b := &builder{Vectors: Vectors{
		starts: append(make([]uint32, 0, n+1), 0),
		slots:  make([]uint32, slotCount(n)),
		dim:    dim,
	}}
	b.words.Grow(bytes)
	return b, nil
}

func slotCount(n int) int { return n + n/4 + 1 }

// add gives w the next index, unless it has one: then it returns that.
func (b *builder) add(w string) (twin int, known bool) {
	b.text = b.words.String()
	slot, known := b.slot(w)
	if known {
		return int(b.slots[slot]) - 1, true
	}
	b.words.WriteString(w)
	b.starts = append(b.starts, uint32(b.words.Len()))
	b.n++
	b.slots[slot] = uint32(b.n)
	return 0, false
}

func (b *builder) vectors() *Vectors {
	v := b.Vectors
	v.text = b.words.String()
	v.units = sync.OnceValue(func() []float32 { return units(v.data, v.dim) })
	return &v
}

// units is the rows of data at length 1; a row of zeros stays.
func units(data []float32, dim int) []float32 {
	u := make([]float32, len(data))
	for i := 0; i < len(data); i += dim {
		unit(u[i:i+dim], data[i:i+dim])
	}
	return u
}

// unit is dst = x / |x|, or 0 if x is. No square leaves the range of float64.
func unit(dst, x []float32) {
	sum := 0.0
	for _, a := range x {
		sum += float64(a) * float64(a)
	}
	if sum == 0 {
		sum = 1
	}
	length := math.Sqrt(sum)
	for i, a := range x {
		dst[i] = float32(float64(a) / length)
	}
}

var seed = maphash.MakeSeed()

// slot is where w stands in the table, or the free slot where it would.
func (v *Vectors) slot(w string) (slot int, known bool) {
	if v == nil || len(v.slots) == 0 {
		return 0, false // an empty value has no word
	}
	hi, _ := bits.Mul64(maphash.String(seed, w), uint64(len(v.slots)))
	for slot = int(hi); v.slots[slot] != 0; {
		if v.word(int(v.slots[slot])-1) == w {
			return slot, true
		}
		if slot++; slot == len(v.slots) {
			slot = 0
		}
	}
	return slot, false
}

func (v *Vectors) word(i int) string { return v.text[v.starts[i]:v.starts[i+1]] }

// Warnings name the lines that were passed over in the file that the vectors were read from.
func (v *Vectors) Warnings() []string { return v.warnings }

// Len is the number of words.
func (v *Vectors) Len() int { return v.n }

// Dim is the width of a vector.
func (v *Vectors) Dim() int { return v.dim }

// Index is the position of a word, and whether it has a vector.
func (v *Vectors) Index(word string) (i int, ok bool) {
	slot, ok := v.slot(word)
	if !ok || int(v.slots[slot]) > v.n {
		return 0, false
	}
	return int(v.slots[slot]) - 1, true
}

// Word is the word at a position, "" if there is no such position. Files list frequent words first.
func (v *Vectors) Word(i int) string {
	if i < 0 || i >= v.n {
		return ""
	}
	return v.word(i)
}

// Row is a view of the vector at a position; nil if there is no such position. It must not be
// changed.
func (v *Vectors) Row(i int) []float32 {
	if i < 0 || i >= v.n {
		return nil
	}
	return v.row(v.data, i)
}

func (v *Vectors) row(data []float32, i int) []float32 {
	return data[i*v.dim : (i+1)*v.dim : (i+1)*v.dim]
}

// Vector is a view of a word's vector, which must not be changed. The error is an [*UnknownError].
func (v *Vectors) Vector(word string) ([]float32, error) {
	i, ok := v.Index(word)
	if !ok {
		return nil, &UnknownError{[]string{word}}
	}
	return v.Row(i), nil
}

// First is a view of the first n words: a search in it is faster and finds no rarer word.
func (v *Vectors) First(n int) *Vectors {
	w := *v
	w.n = max(0, min(n, v.n))
	return &w
}

// indices are the positions of words. The error is an [*UnknownError].
func (v *Vectors) indices(words ...[]string) ([]int, error) {
	var found []int
	var unknown []string
	for _, list := range words {
		for _, w := range list {
			if i, ok := v.Index(w); ok {
				found = append(found, i)
			} else {
				unknown = append(unknown, w)
			}
		}
	}
	if unknown != nil {
		return nil, &UnknownError{unknown}
	}
	return found, nil
}

// cosine is the similarity of two words.
func (v *Vectors) cosine(i, j int) float32 {
	u := v.units()
	return kernels.Dot(v.row(u, i), v.row(u, j))
}
