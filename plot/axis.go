package plot

import (
	"fmt"
	"math"
	"strings"
)

// axis maps values to pixels.
type axis struct {
	low, high float64
	from, to  float64
	log       bool
}

func newAxis(log bool, least Range) axis {
	a := axis{low: math.Inf(1), high: math.Inf(-1), log: log}
	if least != (Range{}) {
		a.include(least.Low)
		a.include(least.High)
	}
	return a
}

func (a axis) at(v float64) float64 {
	low, high := a.low, a.high
	if a.log {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	return a.from + (v-low)/(high-low)*(a.to-a.from)
}

func (a axis) centre() float64 { return (a.from + a.to) / 2 }

// include widens the axis to v.
func (a *axis) include(v float64) {
	if a.shows(v) {
		a.low, a.high = min(a.low, v), max(a.high, v)
	}
}

// shows reports whether a value has a place: differences of larger numbers would overflow.
func (a *axis) shows(v float64) bool {
	return math.Abs(v) <= 1e300 && (!a.log || v >= 1e-300)
}

// widen leaves room beside the outermost values.
func (a *axis) widen() {
	if a.low >= a.high || a.log {
		return
	}
	by := 0.04 * (a.high - a.low)
	if low := a.low - by; low >= 0 || a.low < 0 { // 0 stays the end of what is never negative
		a.low = low
	}
	a.high += by
}

// settle gives an axis without extent one.
func (a *axis) settle() {
	switch {
	case a.low > a.high && a.log:
		a.low, a.high = 1, 10
	case a.low > a.high:
		a.low, a.high = 0, 1
	}
	if a.low == a.high {
		v := a.low
		if a.log {
			a.low, a.high = v/2, v*2
			return
		}
		by := math.Abs(v) / 2
		if by < 1e-300 {
			by = 1
		}
		a.low, a.high = v-by, v+by
	}
}

// ticks are round values along the axis, about every 60 pixels or rarer.
func (a axis) ticks() []float64 {
	most := max(2, math.Abs(a.to-a.from)/60)
	var out []float64
	if a.log {
		low, high := math.Floor(math.Log10(a.low)), math.Ceil(math.Log10(a.high))
		multiples, every := []float64{1, 2, 5}, 1.0
		if 3*(math.Log10(a.high)-math.Log10(a.low)) > most { // powers of ten alone
			multiples, every = multiples[:1], math.Ceil((high-low)/most)
		}
		for p := math.Ceil(low/every) * every; p <= high; p += every {
			for _, m := range multiples {
				if v := m * math.Pow(10, p); v >= a.low && v <= a.high {
					out = append(out, v)
				}
			}
		}
		return out
	}
	span := a.high - a.low
	step := math.Pow(10, math.Floor(math.Log10(span/most)))
	if span < 1e-290 || a.low+step == a.low || a.high-step == a.high { // too close for round values
		return []float64{a.low, a.high}
	}
	for _, m := range []float64{1, 2, 5, 10} {
		if span/(m*step) <= most {
			step *= m
			break
		}
	}
	for k := math.Ceil(a.low / step); k*step <= a.high+step*1e-9 && len(out) < 100; k++ {
		out = append(out, k*step)
	}
	return out
}

// label writes the value of a tick: powers of ten as such, other numbers with separated thousands.
func (a axis) label(v float64) string {
	v += 0 // no −0
	size := math.Abs(v)
	if v != 0 && (size >= 1e6 || size < 1e-3) {
		mantissa, exponent, _ := strings.Cut(fmt.Sprintf("%.5e", v), "e")
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
		sign := ""
		if exponent[0] == '-' {
			sign = "⁻"
		}
		power := "10" + sign + superscript(strings.TrimLeft(exponent[1:], "0"))
		switch mantissa {
		case "1":
			return power
		case "-1":
			return "−" + power
		}
		return strings.Replace(mantissa, "-", "−", 1) + "·" + power
	}
	s := fmt.Sprintf("%.6g", v)
	if size >= 10000 && !strings.ContainsAny(s, ".e") {
		s = s[:len(s)-3] + "," + s[len(s)-3:]
	}
	return strings.Replace(s, "-", "−", 1)
}

func superscript(digits string) string {
	return strings.NewReplacer("0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6",
		"⁶", "7", "⁷", "8", "⁸", "9", "⁹").Replace(digits)
}
