package cli

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqzoo/seqzoo/zoo"
)

// An error of a task is said with the line of whichever file its example is from.
func TestAtLines(t *testing.T) {
	at := func(file string, lines ...int) func(error) error {
		return func(err error) error {
			return AtLine(err, file, func(i int) int { return lines[i] })
		}
	}
	train, valid := at("train.txt", 1, 3, 5), at("valid.txt", 0, 7)
	broken := errors.New("it is broken")
	for want, err := range map[string]error{
		"train.txt: line 5: example 2: it is broken": &zoo.ExampleError{Kind: "example", Index: 2, Err: broken},
		"valid.txt: line 7: example 1: it is broken": &zoo.ExampleError{Kind: "example", Index: 1, Err: broken,
			Valid: true},
		"example 0: it is broken": &zoo.ExampleError{Kind: "example", Err: broken, Valid: true}, // no line is known
		"it is broken":            broken,
	} {
		err := AtLines(err, train, valid)
		require.EqualError(t, err, want)
		require.ErrorIs(t, err, broken)
	}
	require.NoError(t, AtLines(nil, train, valid))
}
