package metrics

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// ROCAUC is the area under the receiver operating characteristic: the probability that a positive
// has a higher score than a negative, a tie counting half (Hanley and McNeil, 1982). There must be
// positives and negatives, and no score may be NaN.
func ROCAUC(scores []float64, positive []bool) (float64, error) {
	order, positives, err := ranked("ROCAUC", scores, positive)
	if err != nil {
		return 0, err
	}
	negatives := len(scores) - positives
	var won float64 // pairs
	below := 0      // negatives with a lower score
	for i := 0; i < len(order); {
		tied, tiedPositives := 0, 0
		for ; i < len(order) && (tied == 0 || scores[order[i]] == scores[order[i-1]]); i++ {
			tied++
			if positive[order[i]] {
				tiedPositives++
			}
		}
		won += float64(tiedPositives) * (float64(below) + 0.5*float64(tied-tiedPositives))
		below += tied - tiedPositives
	}
	return won / float64(positives) / float64(negatives), nil
}

// ranked returns the order of rising scores, and the number of positives.
func ranked(what string, scores []float64, positive []bool) (order []int, positives int,
	err error) {
	if len(scores) != len(positive) {
		return nil, 0, lengthError("metrics: %s: %d scores and %d labels: want as many", what,
			len(scores), len(positive))
	}
	for i, s := range scores {
		if math.IsNaN(s) {
			return nil, 0, fmt.Errorf("metrics: %s: score %d is NaN", what, i)
		}
		if positive[i] {
			positives++
		}
		order = append(order, i)
	}
	if positives == 0 || positives == len(scores) {
		return nil, 0, fmt.Errorf("metrics: %s: %d of %d are positive: want both "+
			"positives and negatives", what, positives, len(scores))
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	return order, positives, nil
}

// Detection counts positives and negatives when examples are called positive whose score is above a
// threshold.
type Detection struct {
	Threshold                                                    float64
	TruePositives, FalsePositives, FalseNegatives, TrueNegatives int
}

// Precision is the share of positives among the examples called positive; 0 if none was.
func (d Detection) Precision() float64 { return part(d.TruePositives, d.FalsePositives) }

// Recall is the share of the positives that was called positive; 0 if there are none.
func (d Detection) Recall() float64 { return part(d.TruePositives, d.FalseNegatives) }

// FalsePositiveRate is the share of the negatives that was called positive; 0 if there are none.
func (d Detection) FalsePositiveRate() float64 { return part(d.FalsePositives, d.TrueNegatives) }

// F1 is the harmonic mean of precision and recall; 0 if both are 0.
func (d Detection) F1() float64 {
	return part(2*d.TruePositives, d.FalsePositives+d.FalseNegatives)
}

func part(of, rest int) float64 {
	if of == 0 {
		return 0
	}
	return float64(of) / float64(of+rest)
}

// DetectAbove counts at a threshold: scores above it are called positive. Neither the threshold nor
// a score may be NaN.
func DetectAbove(threshold float64, scores []float64, positive []bool) (Detection, error) {
	d := Detection{Threshold: threshold}
	if len(scores) != len(positive) {
		return d, lengthError("metrics: DetectAbove: %d scores and %d labels: want as many",
			len(scores), len(positive))
	}
	if math.IsNaN(threshold) {
		return d, errors.New("metrics: DetectAbove: the threshold is NaN")
	}
	for i, s := range scores {
		switch {
		case math.IsNaN(s):
			return Detection{Threshold: threshold},
				fmt.Errorf("metrics: DetectAbove: score %d is NaN", i)
		case s > threshold && positive[i]:
			d.TruePositives++
		case s > threshold:
			d.FalsePositives++
		case positive[i]:
			d.FalseNegatives++
		default:
			d.TrueNegatives++
		}
	}
	return d, nil
}

// BestF1 is the detection with the highest F1 of all thresholds that scores can have: choose it on
// validation data. Of equals it is the one with the highest threshold.
func BestF1(scores []float64, positive []bool) (Detection, error) {
	order, positives, err := ranked("BestF1", scores, positive)
	if err != nil {
		return Detection{}, err
	}
	var best Detection
	d := Detection{FalseNegatives: positives, TrueNegatives: len(scores) - positives}
	for i := len(order) - 1; i >= 0; i-- { // the threshold falls, and more are called positive
		if positive[order[i]] {
			d.TruePositives++
			d.FalseNegatives--
		} else {
			d.FalsePositives++
			d.TrueNegatives--
		}
		if i > 0 && scores[order[i-1]] == scores[order[i]] {
			continue // no threshold lies between equal scores
		}
		d.Threshold = math.Nextafter(scores[order[i]], math.Inf(-1))
		if i > 0 {
			d.Threshold = scores[order[i-1]]
		}
		if d.F1() > best.F1() {
			best = d
		}
	}
	return best, nil
}

// Quantile is the least of the values such that the share q of them, in [0, 1], is less or equal: a
// threshold that this share of normal validation data does not exceed. It does not change the order
// of the values, none of which may be NaN.
func Quantile(values []float64, q float64) (float64, error) {
	if len(values) == 0 {
		return 0, fmt.Errorf("metrics: Quantile: there are no values")
	}
	if !(q >= 0 && q <= 1) {
		return 0, fmt.Errorf("metrics: Quantile: q is %g, want 0 … 1", q)
	}
	if i := slices.IndexFunc(values, math.IsNaN); i >= 0 {
		return 0, fmt.Errorf("metrics: Quantile: value %d is NaN", i)
	}
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	n := float64(len(sorted))
	// q·n is rounded, and may lie just above a whole number: 0.07·100 does
	return sorted[max(0, int(math.Ceil(q*n*(1-1e-12)))-1)], nil
}

// PSNR is the peak signal-to-noise ratio in decibels of a picture or signal with values from 0 to
// peak whose mean squared error is mse: 10·log10(peak²/mse). For an error of 0 it is +Inf, for any
// peak; for a peak of 0 and another error it is −Inf.
func PSNR(mse, peak float64) float64 {
	if mse == 0 {
		return math.Inf(1)
	}
	// peak² might leave the range of float64
	return 20*math.Log10(math.Abs(peak)) - 10*math.Log10(mse)
}
