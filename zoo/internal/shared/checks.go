package shared

import (
	"errors"
	"fmt"

	"github.com/seqzoo/seqzoo/internal/check"
)

// MaxLayers bounds a stack; a deeper one is a slip.
const MaxLayers = 64

// ErrOverflow says what is wrong with a row that left the range of its numbers.
var ErrOverflow = check.Kind(check.ErrNotFinite,
	errors.New("numbers too large for the model: what comes of them is not finite"))

// CheckIDs refuses ids that a vocabulary of n tokens has not, and more than MaxTokens of them.
func CheckIDs(what string, ids []int, n int) error {
	if len(ids) > MaxTokens {
		return fmt.Errorf("the %s has %d tokens; at most %d are taken", what, len(ids), MaxTokens)
	}
	for i, id := range ids {
		if id < 0 || id >= n {
			return fmt.Errorf("the %s has id %d at position %d; its vocabulary has ids 0 … %d",
				what, id, i, n-1)
		}
	}
	return nil
}

// MaxTokens bounds a source and a target; a longer one is a slip, such as a file without line ends.
const MaxTokens = 1 << 13

// Ignored is the target of a step behind the end.
const Ignored = -1
