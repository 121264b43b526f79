package text

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seqzoo/seqzoo/internal/interrupt"
	"github.com/seqzoo/seqzoo/internal/safefile"
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
	MinCount int      // leave out what was seen less often; 0 means 1
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
	if err := interrupt.Err(ctx); err != nil {
		return nil, fmt.Errorf("vocabulary: %w", err)
	}
	var errs []error
	if cfg.MinCount < 0 {
		errs = append(errs, fmt.Errorf("vocabulary: MinCount is %d; it must not be negative",
			cfg.MinCount))
	}
	if cfg.MaxSize < 0 || cfg.MaxSize > 0 && cfg.MaxSize < len(cfg.Specials) {
		errs = append(errs, fmt.Errorf("vocabulary: MaxSize is %d; it must be 0 (no limit) or hold at least the %d specials",
			cfg.MaxSize, len(cfg.Specials)))
	}
	for i, special := range cfg.Specials {
		if err := checkToken(special); err != nil {
			errs = append(errs, fmt.Errorf("vocabulary: Specials[%d]: %w", i, err))
		} else if slices.Contains(cfg.Specials[:i], special) {
			errs = append(errs, fmt.Errorf("vocabulary: Specials[%d]: %q stands there twice", i,
				special))
		}
	}
	counts, first, n := map[string]int64{}, map[string]int{}, 0
	for _, tokens := range sequences {
		for _, token := range tokens {
			if n++; n%often == 0 && ctx.Err() != nil {
				return nil, fmt.Errorf("vocabulary: %w", ctx.Err())
			}
			if cfg.FirstSeen && counts[token] == 0 {
				first[token] = len(first)
			}
			counts[token]++
		}
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
	hi, _ := bits.Mul64(maphash.String(seed, token), uint64(len(v.slots)))
	for slot = int(hi); v.slots[slot] != 0; slot = (slot + 1) % len(v.slots) {
		if v.token(int(v.slots[slot])-1) == token {
			return slot, true
		}
	}
	return slot, false
}

func (v *Vocabulary) token(id int) string { return v.text[v.starts[id]:v.starts[id+1]] }

// Len is the number of tokens, specials included.
func (v *Vocabulary) Len() int { return len(v.counts) }

// Specials returns the special tokens, in the order of their ids, which begin with 0.
func (v *Vocabulary) Specials() []string {
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

// The file is JSON in a fixed layout, a token and its count a line, so that every language reads
// it, two versions can be compared by line, and an error has a line. The layout also bounds memory:
// a line has at least ten bytes.
const (
	fileHeader = `{"format": "seqzoo vocabulary 1", "size": %d, "specials": %d, "tokens": [`
	fileFooter = `]}`
	lineBytes  = len(`["a", 0],` + "\n")
	maxFile    = 1 << 30
)

// WriteTo writes the vocabulary as [ReadVocabulary] reads it.
func (v *Vocabulary) WriteTo(w io.Writer) (int64, error) {
	var written int64
	line := fmt.Appendf(nil, fileHeader+"\n", v.Len(), v.specials)
	for id := range v.Len() + 1 {
		n, err := w.Write(line)
		written += int64(n)
		if err != nil {
			return written, fmt.Errorf("vocabulary: %w", err)
		}
		if id == v.Len() {
			break
		}
		line = appendQuoted(append(line[:0], '['), v.token(id))
		line = strconv.AppendInt(append(line, ", "...), v.counts[id], 10)
		line = append(line, ']')
		if id < v.Len()-1 {
			line = append(line, ',')
		}
		line = append(line, '\n')
	}
	n, err := io.WriteString(w, fileFooter+"\n")
	if err != nil {
		err = fmt.Errorf("vocabulary: %w", err)
	}
	return written + int64(n), err
}

// LoadVocabulary reads the file at path.
func LoadVocabulary(path string) (*Vocabulary, error) {
	f, size, err := safefile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	v, err := ReadVocabulary(f, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// ReadVocabulary reads what [Vocabulary.WriteTo] wrote, size bytes long. Whatever r holds, it takes
// less memory than twice size and 64 kB. An error names the line.
func ReadVocabulary(r io.Reader, size int64) (*Vocabulary, error) {
	if r == nil || size < 0 || size > maxFile {
		return nil, fmt.Errorf("vocabulary: %d bytes of a reader that must not be nil; the limit is %d", size, maxFile)
	}
	p := parser{r: bufio.NewReaderSize(io.LimitReader(r, size), 8*MaxTokenBytes)}
	v, err := p.vocabulary(int(size))
	if err != nil {
		return nil, fmt.Errorf("vocabulary: line %d: %w", p.line, err)
	}
	return v, nil
}

type parser struct {
	r    *bufio.Reader
	line int
}

func (p *parser) vocabulary(size int) (*Vocabulary, error) {
	header, err := p.next()
	if err != nil {
		return nil, err
	}
	var n, specials int
	fmt.Sscanf(string(header), fileHeader, &n, &specials)
	if want := fmt.Sprintf(fileHeader, n, specials); string(header) != want {
		return nil, fmt.Errorf("not the first line of a vocabulary, such as %q", want)
	}
	if n < 1 || n > size/lineBytes {
		return nil, fmt.Errorf(`"size" is %d; the file of %d bytes can hold 1 to %d tokens`, n,
			size, size/lineBytes)
	}
	if specials < 0 || specials > n {
		return nil, fmt.Errorf(`"specials" is %d; the vocabulary has %d tokens`, specials, n)
	}
	v := newVocabulary(n, specials)
	var text strings.Builder
	text.Grow(size - (lineBytes-1)*n)
	for id := range n {
		line, err := p.next()
		if err != nil {
			return nil, err
		}
		start := text.Len()
		rest, err := unquote(&text, line)
		if err != nil {
			return nil, err
		}
		token := text.String()[start:]
		if err := checkToken(token); err != nil {
			return nil, err
		}
		count, err := parseCount(rest, id == n-1)
		if err != nil {
			return nil, err
		}
		v.add(token, count)
	}
	footer, err := p.next()
	if err != nil {
		return nil, err
	}
	if string(footer) != fileFooter {
		return nil, fmt.Errorf("%q expected after %d tokens", fileFooter, n)
	}
	if _, err := p.r.ReadByte(); err != io.EOF {
		p.line++
		return nil, errors.New("nothing may follow the vocabulary")
	}
	v.text = text.String()
	for id := range n {
		if twin, found := v.enter(id); found {
			p.line = id + 2
			return nil, fmt.Errorf("the token %q stands on line %d already", v.token(id), twin+2)
		}
	}
	return v, nil
}

// next returns a line without its end, valid until the next call.
func (p *parser) next() ([]byte, error) {
	p.line++
	line, err := p.r.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return nil, errors.New("the line is too long")
	case err == io.EOF:
		return nil, errors.New("the file ends too early")
	case err != nil:
		return nil, err
	}
	return line[:len(line)-1], nil
}

// The escapes of the file. Other control characters are written as \u00xx.
const escaped, escapes = "\"\\\n\r\t", `"\nrt`

// appendQuoted appends token as a JSON string.
func appendQuoted(b []byte, token string) []byte {
	b = append(b, '"')
	for _, c := range []byte(token) {
		if i := strings.IndexByte(escaped, c); i >= 0 {
			b = append(b, '\\', escapes[i])
		} else if c < ' ' {
			b = fmt.Appendf(b, `\u%04x`, c)
		} else {
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// unquote writes the token of a line such as `["token", 1],` to text, and returns the rest of line.
func unquote(text *strings.Builder, line []byte) (rest []byte, err error) {
	if string(line[:min(2, len(line))]) != `["` {
		return nil, errors.New(`a line such as ["token", 1], expected`)
	}
	for i := 2; i < len(line); i++ {
		c := line[i]
		switch {
		case c == '"':
			return line[i+1:], nil
		case c < ' ':
			return nil, fmt.Errorf("the control character %#02x must be escaped", c)
		case c == '\\':
			if i++; i == len(line) {
				break
			}
			if e := strings.IndexByte(escapes, line[i]); e >= 0 {
				c = escaped[e]
				break
			}
			hex, err := strconv.ParseUint(string(line[i+1:min(i+5, len(line))]), 16, 64)
			if line[i] != 'u' || err != nil || hex >= ' ' {
				return nil, fmt.Errorf(`\%c is not an escape of this format`, line[i])
			}
			c, i = byte(hex), i+4
		}
		text.WriteByte(c)
	}
	return nil, errors.New("the token has no closing quotation mark")
}

// parseCount reads the end of a line, such as `, 12],`; the last line has no comma.
func parseCount(rest []byte, last bool) (int64, error) {
	end := "],"
	if last {
		end = "]"
	}
	s, comma := strings.CutPrefix(string(rest), ", ")
	s, bracket := strings.CutSuffix(s, end)
	n, err := strconv.ParseInt(s, 10, 64)
	// a sign, a leading 0
	if !comma || !bracket || err != nil || s[0] < '0' || s[0] == '0' && len(s) > 1 {
		return 0, fmt.Errorf("a count such as `, 1%s` expected after the token, not %q", end,
			rest[:min(40, len(rest))])
	}
	return n, nil
}
