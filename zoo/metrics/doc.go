// Package metrics compares predictions with true values: labels, numbers, translations.
//
//	accuracy, err := metrics.Accuracy(predicted, truth)
//	rmse, err := metrics.RMSE(predicted, truth)
//
// Functions take all predictions at once: first the predictions, then the true values, as many.
// Types, such as Confusion and BLEU, count example by example, and give their score in the end.
// Lists of different lengths, empty lists and numbers that are not finite are errors, which say
// where.
package metrics
