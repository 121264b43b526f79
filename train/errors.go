package train

import (
	"context"
	"errors"
	"fmt"

	"github.com/seqzoo/seqzoo/internal/check"
)

// ErrInterrupted says that the context was cancelled and the state saved, if there was anywhere to
// save it. It wraps context.Canceled, and where a deadline has passed the error of Fit is
// context.DeadlineExceeded as well.
var ErrInterrupted error = interruption{}

type interruption struct{}

func (interruption) Error() string { return "interrupted" }

// Unwrap says that a context was cancelled.
func (interruption) Unwrap() error { return context.Canceled }

// ErrStop is for callbacks of a training (Config.OnRow, Config.AfterStep): it ends the training
// after the update at hand as if all were done, and Fit returns no error.
var ErrStop = errors.New("stop the training")

// What Fit and Checkpoint.Restore return errors of, beside ErrInterrupted, ErrMemory and
// ErrNoCheckpoint. All leave the checkpoints as they are.
var (
	// ErrCheckpoint: there is a checkpoint, and Fit is not to resume from it.
	ErrCheckpoint = errors.New("checkpoint")
	// ErrOtherModel: the checkpoint has other parameters than the model.
	ErrOtherModel = errors.New("other model")
	// ErrOtherSettings: the checkpoint was made with another configuration.
	ErrOtherSettings = errors.New("other settings")
	// ErrOtherData: the checkpoint was made with other data.
	ErrOtherData = errors.New("other data")
)

// ErrNotFinite: a loss, a gradient or what Validate measures became infinite, or no number.
var ErrNotFinite = check.ErrNotFinite

// errorOf is fmt.Errorf for an error of a kind.
func errorOf(kind error, format string, args ...any) error {
	return check.Kind(kind, fmt.Errorf(format, args...))
}
