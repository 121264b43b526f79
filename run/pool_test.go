package run

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/graph"
)

// counted is a graph that counts how often it was closed.
type counted struct{ size, closed int }

func (c *counted) Close() error { c.closed++; return nil }
func (c *counted) Memory() int  { return c.size }

// length is the shape of graphs that serve sequences of so many steps.
type length int

func (n length) Round() length              { return length(Round(int(n))) }
func (n length) Serves(request length) bool { return request <= n }
func (n length) Cost() int                  { return int(n) }

// limited sets the limit of pools for a test, and empties them before.
func limited(t *testing.T, bytes int) {
	before := SetPoolLimit(1)
	SetPoolLimit(bytes)
	t.Cleanup(func() { SetPoolLimit(before) })
}

func TestCacheMakesRoom(t *testing.T) {
	const graphs, each = 5, 1 << 20
	limited(t, 2*graphs*(each+compiled))
	built := map[int]*counted{}
	c := NewCache(func(k int, o graph.Option) (*counted, error) {
		if k < 0 || o == nil {
			return nil, errors.New("no such shape")
		}
		built[k] = &counted{size: each}
		return built[k], nil
	})
	for k := range graphs {
		_, err := c.Get(k)
		require.NoError(t, err)
	}
	first, err := c.Get(0) // used again, so 1 is now the one used longest ago
	require.NoError(t, err)
	require.Same(t, built[0], first)
	_, err = c.Get(graphs)
	require.NoError(t, err)
	require.Zero(t, built[0].closed)
	require.Equal(t, 1, built[1].closed)

	_, err = c.Get(-1)
	require.Error(t, err)
	require.NoError(t, c.Close())
	for k, g := range built {
		require.Equal(t, 1, g.closed, "graph %d", k)
	}
	_, err = new(Cache[int, *counted]).Get(1)
	require.ErrorContains(t, err, "no function that builds")
}

func TestPoolLendsToOneAtATime(t *testing.T) {
	limited(t, 1<<30)
	var p Pool[Of[string], *counted]
	build := func(Of[string]) (*counted, error) { return &counted{}, nil }
	x, y := Of[string]{"x"}, Of[string]{"y"}
	a, err := p.Take(x, build)
	require.NoError(t, err)
	b, err := p.Take(x, build)
	require.NoError(t, err)
	require.NotSame(t, a.Graph, b.Graph)
	a.Put()
	other, err := p.Take(y, build)
	require.NoError(t, err)
	require.NotSame(t, a.Graph, other.Graph)
	again, err := p.Take(x, build)
	require.NoError(t, err)
	require.Same(t, a.Graph, again.Graph)
	_, err = p.Take(x, nil)
	require.ErrorContains(t, err, "no function that builds")
}

// A request gets the smallest graph that takes it, unless all are much too large.
func TestPoolFits(t *testing.T) {
	limited(t, 1<<30)
	var p Pool[length, *counted]
	var built []length
	build := func(n length) (*counted, error) {
		built = append(built, n)
		return &counted{size: int(n)}, nil
	}
	take := func(n length) *Lease[length, *counted] {
		l, err := p.Take(n, build)
		require.NoError(t, err)
		require.GreaterOrEqual(t, l.Graph.size, int(n))
		require.LessOrEqual(t, l.Graph.size, max(int(padding*float64(n)), 1))
		return l
	}
	a, b := take(12), take(17)
	require.Equal(t, []length{12, 20}, built)
	a.Put()
	b.Put()
	c := take(11)
	require.Same(t, a.Graph, c.Graph)
	d := take(14) // 12 is taken, and too small
	require.Same(t, b.Graph, d.Graph)
	c.Put()
	d.Put()
	take(7) // 12 is more than one and a half of it
	require.Equal(t, []length{12, 20, 7}, built)
	for n := length(1); n < 3000; n++ {
		take(n).Put()
	}
	require.Less(t, len(built), 50)
}

// However many requests of whatever shapes come, what waits stays within the limit, of all pools
// together, and the graphs used longest ago go first.
func TestPoolLimit(t *testing.T) {
	const most = 20 << 20
	limited(t, most)
	var pools [3]Pool[length, *counted]
	open := map[*counted]bool{}
	build := func(n length) (*counted, error) {
		g := &counted{size: int(n) << 10}
		open[g] = true
		return g, nil
	}
	for i := range 20_000 {
		l, err := pools[i%3].Take(length(1+i*7919%1000), build)
		require.NoError(t, err)
		require.Zero(t, l.Graph.closed)
		l.Put()
		require.LessOrEqual(t, PoolMemory(), most)
	}
	left := 0
	for g := range open {
		if g.closed == 0 {
			left++
		}
	}
	require.Greater(t, left, 3)
	SetPoolLimit(1)
	require.Zero(t, PoolMemory())
	for g := range open {
		require.Equal(t, 1, g.closed)
	}
}

// The graphs of a model that is gone do not count.
func TestPoolIsCollected(t *testing.T) {
	limited(t, 1<<30)
	before := PoolMemory()
	func() {
		var p Pool[length, *counted]
		l, err := p.Take(3, func(length) (*counted, error) { return &counted{size: 1 << 20}, nil })
		require.NoError(t, err)
		l.Put()
		require.Greater(t, PoolMemory(), before)
	}()
	for range 100 {
		runtime.GC()
		if PoolMemory() <= before {
			return
		}
	}
	t.Error("it counts still")
}

func TestPoolAtOnce(t *testing.T) {
	limited(t, 1<<20)
	var p Pool[length, *counted]
	var inside, most atomic.Int64
	var wait sync.WaitGroup
	failed := errors.New("failed")
	for i := range 32 {
		wait.Go(func() {
			for k := range 200 {
				err := p.Do(length(1+(i+k)%64), func(n length) (*counted, error) {
					return &counted{size: int(n) << 12}, nil
				}, func(g *counted) error {
					n := inside.Add(1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); {
						m = most.Load()
					}
					if g.size != 0 && g.closed > 0 {
						t.Error("it is closed")
					}
					inside.Add(-1)
					if k%10 == 0 {
						return failed
					}
					return nil
				})
				if k%10 == 0 != (err != nil) {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	require.LessOrEqual(t, PoolMemory(), 1<<20)
	require.ErrorContains(t, p.Do(1<<20, nil, func(*counted) error { return nil }), "no function that builds")
}

func TestRound(t *testing.T) {
	for n := -3; n < 1<<14; n++ {
		r := Round(n)
		require.GreaterOrEqual(t, r, max(n, 1))
		require.Less(t, r, max(n+1, 1)*5/4+1)
		require.Equal(t, r, Round(r))
	}
	require.Equal(t, []int{1, 8, 10, 10, 12, 16, 20, 64, 80}, []int{Round(0), Round(8), Round(9),
		Round(10), Round(11), Round(15), Round(17), Round(64), Round(65)})
}
