package cells_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/cells"
	"github.com/seqzoo/seqzoo/internal/testkit"
	"github.com/seqzoo/seqzoo/nodes"
)

// newer is a cell of the tables below: how it is made, and its equations as plain loops over one
// row.
type newer struct {
	config cells.Config       // is sized by the test
	build  func(z size) build // for what a configuration alone cannot say
	oracle func(z size) func(w weights, x []float64, s [][]float64) [][]float64
	wide   int // the least hidden width; sizes are multiplied by it
}

// cell declares the cell in the given size.
func (c newer) cell(z size) build {
	if c.build != nil {
		return c.build(z)
	}
	return func(s *nodes.Scope) cells.Cell { return c.config.Sized(z.In, z.H).New(s) }
}

var newerCells = map[string]newer{
	"mingru": {
		config: cells.MinGRUConfig{},
		oracle: minGRU(false),
	},
	"mingru_positive": {
		config: cells.MinGRUConfig{Positive: true},
		oracle: minGRU(true),
	},
	"minlstm": {
		config: cells.MinLSTMConfig{},
		oracle: func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
			return func(w weights, x []float64, s [][]float64) [][]float64 {
				return [][]float64{units(z.H, func(j int) float64 {
					f, i := sigmoid(linear(w, x, "W_ih", "b", j)),
						sigmoid(linear(w, x, "W_ih", "b", z.H+j))
					return (f*s[0][j] + i*linear(w, x, "W_ih", "b", 2*z.H+j)) / (f + i)
				})}
			}
		},
	},
	"indrnn": {config: cells.IndRNNConfig{}, oracle: indRNN(math.Inf(1))},
	// Of 0.8 times normal numbers a fifth is beyond 1.0000001.
	"indrnn_bounded": {config: cells.IndRNNConfig{Bounded: true, Steps: 1e7},
		oracle: indRNN(math.Pow(2, 1e-7))},
	"sru": {
		config: cells.SRUConfig{},
		oracle: func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
			return func(w weights, x []float64, s [][]float64) [][]float64 {
				h, c := make([]float64, z.H), make([]float64, z.H)
				for j := range h {
					f := sigmoid(w.row(x, "W_ih", z.H+j) + w.at("v", 0, j)*s[1][j] +
						w.at("b", 0, j))
					r := sigmoid(w.row(x, "W_ih", 2*z.H+j) + w.at("v", 0, z.H+j)*s[1][j] +
						w.at("b", 0, z.H+j))
					var skip float64
					if z.In == z.H {
						skip = x[j]
					} else {
						skip = w.row(x, "W_ih", 3*z.H+j)
					}
					c[j] = f*s[1][j] + (1-f)*w.row(x, "W_ih", j)
					h[j] = r*c[j] + (1-r)*skip
				}
				return [][]float64{h, c}
			}
		},
	},
	"qrnn": {
		config: cells.QRNNConfig{},
		oracle: func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
			return func(w weights, x []float64, s [][]float64) [][]float64 {
				a := func(j int) float64 {
					return linear(w, x, "W_ih", "b", j) +
						w.row(s[2], "W_last", j)
				}
				c := units(z.H, func(j int) float64 {
					f := sigmoid(a(z.H + j))
					return f*s[1][j] + (1-f)*math.Tanh(a(j))
				})
				return [][]float64{units(z.H,
					func(j int) float64 { return sigmoid(a(2*z.H+j)) * c[j] }), c, x}
			}
		},
	},
	"qrnn_width_1": {
		config: cells.QRNNConfig{Width: 1},
		oracle: func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
			return func(w weights, x []float64, s [][]float64) [][]float64 {
				c := units(z.H, func(j int) float64 {
					f := sigmoid(linear(w, x, "W_ih", "b", z.H+j))
					return f*s[1][j] + (1-f)*math.Tanh(linear(w, x, "W_ih", "b", j))
				})
				return [][]float64{units(z.H,
					func(j int) float64 {
						return sigmoid(linear(w, x, "W_ih", "b",
							2*z.H+j)) * c[j]
					}), c}
			}
		},
	},
	"ugrnn": {
		config: cells.UGRNNConfig{},
		oracle: func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
			return func(w weights, x []float64, s [][]float64) [][]float64 {
				a := func(j int) float64 {
					return linear(w, x, "W_ih", "b", j) +
						w.row(s[0], "W_hh", j)
				}
				return [][]float64{units(z.H, func(j int) float64 {
					g := sigmoid(a(z.H + j))
					return g*s[0][j] + (1-g)*math.Tanh(a(j))
				})}
			}
		},
	},
	"lem": {
		config: cells.LEMConfig{Dt: 0.7},
		oracle: func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
			return func(w weights, x []float64, s [][]float64) [][]float64 {
				a := func(j int) float64 {
					return linear(w, x, "W_ih", "b", j) +
						w.row(s[0], "W_hh", j)
				}
				next := units(z.H, func(j int) float64 {
					d := 0.7 * sigmoid(a(j))
					return (1-d)*s[1][j] + d*math.Tanh(a(2*z.H+j))
				})
				return [][]float64{units(z.H, func(j int) float64 {
					d := 0.7 * sigmoid(a(z.H+j))
					return (1-d)*s[0][j] + d*math.Tanh(linear(w, x, "W_ih", "b",
						3*z.H+j)+w.row(next, "W_hh_y", j))
				}), next}
			}
		},
	},
	"cornn": {
		config: cells.CoRNNConfig{Dt: 0.3,
			Gamma: 1.5, Epsilon: 0.5},
		oracle: func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
			return func(w weights, x []float64, s [][]float64) [][]float64 {
				next := units(z.H, func(j int) float64 {
					drive := math.Tanh(linear(w, x, "W_ih", "b", j) + w.row(s[0], "W_hh_y", j) +
						w.row(s[1], "W_hh_z", j))
					return s[1][j] + 0.3*(drive-1.5*s[0][j]-0.5*s[1][j])
				})
				return [][]float64{units(z.H, func(j int) float64 { return s[0][j] + 0.3*next[j] }),
					next}
			}
		},
	},
	"lru": {
		build: func(z size) build {
			return func(s *nodes.Scope) cells.Cell {
				return cells.LRUConfig{In: z.In, Hidden: z.H, Units: z.H + 1}.New(s)
			}
		},
		oracle: func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
			return func(w weights, x []float64, s [][]float64) [][]float64 {
				N := z.H + 1
				re, im := make([]float64, N), make([]float64, N)
				for j := range re {
					radius, phase := math.Exp(-math.Exp(w.at("nu", 0, j))),
						math.Exp(w.at("theta", 0, j))
					lambda := complex(radius*math.Cos(phase), radius*math.Sin(phase))
					in := complex(w.row(x, "W_ih", j),
						w.row(x, "W_ih", N+j)) * complex(math.Exp(w.at("gamma", 0, j)), 0)
					next := lambda*complex(s[1][j], s[2][j]) + in
					re[j], im[j] = real(next), imag(next)
				}
				y := units(z.H, func(j int) float64 {
					return w.row(re, "W_re", j) +
						w.row(im, "W_im", j) + w.row(x, "W_skip", j)
				})
				return [][]float64{y, re, im}
			}
		},
	},
	"rglru": {
		config: cells.RGLRUConfig{},
		oracle: func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
			return func(w weights, x []float64, s [][]float64) [][]float64 {
				return [][]float64{units(z.H, func(j int) float64 {
					a := math.Exp(-8 * softplus(w.at("Lambda", 0, j)) * sigmoid(linear(w, x, "W_ih",
						"b", z.H+j)))
					return a*s[0][j] + math.Sqrt(1-a*a)*sigmoid(linear(w, x, "W_ih", "b",
						2*z.H+j))*linear(w, x, "W_ih", "b", j)
				})}
			}
		},
	},
	"slstm":         {config: cells.SLSTMConfig{Heads: 1}, oracle: sLSTM(1)},
	"slstm_2_heads": {config: cells.SLSTMConfig{Heads: 2}, oracle: sLSTM(2), wide: 2},
	"mlstm":         {config: cells.MLSTMConfig{Heads: 1}, oracle: mLSTM(1)},
	"mlstm_2_heads": {config: cells.MLSTMConfig{Heads: 2}, oracle: mLSTM(2), wide: 2},
	"gated_delta":   {config: cells.GatedDeltaConfig{Heads: 1}, oracle: gatedDelta(1)},
	"gated_delta_3_heads": {config: cells.GatedDeltaConfig{Heads: 3}, oracle: gatedDelta(3),
		wide: 6},
	"ssm": {
		config: cells.SSMConfig{Units: 3},
		oracle: func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
			return func(w weights, x []float64, s [][]float64) [][]float64 {
				const N = 3
				state := make([]float64, z.H*N)
				y := units(z.H, func(j int) (y float64) {
					u, delta := w.row(x, "W_ih", j),
						softplus(w.row(x, "W_ih", z.H+j)+w.at("b_delta", 0, j))
					for n := range N {
						k := j*N + n
						state[k] = math.Exp(-delta*math.Exp(w.at("A_log", j, n)))*s[1][k] +
							delta*u*w.row(x, "W_bc", n)
						y += state[k] * w.row(x, "W_bc", N+n)
					}
					return y + w.at("D", 0, j)*u
				})
				return [][]float64{y, state}
			}
		},
	},
	"convlstm": {
		config: cells.ConvLSTMConfig{Peephole: true},
		oracle: func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
			return convLSTM(1, 1, 3, z.In, z.H)
		},
	},
	"cfc": {
		config: cells.CfCConfig{},
		oracle: func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
			return func(w weights, x []float64, s [][]float64) [][]float64 {
				a := func(j int) float64 {
					return linear(w, x, "W_ih", "b", j) +
						w.row(s[0], "W_hh", j)
				}
				return [][]float64{closedForm(z.H, a, 1)}
			}
		},
	},
	"cfc_gaps_backbone": {
		build: func(z size) build {
			return func(s *nodes.Scope) cells.Cell {
				return cells.CfCConfig{In: z.In + 1, Hidden: z.H, Gaps: true,
					Backbone: 2}.New(s)
			}
		},
		oracle: func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
			return func(w weights, x []float64, s [][]float64) [][]float64 {
				gap, x := x[len(x)-1], x[:len(x)-1]
				u := units(2, func(j int) float64 {
					return math.Tanh(linear(w, x, "W_ih", "b", j) +
						w.row(s[0], "W_hh", j))
				})
				return [][]float64{closedForm(z.H,
					func(j int) float64 { return linear(w, u, "W", "b_heads", j) }, gap)}
			}
		},
	},
}

// Every cell equals its equations as plain loops, and its gradients equal finite differences, in
// float64 and float32.
func TestNewerCells(t *testing.T) {
	for name, c := range newerCells {
		for _, z := range sizes {
			z.H *= max(c.wide, 1)
			t.Run(name+"/"+z.String(), func(t *testing.T) {
				in := z.In
				if name == "cfc_gaps_backbone" {
					in++
				}
				o := newStep(t, nodes.Float64, z.B, in, false, c.cell(z))
				requireOracle(t, o, c.oracle(z))
				requireGradients(t, z.B, in, false, c.cell(z))
			})
		}
	}
}

// Sizes that no cell can have are named, all at once.
func TestNewerCellsBadConfig(t *testing.T) {
	for name, cfg := range map[string]struct {
		cfg  interface{ Validate() error }
		want string
	}{
		"mingru":  {cells.MinGRUConfig{Hidden: 3}, "MinGRU: In is 0"},
		"minlstm": {cells.MinLSTMConfig{In: 1, Hidden: -1}, "MinLSTM: Hidden is -1"},
		"indrnn": {cells.IndRNNConfig{In: 1, Hidden: 1, Activation: "x"},
			`IndRNN: Activation is "x"`},
		"indrnn input": {cells.IndRNNConfig{In: 1, Hidden: 1, InputStd: math.Inf(1)},
			"IndRNN: InputStd is +Inf"},
		"indrnn two inputs": {cells.IndRNNConfig{In: 1, Hidden: 1, InputStd: 1,
			InitInput: nodes.Ones()}, "set one of them"},
		"mingru memory":  {cells.MinGRUConfig{In: 1, Hidden: 1, Memory: 1}, "MinGRU: Memory is 1"},
		"minlstm memory": {cells.MinLSTMConfig{In: 1, Hidden: 1, Memory: -3}, "Memory is -3"},
		"qrnn memory": {cells.QRNNConfig{In: 1, Hidden: 1, Memory: 9, NoBias: true},
			"NoBias leaves them out"},

		"sru":   {cells.SRUConfig{In: 1}, "SRU: Hidden is 0"},
		"qrnn":  {cells.QRNNConfig{In: 1, Hidden: 1, Width: 3}, "QRNN: Width is 3"},
		"ugrnn": {cells.UGRNNConfig{In: 1, Hidden: 1 << 21}, "UGRNN: Hidden is 2097152"},
		"lem":   {cells.LEMConfig{In: 1, Hidden: 1, Dt: math.NaN()}, "LEM: Dt is NaN"},
		"cornn": {cells.CoRNNConfig{In: 1, Hidden: 1, Gamma: -1}, "CoRNN: Gamma is -1"},
		"lru":   {cells.LRUConfig{In: 1, Hidden: 1, MaxRadius: 1}, "MaxRadius 1, want"},
		"rglru": {cells.RGLRUConfig{}, "RGLRU: Hidden is 0"},
		"slstm": {cells.SLSTMConfig{In: 1, Hidden: 3, Heads: 2},
			"SLSTM: Heads is 2, want a number that divides Hidden, which is 3"},
		"mlstm": {cells.MLSTMConfig{In: 1, Hidden: 3, Heads: -1}, "MLSTM: Heads is -1"},
		"gated_delta": {cells.GatedDeltaConfig{In: 1, Hidden: 2, Heads: 4},
			"GatedDelta: Heads is 4"},
		"ssm": {cells.SSMConfig{In: 1, Hidden: 1 << 20}, "SSM: Hidden·Units is 16777216"},
		"cfc": {cells.CfCConfig{In: 1, Hidden: 1, Gaps: true},
			"want at least one feature beside the gap"},
	} {
		require.ErrorContains(t, cfg.cfg.Validate(), cfg.want, name)
	}
}

// The first step of an SLSTM is σ(o)∘tanh(z), however far its gates are from 0, and nothing
// overflows on the way.
func TestSLSTMStart(t *testing.T) {
	for _, gate := range []float64{-1000, -1, 0, 1, 1000} {
		o := newStep(t, nodes.Float32, 2, 3, false,
			newerCells["slstm"].cell(size{B: 2, In: 3, H: 2}))
		for _, n := range o.state {
			leaf(n).Zero()
		}
		b, _ := o.store.Get("cell/b")
		copy(b.Value().Data().([]float32), []float32{float32(gate), float32(gate), -float32(gate),
			-float32(gate), 0.5, -0.5, 2, 2})
		w, _ := o.store.Get("cell/W_ih")
		w.Value().Zero()
		o.run(t, append(append([]*nodes.Node{}, o.next...), o.grads...)...)
		h := sigmoid(2) * math.Tanh(0.5)
		testkit.RequireClose(t, []float64{h, -h, h, -h}, testkit.Floats(o.next[0].Value()), 1e-6,
			"h")
		for k, g := range o.grads {
			for _, v := range testkit.Floats(g.Value()) {
				require.False(t, math.IsNaN(v) || math.IsInf(v, 0), "gate %g, gradient of %s", gate,
					o.names[k])
			}
		}
	}
}
