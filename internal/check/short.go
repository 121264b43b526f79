package check

import "strings"

// shortest is how many bytes of a message Short keeps at each of its ends.
const shortest = 1000

// Short is an error whose text quotes what a file says, which may be a million bytes: of a text
// that is so long, its ends are kept. It wraps err.
func Short(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if len(text) <= 2*shortest+100 {
		return err
	}
	// a letter that is cut in two is left out
	begin := strings.ToValidUTF8(text[:shortest], "")
	end := strings.ToValidUTF8(text[len(text)-shortest:], "")
	return &shortened{err, begin + " […] " + end}
}

type shortened struct {
	error
	text string
}

func (e *shortened) Error() string { return e.text }
func (e *shortened) Unwrap() error { return e.error }
