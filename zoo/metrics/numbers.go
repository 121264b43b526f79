package metrics

import (
	"fmt"
	"math"
)

// Float is a type of the numbers that are measured.
type Float interface{ ~float32 | ~float64 }

// MSE is the mean squared error, summed in float64.
func MSE[F Float](predicted, truth []F) (float64, error) {
	return meanOf("MSE", predicted, truth, func(d float64) float64 { return d * d })
}

// RMSE is the root of the mean squared error, in the unit of the numbers.
func RMSE[F Float](predicted, truth []F) (float64, error) {
	mse, err := meanOf("RMSE", predicted, truth, func(d float64) float64 { return d * d })
	return math.Sqrt(mse), err
}

// MAE is the mean absolute error.
func MAE[F Float](predicted, truth []F) (float64, error) {
	return meanOf("MAE", predicted, truth, math.Abs)
}

// meanOf is the mean of a function of the errors.
func meanOf[F Float](what string, predicted, truth []F, of func(float64) float64) (float64, error) {
	if err := sameLength(what, len(predicted), len(truth)); err != nil {
		return 0, err
	}
	var sum float64
	for i, p := range predicted {
		for _, x := range [...]struct {
			name  string
			value F
		}{{"predicted", p}, {"true", truth[i]}} {
			if x.value-x.value != 0 {
				return 0, fmt.Errorf("metrics: %s: the %s value %d is %g: want a finite number",
					what, x.name, i, float64(x.value))
			}
		}
		sum += of(float64(p) - float64(truth[i]))
	}
	if math.IsInf(sum, 0) {
		return 0, fmt.Errorf("metrics: %s: the errors are too large to add up: the sum leaves "+
			"the range of float64", what)
	}
	return sum / float64(len(truth)), nil
}
