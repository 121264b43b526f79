package train

// AdagradConfig configures [NewAdagrad]. The zero value is Adagrad with PyTorch's defaults.
type AdagradConfig struct {
	LR float64 // learning rate; 0 means 0.01
	// how fast the rate falls: at a parameter's n-th update it is LR/(1 + (n−1)·LRDecay)
	LRDecay float64
	Eps     float64 // added to the root; 0 means 1e-10
}

// NewAdagrad is Adagrad (Duchi, Hazan and Singer, 2011), at a parameter's n-th update:
//
//	sum += g²;  p −= lr/(1 + (n−1)·LRDecay) · g/(√sum + eps)
//
// The error names every field that is out of its range.
func NewAdagrad(c AdagradConfig) (Optimizer, error) {
	c.LR, c.Eps = or(c.LR, 0.01), or(c.Eps, 1e-10)
	check := checks{config: "AdagradConfig"}
	check.rate("LR", c.LR)
	check.rate("LRDecay", c.LRDecay)
	check.eps(c.Eps)
	if err := check.err(); err != nil {
		return nil, err
	}
	o := newOptimizer("adagrad", c.LR, adagrad[float32](c), adagrad[float64](c), "sum")
	o.still = true
	return o, nil
}

func adagrad[T float](c AdagradConfig) update[T] {
	eps := T(c.Eps)
	return func(n int, lr float64, p, g []T, s [][]T) {
		rate, sum := T(lr/(1+float64(n-1)*c.LRDecay)), s[0]
		for i, gi := range g {
			sum[i] += gi * gi
			p[i] -= rate * gi / (sqrt(sum[i]) + eps)
		}
	}
}

// AdadeltaConfig configures [NewAdadelta]. The zero value is Adadelta with PyTorch's defaults.
type AdadeltaConfig struct {
	LR  float64 // factor of the step that Adadelta chooses; 0 means 1
	Rho float64 // ρ, decay of both mean squares, in [0, 1); 0 means 0.9, Zero means 0
	Eps float64 // added under both roots; 0 means 1e-6
}

// NewAdadelta is Adadelta (Zeiler, 2012):
//
//	v = ρv + (1−ρ)g²;  δ = √(d + eps)/√(v + eps) · g;  d = ρd + (1−ρ)δ²;  p −= lr·δ
//
// The error names every field that is out of its range.
func NewAdadelta(c AdadeltaConfig) (Optimizer, error) {
	c.LR, c.Rho, c.Eps = or(c.LR, 1), or(c.Rho, 0.9), or(c.Eps, 1e-6)
	check := checks{config: "AdadeltaConfig"}
	check.rate("LR", c.LR)
	check.fraction("Rho", c.Rho)
	check.eps(c.Eps)
	if err := check.err(); err != nil {
		return nil, err
	}
	return newOptimizer("adadelta", c.LR, adadelta[float32](c), adadelta[float64](c), "square_avg",
		"acc_delta"), nil
}

func adadelta[T float](c AdadeltaConfig) update[T] {
	rho, rest, eps := T(c.Rho), T(1-c.Rho), T(c.Eps)
	return func(_ int, lr float64, p, g []T, s [][]T) {
		rate, v, moved := T(lr), s[0], s[1]
		for i, gi := range g {
			v[i] = rho*v[i] + rest*gi*gi
			delta := sqrt(moved[i]+eps) / sqrt(v[i]+eps) * gi
			moved[i] = rho*moved[i] + rest*delta*delta
			p[i] -= rate * delta
		}
	}
}
