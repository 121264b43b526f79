package run

import (
	"errors"

	"github.com/seqzoo/seqzoo/graph"
)

// Cache keeps compiled graphs by their shape, for one goroutine, such as that of a training. The
// one used longest ago makes room.
type Cache[K comparable, G Graph] struct {
	build   func(K, graph.Option) (G, error)
	graphs  map[K]*cached[G]
	results *graph.Arena
	bytes   int
	uses    int
}

type cached[G any] struct {
	graph    G
	bytes    int
	lastUsed int
}

// NewCache is an empty cache; build compiles the graph of a shape with an option, by which all
// graphs of the cache write their results, such as gradients, to one memory: those of a graph hold
// until any runs.
func NewCache[K comparable, G Graph](build func(K, graph.Option) (G, error)) *Cache[K, G] {
	return &Cache[K, G]{build: build, graphs: map[K]*cached[G]{}, results: graph.NewArena()}
}

var errNoBuilder = errors.New("run: there is no function that builds a graph")
var errNoGraph = errors.New("run: the function that builds a graph gave none")

// Get is the graph of a shape, built by the first call for it.
func (c *Cache[K, G]) Get(shape K) (found G, err error) {
	c.uses++
	if g := c.graphs[shape]; g != nil {
		g.lastUsed = c.uses
		return g.graph, nil
	}
	if c.build == nil {
		return found, errNoBuilder
	}
	if found, err = c.build(shape, graph.ResultsIn(c.results)); err != nil {
		return found, err
	}
	if any(found) == nil {
		return found, errNoGraph
	}
	g := &cached[G]{found, found.Memory() + compiled, c.uses}
	for len(c.graphs) > 0 && c.bytes+g.bytes > budget.limit()/2 {
		if err := c.makeRoom(); err != nil {
			return found, errors.Join(err, found.Close())
		}
	}
	c.graphs[shape] = g
	c.bytes += g.bytes
	return found, nil
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
	c.bytes -= g.bytes
	return g.graph.Close()
}

// Close releases the memory of all graphs.
func (c *Cache[K, G]) Close() error {
	var errs []error
	for _, g := range c.graphs {
		errs = append(errs, g.graph.Close())
	}
	clear(c.graphs)
	c.bytes = 0
	return errors.Join(errs...)
}
