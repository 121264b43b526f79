package check

import "fmt"

// Given is an error if an argument is nil. What names it: "the writer".
func Given(what string, argument any) error {
	if argument == nil {
		return fmt.Errorf("%s is nil", what)
	}
	return nil
}
