package train

import (
	"math"

	"github.com/seqzoo/seqzoo/internal/kernels"
)

// AdamConfig configures [NewAdam] and [NewAdamW]. The zero value is Adam as published.
type AdamConfig struct {
	LR    float64 // learning rate; 0 means 0.001
	Beta1 float64 // β₁, decay of the mean gradient, in [0, 1); 0 means 0.9, Zero means 0
	Beta2 float64 // β₂, decay of the mean square, in [0, 1); 0 means 0.999, Zero means 0
	Eps   float64 // added to the root; 0 means 1e-8
	// λ: an L2 penalty of ½λp² for Adam, decoupled for AdamW; 0 is none for both
	WeightDecay float64
	AMSGrad     bool // divide by the largest mean square so far (Reddi et al., 2018)
}

// NewAdam is Adam (Kingma and Ba, 2015), at a parameter's n-th update:
//
//	g += λp;  m = β₁m + (1−β₁)g;  v = β₂v + (1−β₂)g²
//	p −= lr/(1−β₁ⁿ) · m / (√(v/(1−β₂ⁿ)) + eps)
//
// AMSGrad puts the running maximum of v for v in the last line.
// The error names every field that is out of its range.
func NewAdam(c AdamConfig) (Optimizer, error) { return newAdam("adam", c) }

// NewAdamW is Adam with decoupled weight decay (Loshchilov and Hutter, 2019): λ is kept out of g,
// and each update begins with p −= lr·λ·p.
func NewAdamW(c AdamConfig) (Optimizer, error) { return newAdam("adamw", c) }

func newAdam(kind string, c AdamConfig) (Optimizer, error) {
	c.LR, c.Beta1, c.Beta2, c.Eps = or(c.LR, 0.001), or(c.Beta1, 0.9), or(c.Beta2, 0.999),
		or(c.Eps, 1e-8)
	check := checks{config: "AdamConfig"}
	check.rate("LR", c.LR)
	check.fraction("Beta1", c.Beta1)
	check.fraction("Beta2", c.Beta2)
	check.eps(c.Eps)
	check.rate("WeightDecay", c.WeightDecay)
	if err := check.err(); err != nil {
		return nil, err
	}
	slots := []string{"exp_avg", "exp_avg_sq"}
	if c.AMSGrad {
		slots = append(slots, "max_exp_avg_sq")
	}
	decoupled := kind == "adamw"
	return newOptimizer(kind, c.LR, adam[float32](c, decoupled), adam[float64](c, decoupled),
		slots...), nil
}

func adam[T float](c AdamConfig, decoupled bool) update[T] {
	u := kernels.AdamStep[T]{Beta1: T(c.Beta1), Beta2: T(c.Beta2), Eps: T(c.Eps)}
	u.Rest1, u.Rest2 = T(1-c.Beta1), T(1-c.Beta2) // rounded once, from the exact difference
	return func(n int, lr float64, p, g []T, s [][]T) {
		u.Rate = T(lr / (1 - math.Pow(c.Beta1, float64(n))))
		u.Unbias = T(1 / (1 - math.Pow(c.Beta2, float64(n))))
		u.Penalty, u.Keep = T(c.WeightDecay), 1
		if decoupled {
			u.Penalty, u.Keep = 0, T(1-lr*c.WeightDecay)
		}
		largest := s[1]
		if c.AMSGrad {
			largest = s[2]
		}
		u.Update(p, g, s[0], s[1], largest)
	}
}
