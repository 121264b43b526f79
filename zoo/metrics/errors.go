package metrics

import (
	"fmt"

	"github.com/seqzoo/seqzoo/internal/check"
)

// ErrLength: two lists that belong together, such as predictions and true values, are not of one
// length.
var ErrLength = check.ErrLength

func lengthError(format string, args ...any) error {
	return check.Kind(ErrLength, fmt.Errorf(format, args...))
}
