package zoo

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// counted is a graph that counts how often it was closed.
type counted struct{ closed int }

func (c *counted) Close() error { c.closed++; return nil }

func TestCompiledMakesRoom(t *testing.T) {
	built := map[int]*counted{}
	c := compiled[int, *counted]{build: func(k int) (*counted, error) {
		if k < 0 {
			return nil, errors.New("no such shape")
		}
		built[k] = &counted{}
		return built[k], nil
	}}
	for k := range graphsAtATime {
		_, err := c.get(k)
		require.NoError(t, err)
	}
	first, err := c.get(0) // used again, so 1 is now the one used longest ago
	require.NoError(t, err)
	require.Same(t, built[0], first)
	_, err = c.get(graphsAtATime)
	require.NoError(t, err)
	require.Zero(t, built[0].closed)
	require.Equal(t, 1, built[1].closed)

	_, err = c.get(-1)
	require.Error(t, err)
	c.close()
	for k, g := range built {
		require.Equal(t, 1, g.closed, "graph %d", k)
	}
}

func TestPoolLendsToOneAtATime(t *testing.T) {
	var p pool[string, *counted]
	build := func(string) (*counted, error) { return &counted{}, nil }
	a, err := p.take("x", build)
	require.NoError(t, err)
	b, err := p.take("x", build)
	require.NoError(t, err)
	require.NotSame(t, a, b)
	p.put("x", a)
	other, err := p.take("y", build)
	require.NoError(t, err)
	require.NotSame(t, a, other)
	again, err := p.take("x", build)
	require.NoError(t, err)
	require.Same(t, a, again)

	for range idleGraphs {
		p.put("z", &counted{})
	}
	p.put("x", b)
	require.Zero(t, b.closed)
	require.Len(t, p.idle, idleGraphs)
}
