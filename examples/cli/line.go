package cli

import (
	"errors"
	"fmt"

	"github.com/seqzoo/seqzoo/zoo"
)

// AtLine is err with the file and the line of the example that it is about, if it is about one;
// line tells that of an example by its number, counted from 0; 0 if it is not known.
func AtLine(err error, file string, line func(example int) int) error {
	var e *zoo.ExampleError
	if !errors.As(err, &e) || line(e.Index) == 0 {
		return err
	}
	if file != "" {
		file += ": "
	}
	return fmt.Errorf("%sline %d: %w", file, line(e.Index), err)
}

// AtLines is AtLine for what makes a task and trains it: train or valid adds the line, whichever
// has the example.
func AtLines(err error, train, valid func(error) error) error {
	if e := (*zoo.ExampleError)(nil); errors.As(err, &e) && e.Valid {
		return valid(err)
	}
	return train(err)
}
