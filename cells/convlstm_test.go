package cells_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/nodes"
)

// convLSTM are the equations of a ConvLSTM on pictures of the given size, of C and K channels.
func convLSTM(height, width, kernel, C, K int) func(w weights, x []float64,
	s [][]float64) [][]float64 {
	down, across := min(kernel/2, height-1), min(kernel/2, width-1)
	return func(w weights, x []float64, s [][]float64) [][]float64 {
		// conv is the convolution of a picture of n channels with column j of a weight, at a place.
		conv := func(picture []float64, n int, name string, y, x, j int) (sum float64) {
			for dy := -down; dy <= down; dy++ {
				for dx := -across; dx <= across; dx++ {
					if y+dy < 0 || y+dy >= height || x+dx < 0 || x+dx >= width {
						continue
					}
					tap := (dy+down)*(2*across+1) + dx + across
					for k := range n {
						sum += picture[((y+dy)*width+x+dx)*n+k] * w.at(name, tap*n+k, j)
					}
				}
			}
			return sum
		}
		h, c := make([]float64, height*width*K), make([]float64, height*width*K)
		for at := range c {
			k, place := at%K, at/K
			a := func(gate int) float64 {
				y, col := place/width, place%width
				j := gate*K + k
				return conv(x, C, "W_ih", y, col, j) + conv(s[0], K, "W_hh", y, col, j) +
					w.at("b", 0, j)
			}
			peep := func(gate int) float64 { return w.at("w_c", gate*height*width+place, k) }
			i, f := sigmoid(a(0)+peep(0)*s[1][at]), sigmoid(a(1)+peep(1)*s[1][at])
			c[at] = f*s[1][at] + i*math.Tanh(a(2))
			h[at] = sigmoid(a(3)+peep(2)*c[at]) * math.Tanh(c[at])
		}
		return [][]float64{h, c}
	}
}

// A ConvLSTM equals its equations on pictures that are larger than its kernel, smaller, and of one
// row, and its gradients equal finite differences.
func TestConvLSTM(t *testing.T) {
	for _, p := range []struct{ height, width, kernel, C, K int }{
		{1, 1, 3, 2, 3}, {3, 2, 3, 1, 2}, {2, 3, 5, 2, 1}, {1, 4, 3, 1, 1}, {4, 1, 1, 2, 2},
	} {
		for _, peephole := range []bool{false, true} {
			t.Run(fmt.Sprint(p, peephole), func(t *testing.T) {
				places := p.height * p.width
				cell := func(s *nodes.Scope) cells.Cell {
					return cells.ConvLSTMConfig{In: places * p.C, Hidden: places * p.K,
						Height: p.height, Width: p.width, Kernel: p.kernel,
						Peephole: peephole}.New(s)
				}
				o := newStep(t, nodes.Float64, 2, places*p.C, false, cell)
				requireOracle(t, o, convLSTM(p.height, p.width, p.kernel, p.C, p.K))
				requireGradients(t, 2, places*p.C, false, cell)
			})
		}
	}
}

func TestConvLSTMBadConfig(t *testing.T) {
	for want, c := range map[string]cells.ConvLSTMConfig{
		"Kernel is 4, want an odd number": {In: 1, Hidden: 1, Kernel: 4},
		"Kernel is 257, want 1 … 255":     {In: 1, Hidden: 1, Kernel: 257},
		"In is 7, want a number of channels for each of 2 × 3 places": {
			In: 7, Hidden: 6, Height: 2, Width: 3},
		"Hidden is 8, want a number of channels for each of 2 × 3 places": {
			In: 6, Hidden: 8, Height: 2, Width: 3},
		"Height is -1": {In: 1, Hidden: 1, Height: -1},
	} {
		require.ErrorContains(t, c.Validate(), want)
	}
}
