package text

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seqzoo/seqzoo/internal/interrupt"
)

// The special tokens. A vocabulary has those it was given in [VocabularyConfig].Specials.
const (
	Unk = "<unk>" // stands for every token that the vocabulary lacks
	BOS = "<bos>" // begins a sequence
	EOS = "<eos>" // ends a sequence, or a line
	Pad = "<pad>" // fills a short sequence up
)

// MaxTokenBytes is the longest token that a vocabulary takes. Longer ones are unknown.
const MaxTokenBytes = 1024

// VocabularyConfig says which tokens a vocabulary takes. Its zero value takes all, with no
// specials.
type VocabularyConfig struct {
	MinCount int      // leave out tokens that were seen less often; 0 means 1
	MaxSize  int      // keep the most frequent ones, specials counted too; 0 means no limit
	Specials []string // get the first ids, in this order, whether seen or not
	// equal counts are in the order in which the tokens were first seen, instead of by text
	FirstSeen bool
}

// Vocabulary numbers tokens: specials first, then by falling count, and equal counts by text or as
// first seen. It does not change, so any number of goroutines may use it.
type Vocabulary struct {
	text     string   // all tokens, one after another
	starts   []uint32 // token id is text[starts[id]:starts[id+1]]
	counts   []int64
	slots    []uint32 // open addressing: id+1, or 0 where free; half as many again as tokens
	specials int
}

// One seed for all: vocabularies with the same tokens are then deeply equal.
var seed = maphash.MakeSeed()

// NewVocabulary counts the tokens of all sequences (a long text is one, sentences are many) and
// takes those that cfg asks for, save those that are empty, not UTF-8 or too long. If [Unk] is one
// of the specials it is credited with the count of all that was left out.
func NewVocabulary(cfg VocabularyConfig, sequences ...[]string) (*Vocabulary, error) {
	return NewVocabularyContext(context.Background(), cfg, sequences...)
}

// NewVocabularyContext is NewVocabulary, and ends soon with the context's error when that is
// cancelled: to count a large text takes seconds.
func NewVocabularyContext(ctx context.Context, cfg VocabularyConfig,
	sequences ...[]string) (*Vocabulary, error) {
	return NewVocabularyFrom(ctx, cfg, func(yield func([]string, error) bool) {
		for _, tokens := range sequences {
			if !yield(tokens, nil) {
				return
			}
		}
	})
}

// NewVocabularyFrom is NewVocabularyContext of sequences that come one by one and need not fit in
// memory: it ranges over them once, and keeps none. An error among them ends it with that error and
// the number of the sequence.
func NewVocabularyFrom(ctx context.Context, cfg VocabularyConfig,
	sequences iter.Seq2[[]string, error]) (*Vocabulary, error) {
	if sequences == nil {
		return nil, errors.New("vocabulary: there are no sequences to range over")
	}
	if err := interrupt.Err(ctx); err != nil {
		return nil, fmt.Errorf("vocabulary: %w", err)
	}
	errs := cfg.problems()
	counts, first, err := cfg.count(ctx, sequences)
	if err != nil {
		return nil, err
	}
	if len(counts) == 0 {
		errs = append(errs, errors.New("vocabulary: the text has no tokens"))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}

	special := make([]int64, len(cfg.Specials))
	for i, token := range cfg.Specials {
		special[i] = counts[token]
		delete(counts, token)
	}
	kept := slices.Collect(maps.Keys(counts))
	kept = slices.DeleteFunc(kept, func(token string) bool {
		return counts[token] < int64(cfg.MinCount) || checkToken(token) != nil
	})
	slices.SortFunc(kept, func(a, b string) int {
		if counts[a] != counts[b] {
			return cmp.Compare(counts[b], counts[a])
		}
		if cfg.FirstSeen {
			return cmp.Compare(first[a], first[b])
		}
		return cmp.Compare(a, b)
	})
	if cfg.MaxSize > 0 && len(kept) > cfg.MaxSize-len(special) {
		kept = kept[:cfg.MaxSize-len(special)]
	}
	if i := slices.Index(cfg.Specials, Unk); i >= 0 {
		for _, n := range counts {
			special[i] += n
		}
		for _, token := range kept {
			special[i] -= counts[token]
		}
	}
	if len(special)+len(kept) == 0 {
		return nil, fmt.Errorf("vocabulary: no token was seen %d times or more", cfg.MinCount)
	}
	return cfg.listed(special, kept, counts)
}

// problems are all fields that are out of range.
func (cfg VocabularyConfig) problems() (errs []error) {
	if cfg.MinCount < 0 {
		errs = append(errs, fmt.Errorf("vocabulary: MinCount is %d; it must not be negative",
			cfg.MinCount))
	}
	if cfg.MaxSize < 0 || cfg.MaxSize > 0 && cfg.MaxSize < len(cfg.Specials) {
		errs = append(errs, fmt.Errorf("vocabulary: MaxSize is %d; it must be 0 (no limit) or "+
			"hold at least the %d specials", cfg.MaxSize, len(cfg.Specials)))
	}
	for i, special := range cfg.Specials {
		if err := checkToken(special); err != nil {
			errs = append(errs, fmt.Errorf("vocabulary: Specials[%d]: %w", i, err))
		} else if slices.Contains(cfg.Specials[:i], special) {
			errs = append(errs, fmt.Errorf("vocabulary: Specials[%d]: %q stands there twice", i,
				special))
		}
	}
	return errs
}

// count counts the tokens. First numbers them as they come up, if that is their order.
func (cfg VocabularyConfig) count(ctx context.Context,
	sequences iter.Seq2[[]string, error]) (counts map[string]int64, first map[string]int,
	err error) {
	counts, first = map[string]int64{}, map[string]int{}
	n, sequence := 0, 0
	for tokens, err := range sequences {
		if err != nil {
			return nil, nil, fmt.Errorf("vocabulary: sequence %d: %w", sequence, err)
		}
		sequence++
		for _, token := range tokens {
			if n++; n%often == 0 && ctx.Err() != nil {
				return nil, nil, fmt.Errorf("vocabulary: %w", ctx.Err())
			}
			seen := counts[token]
			if seen == 0 {
				token = strings.Clone(token) // it may be a part of a text that is not kept
				if cfg.FirstSeen {
					first[token] = len(first)
				}
			}
			counts[token] = seen + 1
		}
	}
	return counts, first, nil
}

// listed is the vocabulary of the specials, seen as often as special says, and the tokens kept.
func (cfg VocabularyConfig) listed(special []int64, kept []string,
	counts map[string]int64) (*Vocabulary, error) {
	v := newVocabulary(len(special)+len(kept), len(special))
	var all strings.Builder
	for i, token := range cfg.Specials {
		all.WriteString(token)
		v.add(token, special[i])
	}
	for _, token := range kept {
		all.WriteString(token)
		v.add(token, counts[token])
	}
	if all.Len() > maxFile {
		return nil, fmt.Errorf("vocabulary: the tokens hold %d bytes; the limit is %d", all.Len(),
			maxFile)
	}
	v.text = all.String()
	for id := range v.Len() {
		v.enter(id)
	}
	return v, nil
}

func checkToken(token string) error {
	switch {
	case token == "":
		return errors.New("the token is empty")
	case len(token) > MaxTokenBytes:
		return fmt.Errorf("the token has %d bytes; the limit is %d", len(token), MaxTokenBytes)
	case !utf8.ValidString(token):
		return fmt.Errorf("the token %q is not UTF-8", token)
	}
	return nil
}

// newVocabulary has room for n tokens.
func newVocabulary(n, specials int) *Vocabulary {
	return &Vocabulary{
		starts:   append(make([]uint32, 0, n+1), 0),
		counts:   make([]int64, 0, n),
		slots:    make([]uint32, n+n/2+1),
		specials: specials,
	}
}

// add gives the next id to token, whose text the caller collects.
func (v *Vocabulary) add(token string, count int64) {
	v.starts = append(v.starts, v.starts[len(v.starts)-1]+uint32(len(token)))
	v.counts = append(v.counts, count)
}

// enter makes ID find token id, unless the token has an id already: then it returns that one.
func (v *Vocabulary) enter(id int) (twin int, found bool) {
	slot, found := v.slot(v.token(id))
	if found {
		return int(v.slots[slot]) - 1, true
	}
	v.slots[slot] = uint32(id) + 1
	return 0, false
}

// slot is where token stands in the table, or the free slot where it would.
func (v *Vocabulary) slot(token string) (slot int, found bool) {
	if v == nil || len(v.slots) == 0 {
		return 0, false // an empty value has no token
	}
	hi, _ := bits.Mul64(maphash.String(seed, token), uint64(len(v.slots)))
	for slot = int(hi); v.slots[slot] != 0; slot = (slot + 1) % len(v.slots) {
		if v.token(int(v.slots[slot])-1) == token {
			return slot, true
		}
	}
	return slot, false
}

func (v *Vocabulary) token(id int) string { return v.text[v.starts[id]:v.starts[id+1]] }

// made refuses a vocabulary that holds nothing, and so is none of NewVocabulary's.
func (v *Vocabulary) made() error {
	if v.Len() == 0 {
		return errors.New("it is nil, or an empty value: NewVocabulary makes one")
	}
	return nil
}

// Len is the number of tokens, specials included.
func (v *Vocabulary) Len() int {
	if v == nil {
		return 0
	}
	return len(v.counts)
}

// Specials returns the special tokens, in the order of their ids, which begin with 0.
func (v *Vocabulary) Specials() []string {
	if v == nil {
		return nil
	}
	s := make([]string, v.specials)
	for id := range s {
		s[id] = v.token(id)
	}
	return s
}

// ID returns the id of token, and whether the vocabulary has it.
func (v *Vocabulary) ID(token string) (id int, ok bool) {
	slot, ok := v.slot(token)
	if !ok {
		return 0, false
	}
	return int(v.slots[slot]) - 1, true
}

// Token returns the token of id, and whether there is such an id.
func (v *Vocabulary) Token(id int) (token string, ok bool) {
	if id < 0 || id >= v.Len() {
		return "", false
	}
	return v.token(id), true
}

// Count is how often the token of id was seen when the vocabulary was made; 0 if there is no such
// id.
func (v *Vocabulary) Count(id int) int64 {
	if id < 0 || id >= v.Len() {
		return 0
	}
	return v.counts[id]
}

// Unknowns returns the tokens that the vocabulary lacks, each once, in the order of their first
// use.
func (v *Vocabulary) Unknowns(tokens []string) []string {
	var unknown []string
	seen := map[string]bool{}
	for _, token := range tokens {
		if _, ok := v.slot(token); !ok && !seen[token] {
			seen[token] = true
			unknown = append(unknown, token)
		}
	}
	return unknown
}

// Encode returns the ids of tokens. A token that the vocabulary lacks becomes [Unk]; if it lacks
// that too, the error names the unknown tokens.
func (v *Vocabulary) Encode(tokens []string) ([]int, error) {
	unk, hasUnk := v.ID(Unk)
	ids := make([]int, len(tokens))
	for i, token := range tokens {
		id, ok := v.ID(token)
		if !ok {
			if !hasUnk {
				return nil, unknownError(v.Unknowns(tokens))
			}
			id = unk
		}
		ids[i] = id
	}
	return ids, nil
}

func unknownError(tokens []string) error {
	const most = 5
	more := ""
	if len(tokens) > most {
		more = fmt.Sprintf(" and %d more", len(tokens)-most)
		tokens = tokens[:most]
	}
	quoted := make([]string, len(tokens))
	for i, token := range tokens {
		if len(token) > 40 {
			token = strings.ToValidUTF8(token[:40], "") + "…"
		}
		quoted[i] = strconv.Quote(token)
	}
	return fmt.Errorf("the vocabulary lacks %s%s, and has no %s to stand for them",
		strings.Join(quoted, ", "), more, Unk)
}

// Decode returns the tokens of ids. It fails at an id that the vocabulary does not have.
func (v *Vocabulary) Decode(ids []int) ([]string, error) {
	tokens := make([]string, len(ids))
	for i, id := range ids {
		token, ok := v.Token(id)
		if !ok {
			return nil, fmt.Errorf("ids[%d] is %d; the vocabulary has ids 0 to %d", i, id,
				v.Len()-1)
		}
		tokens[i] = token
	}
	return tokens, nil
}

// Copies are the specials <copy1>, …, <copyn>, at most 1000. With them in the vocabularies of its
// sources and of its targets a seq2seq.Model copies words that the vocabularies lack, such as
// names: it learns where the first, the second, … such word of the source goes.
func Copies(n int) []string {
	specials := make([]string, 0, min(max(n, 0), maxCopies))
	for i := range cap(specials) {
		specials = append(specials, fmt.Sprintf("<copy%d>", i+1))
	}
	return specials
}

const maxCopies = 1000
