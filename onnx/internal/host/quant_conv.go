package host

// convolution is a convolution of integers.
type convolution struct {
	Window
	in     []int // sizes of the axes that the window slides along
	groups int
}

// convolutionOf reads the attributes for operands x [N, C, ...] and w [M, C/groups, ...].
func (c *Call) convolutionOf(x, w *Tensor) convolution {
	if len(x.Shape) < 3 || len(w.Shape) != len(x.Shape) {
		Failf("a convolution of %v by %v", x.Shape, w.Shape)
	}
	in := x.Shape[2:]
	v := convolution{c.Attrs.Window(in, w.Shape[2:]), in, c.Attrs.Int("group", 1)}
	c.Attrs.PadSame(v.Window, in)
	if v.groups < 1 || w.Shape[0]%v.groups != 0 || x.Shape[1] != w.Shape[1]*v.groups {
		Failf("a convolution of %v by %v in %d groups", x.Shape, w.Shape, v.groups)
	}
	for i, size := range in {
		reach, room := (v.Kernel[i]-1)*v.Dilation[i]+1, size+v.Before[i]+v.Behind[i]
		if room < reach {
			Failf("a window of %d places does not fit into %d", reach, room)
		}
		v.Out = append(v.Out, (room-reach)/v.Stride[i]+1)
	}
	return v
}

// convolve is the convolution of integers that zero points have been taken off, [N, M, ...].
func (v convolution) convolve(x, w *Tensor) *Tensor {
	N, C, M := x.Shape[0], x.Shape[1], w.Shape[0]
	out := New(Int64, append([]int{N, M}, v.Out...)...)
	places, inner, kernel := Size(v.Out), Size(v.in), Size(v.Kernel)
	perGroup := C / v.groups
	for p := range places {
		at := unravel(p, v.Out)
		for k := range kernel {
			step, from, inside := unravel(k, v.Kernel), 0, true
			for i := range at {
				q := at[i]*v.Stride[i] + step[i]*v.Dilation[i] - v.Before[i]
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

// qlinearConv has operands x, its scale and zero point, w, its scales and zero points, the scale
// and zero point of the result, and a bias in the units of the sums.
func qlinearConv(c *Call) []*Tensor {
	x, w := centred(c.need(0), c.need(2), 1), centred(c.need(3), c.need(5), 0)
	sums := c.convolutionOf(x, w).convolve(x, w)
	if bias := c.Arg(8); bias != nil {
		if bias.I == nil || bias.Len() != w.Shape[0] {
			Failf("a bias %v of %d channels", bias, w.Shape[0])
		}
		each := numbers{bias, max(1, Size(sums.Shape[2:]))}
		for i := range sums.I {
			sums.I[i] += bias.I[each.at(i)]
		}
	}
	return c.requantised(sums, -1, 1, -1)
}
