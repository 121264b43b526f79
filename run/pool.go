package run

import (
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
)

// Graph is what a Pool and a Cache keep: compiled steps with what feeds them. A Step is one.
type Graph interface {
	io.Closer
	Memory() int // bytes that it takes while it does not run
}

// Shape is the size that a graph is compiled for, such as a number of steps and a number of
// sequences. A request has one too.
type Shape[K any] interface {
	comparable
	// Round is the shape, at least as large, that a graph for a request is compiled for, so that
	// few graphs serve all requests; see Round.
	Round() K
	// Serves tells whether a graph of this shape can take the request.
	Serves(request K) bool
	// Cost grows as the time of a run.
	Cost() int
}

// Of is a Shape that serves only requests equal to it.
type Of[K comparable] struct{ Key K }

// Round is the shape itself.
func (k Of[K]) Round() Of[K] { return k }

// Serves tells whether the request is equal.
func (k Of[K]) Serves(request Of[K]) bool { return k == request }

// Cost is the same for all, since none stands in for another.
func (k Of[K]) Cost() int { return 1 }

// padding bounds the cost of a graph that serves a request: this many times the request's own.
const padding = 1.5

// Pool keeps the compiled graphs of a model that are not at work, for many goroutines at once. A
// request gets the smallest that serves it, and one is compiled if none does, or none that is not
// much too large. All pools of a process together stay within a limit of bytes: see SetPoolLimit.
// The zero value is ready.
type Pool[K Shape[K], G Graph] struct {
	once  sync.Once
	shelf *shelf[K, G]
}

// Lease is a graph in use.
type Lease[K Shape[K], G Graph] struct {
	Graph    G
	shelf    *shelf[K, G]
	shape    K
	bytes    int
	lastUsed uint64
}

// Take is a graph for a request that nobody else has; build compiles one of a shape. Put gives it
// back.
func (p *Pool[K, G]) Take(request K, build func(K) (G, error)) (*Lease[K, G], error) {
	p.once.Do(func() { p.shelf = newShelf[K, G]() })
	if l := p.shelf.find(request); l != nil {
		return l, nil
	}
	if build == nil {
		return nil, errNoBuilder
	}
	shape := request.Round()
	graph, err := build(shape)
	if err != nil {
		return nil, err
	}
	if any(graph) == nil {
		return nil, errNoGraph
	}
	return &Lease[K, G]{Graph: graph, shelf: p.shelf, shape: shape,
		bytes: graph.Memory() + compiled}, nil
}

// Do runs use with a graph for a request. Of many requests at once a few are admitted at a time, in
// the order in which they come, so that all wait alike and few graphs serve them. Use must not wait
// for anything itself.
func (p *Pool[K, G]) Do(request K, build func(K) (G, error), use func(G) error) error {
	if use == nil {
		return errors.New("run: there is no function that uses the graph")
	}
	gate := theGate()
	token := gate.Take()
	defer gate.Put(token)
	l, err := p.Take(request, build)
	if err != nil {
		return err
	}
	err = use(l.Graph)
	l.Put() // also after an error: the next request overwrites all inputs
	return err
}

// Put gives the graph back to its pool.
func (l *Lease[K, G]) Put() {
	if l == nil || l.shelf == nil {
		return
	}
	l.lastUsed = clock.Add(1)
	l.shelf.put(l)
	budget.settle()
}

// shelf holds the idle graphs of a pool, the one used last at the end.
type shelf[K Shape[K], G Graph] struct {
	bytes *atomic.Int64 // of the graphs; it outlives the shelf
	mu    sync.Mutex
	idle  []*Lease[K, G]
}

// find takes the cheapest graph that serves a request, of equals the one used last; nil if there is
// none.
func (s *shelf[K, G]) find(request K) *Lease[K, G] {
	s.mu.Lock()
	defer s.mu.Unlock()
	best, least := -1, int(padding*float64(request.Cost()))
	for i := len(s.idle) - 1; i >= 0; i-- {
		l := s.idle[i]
		cost := l.shape.Cost()
		if (best < 0 && cost <= least || cost < least) && l.shape.Serves(request) {
			best, least = i, cost
		}
	}
	if best < 0 {
		return nil
	}
	return s.take(best)
}

func (s *shelf[K, G]) take(i int) *Lease[K, G] {
	l := s.idle[i]
	s.idle = slices.Delete(s.idle, i, i+1)
	s.count(-l.bytes)
	return l
}

func (s *shelf[K, G]) put(l *Lease[K, G]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, l)
	s.count(l.bytes)
}

func (s *shelf[K, G]) count(bytes int) {
	s.bytes.Add(int64(bytes))
	budget.idle.Add(int64(bytes))
}

// oldest is when the graph was used that has waited longest.
func (s *shelf[K, G]) oldest() (lastUsed uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) == 0 {
		return 0, false
	}
	return s.idle[0].lastUsed, true
}

// drop closes it.
func (s *shelf[K, G]) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) > 0 {
		s.take(0).Graph.Close()
	}
}
