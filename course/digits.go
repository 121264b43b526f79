package course

import (
	"math"
	"strconv"
	"strings"
)

// Digits writes a number with n significant digits: plainly from 0.001 to a million, as a power of
// ten else. What is not finite is written as such.
func Digits(v float64, n int) string {
	n = min(max(n, 1), 17)
	if v != v || math.IsInf(v, 0) {
		return strings.Replace(strconv.FormatFloat(v, 'g', -1, 64), "Inf", "∞", 1)
	}
	if v == 0 {
		return "0"
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(v, 'e', n-1, 64), "e")
	power, _ := strconv.Atoi(exponent) // FormatFloat wrote it
	if power >= -3 && power < 6 {
		return strings.Replace(strconv.FormatFloat(v, 'f', max(0, n-1-power), 64), "-", "−", 1)
	}
	sign := ""
	if power < 0 {
		sign, power = "⁻", -power
	}
	up := strings.NewReplacer("0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶",
		"7", "⁷", "8", "⁸", "9", "⁹")
	return strings.Replace(mantissa, "-", "−", 1) + "·10" + sign + up.Replace(strconv.Itoa(power))
}
