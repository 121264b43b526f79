// Package reduce holds models that turn rows of many numbers into codes of few and back: [PCA],
// [Autoencoder] (deep, tied, denoising), [VAE] (variational), and [RecurrentAutoencoder] for
// series. Each of them is a [Reducer], so that they are compared like with like, and each tells an
// unlike row, an anomaly, by how badly it comes back.
//
//	rows := make([]float32, 1000*784) // [1000, 784]
//	model, err := reduce.NewAutoencoder(reduce.AutoencoderConfig{Features: 784, Widths: []int{128, 32}}, 1)
//	task, err := model.Task(reduce.RowData{Train: rows}) // for train.Fit
//	codes, err := model.Transform(rows)                  // [1000, 32]
//	back, err := model.InverseTransform(codes)           // [1000, 784]
//	scores, err := model.Errors(rows)                    // of anomaly, [1000]
//
// NewAutoencoder, NewVAE and NewRecurrentAutoencoder make models of their Config, [FitPCA] fits a
// PCA at once, [Load] reads whichever Save has written. [Interpolate], [Traverse], [Reconstruct],
// [MeanError] and [RelativeErrors] work with any Reducer. A row that the model cannot take, or
// that overflows in it, is a [RowError], or has the error +Inf: it is never judged normal.
//
// [Explain] says which numbers make the error of a row: of windows of a series (series.Windows)
// which variable, and at which time. A VAE may be conditional (VAEConfig.Condition), and have a
// decoder of one's own ([RegisterDecoder]).
//
// A model may be used by many goroutines at once, but not while SetThreshold is called.
package reduce
