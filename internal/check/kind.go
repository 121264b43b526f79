package check

import "errors"

// The kinds of errors that several packages return, each of which gives them under a name of its
// own.
var (
	ErrNotFinite = errors.New("not finite")
	ErrLength    = errors.New("lengths differ")
	ErrMisfit    = errors.New("files do not belong together")
)

// Kind makes err, which reads as before, an error of a kind, so that errors.Is(err, kind) holds.
func Kind(kind, err error) error {
	if err == nil {
		return nil
	}
	return &ofKind{err, kind}
}

type ofKind struct {
	error
	kind error
}

func (e *ofKind) Unwrap() []error { return []error{e.error, e.kind} }
