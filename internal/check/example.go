package check

import (
	"errors"
	"fmt"
)

// ExampleError is what is wrong with one of many examples.
type ExampleError struct {
	Kind  string // "pair"
	Index int    // counted from 0
	Err   error
	Valid bool // it is one of the validation data that a task was made with
}

// Example makes an ExampleError of what is wrong with an example.
func Example(kind string, index int, format string, args ...any) error {
	return &ExampleError{Kind: kind, Index: index, Err: fmt.Errorf(format, args...)}
}

// Validation is an error of the validation data of a task; an ExampleError in it knows that. Of nil
// it is nil.
func Validation(err error) error {
	var e *ExampleError
	if errors.As(err, &e) {
		e.Valid = true
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("validation: %w", err)
}

func (e *ExampleError) Error() string {
	if e == nil {
		return "an example"
	}
	return fmt.Sprintf("%s %d: %v", e.Kind, e.Index, e.Err)
}

// Unwrap is what is wrong.
func (e *ExampleError) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}
