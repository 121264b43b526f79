package train

// SGDConfig configures [NewSGD]. The zero value is plain gradient descent with a rate of 0.01.
type SGDConfig struct {
	LR          float64 // learning rate; 0 means 0.01
	Momentum    float64 // μ, the share of the last move that is kept, in [0, 1)
	Nesterov    bool    // look ahead along the momentum
	WeightDecay float64 // λ, an L2 penalty of ½λp²
}

// NewSGD is stochastic gradient descent (Robbins and Monro, 1951), with momentum (Polyak, 1964) or
// Nesterov's accelerated gradient (1983) in the form of Sutskever et al. (2013):
//
//	g += λp;  buf = μ·buf + g
//	p −= lr·buf               Momentum (without momentum buf is g)
//	p −= lr·(g + μ·buf)       Nesterov
//
// The error names every field that is out of its range, and Nesterov without Momentum.
func NewSGD(c SGDConfig) (Optimizer, error) {
	c.LR = or(c.LR, 0.01)
	check := checks{config: "SGDConfig"}
	check.rate("LR", c.LR)
	check.fraction("Momentum", c.Momentum)
	check.field(!c.Nesterov || c.Momentum > 0, "Nesterov", c.Nesterov, "false when Momentum is 0")
	check.rate("WeightDecay", c.WeightDecay)
	if err := check.err(); err != nil {
		return nil, err
	}
	var slots []string
	if c.Momentum > 0 {
		slots = []string{"momentum_buffer"}
	}
	o := newOptimizer("sgd", c.LR, sgd[float32](c), sgd[float64](c), slots...)
	o.still = c.Momentum == 0 && c.WeightDecay == 0
	return o, nil
}

func sgd[T float](c SGDConfig) update[T] {
	mu, decay := T(c.Momentum), T(c.WeightDecay)
	return func(_ int, lr float64, p, g []T, s [][]T) {
		rate := T(lr)
		if c.Momentum == 0 {
			for i := range p {
				p[i] -= rate * (g[i] + decay*p[i])
			}
			return
		}
		buf := s[0]
		for i := range p {
			gi := g[i] + decay*p[i]
			buf[i] = mu*buf[i] + gi
			if c.Nesterov {
				p[i] -= rate * (gi + mu*buf[i])
			} else {
				p[i] -= rate * buf[i]
			}
		}
	}
}
