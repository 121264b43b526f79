package run

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/seqzoo/seqzoo/graph"
	"github.com/seqzoo/seqzoo/internal/sysmem"
	"github.com/seqzoo/seqzoo/internal/turns"
)

// atWork is how many steps of the process run at a time: one for every processor, and one more, so
// that a long run does not keep all others from a single one.
func atWork() int { return runtime.GOMAXPROCS(0) + 1 }

// arenas hold the intermediate values of all steps that run.
var arenas = sync.OnceValue(func() *graph.Arenas { return graph.NewArenas(atWork()) })

// theGate admits requests of Pool.Do.
var theGate = sync.OnceValue(func() *turns.Line[struct{}] {
	return turns.New(atWork(), func() struct{} { return struct{}{} })
})

// compiled is about how many bytes a compiled graph takes apart from its values.
const compiled = 100 << 10

// clock counts uses of graphs.
var clock atomic.Uint64

// budget bounds what idle graphs and arenas take.
var budget limits

type limits struct {
	idle    atomic.Int64 // bytes of idle graphs
	most    atomic.Int64 // 0: not set yet
	mu      sync.Mutex
	shelves []func() anyShelf // nil where the model is gone
}

// anyShelf is a shelf of graphs of any type.
type anyShelf interface {
	oldest() (lastUsed uint64, ok bool)
	drop()
}

// SetPoolLimit bounds what the pools of the process hold together: compiled graphs that wait for a
// request, and the memory for intermediate values, which all share. Beyond it the graphs used
// longest ago are closed. Graphs at work are not counted: there are as many as requests at a time.
// The default is an eighth of the memory that there is when the first graph is given back. It
// returns the limit as it was; less than 1 changes nothing.
func SetPoolLimit(bytes int) (before int) {
	before = budget.limit()
	if bytes > 0 {
		budget.most.Store(int64(bytes))
		budget.settle()
	}
	return before
}

// PoolMemory is the number of bytes at the moment that SetPoolLimit bounds.
func PoolMemory() int { return int(budget.idle.Load()) + arenas().Memory() }

const (
	poolShare  = 8         // of the memory that there is
	poolLeast  = 64 << 20  // where there is little
	poolUnkown = 512 << 20 // where the system does not say
)

func (b *limits) limit() int {
	if n := b.most.Load(); n > 0 {
		return int(n)
	}
	n := poolUnkown
	if free := sysmem.Available(); free > 0 {
		n = max(free/poolShare, poolLeast)
	}
	b.most.CompareAndSwap(0, int64(n))
	return int(b.most.Load())
}

// settle frees memory until the limit is kept: first the memory of arenas that a rare request has
// made large, then graphs, then all arenas.
func (b *limits) settle() {
	limit := b.limit()
	if PoolMemory() <= limit {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if arenas().Memory() > limit/2 {
		arenas().Trim(limit / 2 / atWork())
	}
	for PoolMemory() > limit {
		var first anyShelf
		least := ^uint64(0)
		b.shelves = slices.DeleteFunc(b.shelves, func(get func() anyShelf) bool {
			s := get()
			if s == nil {
				return true
			}
			if used, ok := s.oldest(); ok && used < least {
				first, least = s, used
			}
			return false
		})
		if first == nil {
			arenas().Trim(0)
			return
		}
		first.drop()
	}
}

// newShelf is a shelf that the limit knows of for as long as its pool is there.
func newShelf[K Shape[K], G Graph]() *shelf[K, G] {
	s := &shelf[K, G]{bytes: new(atomic.Int64)}
	runtime.AddCleanup(s, func(bytes *atomic.Int64) { budget.idle.Add(-bytes.Load()) }, s.bytes)
	known := weak.Make(s)
	budget.mu.Lock()
	defer budget.mu.Unlock()
	budget.shelves = append(budget.shelves, func() anyShelf {
		if s := known.Value(); s != nil {
			return s
		}
		return nil
	})
	return s
}
