package train

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/run"
)

// A state comes back from a checkpoint as it was, by copy, and only into one of its own shapes.
func TestSavedState(t *testing.T) {
	parts := []cells.Part{{Name: "h", Width: 3}, {Name: "c", Width: 1}}
	for _, dtype := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		state := func(batch int) *run.State {
			s, err := run.NewState(parts, batch, dtype)
			require.NoError(t, err)
			return s
		}
		s, other := state(2), state(2)
		s.Parts()[0].Fill(1)
		saved := &Checkpoint{Tensors: map[string]*tensor.Dense{}}
		SaveState(saved, "state", s)
		require.NoError(t, LoadState(saved, "state", other))
		require.NoError(t, other.Reset(1))
		require.Equal(t, []float64{1, 1, 1, 0, 0, 0}, other.Parts()[0].Float64s())
		require.Equal(t, []float64{1, 1, 1, 1, 1, 1}, s.Parts()[0].Float64s())
		require.ErrorContains(t, LoadState(saved, "none", other), "made with other layers")
		require.ErrorContains(t, LoadState(saved, "state", state(3)), "made with other sizes")
	}
}
