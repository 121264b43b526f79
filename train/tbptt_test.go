package train

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
	"github.com/seqzoo/seqzoo/unroll"
)

// counter is a cell whose state is the sum of its inputs so far: it makes visible where a window
// starts.
type counter struct{}

func (counter) Parts() []cells.Part { return []cells.Part{{Name: "h", Width: 1}} }

func (counter) Step(x *nodes.Node, s cells.State) cells.State {
	return cells.State{nodes.Add(x, s[0])}
}

// counting makes windows of a counter that goes on from state, and notes what shapes were built.
func counting(state *run.State, built *[]WindowShape) *Truncated {
	return NewTruncated(state, func(shape WindowShape) (*WindowGraph, error) {
		*built = append(*built, shape)
		g := nodes.NewGraph(nodes.Options{})
		x, start := g.Input("x", shape.T, 1, 1), g.Input("start", 1, 1)
		r := unroll.Over(counter{}).Unroll(x, cells.State{start}, unroll.Options{})
		y := r.Y()
		return &WindowGraph{
			Loss: nodes.Sum(nodes.Slice(y, 0, shape.Scored, shape.T)), Start: cells.State{start},
			Recurrence: r,
			Inputs:     []*nodes.Node{x}, Keep: []*nodes.Node{y},
		}, nil
	})
}

func TestTruncatedCarriesTheState(t *testing.T) {
	for _, c := range []struct {
		k1, k2, T int
		built     int // graphs
	}{{1, 1, 1, 1}, {1, 1, 5, 1}, {3, 3, 7, 2}, {3, 3, 6, 1}, {2, 5, 7, 4}, {2, 5, 21, 4},
		{2, 3, 12, 3}, {3, 9, 8, 3}, {7, 7, 7, 1}, {9, 9, 7, 1}} {
		t.Run(fmt.Sprintf("k1=%d,k2=%d,T=%d", c.k1, c.k2, c.T), func(t *testing.T) {
			spans, err := unroll.Window{Stride: c.k1, Length: c.k2}.Plan(c.T)
			require.NoError(t, err)
			shapes := Shapes(spans)
			var built []WindowShape
			state := newCarry(t, 1)
			state.Tensors()[0].Float32s()[0] = 100
			windows := counting(state, &built)
			for i, s := range spans {
				w, err := windows.Window(shapes[i])
				require.NoError(t, err)
				w.Inputs[0].Floats().Fill(1)
				loss, err := windows.Run(w, 0, i)
				require.NoError(t, err)
				var want float64 // step k leaves 100 + k + 1
				for k := s.Scored; k < s.End; k++ {
					want += float64(100 + k + 1)
				}
				require.Equal(t, want, loss, "window %d", i)
				require.Equal(t, float64(100+s.Start+1), w.Step.Output(0).At(0), "window %d", i)
			}
			require.Equal(t, float32(100+c.T), state.Tensors()[0].Float32s()[0],
				"the state after the sequence")
			require.Len(t, built, c.built, "%v", built)
			require.NoError(t, windows.Close())
		})
	}
}

func TestTruncatedErrors(t *testing.T) {
	var built []WindowShape
	windows := counting(newCarry(t, 1), &built)
	for _, s := range []WindowShape{{}, {T: -1}, {T: 2, Scored: 2}, {T: 2, Scored: -1},
		{T: 2, Next: 3}, {T: 2, Next: -1}} {
		_, err := windows.Window(s)
		require.ErrorContains(t, err, "want 0 ≤ Scored < T", "%v", s)
	}
	require.Empty(t, built)

	_, err := counting(newCarry(t, 1, 1), &built).Window(WindowShape{T: 1, Next: 1})
	require.ErrorContains(t, err, "a window from a state of 1 parts to one of 1: want 2")
	wide := counting(newCarry(t, 2), &built)
	w, err := wide.Window(WindowShape{T: 1})
	require.NoError(t, err)
	_, err = wide.Run(w, 0, 0)
	require.ErrorContains(t, err, "does not take")

	_, err = windows.Run(w, 0, 0)
	require.ErrorContains(t, err, "not one of this")
	_, err = windows.Run(nil, 0, 0)
	require.ErrorContains(t, err, "not one of this")
	_, err = NewTruncated(nil, nil).Window(WindowShape{T: 1})
	require.ErrorContains(t, err, "needs a state")

	failing := errors.New("no such window")
	for want, build := range map[string]func(WindowShape) (*WindowGraph, error){
		"no such window": func(WindowShape) (*WindowGraph, error) {
			return nil,
				failing
		},
		"lacks its Loss": func(WindowShape) (*WindowGraph, error) {
			return nil,
				nil
		},
		"width is odd": func(WindowShape) (*WindowGraph, error) {
			nodes.Failf("Test", "width is odd")
			return nil, nil
		},
		"a state of 0 parts to one of 1": func(s WindowShape) (*WindowGraph, error) {
			return startless(s), nil
		},
	} {
		_, err := NewTruncated(newCarry(t, 1), build).Window(WindowShape{T: 1, Next: 1})
		require.ErrorContains(t, err, want)
	}
}

// newCarry is a state of zeros for a batch of 1.
func newCarry(t *testing.T, widths ...int) *run.State {
	var parts []cells.Part
	for _, w := range widths {
		parts = append(parts, cells.Part{Name: "h", Width: w})
	}
	c, err := run.NewState(parts, 1, tensor.Float32)
	require.NoError(t, err)
	return c
}

// startless is a window that does not say where its state starts.
func startless(s WindowShape) *WindowGraph {
	g := nodes.NewGraph(nodes.Options{})
	x := g.Input("x", s.T, 1, 1)
	r := unroll.Over(counter{}).Unroll(x, nil, unroll.Options{})
	return &WindowGraph{Loss: nodes.Sum(r.Y()), Recurrence: r, Inputs: []*nodes.Node{x}}
}
