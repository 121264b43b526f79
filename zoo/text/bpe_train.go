package text

import (
	"container/heap"
	"context"
	"fmt"
	"slices"

	"github.com/seqzoo/seqzoo/internal/interrupt"
)

// MaxBPE is how many ids a BPE has at most.
const MaxBPE = 1 << 20

// BPEConfig says how [TrainBPE] learns.
type BPEConfig struct {
	Size  int  // ids, the 256 bytes counted; required, 256 … MaxBPE
	Min   int  // merge no pair that was seen less often; 0 means 2
	Lower bool // fold to lower case, here and in all texts to come
}

// TrainBPE learns from texts. Of pairs that are equally frequent the one with the smaller ids goes
// first. It ends early, with a smaller Size, if no pair is frequent enough, and soon with the
// context's error if that is cancelled.
func TrainBPE(ctx context.Context, cfg BPEConfig, texts ...string) (*BPE, error) {
	if cfg.Size < 256 || cfg.Size > MaxBPE || cfg.Min < 0 {
		return nil, fmt.Errorf("bpe: Size is %d, Min is %d; want 256 … %d, and 0 or more", cfg.Size,
			cfg.Min, MaxBPE)
	}
	if err := interrupt.Err(ctx); err != nil {
		return nil, fmt.Errorf("bpe: %w", err)
	}
	if cfg.Min == 0 {
		cfg.Min = 2
	}
	b := &BPE{lower: cfg.Lower}
	counts := map[string]int64{}
	for _, s := range texts {
		s, err := b.clean(s)
		if err != nil {
			return nil, fmt.Errorf("bpe: %w", err)
		}
		for k := 0; len(s) > 0; k++ {
			if k%often == 0 && ctx.Err() != nil {
				return nil, fmt.Errorf("bpe: %w", ctx.Err())
			}
			n := nextChunk(s)
			counts[s[:n]]++
			s = s[n:]
		}
	}
	l := newBPELearner(counts)
	for 256+len(b.merges) < cfg.Size {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("bpe: %w", err)
		}
		pair, ok := l.best(int64(cfg.Min))
		if !ok {
			break
		}
		size := b.size(pair.a) + b.size(pair.b)
		if 2*size > MaxTokenBytes { // a byte is written with two at most
			l.counts[pair] = 0
			continue
		}
		l.merge(pair, uint32(256+len(b.merges)))
		b.merges, b.sizes = append(b.merges, pair), append(b.sizes, uint16(size))
	}
	return b, b.index()
}

// bpeLearner keeps the counts of pairs while chunks are merged.
type bpeLearner struct {
	chunks [][]uint32
	times  []int64 // how often each chunk was seen
	counts map[bpePair]int64
	where  map[bpePair][]int32 // chunks that have the pair, or had it
	queue  bpeQueue            // every pair with its count, or a larger one from before
}

func newBPELearner(counts map[string]int64) *bpeLearner {
	l := &bpeLearner{counts: map[bpePair]int64{}, where: map[bpePair][]int32{}}
	var chunks []string
	for chunk := range counts {
		chunks = append(chunks, chunk)
	}
	slices.Sort(chunks)
	for i, chunk := range chunks {
		ids := make([]uint32, len(chunk))
		for k := range ids {
			ids[k] = uint32(chunk[k])
		}
		l.chunks, l.times = append(l.chunks, ids), append(l.times, counts[chunk])
		for k := 1; k < len(ids); k++ {
			l.add(bpePair{ids[k-1], ids[k]}, i, counts[chunk])
		}
	}
	for pair, n := range l.counts {
		l.queue = append(l.queue, bpeEntry{pair, n})
	}
	heap.Init(&l.queue)
	return l
}

func (l *bpeLearner) add(pair bpePair, chunk int, times int64) {
	l.counts[pair] += times
	if in := l.where[pair]; len(in) == 0 || in[len(in)-1] != int32(chunk) {
		l.where[pair] = append(in, int32(chunk))
	}
}

// best is the most frequent pair, if it was seen often enough.
func (l *bpeLearner) best(least int64) (bpePair, bool) {
	for len(l.queue) > 0 {
		top := &l.queue[0]
		switch now := l.counts[top.pair]; {
		case now < least:
			heap.Pop(&l.queue)
		case now != top.count: // it has become rarer since
			top.count = now
			heap.Fix(&l.queue, 0)
		default:
			return top.pair, true
		}
	}
	return bpePair{}, false
}

// merge makes id of a pair in all chunks.
func (l *bpeLearner) merge(pair bpePair, id uint32) {
	risen := map[bpePair]bool{}
	for _, i := range l.where[pair] {
		ids, times := l.chunks[i], l.times[i]
		out := ids[:0]
		for k := 0; k < len(ids); k++ {
			if k+1 == len(ids) || ids[k] != pair.a || ids[k+1] != pair.b {
				out = append(out, ids[k])
				continue
			}
			replace := func(old, now bpePair) {
				l.counts[old] -= times
				l.add(now, int(i), times)
				risen[now] = true
			}
			if n := len(out); n > 0 {
				replace(bpePair{out[n-1], pair.a}, bpePair{out[n-1], id})
			}
			k++
			if k+1 < len(ids) {
				replace(bpePair{pair.b, ids[k+1]}, bpePair{id, ids[k+1]})
			}
			out = append(out, id)
		}
		l.chunks[i] = out
	}
	delete(l.where, pair)
	delete(l.counts, pair)
	for pair := range risen {
		heap.Push(&l.queue, bpeEntry{pair, l.counts[pair]})
	}
}

type bpeEntry struct {
	pair  bpePair
	count int64
}

// bpeQueue is a heap with the most frequent pair on top.
type bpeQueue []bpeEntry

func (q bpeQueue) Len() int      { return len(q) }
func (q bpeQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *bpeQueue) Push(x any)   { *q = append(*q, x.(bpeEntry)) }
func (q *bpeQueue) Pop() any     { old := *q; *q = old[:len(old)-1]; return old[len(old)-1] }
func (q bpeQueue) Less(i, j int) bool {
	x, y := q[i], q[j]
	if x.count != y.count {
		return x.count > y.count
	}
	if x.pair.a != y.pair.a {
		return x.pair.a < y.pair.a
	}
	return x.pair.b < y.pair.b
}
