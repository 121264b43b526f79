package cells_test

import (
	"math"
)

func softplus(x float64) float64 { return math.Log1p(math.Exp(x)) }

// linear is x·W + b for column j.
func linear(w weights, x []float64, W, b string, j int) float64 {
	return w.row(x, W, j) + w.at(b, 0, j)
}

// units makes a vector of n numbers.
func units(n int, f func(j int) float64) []float64 {
	v := make([]float64, n)
	for j := range v {
		v[j] = f(j)
	}
	return v
}

// closedForm is the state of CfC from its four heads a and a gap of time.
func closedForm(H int, a func(j int) float64, gap float64) []float64 {
	return units(H, func(j int) float64 {
		t := sigmoid(a(2*H+j)*gap + a(3*H+j))
		return math.Tanh(a(j))*(1-t) + math.Tanh(a(H+j))*t
	})
}

func minGRU(positive bool) func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
	return func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
		return func(w weights, x []float64, s [][]float64) [][]float64 {
			return [][]float64{units(z.H, func(j int) float64 {
				gate, n := sigmoid(linear(w, x, "W_ih", "b", j)), linear(w, x, "W_ih", "b", z.H+j)
				if positive && n >= 0 {
					n += 0.5
				} else if positive {
					n = sigmoid(n)
				}
				return (1-gate)*s[0][j] + gate*n
			})}
		}
	}
}

// indRNN has a u that is held within ±limit.
func indRNN(limit float64) func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
	return func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
		return func(w weights, x []float64, s [][]float64) [][]float64 {
			return [][]float64{units(z.H, func(j int) float64 {
				u := min(max(w.at("u", 0, j), -limit), limit)
				return max(0, linear(w, x, "W_ih", "b", j)+u*s[0][j])
			})}
		}
	}
}

func sLSTM(heads int) func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
	return func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
		return func(w weights, x []float64, s [][]float64) [][]float64 {
			d := z.H / heads
			gate := func(k, j int) float64 { // gate k of unit j
				a, head := linear(w, x, "W_ih", "b", k*z.H+j), j/d
				for i := range d {
					// W_hh is [H, 4H], or [heads, d, 4d], whose rows at() counts through all heads.
					a += s[0][head*d+i] * w.at("W_hh", head*d+i, k*d+j%d)
				}
				return a
			}
			h, c, n, m := make([]float64, z.H), make([]float64, z.H), make([]float64, z.H),
				make([]float64, z.H)
			for j := range h {
				i, kept := gate(0, j), s[3][j]-softplus(-gate(1, j))
				m[j] = max(i, kept)
				c[j] = math.Exp(kept-m[j])*s[1][j] + math.Exp(i-m[j])*math.Tanh(gate(2, j))
				n[j] = math.Exp(kept-m[j])*s[2][j] + math.Exp(i-m[j])
				h[j] = sigmoid(gate(3, j)) * c[j] / n[j]
			}
			return [][]float64{h, c, n, m}
		}
	}
}

func mLSTM(heads int) func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
	return func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
		return func(w weights, x []float64, s [][]float64) [][]float64 {
			d := z.H / heads
			of := func(k, j int) float64 { return linear(w, x, "W_ih", "b", k*z.H+j) }
			h, C, n, m := make([]float64, z.H), make([]float64, z.H*d), make([]float64, z.H),
				make([]float64, heads)
			for a := range heads {
				i, kept := linear(w, x, "W_if", "b_if", a),
					s[3][a]-softplus(-linear(w, x, "W_if", "b_if", heads+a))
				m[a] = max(i, kept)
				keep, take := math.Exp(kept-m[a]), math.Exp(i-m[a])
				var norm float64
				for r := range d {
					k := of(1, a*d+r) / math.Sqrt(float64(d))
					n[a*d+r] = keep*s[2][a*d+r] + take*k
					norm += of(0, a*d+r) * n[a*d+r]
					for col := range d {
						at := (a*d+r)*d + col
						C[at] = keep*s[1][at] + take*k*of(2, a*d+col)
					}
				}
				for col := range d {
					var read float64
					for r := range d {
						read += of(0, a*d+r) * C[(a*d+r)*d+col]
					}
					h[a*d+col] = sigmoid(of(3, a*d+col)) * read / max(math.Abs(norm),
						math.Exp(-m[a]))
				}
			}
			return [][]float64{h, C, n, m}
		}
	}
}

func gatedDelta(heads int) func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
	return func(z size) func(w weights, x []float64, s [][]float64) [][]float64 {
		return func(w weights, x []float64, s [][]float64) [][]float64 {
			d := z.H / heads
			unit := func(block, head int) []float64 {
				v := units(d, func(r int) float64 { return w.row(x, "W_ih", block*z.H+head*d+r) })
				sum := 1e-6
				for _, e := range v {
					sum += e * e
				}
				return units(d, func(r int) float64 { return v[r] / math.Sqrt(sum) })
			}
			h, S := make([]float64, z.H), make([]float64, z.H*d)
			for a := range heads {
				alpha := math.Exp(-math.Exp(w.at("A", 0, a)) * softplus(linear(w, x, "W_ab", "b_ab",
					a)))
				beta := sigmoid(linear(w, x, "W_ab", "b_ab", heads+a))
				q, k := unit(0, a), unit(1, a)
				for col := range d {
					var known float64
					for r := range d {
						known += k[r] * alpha * s[1][(a*d+r)*d+col]
					}
					for r := range d {
						at := (a*d+r)*d + col
						S[at] = alpha*s[1][at] + k[r]*beta*(w.row(x, "W_ih", 2*z.H+a*d+col)-known)
						h[a*d+col] += q[r] * S[at] / math.Sqrt(float64(d))
					}
				}
			}
			return [][]float64{h, S}
		}
	}
}
