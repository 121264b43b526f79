package ir

import (
	"fmt"
	"slices"
)

// Notes are remarks for the reader of a listing, most of them about what was not done, and why.
// Each is listed once.
type Notes struct{ lines []string }

// Add adds a remark that is not there yet.
func (n *Notes) Add(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(n.lines, s) {
		n.lines = append(n.lines, s)
	}
}

// Lines are the remarks in order.
func (n *Notes) Lines() []string { return n.lines }
