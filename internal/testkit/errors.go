package testkit

// ErrOf is the error of a call with one more result, for tables of calls that are refused.
func ErrOf[T any](_ T, err error) error { return err }
