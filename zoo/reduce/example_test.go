package reduce_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seqzoo/seqzoo/zoo/reduce"
)

// Reduce rows of three features to one number each, and find the row that is unlike the others.
func ExampleFitPCA() {
	check := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	var x []float32 // [N, 3], near a line
	for i := range 50 {
		t := float32(i) / 10
		x = append(x, t, 2*t+0.1, -t)
	}
	m, err := reduce.FitPCA(context.Background(), x, reduce.PCAConfig{Features: 3, Components: 1})
	check(err)
	fmt.Printf("kept %.1f %% of the variance\n", 100*m.ExplainedVarianceRatio()[0])
	codes, err := m.Transform([]float32{1, 2.1, -1})
	check(err)
	back, err := m.InverseTransform(codes)
	check(err)
	fmt.Printf("%.2f comes back as %.2f\n", []float32{1, 2.1, -1}, back)

	check(m.SetThreshold(0.01))
	for _, row := range [][]float32{{2, 4.1, -2}, {2, 0, 1}} {
		errs, err := m.Errors(row)
		check(err)
		fmt.Println(row, "anomaly:", errs[0] > m.Threshold())
	}
	// Output:
	// kept 100.0 % of the variance
	// [1.00 2.10 -1.00] comes back as [1.00 2.10 -1.00]
	// [2 4.1 -2] anomaly: false
	// [2 0 1] anomaly: true
}
