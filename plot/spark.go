package plot

import "math"

// Spark draws numbers as one line of text: ▁ for the smallest to █ for the largest, a blank for
// what is not finite. More numbers than columns are averaged. With log, equal steps are equal
// factors.
func Spark(y []float64, columns int, log bool) string {
	columns = min(max(columns, 1), max(len(y), 1))
	bars := []rune("▁▂▃▄▅▆▇█")
	means := make([]float64, columns)
	low, high := math.Inf(1), math.Inf(-1)
	for c := range means {
		from, to := c*len(y)/columns, (c+1)*len(y)/columns
		sum := 0.0
		for _, v := range y[from:to] {
			sum += v
		}
		m := sum / float64(to-from)
		if log {
			m = math.Log(m)
		}
		if means[c] = m; m-m == 0 {
			low, high = min(low, m), max(high, m)
		}
	}
	out := make([]rune, columns)
	for c, m := range means {
		switch {
		case m-m != 0:
			out[c] = ' '
		case high == low:
			out[c] = bars[0]
		default:
			out[c] = bars[int(math.Round((m-low)/(high-low)*float64(len(bars)-1)))]
		}
	}
	return string(out)
}
