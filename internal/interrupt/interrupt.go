// Package interrupt asks contexts that may be nil.
package interrupt

import (
	"context"
	"errors"
)

// Err is ctx.Err(), or an error if the context is nil.
func Err(ctx context.Context) error {
	if ctx == nil {
		return errors.New("the context is nil; context.Background() is one that never ends")
	}
	return ctx.Err()
}
