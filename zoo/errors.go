package zoo

import (
	"errors"

	"github.com/seqzoo/seqzoo/internal/check"
)

// ConfigError is all that is wrong with a configuration, a line for each field: what the
// constructors of all models, and every Validate, return for one that is out of range.
type ConfigError = check.Error

// ExampleError is what the methods of models that take many examples return, wrapped, for one of
// them: its Index tells which, so that a program can name the line that it read it from.
type ExampleError = check.ExampleError

// What Load and the models' own Load functions return errors of, beside those of files
// (fs.ErrNotExist, …).
var (
	// ErrArchitecture: nobody has registered the architecture, or it is another than the one asked
	// for.
	ErrArchitecture = errors.New("architecture")
	// ErrFormat: a newer version of the library wrote the model, or config.json is none of a model.
	ErrFormat = errors.New("format")
	// ErrMisfit: a file of the model, or the weights in it, do not belong to its other files.
	ErrMisfit = check.ErrMisfit
)

// ErrNotFinite: numbers that a model was given are so large that its result is infinite, or
// no number.
var ErrNotFinite = check.ErrNotFinite
