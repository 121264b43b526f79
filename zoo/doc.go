// Package zoo holds what all models of the library share; each model is a package below it, a
// short assembly of cells and unrollers that trains through package train, is saved as a
// directory, and has the methods that its users expect:
//
//   - zoo/lm: language models
//   - zoo/label: a label for a sequence, or for each of its steps
//   - zoo/forecast: forecasts of series
//   - zoo/seq2seq: from one sequence of tokens to another one, with attention
//   - zoo/dialogue: HRED and VHRED
//   - zoo/caption: captions of pictures
//   - zoo/reduce: autoencoders and PCA
//   - zoo/word2vec, zoo/emoji: vectors of words and of emoji
//
// They all are used alike: a Config says how large a model is, New makes it, its Task with a
// Data goes to train.Fit, Save writes it, and Load of its package reads it. A program that
// loads models of any kind imports zoo/all and asks this package:
//
//	model, err := zoo.Load("model")
//	fmt.Println(model.Architecture(), err)
//
// What models work with has packages of its own: zoo/text, zoo/series, zoo/images and zoo/vectors
// read data, zoo/decode searches and samples, zoo/metrics measures.
//
// In this package, [Model] is what every model can do, [Recurrent] describes the recurrent layers
// of one, [Load] and [Save] read and write any, [ImportTorch] and [ExportTorch] exchange weights
// with PyTorch. [Register] makes an architecture known to Load: a new model is a new package that
// calls it.
//
// # Files
//
// A model's directory holds config.json (architecture and sizes), model.safetensors (weights) and,
// for models of text, vocabulary.json, or source.json and target.json. Files hold data only: an
// architecture is one of the names that the program knows, and an unknown name or field is refused
// by name. Saving over a model replaces it in one step, for readers and for crashes alike
// (docs/design/0019-saving-in-one-step.md).
//
// # Errors
//
// What a caller may want to act on is found by errors.Is and errors.As, in all packages of models:
// a *[ConfigError] for a configuration out of range, [ErrArchitecture], [ErrFormat] and [ErrMisfit]
// for a directory that holds no such model, [ErrNotFinite] for numbers too large for a model, and
// the errors of files, such as fs.ErrNotExist.
package zoo
