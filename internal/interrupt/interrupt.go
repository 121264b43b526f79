// Package interrupt asks contexts that may be nil.
package interrupt

import (
	"context"
	"errors"
)

var errNil = errors.New("the context is nil; context.Background() is one that never ends")

// Err is ctx.Err(), or an error if the context is nil.
func Err(ctx context.Context) error {
	if ctx == nil {
		return errNil
	}
	return ctx.Err()
}

// Cause is context.Cause(ctx), or an error if the context is nil.
func Cause(ctx context.Context) error {
	if ctx == nil {
		return errNil
	}
	return context.Cause(ctx)
}
