package course

import "testing"

// MathML is mathML, and ShowCell is Show with its error, for tests.
var (
	MathML   = mathML
	ShowCell = show
)

// Encode is Record.encode for tests.
func Encode(t *testing.T, r *Record) []byte {
	t.Helper()
	b, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
