package train

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
)

func TestCarry(t *testing.T) {
	parts := []cells.Part{{Name: "h", Width: 3}, {Name: "c", Width: 1}}
	t.Run("float32", func(t *testing.T) { testCarry[float32](t, tensor.Float32, parts) })
	t.Run("float64", func(t *testing.T) { testCarry[float64](t, tensor.Float64, parts) })
	_, err := NewCarry(parts, 1<<40, tensor.Float32)
	require.ErrorContains(t, err, "more than")
}

func testCarry[F float](t *testing.T, dtype tensor.Dtype, parts []cells.Part) {
	c, err := NewCarry(parts, 2, dtype)
	require.NoError(t, err)
	ones := tensor.Ones(dtype, 2, 3)
	require.NoError(t, c.Set(0, ones))
	require.ErrorContains(t, c.Set(1, ones), "does not take")

	saved := &Checkpoint{Tensors: map[string]*tensor.Dense{}}
	c.Save(saved, "state")
	other, err := NewCarry(parts, 2, dtype)
	require.NoError(t, err)
	require.NoError(t, other.Load(saved, "state"))
	require.Equal(t, []F{1, 1, 1, 1, 1, 1}, other.Tensors()[0].Data())
	require.ErrorContains(t, other.Load(saved, "none"), "made with other layers")
	wide, err := NewCarry(parts, 3, dtype)
	require.NoError(t, err)
	require.ErrorContains(t, wide.Load(saved, "state"), "made with other sizes")

	require.NoError(t, other.Reset(1))
	require.Equal(t, []F{1, 1, 1, 0, 0, 0}, other.Tensors()[0].Data())
	require.Equal(t, []F{1, 1, 1, 1, 1, 1}, c.Tensors()[0].Data(), "loaded by copy")
	require.ErrorContains(t, other.Reset(2), "sequence 2 in a batch of 2")
	require.ErrorContains(t, other.Reset(-1), "sequence -1")
	other.Zero()
	fed := tensor.Ones(dtype, 2, 3)
	require.NoError(t, other.CopyTo(0, fed))
	require.Equal(t, []F{0, 0, 0, 0, 0, 0}, fed.Data())
}
