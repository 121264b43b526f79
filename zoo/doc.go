// Package zoo holds whole sequence models, each a short assembly of cells and unrollers that trains through package
// train, is saved as a directory, and has the inference methods that its users expect.
//
// reduce.PCA, reduce.Autoencoder, reduce.VAE and reduce.RecurrentAutoencoder reduce rows of numbers to codes of fewer, and are one [reduce.Reducer], so that they
// are compared like with like.
//
// A model's directory holds config.json (architecture and sizes), model.safetensors (weights) and, for models of text,
// vocabulary.json, or source.json and target.json. Load gives back a model that is ready for use. Files hold data only:
// an architecture is one of a closed list of names, and an unknown name or field is refused by name. Saving over
// a model replaces it in one step, for readers and for crashes alike (docs/design/0021-saving-in-one-step.md).
//
// # Errors
//
// What a caller may want to act on is found by errors.Is and errors.As, in all packages of models: a *[ConfigError] for a
// configuration out of range, [ErrArchitecture], [ErrFormat] and [ErrMisfit] for a directory that holds no such model,
// [ErrNotFinite] for numbers too large for a model, and the errors of files, such as fs.ErrNotExist.
package zoo
