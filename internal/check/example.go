package check

import "fmt"

// ExampleError is what is wrong with one of many examples.
type ExampleError struct {
	Kind  string // "pair"
	Index int    // counted from 0
	Err   error
}

// Example makes an ExampleError of what is wrong with an example.
func Example(kind string, index int, format string, args ...any) error {
	return &ExampleError{kind, index, fmt.Errorf(format, args...)}
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
