// Package metrics measures predictions against what is true: labels, numbers, translations.
//
//	accuracy, err := metrics.Accuracy(predicted, truth)
//	rmse, err := metrics.RMSE(predicted, truth)
//
// Functions take all predictions at once, first what was predicted, then what is true, both of one
// length. Types, such as Confusion and BLEU, gather what they need example by example, and give
// their value in the end. A mismatch of lengths, nothing to measure and a number that is not finite
// are errors, which say where.
package metrics
