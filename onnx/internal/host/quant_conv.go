package host

import "math"

// convolution is how the windows of an integer convolution lie.
type convolution struct {
	stride, dilation, before []int
	groups                   int
	in, kernel, out          []int
}

// list is an attribute of n integers, all otherwise if it is not given.
func (c *Call) list(name string, n, otherwise, least int) []int {
	xs := c.Attrs.Ints(name)
	if xs == nil {
		for range n {
			xs = append(xs, otherwise)
		}
	}
	if len(xs) != n {
		Failf("%s has %d entries, want %d", name, len(xs), n)
	}
	for _, x := range xs {
		if x < least || x > MaxElements {
			Failf("%s is %v", name, xs)
		}
	}
	return xs
}

// convolutionOf reads the attributes for operands x [N, C, ...] and w [M, C/groups, ...].
func (c *Call) convolutionOf(x, w *Tensor) convolution {
	n := len(x.Shape) - 2
	if n < 1 || len(w.Shape) != n+2 {
		Failf("a convolution of %v by %v", x.Shape, w.Shape)
	}
	v := convolution{stride: c.list("strides", n, 1, 1), dilation: c.list("dilations", n, 1, 1),
		groups: c.Attrs.Int("group", 1), in: x.Shape[2:], kernel: w.Shape[2:]}
	if v.groups < 1 || w.Shape[0]%v.groups != 0 || x.Shape[1] != w.Shape[1]*v.groups {
		Failf("a convolution of %v by %v in %d groups", x.Shape, w.Shape, v.groups)
	}
	pads := c.list("pads", 2*n, 0, 0)
	auto := c.Attrs.String("auto_pad", "NOTSET")
	for i := range n {
		reach := (v.kernel[i]-1)*v.dilation[i] + 1
		before, behind := pads[i], pads[n+i]
		switch auto {
		case "VALID":
			before, behind = 0, 0
		case "SAME_UPPER", "SAME_LOWER":
			total := max(0, ((v.in[i]+v.stride[i]-1)/v.stride[i]-1)*v.stride[i]+reach-v.in[i])
			if before = total / 2; auto == "SAME_LOWER" {
				before = total - total/2
			}
			behind = total - before
		}
		if reach < 1 || v.in[i]+before+behind < reach {
			Failf("a window of %d places does not fit into %d", reach, v.in[i]+before+behind)
		}
		v.before = append(v.before, before)
		v.out = append(v.out, (v.in[i]+before+behind-reach)/v.stride[i]+1)
	}
	return v
}

// convolve is the convolution of integers that zero points have been taken off, [N, M, ...].
func (v convolution) convolve(x, w *Tensor) *Tensor {
	N, C, M := x.Shape[0], x.Shape[1], w.Shape[0]
	out := New(Int64, append([]int{N, M}, v.out...)...)
	places, inner, kernel := Size(v.out), Size(v.in), Size(v.kernel)
	perGroup := C / v.groups
	for p := range places {
		at := unravel(p, v.out)
		for k := range kernel {
			step, from, inside := unravel(k, v.kernel), 0, true
			for i := range at {
				q := at[i]*v.stride[i] + step[i]*v.dilation[i] - v.before[i]
				inside = inside && q >= 0 && q < v.in[i]
				from = from*v.in[i] + q
			}
			if !inside {
				continue
			}
			for n := range N {
				for m := range M {
					first := m / (M / v.groups) * perGroup
					var sum int64
					for ch := range perGroup {
						sum += x.I[(n*C+first+ch)*inner+from] * w.I[(m*perGroup+ch)*kernel+k]
					}
					out.I[(n*M+m)*places+p] += sum
				}
			}
		}
	}
	return out
}

func convInteger(c *Call) []*Tensor {
	x, w := centred(c.need(0), c.Arg(2), 1), centred(c.need(1), c.Arg(3), 0)
	return []*Tensor{Cast(c.convolutionOf(x, w).convolve(x, w), Int32)}
}

// qlinearConv has operands x, its scale and zero point, w, its scales and zero points, the scale and
// zero point of the result, and a bias in the units of the sums.
func qlinearConv(c *Call) []*Tensor {
	x, w := centred(c.need(0), c.need(2), 1), centred(c.need(3), c.need(5), 0)
	for _, i := range []int{1, 4, 6} {
		if c.need(i).F == nil {
			Failf("operand %d, a scale, is %v", i, c.In[i])
		}
	}
	zero := c.need(7)
	if zero.Len() != 1 || zero.I == nil || c.In[1].Len() != 1 || c.In[6].Len() != 1 {
		Failf("scales %v and %v and a zero point %v: want one each", c.In[1], c.In[6], zero)
	}
	sums := c.convolutionOf(x, w).convolve(x, w)
	M := w.Shape[0]
	scales := alongAxis(c.In[4], 0, []int{M})
	bias := c.Arg(8)
	if bias != nil && (bias.I == nil || bias.Len() != M) {
		Failf("a bias %v of %d channels", bias, M)
	}
	out := New(zero.Type, sums.Shape...)
	places := Size(sums.Shape[2:])
	for i, s := range sums.I {
		m := i / max(1, places) % M
		if bias != nil {
			s += bias.I[m]
		}
		scale := float32(c.In[1].F[0]) * float32(scales.F[m]) / float32(c.In[6].F[0])
		out.I[i] = saturate(math.RoundToEven(float64(float32(s)*scale))+zero.Float(0), zero.Type)
	}
	return []*Tensor{out}
}
