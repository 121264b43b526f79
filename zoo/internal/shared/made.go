package shared

import (
	"errors"

	"github.com/seqzoo/seqzoo/nodes"
)

// ErrEmpty is the error of a model that nothing has made.
var ErrEmpty = errors.New("the model is an empty value: its package makes one by New…, and " +
	"reads one by Load…")

// Made refuses a model without weights. What uses them asks it first.
func Made(weights *nodes.Store) error {
	if weights == nil {
		return ErrEmpty
	}
	return nil
}

// NeedMade is Made for what builds a graph: it panics with a *nodes.BuildError.
func NeedMade(model string, weights *nodes.Store) {
	if weights == nil {
		nodes.Failf(model, "%w", ErrEmpty)
	}
}
