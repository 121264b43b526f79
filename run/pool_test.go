package run

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// counted is a graph that counts how often it was closed.
type counted struct{ closed int }

func (c *counted) Close() error { c.closed++; return nil }

func TestCacheMakesRoom(t *testing.T) {
	built := map[int]*counted{}
	c := NewCache(func(k int) (*counted, error) {
		if k < 0 {
			return nil, errors.New("no such shape")
		}
		built[k] = &counted{}
		return built[k], nil
	})
	for k := range cacheSize {
		_, err := c.Get(k)
		require.NoError(t, err)
	}
	first, err := c.Get(0) // used again, so 1 is now the one used longest ago
	require.NoError(t, err)
	require.Same(t, built[0], first)
	_, err = c.Get(cacheSize)
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
	var p Pool[string, *counted]
	build := func(string) (*counted, error) { return &counted{}, nil }
	a, err := p.Take("x", build)
	require.NoError(t, err)
	b, err := p.Take("x", build)
	require.NoError(t, err)
	require.NotSame(t, a, b)
	p.Put("x", a)
	other, err := p.Take("y", build)
	require.NoError(t, err)
	require.NotSame(t, a, other)
	again, err := p.Take("x", build)
	require.NoError(t, err)
	require.Same(t, a, again)
	_, err = p.Take("x", nil)
	require.ErrorContains(t, err, "no function that builds")

	for range poolSize {
		p.Put("z", &counted{})
	}
	p.Put("x", b)
	require.Zero(t, b.closed)
	require.Len(t, p.idle, poolSize)
}
