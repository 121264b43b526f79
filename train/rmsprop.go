package train

// RMSPropConfig configures [NewRMSProp]. The zero value is RMSProp with PyTorch's defaults.
type RMSPropConfig struct {
	LR       float64 // learning rate; 0 means 0.01
	Alpha    float64 // α, decay of the mean square, in [0, 1); 0 means 0.99, Zero means 0
	Eps      float64 // added to the root; 0 means 1e-8
	Momentum float64 // μ, in [0, 1)
	// divide by the standard deviation instead of the root mean square (Graves, 2013)
	Centered bool
}

// NewRMSProp is RMSProp (Tieleman and Hinton, 2012):
//
//	v = αv + (1−α)g²;  mean = α·mean + (1−α)g
//	d = g / (√v + eps)                 Centered: √(v − mean²)
//	buf = μ·buf + d;  p −= lr·buf      without momentum buf is d
//
// The error names every field that is out of its range.
func NewRMSProp(c RMSPropConfig) (Optimizer, error) {
	c.LR, c.Alpha, c.Eps = or(c.LR, 0.01), or(c.Alpha, 0.99), or(c.Eps, 1e-8)
	check := checks{config: "RMSPropConfig"}
	check.rate("LR", c.LR)
	check.fraction("Alpha", c.Alpha)
	check.eps(c.Eps)
	check.fraction("Momentum", c.Momentum)
	if err := check.err(); err != nil {
		return nil, err
	}
	slots := []string{"square_avg"}
	if c.Centered {
		slots = append(slots, "grad_avg")
	}
	if c.Momentum > 0 {
		slots = append(slots, "momentum_buffer")
	}
	return newOptimizer("rmsprop", c.LR, rmsprop[float32](c), rmsprop[float64](c), slots...), nil
}

func rmsprop[T float](c RMSPropConfig) update[T] {
	alpha, rest, eps, mu := T(c.Alpha), T(1-c.Alpha), T(c.Eps), T(c.Momentum)
	return func(_ int, lr float64, p, g []T, s [][]T) {
		rate, v, mean, buf := T(lr), s[0], s[len(s)-1], s[len(s)-1]
		if c.Centered {
			mean = s[1]
		}
		for i, gi := range g {
			v[i] = alpha*v[i] + rest*gi*gi
			variance := v[i]
			if c.Centered {
				mean[i] = alpha*mean[i] + rest*gi
				variance = max(variance-mean[i]*mean[i], 0) // rounding can make it negative
			}
			d := gi / (sqrt(variance) + eps)
			if c.Momentum > 0 {
				buf[i] = mu*buf[i] + d
				d = buf[i]
			}
			p[i] -= rate * d
		}
	}
}
