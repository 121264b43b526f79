package host

import "slices"

// Window is what a convolution or a pooling slides along the axes behind the second: a value for
// each of these axes.
type Window struct {
	Kernel, Stride, Dilation []int
	Before, Behind           []int // zeros, or nothing, around the axis
	Out                      []int // places that the window takes
}

// spread repeats 1 for each axis where an attribute is not given.
func (a Attrs) spread(name string, n int) []int {
	xs := a.Ints(name)
	if xs == nil {
		for range n {
			xs = append(xs, 1)
		}
	}
	if len(xs) != n {
		Failf("%s has %d entries for %d axes", name, len(xs), n)
	}
	return xs
}

// Window reads the attributes of a convolution or a pooling along axes of the sizes in. The kernel
// is that of the weights; nil: it is an attribute too. Out is for the caller to set.
func (a Attrs) Window(in, kernel []int) Window {
	n := len(in)
	if given := a.Ints("kernel_shape"); given != nil {
		if kernel != nil && !slices.Equal(kernel, given) {
			Failf("kernel_shape is %v, the weights have %v", given, kernel)
		}
		kernel = given
	}
	if n < 1 || n > 3 || len(kernel) != n {
		Failf("a window %v along %d axes: want as many, one to three", kernel, n)
	}
	w := Window{Kernel: kernel, Stride: a.spread("strides", n),
		Dilation: a.spread("dilations", n), Before: make([]int, n), Behind: make([]int, n)}
	for i := range n {
		for _, v := range []int{w.Kernel[i], w.Stride[i], w.Dilation[i]} {
			if v < 1 || v > MaxElements {
				Failf("a window %v with strides %v and dilations %v", w.Kernel, w.Stride,
					w.Dilation)
			}
		}
	}
	if pads := a.Ints("pads"); pads != nil {
		if len(pads) != 2*n {
			Failf("pads %v along %d axes", pads, n)
		}
		copy(w.Before, pads[:n])
		copy(w.Behind, pads[n:])
		if slices.Min(pads) < 0 || slices.Max(pads) > MaxElements {
			Failf("pads %v are not supported", pads)
		}
	}
	return w
}

// PadSame sets the zeros around as auto_pad wants them: if it is one of the two kinds of SAME, so
// that there is a place for every stride-th element.
func (a Attrs) PadSame(w Window, in []int) {
	auto := a.String("auto_pad", "NOTSET")
	if auto == "VALID" {
		clear(w.Before)
		clear(w.Behind)
	}
	if auto != "SAME_UPPER" && auto != "SAME_LOWER" {
		return
	}
	for i, d := range in {
		places := (d + w.Stride[i] - 1) / w.Stride[i]
		total := max(0, (places-1)*w.Stride[i]+(w.Kernel[i]-1)*w.Dilation[i]+1-d)
		w.Before[i], w.Behind[i] = total/2, total-total/2
		if auto == "SAME_LOWER" {
			w.Before[i], w.Behind[i] = w.Behind[i], w.Before[i]
		}
	}
}
