package text

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seqzoo/seqzoo/internal/interrupt"
)

// BPE cuts a text into pieces that are learned from a text: beginning with bytes, the pair of
// neighbours that is most frequent becomes a piece of its own, again and again (Gage, 1994;
// Sennrich et al., 2016; on bytes: Radford et al., 2019). Frequent words end up whole and rare ones
// in parts, so that a small vocabulary writes every text in every language.
//
// A piece never reaches across the border of a word: the text is cut before as GPT-2 cuts it, into
// runs of letters, of digits and of other signs, each with a space before it, and the rest of the
// white space.
//
// Its ids are 0 … 255 for the bytes, and 256 + k for what merge k made. As a [Tokeniser] it writes
// a piece with a printable rune for each byte, as GPT-2 does: bytes that are printable as they are,
// others from U+0100 on; a space is Ġ, a line end Ċ. It does not change, so any number of
// goroutines may use it.
type BPE struct {
	lower  bool
	merges []bpePair // of ids; the k-th made id 256+k
	slots  []uint32  // open addressing: k+1, or 0 where free; half as many again as merges
	sizes  []uint16  // bytes of what each merge made
}

type bpePair struct{ a, b uint32 }

// index makes merges findable. It is an error if one comes twice.
func (b *BPE) index() error {
	b.slots = make([]uint32, len(b.merges)+len(b.merges)/2+1)
	for k, pair := range b.merges {
		slot, found := b.slot(pair)
		if found {
			return fmt.Errorf("merges %d and %d are the same", b.slots[slot]-1, k)
		}
		b.slots[slot] = uint32(k) + 1
	}
	return nil
}

func (b *BPE) slot(pair bpePair) (slot int, found bool) {
	if len(b.slots) == 0 {
		return 0, false // an empty value merges nothing
	}
	hash := (uint64(pair.a)<<32 | uint64(pair.b)) * 0x9e3779b97f4a7c15
	for slot = int((hash >> 32) * uint64(len(b.slots)) >> 32); b.slots[slot] != 0; slot = (slot +
		1) % len(b.slots) {
		if b.merges[b.slots[slot]-1] == pair {
			return slot, true
		}
	}
	return slot, false
}

// size is how many bytes an id stands for.
func (b *BPE) size(id uint32) int {
	if id < 256 {
		return 1
	}
	return int(b.sizes[id-256])
}

// Size is the number of ids.
func (b *BPE) Size() int { return 256 + len(b.merges) }

func (b *BPE) clean(s string) (string, error) {
	s, err := clean(s)
	if b.lower {
		s = strings.ToLower(s)
	}
	return s, err
}

// nextChunk is the length of the chunk that s, which is not empty, begins with.
func nextChunk(s string) int {
	for _, suffix := range []string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"} {
		if strings.HasPrefix(s, suffix) {
			return len(suffix)
		}
	}
	spaces := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsSpace(r) })
	if spaces < 0 {
		return len(s)
	}
	if spaces > 0 { // all white space but the last rune, which goes with the word if it is a space
		_, last := utf8.DecodeLastRuneInString(s[:spaces])
		if spaces > last {
			return spaces - last
		}
		if s[0] != ' ' {
			return spaces
		}
	}
	first, _ := utf8.DecodeRuneInString(s[spaces:])
	n := strings.IndexFunc(s[spaces:],
		func(r rune) bool { return chunkKind(r) != chunkKind(first) })
	if n < 0 {
		return len(s)
	}
	return spaces + n
}

func chunkKind(r rune) int {
	switch {
	case unicode.IsSpace(r):
		return 0
	case unicode.IsLetter(r):
		return 1
	case unicode.IsNumber(r):
		return 2
	}
	return 3
}

// Encode returns the ids of s. The error is an [*EncodingError].
func (b *BPE) Encode(s string) ([]int, error) {
	ids := make([]int, 0, len(s)/3)
	err := b.encode(context.Background(), s, func(chunk []uint32) {
		for _, id := range chunk {
			ids = append(ids, int(id))
		}
	})
	return ids, err
}

func (b *BPE) encode(ctx context.Context, s string, each func(ids []uint32)) error {
	s, err := b.clean(s)
	if err != nil {
		return err
	}
	const remembered, longest = 1 << 16, 64 // chunks, and their bytes
	known := map[string][]uint32{}
	for k := 0; len(s) > 0; k++ {
		if k%often == 0 {
			if err := interrupt.Err(ctx); err != nil {
				return err
			}
		}
		n := nextChunk(s)
		ids, ok := known[s[:n]]
		if !ok {
			ids = b.mergeChunk(s[:n])
			if n <= longest && len(known) < remembered {
				known[s[:n]] = ids
			}
		}
		each(ids)
		s = s[n:]
	}
	return nil
}

// mergeChunk merges the pairs of a chunk in the order in which they were learned, from left to
// right.
func (b *BPE) mergeChunk(chunk string) []uint32 {
	ids := make([]uint32, len(chunk))
	// a list, from which what is merged is taken out
	next, prev := make([]int32, len(chunk)), make([]int32, len(chunk))
	var queue rankQueue
	offer := func(i int32) {
		if i < 0 || int(next[i]) >= len(chunk) {
			return
		}
		if slot, ok := b.slot(bpePair{ids[i], ids[next[i]]}); ok {
			heap.Push(&queue, rankedPair{b.slots[slot] - 1, i})
		}
	}
	for i := range len(chunk) {
		ids[i], next[i], prev[i] = uint32(chunk[i]), int32(i+1), int32(i-1)
	}
	for i := range len(chunk) {
		offer(int32(i))
	}
	const gone = ^uint32(0)
	for len(queue) > 0 {
		top := heap.Pop(&queue).(rankedPair)
		i := top.at
		if ids[i] == gone || int(next[i]) >= len(chunk) ||
			(bpePair{ids[i], ids[next[i]]}) != b.merges[top.rank] {
			continue // merged otherwise since
		}
		ids[i], ids[next[i]] = 256+top.rank, gone
		if next[i] = next[next[i]]; int(next[i]) < len(chunk) {
			prev[next[i]] = i
		}
		offer(prev[i])
		offer(i)
	}
	return slices.DeleteFunc(ids, func(id uint32) bool { return id == gone })
}

type rankedPair struct {
	rank uint32
	at   int32
}

// rankQueue is a heap with the merge learned first on top, and of equals the leftmost.
type rankQueue []rankedPair

func (q rankQueue) Len() int      { return len(q) }
func (q rankQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *rankQueue) Push(x any)   { *q = append(*q, x.(rankedPair)) }
func (q *rankQueue) Pop() any     { old := *q; *q = old[:len(old)-1]; return old[len(old)-1] }
func (q rankQueue) Less(i, j int) bool {
	return q[i].rank < q[j].rank || q[i].rank == q[j].rank && q[i].at < q[j].at
}

// appendBytes adds the bytes that an id stands for.
func (b *BPE) appendBytes(out []byte, id uint32) []byte {
	if id < 256 {
		return append(out, byte(id))
	}
	pair := b.merges[id-256]
	return b.appendBytes(b.appendBytes(out, pair.a), pair.b)
}

// Decode is the text of ids, the very text that was encoded save for what Encode changes: a byte
// order mark, line ends, and the case if it is folded. Bytes that are no UTF-8, since ids were put
// together otherwise, become U+FFFD.
func (b *BPE) Decode(ids []int) (string, error) {
	var out []byte
	for i, id := range ids {
		if id < 0 || id >= b.Size() {
			return "", fmt.Errorf("bpe: ids[%d] is %d; there are ids 0 to %d", i, id, b.Size()-1)
		}
		out = b.appendBytes(out, uint32(id))
	}
	return strings.ToValidUTF8(string(out), "\ufffd"), nil
}

// Token is the printable form of an id; "" if there is none.
func (b *BPE) Token(id int) string {
	if id < 0 || id >= b.Size() {
		return ""
	}
	var s strings.Builder
	for _, c := range b.appendBytes(nil, uint32(id)) {
		s.WriteRune(printable[c])
	}
	return s.String()
}

// printable are the runes that stand for bytes, and bytesOf the bytes that runes stand for.
var printable, bytesOf = func() (runes [256]rune, back map[rune]byte) {
	back = map[rune]byte{}
	other := rune(256)
	for c := range runes {
		r := rune(c)
		if !(r >= '!' && r <= '~' || r >= '¡' && r <= '¬' || r >= '®' && r <= 'ÿ') {
			r = other
			other++
		}
		runes[c], back[r] = r, byte(c)
	}
	return runes, back
}()

// LineEnd is the line end as a [BPE] writes it.
const LineEnd = "Ċ"

// Tokens returns the pieces of s in printable form.
func (b *BPE) Tokens(s string) ([]string, error) { return b.TokensContext(context.Background(), s) }

// TokensContext is Tokens until ctx is cancelled.
func (b *BPE) TokensContext(ctx context.Context, s string) ([]string, error) {
	tokens := make([]string, 0, len(s)/3)
	written := map[uint32]string{}
	err := b.encode(ctx, s, func(ids []uint32) {
		for _, id := range ids {
			token, ok := written[id]
			if !ok {
				token = b.Token(int(id))
				written[id] = token
			}
			tokens = append(tokens, token)
		}
	})
	if err != nil {
		return nil, err
	}
	return tokens, nil
}

// Join is the text of pieces. A token that is none, such as <unk>, stands as it is.
func (b *BPE) Join(tokens []string) string {
	var out []byte
	for _, token := range tokens {
		out = appendPiece(out, token)
	}
	return strings.ToValidUTF8(string(out), "\ufffd")
}
