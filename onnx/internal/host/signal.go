package host

import "math"

// cosines is a window: the sum of a[k]·cos(2π·k·i/n), over n places, or n−1 where the last is to be
// as the first.
func cosines(a ...float64) Func {
	return func(c *Call) []*Tensor {
		size := c.needNumbers(0)
		if size.Len() != 1 || size.Int(0) < 0 {
			Failf("a window of size %v", size)
		}
		t := Type(c.Attrs.Int("output_datatype", int(Float32)))
		if !t.IsFloat() && t.Bits() == 0 {
			Failf("a window of %v", t)
		}
		n := size.Int(0)
		f := New(Float64, n)
		period := float64(n)
		if c.Attrs.Int("periodic", 1) == 0 {
			period = max(1, period-1)
		}
		for i := range f.F {
			for k, x := range a {
				f.F[i] += x * math.Cos(2*math.Pi*float64(k*i)/period)
			}
		}
		return []*Tensor{Cast(f, t)}
	}
}

// melWeights is the matrix [dft_length/2+1, bins] that sums the powers of frequencies to bins,
// whose edges are equally far from one another on the mel scale.
func melWeights(c *Call) []*Tensor {
	for i := range 5 {
		if c.needNumbers(i).Len() != 1 {
			Failf("operand %d is %v: want a number", i, c.In[i])
		}
	}
	bins, length, rate := c.In[0].Int(0), c.In[1].Int(0), c.In[2].Int(0)
	low, high := c.In[3].Float(0), c.In[4].Float(0)
	if bins < 1 || length < 1 || rate < 1 || bins > MaxElements-2 || !(low >= 0 && low <= high) ||
		!(high <= float64(rate)) {
		Failf("%d bins of transforms of %d at a rate of %d, from %g to %g", bins, length, rate, low,
			high)
	}
	t := Type(c.Attrs.Int("output_datatype", int(Float32)))
	if !t.IsFloat() {
		Failf("weights of %v", t)
	}
	mel := func(f float64) float64 { return 2595 * math.Log10(1+f/700) }
	out := New(t, length/2+1, bins)
	edges := make([]int, bins+2)
	for i := range edges {
		at := mel(low) + float64(i)*(mel(high)-mel(low))/float64(bins+2)
		edges[i] = int(math.Floor(float64(length+1) * 700 * (math.Pow(10, at/2595) - 1) /
			float64(rate)))
	}
	set := func(row, bin int, x float64) {
		if row >= 0 && row < out.Shape[0] {
			out.F[row*bins+bin] = x
		}
	}
	for bin := range bins {
		from, top, to := edges[bin], edges[bin+1], edges[bin+2]
		if from == top {
			set(top, bin, 1)
		} else {
			for i := from; i <= top; i++ {
				set(i, bin, float64(i-from)/float64(top-from))
			}
		}
		for i := top; i < to; i++ {
			set(i, bin, float64(to-i)/float64(to-top))
		}
	}
	return []*Tensor{out}
}

func signalFuncs() map[string]Func {
	return map[string]Func{
		"HannWindow": cosines(0.5, -0.5), "HammingWindow": cosines(25./46, -21./46),
		"BlackmanWindow": cosines(0.42, -0.5, 0.08), "MelWeightMatrix": melWeights,
	}
}
