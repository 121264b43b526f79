package run

import (
	"errors"
	"io"
	"sync"
)

// Cache keeps compiled graphs by their shape, for one goroutine. The one used longest ago makes
// room.
type Cache[K comparable, G io.Closer] struct {
	build  func(K) (G, error)
	graphs map[K]*cached[G]
	uses   int
}

type cached[G any] struct {
	graph    G
	lastUsed int
}

// cacheSize is how many graphs a Cache keeps.
const cacheSize = 24

// NewCache is an empty cache; build compiles the graph of a shape.
func NewCache[K comparable, G io.Closer](build func(K) (G, error)) *Cache[K, G] {
	return &Cache[K, G]{build: build, graphs: map[K]*cached[G]{}}
}

var errNoBuilder = errors.New("run: there is no function that builds a graph")

// Get is the graph of a shape, built by the first call for it.
func (c *Cache[K, G]) Get(shape K) (graph G, err error) {
	c.uses++
	if g := c.graphs[shape]; g != nil {
		g.lastUsed = c.uses
		return g.graph, nil
	}
	if c.build == nil {
		return graph, errNoBuilder
	}
	if len(c.graphs) == cacheSize {
		if err := c.makeRoom(); err != nil {
			return graph, err
		}
	}
	if graph, err = c.build(shape); err != nil {
		return graph, err
	}
	c.graphs[shape] = &cached[G]{graph, c.uses}
	return graph, nil
}

// makeRoom closes the graph used longest ago.
func (c *Cache[K, G]) makeRoom() error {
	var oldest K
	first := true
	for k, g := range c.graphs {
		if first || g.lastUsed < c.graphs[oldest].lastUsed {
			oldest, first = k, false
		}
	}
	g := c.graphs[oldest]
	delete(c.graphs, oldest)
	return g.graph.Close()
}

// Close releases the memory of all graphs.
func (c *Cache[K, G]) Close() error {
	var errs []error
	for _, g := range c.graphs {
		errs = append(errs, g.graph.Close())
	}
	clear(c.graphs)
	return errors.Join(errs...)
}

// Pool keeps compiled graphs that are not at work, by shape, for models that many goroutines use at
// once: the ones used last. Its zero value is ready.
type Pool[K comparable, G io.Closer] struct {
	mu   sync.Mutex
	idle []pooled[K, G]
}

type pooled[K comparable, G any] struct {
	shape K
	graph G
}

// poolSize is how many graphs a Pool keeps.
const poolSize = 8

// Take is a graph of a shape that nobody else has; build makes one if none is idle. Put gives it
// back.
func (p *Pool[K, G]) Take(shape K, build func(K) (G, error)) (graph G, err error) {
	p.mu.Lock()
	for i := len(p.idle) - 1; i >= 0; i-- {
		if e := p.idle[i]; e.shape == shape {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			p.mu.Unlock()
			return e.graph, nil
		}
	}
	p.mu.Unlock()
	if build == nil {
		return graph, errNoBuilder
	}
	return build(shape)
}

// Put gives back a graph that Take gave. If the pool is full, the one used longest ago is closed.
func (p *Pool[K, G]) Put(shape K, graph G) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, pooled[K, G]{shape, graph})
	if len(p.idle) > poolSize {
		p.idle[0].graph.Close()
		p.idle = append(p.idle[:0], p.idle[1:]...)
	}
}
