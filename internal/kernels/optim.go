package kernels

import "math"

// AdamStep is one update of parameters by Adam, AdamW or AMSGrad, with everything that is the same
// for all elements worked out. The assembly reads its fields by offset.
type AdamStep[F Float] struct {
	Beta1, Rest1 F // decay of the mean gradient, and 1 − Beta1
	Beta2, Rest2 F // decay of the mean square, and 1 − Beta2
	Rate         F // learning rate / (1 − Beta1ⁿ)
	Unbias       F // 1 / (1 − Beta2ⁿ)
	Eps          F
	Penalty      F // λ, added to the gradient as λp
	Keep         F // p is multiplied by it first
}

// Block is how many elements one call of a kernel takes: the garbage collector waits for it.
// SumSquares adds up the sums of such blocks, and Update takes block by block, so that both give
// the same bits if they are called for one block, or several, at a time.
const Block = 1 << 15

const updateLen = Block

// Update changes the parameters p against their gradient g. m and v are the mean gradient and
// square; largest is v itself, or, for AMSGrad, the largest mean square so far:
//
//	g' = g + Penalty·p;  m = Beta1·m + Rest1·g';  v = Beta2·v + Rest2·g'²;  largest = max(largest, v)
//	p = Keep·p − Rate·m/(√(largest·Unbias) + Eps)
//
// On amd64 all levels give the same bits.
func (c *AdamStep[F]) Update(p, g, m, v, largest []F) {
	same3(p, g, m)
	same3(p, v, largest)
	for i := 0; i < len(p); i += updateLen {
		n := min(updateLen, len(p)-i)
		c.update(p[i:i+n], g[i:i+n], m[i:i+n], v[i:i+n], largest[i:i+n])
	}
}

func (c *AdamStep[F]) update(p, g, m, v, largest []F) {
	if c.fast(p, g, m, v, largest) {
		return
	}
	for i := range p {
		gi := g[i] + c.Penalty*p[i]
		m[i] = c.Beta1*m[i] + c.Rest1*gi
		v[i] = c.Beta2*v[i] + c.Rest2*gi*gi
		largest[i] = max(largest[i], v[i])
		p[i] = c.Keep*p[i] - c.Rate*m[i]/(F(math.Sqrt(float64(largest[i]*c.Unbias)))+c.Eps)
	}
}

// SumSquares is Σ x[i]², 0 if x is empty, added up in float64. The order is fixed by the length and
// the level.
func SumSquares[F Float](x []F) float64 {
	var sum float64
	for i := 0; i < len(x); i += updateLen {
		sum += sumSquares(x[i:min(i+updateLen, len(x))])
	}
	return sum
}

func sumSquares[F Float](x []F) float64 {
	if s, ok := fastSquares(x); ok {
		return s
	}
	var s [4]float64
	i := 0
	for ; i+4 <= len(x); i += 4 {
		s[0] += float64(x[i]) * float64(x[i])
		s[1] += float64(x[i+1]) * float64(x[i+1])
		s[2] += float64(x[i+2]) * float64(x[i+2])
		s[3] += float64(x[i+3]) * float64(x[i+3])
	}
	for ; i < len(x); i++ {
		s[0] += float64(x[i]) * float64(x[i])
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}
