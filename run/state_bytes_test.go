package run_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/check"
	"github.com/seqzoo/seqzoo/nodes"
	"github.com/seqzoo/seqzoo/run"
)

func filled(t *testing.T, batch int, dtype tensor.Dtype, parts ...cells.Part) *run.State {
	s, err := run.NewState(parts, batch, dtype)
	require.NoError(t, err)
	for k, p := range s.Parts() {
		for i := range p.Len() {
			p.Set(i, math.Sin(float64(17*k+i))*math.Pow(10, float64(i%9-4)))
		}
	}
	return s
}

func numbers(s *run.State) (all [][]float64) {
	for _, p := range s.Parts() {
		all = append(all, p.Float64s())
	}
	return all
}

// A state comes back from its bytes to the bit, in both types, of any number of parts, whatever
// their names.
func TestStateAsBytes(t *testing.T) {
	for _, dtype := range []tensor.Dtype{nodes.Float32, nodes.Float64} {
		for _, parts := range [][]cells.Part{
			{}, {{Name: "h", Width: 1}}, {{Name: "h", Width: 3}, {Name: "c", Width: 3}},
			{{Name: "h", Width: 2}, {Name: "h", Width: 2}, {Name: "memory 日本", Width: 7},
				{Width: 1}},
			make([]cells.Part, 0, 12),
		} {
			if cap(parts) == 12 {
				for range 12 { // names of two digits
					parts = append(parts, cells.Part{Name: "0 h", Width: 2})
				}
			}
			s := filled(t, 3, dtype, parts...)
			b, err := s.MarshalBinary()
			require.NoError(t, err)
			var back run.State
			require.NoError(t, back.UnmarshalBinary(b))
			require.Equal(t, numbers(s), numbers(&back))
			again, err := back.MarshalBinary()
			require.NoError(t, err)
			require.Equal(t, b, again)
			for _, x := range back.Tensors() {
				require.Equal(t, dtype, x.Dtype())
			}
		}
	}
}

// Whatever is done to the bytes is noticed, and the state stays as it was.
func TestStateDamaged(t *testing.T) {
	s := filled(t, 2, nodes.Float32, cells.Part{Name: "h", Width: 2})
	b, err := s.Encode(map[string]string{"tail": "1 2"})
	require.NoError(t, err)
	back, notes, err := run.DecodeState(b)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"tail": "1 2"}, notes)
	before := numbers(back)
	for i := range b {
		for _, flip := range []byte{1, 0x80} {
			bad := append([]byte{}, b...)
			bad[i] ^= flip
			require.Error(t, back.UnmarshalBinary(bad), "byte %d", i)
		}
		require.Error(t, back.UnmarshalBinary(b[:i]))
	}
	require.Error(t, back.UnmarshalBinary(append(b, 0)))
	require.Error(t, back.UnmarshalBinary(nil))
	require.Equal(t, before, numbers(back))
	_, err = (*run.State)(nil).MarshalBinary()
	require.Error(t, err)
}

func TestStateForks(t *testing.T) {
	s := filled(t, 2, nodes.Float64, cells.Part{Name: "h", Width: 2})
	was, fork := numbers(s), s.Clone()
	fork.Zero()
	require.Equal(t, was, numbers(s))
	require.NoError(t, fork.CopyFrom(s.Parts()))
	require.Equal(t, was, numbers(fork))
	other := filled(t, 2, nodes.Float32, cells.Part{Name: "h", Width: 2})
	require.ErrorIs(t, fork.CopyFrom(other.Parts()), check.ErrMisfit)
	require.ErrorIs(t, fork.CopyTo(nil), check.ErrMisfit)
	wide := filled(t, 2, nodes.Float64, cells.Part{Name: "h", Width: 3})
	require.ErrorContains(t, fork.CopyTo(wide.Parts()), "does not fit")
	require.Nil(t, (*run.State)(nil).Clone())
}
