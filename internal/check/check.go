// Package check gathers what is wrong with a configuration, so that every Validate reports all of
// it at once, in the order of the fields, and says a range in the same words. A field is named as a
// file names it if the configuration has a form as JSON, and as Go names it otherwise.
package check

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Error is what is wrong with a configuration: at least one problem, in the order of the fields, a
// line for each.
type Error struct{ Problems []error }

func (e *Error) Error() string {
	if e == nil || len(e.Problems) == 0 {
		return "a configuration with no problem"
	}
	return errors.Join(e.Problems...).Error()
}

// Unwrap gives the problems to errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	if e == nil {
		return nil
	}
	return e.Problems
}

// Problems gathers what is wrong with one configuration. The zero value has none. To ask for
// numbers allocates nothing where they are in range, so that options can be looked at in every
// step.
type Problems struct {
	// Prefix stands before each problem that is found here, such as "LSTM: ".
	Prefix string

	found []error
}

// That notes a problem unless ok.
func (p *Problems) That(ok bool, format string, args ...any) {
	if !ok {
		p.found = append(p.found, fmt.Errorf(p.Prefix+format, args...))
	}
}

// Int notes a whole number outside of low … high. A high of math.MaxInt is no bound. Besides, if
// given, completes what is wanted: "or 0 for the default".
func (p *Problems) Int(name string, n, low, high int, besides ...string) {
	if n >= low && n <= high {
		return
	}
	want := fmt.Sprintf("%d … %d", low, high)
	if high == math.MaxInt {
		want = fmt.Sprintf("at least %d", low)
	}
	p.That(false, "%s is %d, want %s", name, n, strings.Join(append([]string{want}, besides...),
		", "))
}

// Optional is Int for a number whose 0 means something else, which besides may say: "or 0 for the
// default".
func (p *Problems) Optional(name string, n, low, high int, besides ...string) {
	if n != 0 {
		p.Int(name, n, low, high, besides...)
	}
}

// Rate notes a share or a probability outside of [0, 1), or NaN.
func (p *Problems) Rate(name string, x float64) {
	if !(x >= 0 && x < 1) {
		p.That(false, "%s is %g, want [0, 1)", name, x)
	}
}

// Number notes a number outside of low … high, or NaN.
func (p *Problems) Number(name string, x, low, high float64) {
	if !(x >= low && x <= high) {
		p.That(false, "%s is %g, want %g … %g", name, x, low, high)
	}
}

// Above notes a number that is not more than 0 and at most high, or NaN.
func (p *Problems) Above(name string, x, high float64) {
	if !(x > 0 && x <= high) {
		p.That(false, "%s is %g, want more than 0 and at most %g", name, x, high)
	}
}

// NotNegative notes a number that is negative, infinite or NaN. Besides, if given, says what 0
// means: "0 for 1".
func (p *Problems) NotNegative(name string, x float64, besides ...string) {
	if !(x >= 0) || math.IsInf(x, 1) {
		want := append([]string{"a number of 0 or more"}, besides...)
		p.That(false, "%s is %g, want %s", name, x, strings.Join(want, ", "))
	}
}

// OneOf notes a word that is none of those known.
func OneOf[S ~string](p *Problems, name string, got S, known ...S) {
	if slices.Contains(known, got) {
		return
	}
	words := make([]string, len(known))
	for i, k := range known {
		words[i] = string(k)
	}
	p.That(false, "%s is %q, want %s", name, got, list(words))
}

// list is "a, b or c".
func list(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// Add notes problems that were found elsewhere; nil is none.
func (p *Problems) Add(errs ...error) {
	for _, err := range errs {
		if err != nil {
			p.found = append(p.found, err)
		}
	}
}

// In notes the problems of a part of the configuration; nil is none.
func (p *Problems) In(part string, err error) {
	if err != nil {
		p.found = append(p.found, fmt.Errorf("%s: %w", part, err))
	}
}

// None reports whether nothing was found yet.
func (p *Problems) None() bool { return len(p.found) == 0 }

// Err is nil if nothing was found, and otherwise an *Error.
func (p *Problems) Err() error {
	if p.None() {
		return nil
	}
	return &Error{p.found}
}

// Prefix says where an error comes from, such as "zoo: captioner: ", and stands before each error
// that a package returns.
type Prefix string

// Errorf is fmt.Errorf behind the prefix.
func (p Prefix) Errorf(format string, args ...any) error {
	return fmt.Errorf(string(p)+format, args...)
}

// Wrap returns err behind the prefix; nil stays nil.
func (p Prefix) Wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s%w", string(p), err)
}
